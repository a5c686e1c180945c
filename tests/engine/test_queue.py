"""The work queue, in virtual time: no key is lost, none is worked on twice at once, and time is the clock's."""

from __future__ import annotations

import asyncio
import random

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.queue import Key, WorkQueue
from registrar.metrics import Families, QueueMetrics

pytestmark = pytest.mark.looptime
A, B, C = (Key("Client", "team", name) for name in "abc")


def queue(*, base: float = 1.0, maximum: float = 420.0, metrics: QueueMetrics | None = None) -> WorkQueue:
    """A queue on the loop's own clock, with the randomness of one seed."""
    return WorkQueue(clock=LoopClock(), jitter=Jitter(random.Random(1)), base=base, maximum=maximum, metrics=metrics)


async def test_a_key_is_given_out_once() -> None:
    """Fails when adding a waiting key doubles it."""
    work = queue()
    for _ in range(3):
        work.add(A)
    assert await work.get() == A
    assert work.depth == 0


async def test_a_key_added_while_worked_on_comes_again_afterwards() -> None:
    """Fails when single flight is broken, or when what arrived meanwhile is lost."""
    work = queue()
    work.add(A)
    assert await work.get() == A
    work.add(A)
    second = asyncio.create_task(work.get())
    await asyncio.sleep(1)
    assert not second.done(), "the same key must not be worked on twice at once"
    work.done(A)
    assert await second == A


async def test_lanes() -> None:
    """Fails when a revocation waits behind ordinary work, or a fan-out before it."""
    work = queue()
    work.add(C, low=True)
    work.add(B)
    work.add(A, urgent=True)
    assert [await work.get() for _ in range(3)] == [A, B, C]


async def test_a_waiting_key_can_become_urgent() -> None:
    """Fails when the lane of the first add sticks, or when moving up doubles the key."""
    work = queue()
    work.add(B)
    work.add(A)
    work.add(A, urgent=True)
    assert [await work.get(), await work.get()] == [A, B]
    assert work.depth == 0


async def test_a_later_time(looptime: float) -> None:
    """Fails when a delayed key comes early, late or not at all."""
    work = queue()
    clock = LoopClock()
    work.add_at(A, clock.now() + 10)
    assert await work.get() == A
    assert looptime == 10


async def test_the_earlier_of_two_times_wins(looptime: float) -> None:
    """Fails when a second, later time replaces the first, or when the key comes at both."""
    work = queue()
    now = LoopClock().now()
    work.add_at(A, now + 10)
    work.add_at(A, now + 20)
    work.add_at(A, now + 5)
    assert await work.get() == A
    assert looptime == 5
    work.done(A)
    work.add_at(B, now + 30)
    assert await work.get() == B
    assert looptime == 30


async def test_an_add_comes_before_its_delay(looptime: float) -> None:
    """Fails when a key in backoff ignores an event."""
    work = queue()
    work.add_at(A, LoopClock().now() + 100)
    work.add(A)
    assert await work.get() == A
    assert looptime == 0


async def test_backoff_doubles_up_to_its_limit() -> None:
    """Fails when retries come at a constant pace, exceed seven minutes, or do not start anew after success."""
    work = queue(base=1.0, maximum=420.0)
    delays = []
    for number in range(12):
        delay = work.retry(A)
        delays.append(delay)
        limit = min(420.0, 2.0**number)
        assert limit / 2 <= delay <= limit
        assert await work.get() == A
        work.done(A)
    work.forget(A)
    assert work.retry(A) <= 1.0
    assert delays[-1] > 100


async def test_a_gate_releases_what_waits_for_it(looptime: float) -> None:
    """Fails when Clients sit out their backoff though their gateway is back."""
    work = queue()
    for key in (A, B):
        work.park(key, "gateway/default")
        for _ in range(6):
            work.retry(key)
    assert work.release("gateway/default") == 2
    assert {await work.get(), await work.get()} == {A, B}
    assert looptime == 0
    assert work.release("gateway/default") == 0


async def test_every_waiting_worker_is_woken() -> None:
    """Fails when one add wakes nobody, or a cancelled worker swallows a key."""
    work = queue()
    tasks = [asyncio.create_task(work.get()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    work.add(A)
    work.add(B)
    assert {await tasks[1], await tasks[2]} == {A, B}


async def test_closed() -> None:
    """Fails when a stopping operator begins new work, or waits for workers that wait for it."""
    work = queue()
    waiting = asyncio.create_task(work.get())
    await asyncio.sleep(1)
    work.add(A)
    work.close()
    assert await waiting is None
    assert await work.get() is None


async def test_age_of_the_oldest() -> None:
    """Fails when the probe can't see that workers are stuck."""
    work = queue()
    work.add(A)
    await asyncio.sleep(7)
    work.add(B)
    assert work.oldest_age() == 7
    await work.get()
    assert work.oldest_age() == 0


async def test_drained_means_nothing_waits_and_nothing_is_worked_on() -> None:
    """Fails when the watch of a start begins amid the first passes, or waits for ever."""
    work = queue()
    await work.drained()
    work.add(A)
    work.add(B)
    drained = asyncio.create_task(work.drained())
    for key in (A, B):
        assert await work.get() == key
        await asyncio.sleep(1)
        assert not drained.done()
        work.done(key)
    await drained
    work.add(C)
    for_ever = asyncio.create_task(work.drained())
    await asyncio.sleep(1)
    assert not for_ever.done()
    work.close()
    await for_ever


async def test_what_is_counted() -> None:
    """Fails when an add that changes nothing counts, or the wait for a worker and the work are not told apart."""
    families = Families()
    work = queue(metrics=QueueMetrics(families))
    value = families.registry.get_sample_value
    labels = {"name": "clients"}
    for _ in range(3):
        work.add(A)
    work.add(A, urgent=True)
    work.add(B)
    await asyncio.sleep(2)
    assert await work.get() == A
    await asyncio.sleep(5)
    assert await work.get() == B
    await asyncio.sleep(1)
    assert work.running() == (7.0, 6.0)
    work.done(A)
    work.retry(A)
    assert work.running() == (1.0, 1.0)
    assert value("workqueue_adds_total", labels) == 2
    assert value("workqueue_retries_total", labels) == 1
    assert value("workqueue_queue_duration_seconds_sum", labels) == 2 + 7
    assert value("workqueue_work_duration_seconds_sum", labels) == 6
    assert value("workqueue_work_duration_seconds_count", labels) == 1


async def test_ages_begin_with_the_workers() -> None:
    """Fails when a replica that took over is called stuck for the hours in which another one led."""
    work = queue()
    work.add(A)
    await asyncio.sleep(3600)
    work.workers_start()
    assert work.oldest_age() == 0
    await asyncio.sleep(10)
    assert work.oldest_age() == 10
    assert await work.get() == A
