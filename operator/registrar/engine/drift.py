"""Compares what a gateway has with what is published: a look at one registration every few seconds, and a full check at times.

The full check lists the gateway's clients in a call for each organization: what is not listed is gone, so a reset of 10,000 registrations is known after a handful of
calls. Then it reads those that were not read since the start, asks for every API that something is published for (an API that was retired
later shows nowhere else), and reads the other listed registrations one by one, spread over half of the drift interval. What it finds only goes into
memory; the Clients concerned go into the queue, the longest published first, and the lifecycle decides.

Invariants: a check changes no gateway; what a pass over the Client learnt meanwhile is never overwritten; all work between two calls is bounded.
What this module deliberately does not do: decide what is mended (see `lifecycle.decide.heal`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace

from registrar.clock import Clock
from registrar.engine.foreign import count_foreign
from registrar.engine.gather import Gatherer
from registrar.engine.identities import second_changed
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.pool import Handle
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import Seals, fact
from registrar.engine.store import Store
from registrar.gateways.base import Identity
from registrar.lifecycle.model import Live, LiveFact
from registrar.metrics import Metrics
from registrar.resources.objects import ApiRef, ClientObject, GatewayObject

log = logging.getLogger(__name__)

TRIES = 50
"""How many Clients the sentinel looks through for one that it can read."""
ASKED = 50
"""How many missing APIs are asked for in one look, while none of them is back."""
COUNTING = 0.25
"""The share of a check's time in which versions of clients are listed, to count those that are not ours."""
AT_ONCE = 20
"""How many organizations are listed side by side, as far as the gateway's limits let them."""
UNREAD_PAUSE = 0.005
"""Seconds between two readings of Clients that were only presumed to be there since the start."""
_YIELD_EVERY = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """One Client that is published on the gateway, with what was known of it when the check began."""

    key: Key
    client: ClientObject
    identity: Identity
    memory: ClientMemory
    before: LiveFact
    own_version: str

    @property
    def listed_as(self) -> str:
        """How a gateway lists a Client: one call names the ids of an organization, without versions."""
        return f"{self.identity.organization}/{self.identity.client_id}"


@dataclass(slots=True)
class Drift:
    """The comparison with one gateway; `foreign` counts registrations that are not ours, as far as they were `counted` yet."""

    name: str
    store: Store
    queue: WorkQueue
    memory: Memory
    gatherer: Gatherer
    seals: Seals
    clock: Clock
    metrics: Metrics
    foreign: int = 0
    counted: bool = False
    _sentinel: Iterator[Key] = field(default_factory=lambda: iter(()))
    _asked: int = 0

    # One registration ---------------------------------------------------------------------------------------------

    async def sentinel_lost(self, gateway: GatewayObject, handle: Handle) -> bool:
        """Read one registration that should be there, another one each time; True when it is gone.

        What is gone is left to the check that follows, so that the longest published comes first there too. It goes ahead of the heals that wait for a slow
        gateway: the look that it is part of says how far they are.
        """
        for _ in range(TRIES):
            key = next(self._sentinel, None)
            if key is None:
                self._sentinel = iter(self.store.published_on(self.name))
                key = next(self._sentinel, None)
            expected = self._expected(gateway, key) if key is not None else None
            if expected is not None and expected.before.state is Live.OURS:
                return not await self._read(expected, handle, sentinel=True)
        return False

    def _expected(self, gateway: GatewayObject, key: Key) -> Expected | None:
        """The Client as far as it can be compared: published, not blocked, and looked at by a pass since the start."""
        client = self.store.client(key.namespace, key.name)
        identity = self.store.identity(client.meta.uid) if client is not None else None
        memory = self.memory.known(client.meta.uid) if client is not None else None
        before = memory.standing(self.name) if memory is not None else None
        if client is None or identity is None or memory is None or before is None:
            return None
        _, organization, client_id, version = identity
        if gateway.block(organization=organization, client_id=client_id, version=version) is not None:
            return None
        # Since a rotation the Client may stand under its other identity.
        found = Identity(organization=organization, client_id=client_id, version=before.version or version)
        return Expected(key, client, found, memory, before, own_version=version)

    async def _read(self, expected: Expected, handle: Handle, *, sentinel: bool = False) -> bool:
        """Read one Client back; what differs from what was known goes into memory and the Client into the queue. False when it is gone."""
        memory = expected.memory
        before = memory.standing(self.name)
        if before is None:
            return True
        found = await handle.driver.read(expected.identity, urgent=sentinel)
        current = self.store.client_by_uid(expected.client.meta.uid)
        if memory.standing(self.name) is not before or current is None:
            # A pass over the Client changed the gateway while we read: what we saw is of no use.
            return True
        await self._read_second(expected, current, handle)
        known = self.name in memory.live
        if known and found is not None and before.state is Live.OURS and self.seals.digest(found) == before.digest:
            return True
        recorded = self.gatherer.recorded(current, self.name)
        if recorded.empty:
            return True
        if found is None and sentinel:
            return False
        seen = fact(
            found,
            recorded=recorded,
            uid=current.meta.uid,
            api_key=self.gatherer.key_of(current, recorded),
            seals=self.seals,
            now=self.clock.now(),
        )
        changed = (seen.state, seen.digest) != (before.state, before.digest)
        if changed or not known:
            memory.saw(self.name, replace(seen, version=before.version))
        if changed:
            if seen.digest != recorded.hash:
                self.metrics.drift(self.name, "found")
            self.queue.add(expected.key)
        return seen.state is not Live.ABSENT

    async def _read_second(self, expected: Expected, current: ClientObject, handle: Handle) -> None:
        """Read the other identity back while an overlap lasts."""
        if expected.memory.second.get(self.name, LiveFact()).state is not Live.OURS:
            return
        recorded = self.gatherer.recorded(current, self.name)
        own = replace(expected.identity, version=expected.own_version)
        if recorded.second_hash and await second_changed(
            expected.memory, identity=own, recorded=recorded, handle=handle, seals=self.seals, now=self.clock.now()
        ):
            self.queue.add(expected.key)

    # All of them --------------------------------------------------------------------------------------------------

    async def check(self, gateway: GatewayObject, handle: Handle, *, seconds: float, found: Callable[[], None]) -> None:
        """Compare everything; the calls for single registrations and APIs are spread over `seconds`. `found` is called when some are gone."""
        expected = [row async for row in self._all(gateway)]
        gone, listed = await self._mark_gone(expected, handle)
        if gone:
            found()
        apis = await self._contracted(expected)
        pause = seconds * (1 - COUNTING) / max(1, len(expected) + len(apis))
        left = [row for row in expected if row.key not in gone]
        unread = [row for row in left if self.name not in row.memory.live]
        known = [row for row in left if self.name in row.memory.live]
        await self._read_all(unread, handle, pause=min(pause, UNREAD_PAUSE))
        await self._check_apis(apis, handle, pause=pause)
        await self._read_all(known, handle, pause=pause)
        names = [(organization, name) for organization, _, name in (row.partition("/") for row in listed)]
        ours = [row.identity for row in expected]
        pause = seconds * COUNTING / max(1, len(names))
        self.foreign = await count_foreign(handle.driver, names, ours=ours, pause=pause)
        self.counted = True

    async def _read_all(self, rows: list[Expected], handle: Handle, *, pause: float) -> None:
        for row in rows:
            await self._read(row, handle)
            await asyncio.sleep(pause)

    async def _all(self, gateway: GatewayObject) -> AsyncIterator[Expected]:
        for number, key in enumerate(self.store.published_on(self.name), start=1):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            row = self._expected(gateway, key)
            if row is not None:
                yield row

    async def _mark_gone(self, expected: list[Expected], handle: Handle) -> tuple[set[Key], set[str]]:
        """What the gateway does not list is gone; the longest published comes first into the queue. Returns that, and what is listed."""
        known = {row.identity.organization for row in expected} | set(await handle.driver.organizations())
        organizations = sorted(known)
        listed: set[str] = set()
        for start in range(0, len(organizations), AT_ONCE):
            batch = organizations[start : start + AT_ONCE]
            for organization, ids in zip(
                batch, await asyncio.gather(*(handle.driver.client_ids(name) for name in batch)), strict=True
            ):
                listed |= {f"{organization}/{name}" for name in ids}
        gone = [
            row
            for row in expected
            if row.listed_as not in listed
            and row.before.state is Live.OURS
            and row.memory.standing(self.name) is row.before
        ]
        since = {row.key: self.store.published_since(self.name, row.key) or 0.0 for row in gone}
        now = self.clock.now()
        for row in sorted(gone, key=lambda row: (since[row.key], row.key)):
            version, genuine = row.before.version, row.before.genuine
            absent = LiveFact(state=Live.ABSENT, genuine=genuine, since=now, version=version)
            row.memory.saw(self.name, absent)
            if row.memory.second.get(self.name, LiveFact()).state is Live.OURS:
                # A gateway that does not list the client has it under neither of its identities.
                row.memory.saw_second(self.name, LiveFact(state=Live.ABSENT, since=now))
            self.metrics.drift(self.name, "found")
            self.queue.add(row.key)
        if gone:
            log.warning("gateway %s lost %d of %d registrations", self.name, len(gone), len(expected))
        return set(since), listed

    # APIs ---------------------------------------------------------------------------------------------------------

    async def _contracted(self, expected: list[Expected]) -> frozenset[ApiRef]:
        """The API versions that something published on this gateway is, or may be, for."""
        apis: set[ApiRef] = set()
        for number, row in enumerate(expected, start=1):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            identity = self.store.identity(row.client.meta.uid)
            home = identity[0] if identity is not None else ""
            for contract in self.store.contracts_of(row.key.namespace, row.key.name):
                if (contract.gateway or home) == self.name and contract.status.phase in ("Active", "Pending"):
                    live = contract.status.live_version or contract.api.version
                    apis.add(ApiRef(contract.api.organization, contract.api.name, live))
        return frozenset(apis)

    async def _check_apis(self, apis: frozenset[ApiRef], handle: Handle, *, pause: float) -> None:
        """Ask for each API; what is gone or back is taken in as a whole, so that many at once are seen as many at once.

        Asking takes minutes: what was not there is asked for again at the end, or an API that came back meanwhile would be said to be gone.
        """
        handle.contracted = apis
        gone: set[ApiRef] = set()
        for api in sorted(apis):
            if not await handle.published(api):
                gone.add(api)
            await asyncio.sleep(pause)
        for api in sorted(gone):
            if await handle.published(api):
                gone.discard(api)
        before = handle.missing
        handle.missing = (before - apis) | gone
        for api in sorted(before ^ handle.missing):
            log.info("gateway %s: API %s is %s", self.name, api, "gone" if api in gone else "published again")
            self._wake(api)

    async def ask_missing(self, handle: Handle) -> None:
        """Ask again for the APIs that were not there; the Clients that want them are looked at when one appears."""
        missing = sorted(handle.missing)
        wanted = [api for api in missing if self.store.clients_using_api(api)]
        handle.missing -= frozenset(missing) - frozenset(wanted)
        self._asked = self._asked if self._asked < len(wanted) else 0
        while self._asked < len(wanted):
            batch = wanted[self._asked : self._asked + ASKED]
            self._asked += ASKED
            if not await handle.check_apis(batch):
                return
            for api in batch:
                if api not in handle.missing:
                    log.info("gateway %s: API %s is published now", self.name, api)
                    self._wake(api)

    def wake_missing(self, handle: Handle) -> None:
        """Whether contracts or the gateway are to blame for the missing APIs has changed: all that want one are looked at."""
        for api in sorted(handle.missing):
            self._wake(api)

    def _wake(self, api: ApiRef) -> None:
        for key in sorted(self.store.clients_using_api(api)):
            self.queue.forget(key)
            self.queue.add(key)
