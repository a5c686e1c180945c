"""When the sweep runs, and that it lets others run meanwhile, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import Memory
from registrar.engine.preload import Preload
from registrar.engine.queue import WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.engine.sweep import LONGEST_LISTING, Sweep
from registrar.errors import KubeUnavailable
from registrar.kube.client import Page, Resource
from registrar.metrics import Metrics

pytestmark = pytest.mark.looptime


@dataclass
class Kube:
    """An API server that has these namespaces and nothing else, and says when it was listed; the first `away` listings find it away."""

    names: int = 0
    listed: list[float] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    away: int = 0

    async def list_pages(self, resource: Resource, **_: Any) -> AsyncIterator[Page]:
        if resource.kind == "Namespace":
            self.listed.append(asyncio.get_running_loop().time())
            if len(self.listed) <= self.away:
                raise KubeUnavailable("away")
            yield Page([self.item(number) for number in range(self.names)], "100000")

    async def get(self, resource: Resource, *, namespace: str, name: str, **_: Any) -> dict[str, Any]:
        self.got.append(name)
        self.turns.append(len(self.others))
        return self.item(int(name.removeprefix("n")))

    def item(self, number: int) -> dict[str, Any]:
        return {"metadata": {"name": f"n{number}", "uid": f"u{number}", "resourceVersion": str(number + 1)}}


def sweep_of(kube: Kube, *, interval: float = 600.0) -> Sweep:
    """A sweep with an empty store around it."""
    clock, jitter, store = LoopClock(), Jitter(random.Random(1)), Store()
    queue = WorkQueue(clock=clock, jitter=jitter)
    arrivals = Arrivals(clock=clock, settle=2, longest=10)
    ingest = Ingest(store=store, queue=queue, arrivals=arrivals, memory=Memory(), clock=clock, home="system")
    client = cast(Any, kube)
    preload = Preload(client=client, ingest=ingest, jitter=jitter, watched=None)
    return Sweep(
        client=client, store=store, ingest=ingest, preload=preload, metrics=Metrics(), jitter=jitter, interval=interval
    )


@contextlib.asynccontextmanager
async def running(sweep: Sweep) -> AsyncIterator[float]:
    """The sweep at work; gives the loop's time at its start."""
    task = asyncio.create_task(sweep.run())
    await asyncio.sleep(0)
    try:
        yield asyncio.get_running_loop().time()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_sweep_for_one_listing() -> None:
    """Fails when a listing that takes half a minute is swept a dozen times, each time over every object."""
    kube = Kube()
    sweep = sweep_of(kube)
    async with running(sweep) as began:
        for _ in range(60):
            sweep.relisted()
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)
    [at] = kube.listed
    assert 29.5 < at - began < 35


async def test_a_listing_without_end_does_not_keep_the_sweep_away() -> None:
    """Fails when a watch that is listed again and again is never swept."""
    kube = Kube()
    sweep = sweep_of(kube)
    async with running(sweep) as began:
        while asyncio.get_running_loop().time() < began + 2.5 * LONGEST_LISTING:
            sweep.relisted()
            await asyncio.sleep(1)
    assert len(kube.listed) == 2


async def test_without_a_listing_it_is_due_all_the_same() -> None:
    """Fails when a deletion that a watch lost silently is never found."""
    kube = Kube()
    async with running(sweep_of(kube, interval=100.0)):
        await asyncio.sleep(350)
    assert len(kube.listed) == 3


async def test_what_was_missed_is_fetched_once_and_others_get_their_turn() -> None:
    """Fails when the comparison of many objects holds everything else up, or what the watch brings meanwhile is fetched too."""
    kube = Kube(names=2000)
    sweep = sweep_of(kube)
    for number in range(1990):
        sweep.ingest.loaded("Namespace", kube.item(number))

    async def other() -> None:
        for turn in range(100):
            kube.others.append(turn)
            if turn == 3:
                sweep.ingest.loaded("Namespace", kube.item(1999))
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await sweep.once()
    await beside
    assert kube.got == [f"n{number}" for number in range(1990, 1999)]
    assert kube.turns[0] >= 3


async def test_catching_up_waits_an_api_server_out() -> None:
    """Fails when a new leader begins though a kind could not be listed."""
    kube = Kube(names=3, away=2)
    sweep = sweep_of(kube)
    await sweep.catch_up()
    assert len(kube.listed) == 3
    assert kube.got == ["n0", "n1", "n2"]
