"""Time and randomness, injected so that tests can own both.

Invariant: no other module of the operator reads a clock or the global random generator. Wall time (`now`) goes into
statuses and settle times; monotonic time measures durations. What this module deliberately does not do: sleep or schedule;
waiting is `asyncio`'s, on the event loop's own clock, which the tests make virtual.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Where the operator reads the time."""

    def now(self) -> float:
        """Wall time, in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """A time that never goes back, in seconds; the zero is arbitrary."""
        ...


class SystemClock:
    """The real clocks of the machine."""

    def now(self) -> float:
        """Wall time, in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """The monotonic clock, in seconds."""
        return time.monotonic()


@dataclass(slots=True)
class LoopClock:
    """The running event loop's time as both clocks, so that a virtual loop moves everything together."""

    epoch: float = 1_700_000_000.0

    def now(self) -> float:
        """The loop's time after `epoch`."""
        return self.epoch + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Jitter:
    """Random spread from a seedable source."""

    source: random.Random = field(default_factory=random.SystemRandom)

    def up_to(self, seconds: float) -> float:
        """A uniform value in [0, seconds]."""
        return self.source.uniform(0.0, seconds)

    def around(self, seconds: float, *, share: float = 0.1) -> float:
        """A uniform value in [seconds * (1 - share), seconds * (1 + share)]."""
        return seconds * self.source.uniform(1.0 - share, 1.0 + share)
