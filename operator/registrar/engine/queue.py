"""The work queue: client-go's semantics, with lanes, delays, backoff and parking.

A key that is added while it is being worked on is worked on once more afterwards, never twice at the same time. Lanes: urgent (revocations) before normal
before low (a plan's policy that reaches thousands); a lane waits while one above it has keys, which is short, because a key is in the queue at most once.

Invariants: no key is lost or doubled; the earlier of two times wins; a backoff starts anew after `forget`. What this module deliberately does not do: know
what a key stands for.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from dataclasses import dataclass

from registrar.clock import Clock, Jitter
from registrar.metrics import Families, QueueMetrics


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is reconciled: kind Client (with all Contracts that name it), Policy, APIGrant or RuntimeGateway."""

    kind: str
    namespace: str
    name: str


URGENT, NORMAL, LOW = range(3)
_LONGEST_SLEEP = 3600.0
_STALE = 1024
"""How many overtaken times may stay beside the true ones, over and above as many as there are of those."""


class WorkQueue:
    """Keys that wait for a worker; all times are wall-clock seconds of the injected clock."""

    def __init__(
        self,
        *,
        clock: Clock,
        jitter: Jitter,
        base: float = 1.0,
        maximum: float = 420.0,
        metrics: QueueMetrics | None = None,
    ) -> None:
        """The n-th retry of a key waits up to `base` * 2^n seconds, at most `maximum`, never less than half of that."""
        self._metrics = metrics or QueueMetrics(Families())
        self._clock = clock
        self._jitter = jitter
        self._base = base
        self._maximum = maximum
        self._lanes: tuple[deque[Key], ...] = (deque(), deque(), deque())
        self._dirty: dict[Key, int] = {}
        self._since: dict[Key, float] = {}
        self._processing: dict[Key, float] = {}
        self._later: list[tuple[float, Key]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._parked: dict[str, set[Key]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._draining: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, key: Key, *, urgent: bool = False, low: bool = False) -> None:
        """Have the key worked on as soon as a worker is free."""
        if self._closed:
            return
        lane = URGENT if urgent else LOW if low else NORMAL
        self._due.pop(key, None)
        before = self._dirty.get(key)
        if before is not None and before <= lane:
            return
        if before is None:
            self._metrics.added()
        self._dirty[key] = lane
        self._since.setdefault(key, self._clock.monotonic())
        if key not in self._processing:
            # A key that moves up stays in its old lane too; what is no longer dirty, or dirty in another lane, is skipped there.
            self._lanes[lane].append(key)
            self._wake()

    def add_at(self, key: Key, at: float) -> None:
        """Have the key worked on at that time, or earlier if something else adds it."""
        if self._closed or key in self._dirty or self._due.get(key, float("inf")) <= at:
            return
        if at <= self._clock.now():
            self.add(key)
            return
        self._due[key] = at
        heapq.heappush(self._later, (at, key))
        if len(self._later) > 2 * len(self._due) + _STALE:
            # A time of long hence that something else has overtaken would stay until then.
            self._later = [(time, waiting) for waiting, time in self._due.items()]
            heapq.heapify(self._later)
        self._arm()

    def retry(self, key: Key) -> float:
        """Have the key worked on after its backoff; returns that, in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._metrics.retried()
        limit = min(self._maximum, self._base * 2.0 ** min(failures, 32))
        delay = limit / 2 + self._jitter.up_to(limit / 2)
        self.add_at(key, self._clock.now() + delay)
        return delay

    def forget(self, key: Key) -> None:
        """The key has no failures any more: it succeeded, or its object has changed."""
        self._failures.pop(key, None)

    def park(self, key: Key, gate: str) -> None:
        """Remember that the key waits for something; `release` adds it before its backoff is over."""
        self._parked.setdefault(gate, set()).add(key)

    def release(self, gate: str) -> int:
        """Add everything that waits for `gate`, with a fresh backoff; returns how many."""
        keys = self._parked.pop(gate, set())
        for key in sorted(keys):
            self.forget(key)
            self.add(key)
        return len(keys)

    async def get(self) -> Key | None:
        """The next key, for which the caller must call `done`; None once the queue is closed."""
        while not self._closed:
            key = self._take()
            if key is not None:
                return key
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return None

    def done(self, key: Key) -> None:
        """The worker has finished with the key; if it was added meanwhile it is queued again."""
        self._metrics.worked(self._clock.monotonic() - self._processing.pop(key))
        lane = self._dirty.get(key)
        if lane is not None:
            self._lanes[lane].append(key)
            self._wake()
        if self.idle:
            self._drained()

    async def drained(self) -> None:
        """Return when nothing waits for a worker and nothing is being worked on, or the queue is closed."""
        while not self.idle and not self._closed:
            waiter = asyncio.get_running_loop().create_future()
            self._draining.append(waiter)
            await waiter

    def _drained(self) -> None:
        for waiter in self._draining:
            if not waiter.done():
                waiter.set_result(None)
        self._draining.clear()

    def close(self) -> None:
        """Give out no more keys, and tell everybody who waits for one."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._drained()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return len(self._dirty)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a worker and nothing is being worked on; keys with a time to come do not count."""
        return not self._dirty and not self._processing

    def oldest_age(self) -> float:
        """How long the oldest waiting key has waited, in seconds."""
        first = next(iter(self._since.values()), None)
        return self._clock.monotonic() - first if first is not None else 0.0

    def workers_start(self) -> None:
        """From now on somebody works: what waited until here waited for that, and not for a worker."""
        now = self._clock.monotonic()
        self._since = dict.fromkeys(self._since, now)

    def running(self) -> tuple[float, float]:
        """Seconds of work under way: over all workers, and of the longest pass."""
        now = self._clock.monotonic()
        times = [now - started for started in self._processing.values()]
        return sum(times), max(times, default=0.0)

    def _take(self) -> Key | None:
        for lane, keys in enumerate(self._lanes):
            while keys:
                key = keys.popleft()
                if self._dirty.get(key) == lane and key not in self._processing:
                    del self._dirty[key]
                    now = self._clock.monotonic()
                    self._metrics.waited(now - self._since.pop(key))
                    self._processing[key] = now
                    return key
        return None

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        """Set the one timer to the earliest time."""
        if self._timer is not None:
            self._timer.cancel()
        if self._later:
            delay = min(max(0.0, self._later[0][0] - self._clock.now()), _LONGEST_SLEEP)
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            at, key = heapq.heappop(self._later)
            if self._due.get(key) == at:
                del self._due[key]
                self.add(key)
        self._arm()
