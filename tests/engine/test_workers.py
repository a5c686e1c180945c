"""The workers of the engine, in virtual time."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.app import Engine
from registrar.engine.queue import Key, WorkQueue
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
        metrics=Metrics(), clock=clock, jitter=jitter, workers=1, loaded=asyncio.Event(), sources=[],
    )  # fmt: skip
    worker = asyncio.create_task(engine._worker())
    turns = 0
    while reconciler.passes < 1000:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 500
    queue.close()
    await worker
