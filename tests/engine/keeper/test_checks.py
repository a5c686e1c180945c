"""The full check of a gateway in virtual time: when it begins, how it is spread out, and what may go on beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from registrar.engine.keeper import LONGEST_START
from registrar.engine.queue import Key
from registrar.lifecycle.model import Live, LiveFact
from tests.engine.keeper.bench import Bench, finish
from tests.unit.lifecycle.build import gateway

pytestmark = pytest.mark.looptime


async def test_a_long_check_holds_nothing_up(benches: list[Bench]) -> None:
    """Fails when a full check of one gateway keeps another one, or its own status, from being looked at."""
    bench = Bench(gateway(), gateway("second", default=False))
    for number in range(10):
        bench.add(number)
        bench.add(100 + number, on="second")
    held = bench.drivers["default"].held = asyncio.Event()
    bench.start()
    await asyncio.sleep(30)
    assert bench.writer.ready("second")[-1][1] == "Ready"
    bench.drivers["second"].has.clear()
    assert len(await bench.queued(10)) == 10
    held.set()
    bench.drivers["default"].down = True
    await asyncio.sleep(12)
    assert bench.writer.ready("default")[-1][1] == "GatewayUnreachable"
    await finish(bench)


async def test_a_reset_during_a_check(benches: list[Bench]) -> None:
    """Fails when a reset has to wait for the end of a check that is spread over minutes."""
    bench = Bench()
    for number in range(30):
        bench.add(number)
    bench.start()
    await asyncio.sleep(60)
    assert bench.keeper.watched["default"].checking
    bench.drivers["default"].has.clear()
    before = asyncio.get_running_loop().time()
    assert len(await bench.queued(30)) == 30
    assert asyncio.get_running_loop().time() - before < 10
    await finish(bench)


async def test_reads_are_spread_out(benches: list[Bench]) -> None:
    """Fails when a full check of thousands comes in one burst, or takes longer than it may."""
    bench = Bench()
    for number in range(40):
        bench.add(number)
    bench.start()
    await asyncio.sleep(60)
    early = len(bench.drivers["default"].reads)
    assert early < 25
    await asyncio.sleep(260)
    assert not bench.keeper.watched["default"].checking
    assert set(bench.drivers["default"].reads) == {f"c{n}" for n in range(40)}
    await finish(bench)


async def test_drift_of_one(benches: list[Bench]) -> None:
    """Fails when a changed registration is not found by the check, said in words, or counted."""
    bench = Bench(gateway(drift_interval=20))
    bench.add(1)
    other = bench.add(2)
    driver = bench.drivers["default"]
    [identity] = [i for i in driver.has if i.client_id == "c2"]
    driver.has[identity] = replace(driver.has[identity], contracts=())
    bench.start()
    assert await bench.queued(1) == ["c2"]
    fact = bench.memory.of(other.meta.uid).live["default"]
    assert fact.drift == ("contract c2-orders is gone",)
    assert 'outcome="found"} 1.0' in bench.metrics.render().decode()
    await asyncio.sleep(100)
    assert bench.queue.idle, "what is known is not found again"
    await finish(bench)


async def test_what_was_presumed_at_the_start_is_read_soon(benches: list[Bench]) -> None:
    """Fails when a registration that somebody changed while no operator ran is only found minutes later, or a loss is."""
    bench = Bench()
    clients = [bench.add(number) for number in range(50)]
    for one in clients:
        memory = bench.memory.of(one.meta.uid)
        memory.presumed, memory.live = dict(memory.live), {}
    driver = bench.drivers["default"]
    changed, gone = ([i for i in driver.has if i.client_id == name][0] for name in ("c7", "c9"))
    driver.has[changed] = replace(driver.has[changed], contracts=())
    del driver.has[gone]
    bench.start()
    assert set(await bench.queued(2)) == {"c7", "c9"}
    await asyncio.sleep(10)
    assert len(set(driver.reads)) == 49, (
        "the rest waits for the drift interval, but what is not known yet is read at once"
    )
    states = [bench.memory.of(one.meta.uid).live["default"].state for one in clients]
    assert (states.count(Live.OURS), states.count(Live.ABSENT)) == (49, 1)
    await finish(bench)


async def test_the_first_check_waits_for_the_passes_of_the_start(benches: list[Bench]) -> None:
    """Fails when Clients that no pass has looked at yet are left out of the first check, which the next one follows ten minutes later."""
    bench = Bench()
    one = bench.add(1)
    key = Key("Client", one.meta.namespace, one.meta.name)
    bench.queue.add(key)
    bench.start()
    await asyncio.sleep(20)
    assert bench.keeper.watched["default"].check is None
    assert await bench.queue.get() == key
    bench.queue.done(key)
    await asyncio.sleep(6)
    assert bench.keeper.watched["default"].checking
    await finish(bench)


async def test_a_queue_that_is_never_empty_keeps_no_check_away(benches: list[Bench]) -> None:
    """Fails when a busy operator never looks for drift."""
    bench = Bench()
    one = bench.add(1)
    bench.queue.add(Key("Client", one.meta.namespace, one.meta.name))
    bench.start()
    await asyncio.sleep(LONGEST_START + 12)
    assert bench.keeper.watched["default"].check is not None
    await finish(bench)


async def test_a_pass_beats_a_check(benches: list[Bench]) -> None:
    """Fails when what a check read before a pass changed the gateway is taken for what is there now."""
    bench = Bench()
    one = bench.add(1)
    driver = bench.drivers["default"]
    pushed = dict(driver.has)
    driver.has.clear()
    driver.held = asyncio.Event()
    bench.start()
    await asyncio.sleep(8)
    driver.has |= pushed
    fresh = LiveFact(state=Live.OURS, digest=one.status.snapshot("default").hash)
    bench.memory.of(one.meta.uid).forget_live("default")
    bench.memory.of(one.meta.uid).saw("default", fresh)
    driver.held.set()
    await asyncio.sleep(60)
    assert bench.memory.of(one.meta.uid).live["default"] is fresh
    assert bench.queue.idle
    await finish(bench)
