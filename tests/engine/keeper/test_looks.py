"""The looks at gateways in virtual time: who is looked at, when, at what cost, and what the metrics say of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from registrar.engine.figures import Figures
from registrar.engine.queue import Key
from registrar.gateways.limits import CircuitBreaker
from registrar.resources.objects import ClientObject
from tests.engine.keeper.bench import Bench, finish
from tests.unit.lifecycle.build import gateway

pytestmark = pytest.mark.looptime


async def test_a_changed_gateway_is_looked_at_at_once(benches: list[Bench]) -> None:
    """Fails when somebody who corrects a RuntimeGateway, or makes one, waits for the interval to see what came of it."""
    bench = Bench()
    bench.start()

    async def changed(name: str) -> str:
        await bench.keeper.reconcile(Key("RuntimeGateway", "", name))
        await asyncio.sleep(0.1)
        at, reason = bench.writer.ready(name)[-1]
        assert asyncio.get_running_loop().time() - at < 0.2
        return reason

    await asyncio.sleep(21)
    bench.drivers["default"].down = True
    assert await changed("default") == "GatewayUnreachable"
    await asyncio.sleep(21)
    bench.drivers["default"].down = False
    bench.store.upsert(gateway("new"))
    bench.pool.handles["new"] = replace(bench.pool.handles["default"], name="new")
    assert await changed("new") == "Ready"
    await finish(bench)


async def test_a_gateway_that_goes_and_comes(benches: list[Bench]) -> None:
    """Fails when the watch over a deleted RuntimeGateway does not end, or one that comes later is not watched."""
    bench = Bench()
    bench.add(1)
    bench.start()
    await asyncio.sleep(20)
    found = bench.store.gateway("default")
    assert found is not None
    watched = bench.keeper.watched["default"]
    bench.store.remove("RuntimeGateway", "", "default", found.meta.uid)
    watched.due.set()
    await asyncio.sleep(12)
    assert bench.keeper.watched == {}
    bench.store.upsert(gateway("later"))
    bench.pool.handles["later"] = replace(bench.pool.handles["default"], name="later")
    await asyncio.sleep(12)
    assert bench.writer.ready("later")[-1][1] == "Ready"
    await finish(bench)


async def test_a_look_costs_the_same_for_many(benches: list[Bench]) -> None:
    """Fails when a look walks over all Clients: at 10,000 of them the operator would never be idle."""
    bench = Bench()
    for number in range(50):
        bench.add(number)
    watched = bench.keeper._watched("default")
    watched.next_check = float("inf")
    calls: list[str] = []
    original = bench.store.client

    def counting(namespace: str, name: str) -> ClientObject | None:
        calls.append(name)
        return original(namespace, name)

    bench.store.client = counting  # type: ignore[method-assign]
    for _ in range(10):
        calls.clear()
        await bench.keeper.look("default")
        assert len(calls) <= 3


def key_age(bench: Bench, client: ClientObject, seconds: float, *, version: str) -> None:
    """The Client's key was made so many seconds ago; 0 for a status that does not say."""
    since = bench.clock.now() - seconds if seconds else 0.0
    bench.store.upsert(replace(client, key_since=since, meta=replace(client.meta, resource_version=version)))


async def test_what_the_metrics_say_of_a_gateway(benches: list[Bench]) -> None:
    """Fails when a loss, what is foreign or the oldest key is not what the gauges say, or keys are looked through for every reading."""
    await asyncio.sleep(1000)
    bench = Bench()
    rows = [bench.add(number) for number in range(3)]
    for row in rows:
        key_age(bench, row, 0, version="2")
    figures = Figures(
        store=bench.store,
        keeper=bench.keeper,
        pool=cast(Any, bench.pool),
        ledger=bench.keeper.ledger,
        clock=bench.clock,
    )
    assert figures.gateways() == []
    await bench.keeper.look("default")
    (first,) = figures.gateways()
    assert (first.ready, first.expected, first.ours, first.healing) == (True, 3, 3, 0)
    assert (first.foreign, first.owed, first.oldest_key) == (None, None, None)

    key_age(bench, rows[0], 100, version="3")
    await asyncio.sleep(61)
    assert [row.oldest_key for row in figures.gateways()] == [pytest.approx(161)]
    key_age(bench, rows[1], 500, version="3")
    assert [row.oldest_key for row in figures.gateways()] == [pytest.approx(161)], "what was read a moment ago is kept"
    await asyncio.sleep(61)
    (aged,) = figures.gateways()
    assert aged.oldest_key == pytest.approx(561)
    await asyncio.sleep(400)
    assert [row.foreign for row in figures.gateways()] == [0], "the full check has counted"

    bench.drivers["default"].has.clear()
    bench.pool.handles["default"].breaker = CircuitBreaker(failures=0)
    await bench.keeper.look("default")
    await asyncio.sleep(9)
    await bench.keeper.look("default")
    (lost,) = figures.gateways()
    assert (lost.ready, lost.reason, lost.healing, lost.ours, lost.circuit_open) == (False, "Healing", 3, 0, True)
