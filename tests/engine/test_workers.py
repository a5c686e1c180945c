"""The workers of the engine, in virtual time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.app import Engine
from registrar.engine.queue import Key, WorkQueue
from registrar.errors import LeaseLost
from registrar.metrics import Metrics

pytestmark = pytest.mark.looptime


class NothingToDo:
    """A reconciler whose passes wait for nothing, as those of Clients at rest do."""

    def __init__(self) -> None:
        self.passes = 0

    async def reconcile(self, key: Key) -> str:
        self.passes += 1
        return "success"


async def test_thousands_of_passes_in_a_row_let_the_lease_be_renewed() -> None:
    """Fails when the first passes of a start keep everything else from running, the Lease and the probes among it."""
    clock, jitter, reconciler = LoopClock(), Jitter(random.Random(1)), NothingToDo()
    queue = WorkQueue(clock=clock, jitter=jitter)
    for number in range(1000):
        queue.add(Key("Client", "team", f"c{number}"))
    unused = cast(Any, None)
    engine = Engine(
        queue=queue, reconcilers={"Client": reconciler}, keeper=unused, elector=None, events=unused,
        metrics=Metrics(), clock=clock, jitter=jitter, workers=1, loaded=asyncio.Event(), sources=[], catch_up=unused,
    )  # fmt: skip
    worker = asyncio.create_task(engine._worker())
    turns = 0
    while reconciler.passes < 1000:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 500
    queue.close()
    await worker


class Lease:
    """A Lease that is had at once; `alone` as the test says, and lost when it says so."""

    def __init__(self, *, alone: bool) -> None:
        self.alone = alone
        self.lost = asyncio.Event()

    async def acquire(self) -> None:
        pass

    async def run(self) -> None:
        await self.lost.wait()
        raise LeaseLost("lost")

    async def release(self) -> None:
        pass


class Idle:
    """Runs beside the workers and does nothing."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def flush(self, *, deadline: float) -> None:
        pass


@dataclass
class Leading:
    """An engine that has one key to look at, and whose caches are brought up to date when the test says so."""

    lease: Lease
    passes: NothingToDo = field(default_factory=NothingToDo)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self) -> asyncio.Task[int]:
        """Start it, with everything loaded."""
        clock, jitter, loaded = LoopClock(), Jitter(random.Random(1)), asyncio.Event()
        loaded.set()
        queue = WorkQueue(clock=clock, jitter=jitter)
        queue.add(Key("Client", "team", "shop"))

        async def catch_up() -> None:
            self.asked.set()
            await self.caught_up.wait()

        idle = cast(Any, Idle())
        engine = Engine(
            queue=queue, reconcilers={"Client": self.passes}, keeper=idle, elector=cast(Any, self.lease), events=idle,
            metrics=Metrics(), clock=clock, jitter=jitter, workers=1, loaded=loaded, sources=[], catch_up=catch_up,
        )  # fmt: skip
        return asyncio.create_task(engine.run(self.stop))


async def test_a_leader_after_another_knows_first_what_that_one_did() -> None:
    """Fails when work begins on caches from before the former leader's last changes: a revoked contract would come back, a dead key would live again."""
    leading = Leading(Lease(alone=False))
    running = leading.run()
    await leading.asked.wait()
    await asyncio.sleep(60)
    assert leading.passes.passes == 0
    leading.caught_up.set()
    await asyncio.sleep(1)
    assert leading.passes.passes == 1
    leading.stop.set()
    assert await running == 0


async def test_a_leader_that_was_alone_begins_at_once() -> None:
    """Fails when a restart reads everything twice though nobody else can have worked."""
    leading = Leading(Lease(alone=True))
    running = leading.run()
    await asyncio.sleep(1)
    assert leading.passes.passes == 1
    assert not leading.asked.is_set()
    leading.stop.set()
    assert await running == 0


async def test_a_lease_that_is_lost_over_it_ends_the_engine() -> None:
    """Fails when a replica goes on to lead though its Lease ran out while it read."""
    leading = Leading(Lease(alone=False))
    running = leading.run()
    await leading.asked.wait()
    leading.lease.lost.set()
    with pytest.raises(LeaseLost):
        await running
    assert leading.passes.passes == 0
