"""When something of a Client last arrived, so that a batch of objects is one push.

Only creations, deletions and changes of a spec or a token count, never our own writes. Objects that were there at the start arrived when they were created.

Invariant: a Client settles at most `longest` seconds after the first arrival of a batch, however many follow. What this module deliberately does not
do: wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from registrar.clock import Clock
from registrar.engine.queue import Key


@dataclass(frozen=True, slots=True)
class _Burst:
    first: float
    last: float


class Arrivals:
    """The bursts of recent arrivals, by Client."""

    def __init__(self, *, clock: Clock, settle: float, longest: float) -> None:
        """`settle` and `longest` are in seconds."""
        self._clock = clock
        self._settle = settle
        self._longest = longest
        self._bursts: dict[Key, _Burst] = {}

    def note(self, key: Key, *, at: float | None = None) -> None:
        """Something of the Client arrived now, or at that time (seconds since the epoch)."""
        now = self._clock.now()
        at = now if at is None else min(at, now)
        if at + self._longest <= now:
            return
        burst = self._bursts.get(key)
        if burst is None or self._end(burst) <= at:
            self._bursts[key] = _Burst(first=at, last=at)
        else:
            self._bursts[key] = _Burst(first=min(burst.first, at), last=max(burst.last, at))

    def settled_at(self, key: Key) -> float:
        """When the Client is quiet, in seconds since the epoch; a time in the past when it is."""
        burst = self._bursts.get(key)
        if burst is None:
            return 0.0
        end = self._end(burst)
        if end <= self._clock.now():
            del self._bursts[key]
        return end

    def drop(self, key: Key) -> None:
        """Forget a Client that is gone."""
        self._bursts.pop(key, None)

    def _end(self, burst: _Burst) -> float:
        return min(burst.last + self._settle, burst.first + self._longest)
