"""Watches over the gateways: whether each can be used, whether it still has what is published, and what its RuntimeGateway says of that.

Each gateway has a task of its own, and its full check another: a slow gateway, or a check of thousands of registrations, keeps neither the others nor its own status
waiting. A look comes every few seconds, and at once when the RuntimeGateway or its credentials change. In each look a sentinel reads one published registration; when
it is gone the gateway has probably lost everything, and a full check starts at once. Else a full check runs once per drift interval, spread out (see `engine.drift`).

Invariants: a check never changes a gateway; a RuntimeGateway's counters are written at most every ten seconds, its Ready condition at once; a look costs the
same however many Clients there are, as long as none is lost.
What this module deliberately does not do: heal (see `lifecycle.decide.heal`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any

from registrar.clock import Clock, Jitter
from registrar.engine.drift import Drift
from registrar.engine.faults import fault_of
from registrar.engine.gateway_finalizer import GatewayFinalizer
from registrar.engine.gateway_status import gateway_status
from registrar.engine.gather import Gatherer
from registrar.engine.heal_rate import HealRate
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.owed import Ledger
from registrar.engine.pool import Handle, Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import Seals
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import GatewayError, KubeConflict, KubeError
from registrar.kube.client import GATEWAYS
from registrar.kube.status import StatusWriter
from registrar.lifecycle.model import Fault
from registrar.metrics import Metrics
from registrar.resources.objects import GatewayObject
from registrar.seam import Site

log = logging.getLogger(__name__)

CHECK_SHARE = 0.5
"""Over which share of the drift interval a full check is spread."""
LONGEST_START = 60.0
"""Seconds for which the first check waits for the passes of the start; later a busy queue keeps no check back."""


@dataclass(slots=True)
class Watched:
    """What is known of one gateway; times are monotonic seconds.

    `due` ends the pause between two looks; `urgent` says that the check under way is not spread out; `status` is the last one that was computed.
    """

    drift: Drift
    fault: Fault | None = None
    probed: bool = False
    version: str = ""
    next_check: float = float("-inf")
    written_at: float = float("-inf")
    vanished: bool = False
    urgent: bool = False
    check: asyncio.Task[None] | None = None
    due: asyncio.Event = field(default_factory=asyncio.Event)
    rate: HealRate = field(default_factory=HealRate)
    first_look: float | None = None
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def checking(self) -> bool:
        """Whether a full check is under way."""
        return self.check is not None and not self.check.done()


@dataclass(slots=True, kw_only=True)
class GatewayKeeper:
    """The watch over all gateways; every duration is in seconds."""

    store: Store
    queue: WorkQueue
    memory: Memory
    pool: Pool
    gatherer: Gatherer
    ingest: Ingest
    status_writer: StatusWriter
    seals: Seals
    clock: Clock
    jitter: Jitter
    interval: float
    drift_interval: float
    counter_interval: float
    namespace: str
    metrics: Metrics
    ledger: Ledger
    gateway_finalizer: GatewayFinalizer
    grace: float = 10.0
    watched: dict[str, Watched] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def reconcile(self, key: Key) -> str:
        """Look at the RuntimeGateway of a key now: it, or its credentials, have changed. The look itself is its own task's; no worker waits for a slow gateway."""
        watched = self.watched.get(key.name)
        if watched is not None:
            watched.due.set()
        # One that is new has no task yet, and one that is gone has one still.
        self._changed.set()
        return "success"

    async def run(self) -> None:
        """Look after every gateway, until cancelled; an error that nobody expected in one of the tasks ends it."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                names = set(self.store.gateways())
                for name in names - tasks.keys():
                    tasks[name] = asyncio.create_task(self._watch(name), name=f"gateway-{name}")
                for name in tasks.keys() - names:
                    await _ended(tasks.pop(name))
                for task in tasks.values():
                    if task.done():
                        task.result()
                await self._pause(self._changed)
        finally:
            await _ended(*tasks.values())

    async def _watch(self, name: str) -> None:
        """Look at one gateway every few seconds, and at once when it has changed or a check has found something."""
        watched = self._watched(name)
        try:
            while True:
                await self.look(name)
                await self._pause(watched.due)
        finally:
            if watched.check is not None:
                await _ended(watched.check)
            self.watched.pop(name, None)

    async def _pause(self, end: asyncio.Event) -> None:
        """Wait for the interval, or until `end`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.jitter.around(self.interval)):
                await end.wait()

    def _watched(self, name: str) -> Watched:
        found = self.watched.get(name)
        if found is None:
            drift = Drift(
                name, self.store, self.queue, self.memory, self.gatherer, self.seals, self.clock, self.metrics
            )
            found = self.watched[name] = Watched(drift)
            self.metrics.watched(name)
        return found

    async def look(self, name: str) -> None:
        """One look at one gateway, and its status."""
        watched = self._watched(name)
        watched.due.clear()
        gateway = self.store.gateway(name)
        if gateway is None:
            return
        handle = self.pool.handle(name)
        if handle is not None:
            await self._probe(gateway, handle, watched)
        try:
            if await self.gateway_finalizer.released(gateway):
                return
            await self._write(self.store.gateway(name) or gateway, handle, watched)
        except KubeConflict:
            log.debug("gateway %s: the status was changed meanwhile; written with the next look", name)
        except KubeError as error:
            log.warning("gateway %s: the status can't be written: %s", name, error)

    async def _probe(self, gateway: GatewayObject, handle: Handle, watched: Watched) -> None:
        name = gateway.meta.name
        try:
            watched.version = (await handle.driver.probe()).version
            await watched.drift.ask_missing(handle)
            lost = await watched.drift.sentinel_lost(gateway, handle)
        except GatewayError as error:
            if watched.fault is None:
                log.warning("gateway %s: %s", name, error)
            watched.fault, watched.probed = fault_of(error), True
            return
        recovered = watched.fault is not None
        watched.fault, watched.probed = None, True
        released = self.queue.release(f"gateway/{name}")
        if recovered:
            log.info("gateway %s can be used again; %d waiting Clients released", name, released)
        await self._start_check(gateway, handle, watched, lost=lost)
        if watched.vanished != handle.apis_vanished:
            watched.vanished = handle.apis_vanished
            watched.drift.wake_missing(handle)

    async def _start_check(self, gateway: GatewayObject, handle: Handle, watched: Watched, *, lost: bool) -> None:
        """Begin a full check when one is due, or at once and in haste when a registration was lost."""
        due = self.clock.monotonic() >= watched.next_check and not watched.checking and self._passed(watched)
        hasty = lost and not (watched.checking and watched.urgent)
        if not due and not hasty:
            return
        if watched.check is not None:
            await _ended(watched.check)
            if not watched.check.cancelled():
                watched.check.result()
        interval = gateway.drift_interval or self.drift_interval
        watched.next_check = self.clock.monotonic() + self.jitter.around(interval)
        watched.urgent = hasty
        seconds = 0.0 if hasty else interval * CHECK_SHARE
        watched.check = asyncio.create_task(
            self._check(gateway, handle, watched, seconds=seconds), name=f"check-{gateway.meta.name}"
        )

    def _passed(self, watched: Watched) -> bool:
        """Whether the passes of the start are over, as far as they are waited for: a Client that had none yet is not compared."""
        now = self.clock.monotonic()
        watched.first_look = now if watched.first_look is None else watched.first_look
        return not self.queue.depth or now >= watched.first_look + LONGEST_START

    async def _check(self, gateway: GatewayObject, handle: Handle, watched: Watched, *, seconds: float) -> None:
        try:
            await watched.drift.check(gateway, handle, seconds=seconds, found=watched.due.set)
        except GatewayError as error:
            # The next look says what is wrong with the gateway; the check is due again with the first one that works.
            log.info("gateway %s: the check was broken off: %s", gateway.meta.name, error)
            watched.next_check = float("-inf")
            return
        watched.due.set()

    # Status ------------------------------------------------------------------------------------------------------

    def _counts(self, gateway: GatewayObject, watched: Watched) -> tuple[int, int]:
        """How many registrations there should be, and how many of them are not there; a blocked Client's is in neither.

        Clients that have waited for their heal for longer than the grace are asked to say so, ahead of all heals: a slow gateway may take minutes.
        """
        name, healing, stopped = gateway.meta.name, 0, 0
        waiting: list[tuple[float, Key, ClientMemory]] = []
        for uid in self.memory.absent_from(name):
            client, identity = self.store.client_by_uid(uid), self.store.identity(uid)
            if client is None or identity is None or name not in (row[0] for row in client.standing):
                continue
            _, organization, client_id, version = identity
            blocked = gateway.block(organization=organization, client_id=client_id, version=version) is not None
            stopped += blocked
            healing += not blocked
            key, memory = Key("Client", client.meta.namespace, client.meta.name), self.memory.of(uid)
            if not blocked and self._waited(name, memory):
                waiting.append((self.store.published_since(name, key) or 0.0, key, memory))
        watched.rate.saw(healing, now=self.clock.monotonic())
        asked = watched.rate.asked(len(waiting), healing=healing, grace=self.grace)
        for _, key, memory in sorted(waiting, key=lambda row: row[:2])[:asked]:
            memory.tell, memory.told = True, memory.live[name].since
            self.queue.add(key, urgent=True)
        return self.store.published_count(name) - stopped, healing

    def _waited(self, name: str, memory: ClientMemory) -> bool:
        """Whether the Client has waited for its heal long enough to say so, and was not asked to yet."""
        since = memory.live[name].since if name in memory.live else 0.0
        return bool(since) and memory.told != since and self.clock.now() >= since + self.grace

    async def _write(self, gateway: GatewayObject, handle: Handle | None, watched: Watched) -> None:
        if handle is not None and not watched.probed:
            return
        expected, healing = self._counts(gateway, watched)
        new = gateway_status(
            gateway,
            credentials=handle is not None,
            namespace=self.namespace,
            fault=watched.fault,
            version=watched.version,
            expected=expected,
            healing=healing,
            foreign=watched.drift.foreign,
            missing=len(handle.missing) if handle is not None else 0,
            now=self.clock.now(),
            vanished=handle is not None and handle.apis_vanished,
            owed=self.ledger.count(gateway.meta.name) if self.ledger.loaded else _owed(gateway),
            holding=self.gateway_finalizer.holding(gateway),
        )
        watched.status = new
        old = gateway.raw_status
        if new == old:
            return
        urgent = _ready(new) != _ready(old)
        if not urgent and self.clock.monotonic() < watched.written_at + self.counter_interval:
            return
        raw = await self.status_writer.write(
            GATEWAYS,
            namespace="",
            name=gateway.meta.name,
            resource_version=gateway.meta.resource_version,
            old=old,
            new=new,
            site=Site.GATEWAY_STATUS,
        )
        watched.written_at = self.clock.monotonic()
        if raw is not None:
            self.ingest.own_write("RuntimeGateway", raw)


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and wait for their end; what they raised was dealt with where it matters."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _owed(gateway: GatewayObject) -> int:
    """What the status says is owed, until it is known what is."""
    found = gateway.raw_status.get("owed")
    count = found.get("count") if isinstance(found, dict) else 0
    return count if isinstance(count, int) else 0


def _ready(status: dict[str, object]) -> object:
    """The part of a status that is never held back: the Ready condition without its message."""
    rows = status.get("conditions")
    if not isinstance(rows, list):
        return None
    return next(((row["status"], row["reason"]) for row in rows if row["type"] == "Ready"), None)
