"""One pass over one Client: look, decide, carry out one effect, and again, until nothing is left to do.

Invariants: one pass at a time for each Client (the queue sees to it); a fault of one gateway never keeps the others from being served; every
fault ends in a backoff, never in an exception out of the worker.
What this module deliberately does not do: know any rule of the lifecycle, or how an effect is carried out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from registrar.clock import Clock
from registrar.engine.arrivals import Arrivals
from registrar.engine.effects import Effects
from registrar.engine.faults import fault_of
from registrar.engine.gather import Gathered, Gatherer
from registrar.engine.memory import Memory
from registrar.engine.pool import Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import UnrenderableError
from registrar.engine.store import Store
from registrar.errors import (
    GatewayAmbiguous,
    GatewayApiNotPublished,
    GatewayError,
    KubeConflict,
    KubeError,
    KubeNotFound,
)
from registrar.lifecycle.contracts import ACTIVE, orphan_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    Decision,
    Done,
    Effect,
    EndOverlap,
    Fault,
    GatewayFault,
    Live,
    Push,
    PushKey,
    ReadLive,
    Unregister,
    Wait,
)
from registrar.resources.objects import ApiRef, ClientObject
from registrar.resources.status import Snapshot

log = logging.getLogger(__name__)

MOST_STEPS = 64
"""How many effects one pass may have before the Client goes to the back of the queue: a bound on a bug, not on the work."""
RECHECK = 5.0
"""Seconds between readings while an ambiguous call may still land."""
SUSPECT = 60.0
"""Seconds for which it may."""


@dataclass(slots=True, kw_only=True)
class ClientReconciler:
    """Reconciles the Client of a key, and the Contracts that name it."""

    store: Store
    queue: WorkQueue
    arrivals: Arrivals
    memory: Memory
    pool: Pool
    gatherer: Gatherer
    effects: Effects
    clock: Clock
    hold: float

    async def reconcile(self, key: Key) -> str:
        """Bring one Client as far as it gets; returns the pass's outcome for the metrics: success, requeue, requeue_after or error."""
        try:
            client = self.store.client(key.namespace, key.name)
            if client is None:
                await self._orphans(key)
                return "success"
            return await self._pass(key, client)
        except KubeConflict:
            self.queue.retry(key)
            return "requeue"
        except KubeNotFound:
            # Gone while we looked: the watch or the sweep says so too, and a fresh look costs nothing.
            self.queue.retry(key)
            return "requeue"
        except KubeError as error:
            log.warning("client %s/%s: %s", key.namespace, key.name, error)
            self.queue.retry(key)
            return "error"

    async def _orphans(self, key: Key) -> None:
        """Contracts whose Client does not exist say so, once they have settled: in one apply the Client may come last. One that says it is live says so at once."""
        contracts = self.store.contracts_of(key.namespace, key.name)
        if not contracts:
            self.arrivals.drop(key)
            return
        settled = self.arrivals.settled_at(key)
        now = self.clock.now()
        if now < settled and not any(contract.status.phase == ACTIVE for contract in contracts):
            self.queue.add_at(key, settled)
            return
        rows = orphan_statuses(contracts, now=now)
        if rows:
            await self.effects.write_contracts(rows)

    async def _pass(self, key: Key, client: ClientObject) -> str:
        faults: dict[str, GatewayFault] = {}
        self._recheck(key, client)
        telling = self._telling(key, client)
        for _ in range(MOST_STEPS):
            gathered = self.gatherer.view(client, faults, telling=telling)
            if await self._learn(gathered, faults):
                continue
            decision = decide(gathered.view)
            effect = decision.effect
            if isinstance(effect, Done):
                self._rest(key, gathered)
                return "success"
            if isinstance(effect, Wait):
                return self._wait(key, effect, gathered)
            await self._perform(gathered, decision, faults)
            found = self.store.client(key.namespace, key.name)
            if found is None or found.meta.uid != client.meta.uid:
                self.queue.add(key)
                return "success"
            client = found
        self.queue.retry(key)
        return "requeue"

    def _rest(self, key: Key, gathered: Gathered) -> None:
        """Nothing is left to do: what was asked is recorded, and what failed is not wanted any more."""
        self.queue.forget(key)
        self.arrivals.rested(key, gathered.view.askers)
        memory = self.memory.known(gathered.view.client.meta.uid)
        if memory is not None:
            memory.failed.clear()

    def _wait(self, key: Key, wait: Wait, gathered: Gathered) -> str:
        if wait.until:
            self.queue.add_at(key, wait.until)
        if not wait.retry:
            self.queue.forget(key)
            return "requeue_after" if wait.until else "success"
        for name in gathered.view.faults:
            self.queue.park(key, f"gateway/{name}")
        self.queue.retry(key)
        return "requeue"

    async def _perform(self, gathered: Gathered, decision: Decision, faults: dict[str, GatewayFault]) -> None:
        """Carry the effect out; a gateway's fault is noted, so that the next decision leaves that gateway alone."""
        view, gateway = gathered.view, _gateway_of(decision.effect, gathered)
        memory = self.memory.of(view.client.meta.uid)
        try:
            await self.effects.perform(gathered, decision)
        except GatewayApiNotPublished as error:
            faults |= await self._check_apis(gathered, decision.effect, error)
        except (GatewayError, UnrenderableError) as error:
            now = self.clock.now()
            fault = fault_of(error)
            if isinstance(error, GatewayAmbiguous):
                memory.forget_live(gateway)
                memory.forget_second(gateway)
                memory.hold_until[gateway] = now + self.hold
                memory.suspect_until = now + SUSPECT
            faults[gateway] = memory.fault(gateway, fault, now=now)
            log.warning(
                "client %s/%s on gateway %s: %s", view.client.meta.namespace, view.client.meta.name, gateway, error
            )

    async def _check_apis(
        self, gathered: Gathered, effect: Effect, error: GatewayApiNotPublished
    ) -> dict[str, GatewayFault]:
        """Find out which API of a refused registration is missing; nothing found means that the refusal is what it is."""
        if not isinstance(effect, Push | PushKey):
            raise error
        memory = self.memory.of(gathered.view.client.meta.uid)
        # Nothing was changed by a refused registration, but the last reading is no longer certain.
        memory.forget_live(effect.gateway)
        handle = self.pool.handle(effect.gateway)
        now = self.clock.now()
        before = handle.missing if handle is not None else frozenset()
        try:
            if handle is not None and await handle.check_apis(_apis(effect.target)):
                # An API that turned out to be back concerns every Client that was registered without it.
                for key in {k for api in before - handle.missing for k in self.store.clients_using_api(api)}:
                    self.queue.forget(key)
                    self.queue.add(key)
                return {}
        except GatewayError as failure:
            return {effect.gateway: memory.fault(effect.gateway, fault_of(failure), now=now)}
        return {effect.gateway: memory.fault(effect.gateway, Fault.REFUSED, now=now)}

    async def _learn(self, gathered: Gathered, faults: dict[str, GatewayFault]) -> bool:
        """Have the URLs of all published and desired APIs at hand before a status is written with them; True when one that is desired turned out to be missing.

        So a misspelled API is said at once, not when somebody publishes. What is published already is asked for by the drift check.
        """
        published = {snapshot.gateway: frozenset(_apis(snapshot)) for snapshot in gathered.view.status.gateways}
        missing = False
        for snapshot in (*gathered.view.desired.snapshots, *gathered.view.status.gateways):
            handle = self.pool.handle(snapshot.gateway)
            if handle is None or snapshot.gateway in gathered.view.faults:
                continue
            try:
                for api in _apis(snapshot):
                    if api in published.get(snapshot.gateway, ()):
                        await handle.endpoint(api)
                    else:
                        missing |= await handle.learn(api)
            except GatewayError as error:
                memory = self.memory.of(gathered.view.client.meta.uid)
                faults[snapshot.gateway] = memory.fault(snapshot.gateway, fault_of(error), now=self.clock.now())
        return missing

    def _telling(self, key: Key, client: ClientObject) -> bool:
        """Whether this pass only says what is lost; the Client then takes its turn again behind those that waited before it."""
        memory = self.memory.known(client.meta.uid)
        if memory is None or not memory.tell:
            return False
        memory.tell = False
        self.queue.add(key)
        return True

    def _recheck(self, key: Key, client: ClientObject) -> None:
        """While an ambiguous call may still land, what the gateway has is read again and again; so is what is not ours there."""
        memory = self.memory.known(client.meta.uid)
        if memory is not None:
            for gateway in [name for name, fact in memory.live.items() if fact.state is Live.FOREIGN]:
                memory.forget_live(gateway)
        if memory is None or not memory.suspect_until:
            return
        now = self.clock.now()
        if now >= memory.suspect_until:
            memory.suspect_until = 0.0
        for gateway in list(memory.live):
            memory.forget_live(gateway)
            memory.forget_second(gateway)
        if memory.suspect_until:
            self.queue.add_at(key, now + RECHECK)


def _gateway_of(effect: Effect, gathered: Gathered) -> str:
    if isinstance(effect, ReadLive | Push | Unregister | PushKey | EndOverlap):
        return effect.gateway
    # Only making the Secret again calls a gateway besides: the one that the key is read from.
    return next((s.gateway for s in gathered.view.status.gateways if not s.empty), "")


def _apis(snapshot: Snapshot) -> list[ApiRef]:
    return [ApiRef(entry.organization, entry.api, entry.version) for entry in snapshot.contracts]
