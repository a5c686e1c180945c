"""Watches over the gateways: whether each can be used, whether it still has what is published, and what its RuntimeGateway says of that.

A sentinel reads one published registration every few seconds; when it is gone the gateway has probably lost everything, and a full check starts at once. Without
that a full check runs once per drift interval, spread out. What a check finds only goes into memory; the Clients concerned are put into the queue,
and the lifecycle decides what to do about it.

Invariants: a check never changes a gateway; a RuntimeGateway's counters are written at most every ten seconds, its Ready condition at once.
What this module deliberately does not do: heal (see `lifecycle.decide.heal`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from registrar.clock import Clock, Jitter
from registrar.engine.gateway_status import gateway_status
from registrar.engine.gather import Gatherer
from registrar.engine.identities import second_changed
from registrar.engine.memory import Memory
from registrar.engine.pool import Handle, Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.reconciler import fault_of
from registrar.engine.rendering import Seals, fact, identity_of
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import GatewayError, KubeConflict, KubeError
from registrar.kube.client import GATEWAYS
from registrar.kube.status import StatusWriter
from registrar.lifecycle.model import Fault, Live
from registrar.resources.objects import ClientObject, GatewayObject
from registrar.resources.status import IdentityStatus
from registrar.seam import Site

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Watched:
    """What is known of one gateway; times are monotonic seconds."""

    fault: Fault | None = None
    probed: bool = False
    version: str = ""
    foreign: int = 0
    checked_at: float = float("-inf")
    next_check: float = float("-inf")
    written_at: float = float("-inf")
    sentinel: Iterator[ClientObject] = field(default_factory=lambda: iter(()))
    was_open: bool = False


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
    watched: dict[str, Watched] = field(default_factory=dict)

    async def run(self) -> None:
        """Look after every gateway, until cancelled."""
        while True:
            names = list(self.store.gateways())
            await asyncio.gather(*(self.look(name) for name in names))
            for gone in self.watched.keys() - set(names):
                del self.watched[gone]
            await asyncio.sleep(self.jitter.around(self.interval))

    async def look(self, name: str) -> None:
        """One look at one gateway, and its status."""
        gateway = self.store.gateway(name)
        if gateway is None:
            return
        watched = self.watched.setdefault(name, Watched())
        handle = self.pool.handle(name)
        if handle is not None:
            await self._probe(gateway, handle, watched)
        try:
            await self._write(gateway, handle, watched)
        except KubeConflict:
            log.debug("gateway %s: the status was changed meanwhile; written with the next look", name)
        except KubeError as error:
            log.warning("gateway %s: the status can't be written: %s", name, error)

    async def _probe(self, gateway: GatewayObject, handle: Handle, watched: Watched) -> None:
        name = gateway.meta.name
        try:
            watched.version = (await handle.driver.probe()).version
            await self._missing_apis(name, handle)
            if await self._sentinel_lost(name, handle, watched) or self.clock.monotonic() >= watched.next_check:
                await self._check(gateway, handle, watched)
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

    async def _missing_apis(self, name: str, handle: Handle) -> None:
        """Ask again for the APIs that were not there; the Clients that want them are looked at when one appears."""
        missing = list(handle.missing)
        if missing and await handle.check_apis(missing):
            for api in missing:
                if api not in handle.missing:
                    log.info("gateway %s: API %s is published now", name, api)
                    for key in self.store.clients_using_api(api):
                        self.queue.forget(key)
                        self.queue.add(key)

    # Drift -------------------------------------------------------------------------------------------------------

    async def _sentinel_lost(self, name: str, handle: Handle, watched: Watched) -> bool:
        """Read one published registration, another one each time; True when it is gone."""
        client = next(watched.sentinel, None)
        if client is None:
            watched.sentinel = self._published_on(name)
            client = next(watched.sentinel, None)
        return client is not None and not await self._read(client, name, handle)

    def _published_on(self, name: str) -> Iterator[ClientObject]:
        """The Clients with something published there that nobody is changing right now."""
        for key in self.store.clients_on_gateway(name):
            client = self.store.client(key.namespace, key.name)
            if client is not None and not self.gatherer.recorded(client, name).empty:
                yield client

    async def _read(self, client: ClientObject, name: str, handle: Handle) -> bool:
        """Read one Client back; what differs from what was known goes into memory and the Client into the queue. False when it is gone."""
        current = self.store.client_by_uid(client.meta.uid)
        memory = self.memory.known(client.meta.uid)
        identity = current.status.identity if current is not None else None
        if current is None or identity is None or memory is None or name not in memory.live:
            return True
        before = memory.live[name]
        recorded = self.gatherer.recorded(current, name)
        found = await handle.driver.read(identity_of(identity, recorded.version))
        if memory.live.get(name) is not before:
            # A pass over the Client changed the gateway while we read: what we saw is of no use.
            return True
        if recorded.empty:
            return True
        now = self.clock.now()
        seen = fact(found, recorded=recorded, uid=current.meta.uid, api_key="", seals=self.seals, now=now)
        if (seen.state, seen.digest) != (before.state, before.digest):
            memory.saw(name, seen)
            self.queue.add(Key("Client", current.meta.namespace, current.meta.name))
        if recorded.second_hash and await second_changed(
            memory, identity=identity, recorded=recorded, handle=handle, seals=self.seals, now=now
        ):
            self.queue.add(Key("Client", current.meta.namespace, current.meta.name))
        return seen.state is not Live.ABSENT

    async def _check(self, gateway: GatewayObject, handle: Handle, watched: Watched) -> None:
        """Compare all that is published with what the gateway lists; what is listed is read at the pace of the gateway's limits."""
        name = gateway.meta.name
        interval = gateway.drift_interval or self.drift_interval
        watched.next_check = self.clock.monotonic() + self.jitter.around(interval)
        clients = list(self._published_on(name))
        ours = {_listed_as(i) for c in clients if (i := c.status.identity) is not None}
        organizations = {i.organization for c in clients if (i := c.status.identity) is not None} | set(
            await handle.driver.organizations()
        )
        listed: set[str] = set()
        for organization in sorted(organizations):
            listed |= {f"{organization}/{name}" for name in await handle.driver.client_ids(organization)}
        watched.foreign = len(listed - ours)
        lost = 0
        for client in clients:
            identity = client.status.identity
            if identity is not None and _listed_as(identity) not in listed:
                lost += not await self._read(client, name, handle)
        if lost:
            log.warning("gateway %s lost %d of %d registrations; they are being put back", name, lost, len(clients))
        for client in clients:
            await self._read(client, name, handle)
        watched.checked_at = self.clock.monotonic()

    # Status ------------------------------------------------------------------------------------------------------

    async def _write(self, gateway: GatewayObject, handle: Handle | None, watched: Watched) -> None:
        if handle is not None and not watched.probed:
            return
        expected = healing = 0
        for key in self.store.clients_on_gateway(gateway.meta.name):
            client = self.store.client(key.namespace, key.name)
            memory = self.memory.known(client.meta.uid) if client is not None else None
            fact_ = memory.live.get(gateway.meta.name) if memory is not None else None
            if client is None or client.phase not in ("Registered", "UnpublishedChanges", "Ready"):
                continue
            expected += 1
            healing += fact_ is not None and fact_.state is Live.ABSENT
        new = gateway_status(
            gateway,
            credentials=handle is not None,
            namespace=self.namespace,
            fault=watched.fault,
            version=watched.version,
            expected=expected,
            healing=healing,
            foreign=watched.foreign,
            missing=len(handle.missing) if handle is not None else 0,
            now=self.clock.now(),
        )
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


def _listed_as(identity: IdentityStatus) -> str:
    """How a gateway lists a Client: one call names the ids of an organization, without versions."""
    return f"{identity.organization}/{identity.client_id}"


def _ready(status: dict[str, object]) -> object:
    """The part of a status that is never held back: the Ready condition without its message."""
    rows = status.get("conditions")
    if not isinstance(rows, list):
        return None
    return next(((row["status"], row["reason"]) for row in rows if row["type"] == "Ready"), None)
