"""A registration that a gateway lost: noticed, counted, said and queued, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from registrar.engine.heal_rate import FEW
from registrar.lifecycle.model import Live, LiveFact
from registrar.resources.objects import Block
from tests.engine.keeper.bench import Bench, finish
from tests.unit.lifecycle.build import gateway

pytestmark = pytest.mark.looptime


async def test_a_reset_is_noticed_said_and_queued_the_oldest_first(benches: list[Bench], looptime: float) -> None:
    """Fails when a reset is noticed later than 10 s after it, or said late, or heals in any other order."""
    bench = Bench()
    times = {number: f"2026-01-{1 + (number * 5) % 28:02}T00:00:00Z" for number in range(28)}
    for number, since in times.items():
        bench.add(number, since=since)
    bench.start()
    await asyncio.sleep(30)
    assert bench.queue.idle
    bench.drivers["default"].has.clear()
    lost_at = asyncio.get_running_loop().time()
    names = await bench.queued(28)
    assert names == [f"c{number}" for number in sorted(times, key=lambda n: times[n])]
    assert asyncio.get_running_loop().time() - lost_at < 10
    await asyncio.sleep(1)
    at, reason = bench.writer.ready("default")[-1]
    assert reason == "Healing" and at - lost_at < 10
    assert bench.writer.writes[-1][2]["clients"] == {"ours": 0, "foreign": 0, "expected": 28, "healing": 28}
    await finish(bench)


async def test_a_reset_takes_both_keys_of_an_overlap(benches: list[Bench]) -> None:
    """Fails when of two registrations only the published one is known to be lost: its second key would stay dead until the next full check."""
    bench = Bench()
    for number in range(5):
        uid = bench.add(number).meta.uid
        bench.memory.of(uid).saw_second("default", LiveFact(state=Live.OURS, digest="other", version="1.0"))
        fact = replace(bench.memory.of(uid).live["default"], version="1.0.r")
        bench.memory.of(uid).live["default"] = fact
    driver = bench.drivers["default"]
    driver.has = {replace(identity, version="1.0.r"): wire for identity, wire in driver.has.items()}
    bench.start()
    await asyncio.sleep(30)
    assert bench.queue.idle
    driver.has.clear()
    await bench.queued(5)
    for memory in (bench.memory.of(f"uid-c{number}") for number in range(5)):
        assert memory.second["default"].state is Live.ABSENT
        assert (memory.live["default"].state, memory.live["default"].version) == (Live.ABSENT, "1.0.r")
    await finish(bench)


async def test_healing_is_counted_down(benches: list[Bench]) -> None:
    """Fails when a RuntimeGateway says `0 of n` until the last is back, or for ever."""
    bench = Bench()
    clients = [bench.add(number) for number in range(10)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    lost = dict(driver.has)
    driver.has.clear()
    await bench.queued(10)
    for one, (identity, wire) in zip(clients, lost.items(), strict=True):
        await asyncio.sleep(11)
        bench.heal(one, identity, wire)
    await asyncio.sleep(20)
    seen = [new["clients"]["healing"] for _, _, new in bench.writer.writes]
    assert seen[-1] == 0 and len(set(seen)) >= 8, seen
    assert bench.writer.ready("default")[-1][1] == "Ready"
    await finish(bench)


async def test_who_waits_for_a_heal_is_asked_to_say_so(benches: list[Bench]) -> None:
    """Fails when Clients behind a slow gateway go on looking registered, or are asked again and again, or one that is not lost is."""
    bench = Bench()
    clients = [bench.add(number, since=f"2026-01-0{5 - number}T00:00:00Z") for number in range(4)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    [kept] = [i for i in driver.has if i.client_id == "c3"]
    driver.has = {kept: driver.has[kept]}
    assert await bench.queued(3) == ["c2", "c1", "c0"]
    memories = [bench.memory.of(one.meta.uid) for one in clients]
    assert not any(memory.tell for memory in memories)
    assert await bench.queued(3) == ["c2", "c1", "c0"]
    assert [memory.tell for memory in memories] == [True, True, True, False]
    await asyncio.sleep(60)
    assert bench.queue.idle
    await finish(bench)


async def test_only_a_few_say_so_while_heals_go_quickly(benches: list[Bench]) -> None:
    """Fails when a fast gateway's heals wait behind the status writes of all that are still to come."""
    bench = Bench()
    clients = [bench.add(number) for number in range(600)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    lost = dict(driver.has)
    driver.has.clear()
    memories = [bench.memory.of(one.meta.uid) for one in clients]
    await bench.queued(len(clients))
    for one, (identity, wire) in zip(clients, lost.items(), strict=True):
        await asyncio.sleep(0.05)
        bench.heal(one, identity, wire)
    asked = sum(memory.tell for memory in memories)
    assert FEW <= asked <= 6 * FEW, asked
    await finish(bench)


async def test_a_blocked_client_is_not_missed(benches: list[Bench]) -> None:
    """Fails when a blocked Client sets off a check every five seconds, or counts as lost."""
    bench = Bench(gateway(blocked=(Block("team", "c1", "", "leak"),)))
    one = bench.add(1)
    bench.drivers["default"].has.clear()
    bench.memory.of(one.meta.uid).saw("default", LiveFact(state=Live.ABSENT))
    bench.start()
    await asyncio.sleep(60)
    assert bench.queue.idle
    assert bench.writer.writes[-1][2]["clients"] == {"ours": 0, "foreign": 0, "expected": 0, "healing": 0}
    await finish(bench)


async def test_a_lost_registration_where_drift_is_only_reported(benches: list[Bench]) -> None:
    """Fails when a RuntimeGateway says that it heals what it only reports."""
    bench = Bench(gateway(drift_mode="Observe"))
    bench.add(1)
    bench.start()
    await asyncio.sleep(10)
    bench.drivers["default"].has.clear()
    assert await bench.queued(1) == ["c1"]
    await asyncio.sleep(1)
    assert bench.writer.ready("default")[-1][1] == "Drifted"
    await finish(bench)
