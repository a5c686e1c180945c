"""Leader election in virtual time, on a Lease in memory that behaves as the API server's: two candidates never lead at once."""

from __future__ import annotations

import asyncio
import copy
import random
from typing import Any

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.errors import KubeConflict, KubeNotFound, KubeUnavailable, LeaseLost
from registrar.kube.client import Resource
from registrar.kube.lease import LeaseElector
from registrar.seam import Site

pytestmark = pytest.mark.looptime


class Leases:
    """One Lease, with optimistic locking; `down` are the candidates that can't reach it."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.down: set[str] = set()


class Client:
    """What a candidate sees of it."""

    def __init__(self, leases: Leases, name: str) -> None:
        self._leases = leases
        self._name = name

    def _reach(self) -> None:
        if self._name in self._leases.down:
            raise KubeUnavailable("no network")

    async def get(self, resource: Resource, *, namespace: str, name: str, site: Site) -> dict[str, Any]:
        self._reach()
        if self._leases.stored is None:
            raise KubeNotFound("none", status=404)
        return copy.deepcopy(self._leases.stored)

    async def create(self, resource: Resource, *, namespace: str, body: dict[str, Any], site: Site) -> dict[str, Any]:
        self._reach()
        if self._leases.stored is not None:
            raise KubeConflict("exists", status=409)
        return self._store(body)

    async def replace(
        self, resource: Resource, *, namespace: str, name: str, body: dict[str, Any], site: Site
    ) -> dict[str, Any]:
        self._reach()
        if body["metadata"].get("resourceVersion") != str(self._leases.version):
            raise KubeConflict("changed", status=409)
        return self._store(body)

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self._leases.version += 1
        self._leases.stored = copy.deepcopy(body)
        self._leases.stored["metadata"]["resourceVersion"] = str(self._leases.version)
        return self._leases.stored


def candidate(leases: Leases, name: str) -> LeaseElector:
    """A candidate with the usual durations."""
    client: Any = Client(leases, name)
    return LeaseElector(
        client,
        clock=LoopClock(),
        jitter=Jitter(random.Random(name)),
        identity=name,
        namespace="home",
        name="lease",
    )


async def test_the_first_leads_and_the_second_waits() -> None:
    """Fails when a held Lease is taken."""
    leases = Leases()
    first, second = candidate(leases, "first"), candidate(leases, "second")
    await first.acquire()
    renewing = asyncio.create_task(first.run())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(120)
    assert first.held() and not second.held() and not waiting.done()
    renewing.cancel()
    waiting.cancel()


async def test_a_dead_leader_is_followed(looptime: float) -> None:
    """Fails when a Lease that nobody renews is held for ever, or taken before it has run out."""
    leases = Leases()
    first, second = candidate(leases, "first"), candidate(leases, "second")
    await first.acquire()
    await second.acquire()
    assert 15 <= looptime <= 18
    assert not first.held()
    assert second.term == 1


async def test_an_earlier_life_under_the_same_name_is_waited_out(looptime: float) -> None:
    """Fails when an operator that starts over leads while a call of its last life may still be on its way."""
    leases = Leases()
    await candidate(leases, "first").acquire()
    again = candidate(leases, "first")
    await again.acquire()
    assert 15 <= looptime <= 18
    await again._try()
    assert again.age() == 0, "its own record is no other's"


async def test_a_graceful_stop_hands_over_at_once(looptime: float) -> None:
    """Fails when the next replica waits a released Lease out."""
    leases = Leases()
    first, second = candidate(leases, "first"), candidate(leases, "second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(5)
    await first.release()
    await waiting
    assert looptime <= 8
    with pytest.raises(LeaseLost):
        first.assert_fresh(4)


async def test_a_leader_that_is_cut_off_steps_down_first() -> None:
    """Fails when a leader still believes in a Lease that somebody else may have: both would change the gateway."""
    leases = Leases()
    first, second = candidate(leases, "first"), candidate(leases, "second")
    await first.acquire()
    renewing = asyncio.create_task(first.run())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(30)
    leases.down.add("first")
    both = False
    for _ in range(400):
        await asyncio.sleep(0.1)
        both = both or (first.held() and second.held())
    assert not both
    assert second.held() or waiting.done()
    with pytest.raises(LeaseLost, match="could not be renewed"):
        await renewing


async def test_no_call_begins_that_could_outlive_the_lease() -> None:
    """Fails when a changing call is begun whose time limit reaches beyond the Lease."""
    leases = Leases()
    first = candidate(leases, "first")
    await first.acquire()
    first.assert_fresh(4)
    await asyncio.sleep(10.5)
    first.assert_fresh(4)
    await asyncio.sleep(1)
    with pytest.raises(LeaseLost):
        first.assert_fresh(4)


async def test_random_cuts_never_give_two_leaders() -> None:
    """Fails when some order of cuts and returns lets two candidates lead at once."""
    source = random.Random(7)
    leases = Leases()
    names = ("a", "b", "c")
    electors = {name: candidate(leases, name) for name in names}

    async def live(name: str) -> None:
        while True:
            await electors[name].acquire()
            try:
                await electors[name].run()
            except LeaseLost:
                continue

    tasks = [asyncio.create_task(live(name)) for name in names]
    seen = set()
    for _ in range(5000):
        await asyncio.sleep(0.25)
        if source.random() < 0.02:
            leases.down ^= {source.choice(names)}
        holders = {name for name in names if electors[name].held()}
        assert len(holders) <= 1
        seen |= holders
    assert seen == set(names), "all of them must have led at some time"
    for task in tasks:
        task.cancel()


async def looked(leases: Leases, name: str) -> LeaseElector:
    """A candidate that has looked at the Lease, as one does before it loads anything."""
    found = candidate(leases, name)
    await found.look()
    return found


async def test_who_finds_the_lease_free_and_unchanged_was_alone() -> None:
    """Fails when a restart after a graceful stop, or the very first start, has to read everything twice."""
    leases = Leases()
    first = await looked(leases, "first")
    await first.acquire()
    await first.release()
    second = await looked(leases, "second")
    await second.acquire()
    assert first.alone
    assert second.alone
    assert not first.standing_by.is_set()


async def test_who_follows_somebody_was_not_alone() -> None:
    """Fails when a candidate works on what it loaded while another one still worked: one that held the Lease then, or had it in between."""
    leases = Leases()
    first = candidate(leases, "first")
    before = await looked(leases, "before")
    await first.acquire()
    during = await looked(leases, "during")
    waiting = asyncio.create_task(during.acquire())
    await during.standing_by.wait()
    await first.release()
    await waiting
    assert not during.alone
    await during.release()
    await before.acquire()
    assert not before.alone


async def test_who_could_not_look_was_not_alone() -> None:
    """Fails when an API server that is away passes for a Lease that is free."""
    leases = Leases()
    leases.down.add("first")
    first = await looked(leases, "first")
    leases.down.clear()
    await first.acquire()
    assert not first.alone
