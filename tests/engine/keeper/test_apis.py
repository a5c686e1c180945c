"""APIs that a gateway does not have any more, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from registrar.resources.objects import ApiRef
from tests.engine.keeper.bench import Bench, finish
from tests.unit.lifecycle.build import gateway

pytestmark = pytest.mark.looptime


async def test_an_api_that_is_back_before_the_check_ends(benches: list[Bench]) -> None:
    """Fails when a check says of an API what was true when it asked, minutes before it says so: its Contracts would be taken for dead, and pushed again."""
    bench = Bench()
    for number in range(20):
        bench.add(number, api=f"a{number:02}")
    driver, handle = bench.drivers["default"], bench.pool.handles["default"]
    back = ApiRef("acme", "a00", "1.0")
    gone = ApiRef("acme", "a01", "1.0")
    driver.apis -= {back, gone}
    bench.start()
    await asyncio.sleep(30)
    assert 2 < driver.api_calls < 20, "in the middle of the check"
    driver.apis.add(back)
    assert not handle.missing
    assert await bench.queued(1) == ["c1"]
    assert handle.missing == {gone}
    await asyncio.sleep(300)
    assert bench.queue.idle
    await finish(bench)


async def test_a_retired_api(benches: list[Bench]) -> None:
    """Fails when an API that was retired later is not noticed, or its return."""
    bench = Bench(gateway(drift_interval=20))
    bench.add(1, api="orders")
    bench.add(2, api="billing")
    bench.start()
    await asyncio.sleep(30)
    gone = ApiRef("acme", "billing", "1.0")
    bench.drivers["default"].apis.discard(gone)
    assert await bench.queued(1) == ["c2"]
    handle = bench.pool.handles["default"]
    assert handle.missing == frozenset({gone}) and not handle.apis_vanished
    bench.drivers["default"].apis.add(gone)
    assert await bench.queued(1) == ["c2"]
    assert handle.missing == frozenset()
    await finish(bench)


async def test_many_apis_at_once_are_seen_as_many(benches: list[Bench]) -> None:
    """Fails when APIs that vanish together are taken in one by one: the first ones would have Contracts rejected."""
    bench = Bench(gateway(drift_interval=20))
    for number in range(12):
        bench.add(number, api=f"api{number}")
    bench.start()
    await asyncio.sleep(30)
    handle = bench.pool.handles["default"]
    bench.drivers["default"].apis.clear()
    await bench.queued(1)
    assert handle.apis_vanished and len(handle.missing) == 12
    await bench.queued(11)
    await asyncio.sleep(6)
    assert bench.writer.ready("default")[-1][1] == "ApisMissing"
    bench.drivers["default"].apis |= handle.missing
    assert len(set(await bench.queued(12))) == 12
    await asyncio.sleep(6)
    assert bench.writer.ready("default")[-1][1] == "Ready"
    await finish(bench)


async def test_a_missing_api_that_nobody_wants_is_forgotten(benches: list[Bench]) -> None:
    """Fails when a misspelled API of a Contract that is gone is asked for until the end of time."""
    bench = Bench()
    bench.pool.handles["default"].missing = frozenset({ApiRef("acme", "typo", "1.0")})
    bench.start()
    await asyncio.sleep(30)
    assert bench.pool.handles["default"].missing == frozenset()
    assert bench.drivers["default"].api_calls == 0
    await finish(bench)


async def test_missing_apis_are_asked_for_in_parts(benches: list[Bench]) -> None:
    """Fails when thousands of missing APIs cost thousands of calls every five seconds, or one of them is never asked for."""
    bench = Bench()
    for number in range(120):
        bench.add(number, api=f"api{number}")
    driver = bench.drivers["default"]
    bench.pool.handles["default"].missing = frozenset(driver.apis)
    driver.apis.clear()
    bench.keeper.watched.clear()
    handle = bench.pool.handles["default"]
    from registrar.engine.drift import ASKED

    drift = bench.keeper._watched("default").drift
    for _ in range(3):
        before = driver.api_calls
        await drift.ask_missing(handle)
        assert driver.api_calls - before <= ASKED
    assert driver.api_calls == 120
