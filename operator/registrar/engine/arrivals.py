"""When something of a Client last arrived, so that a batch of objects is one push.

Only creations, deletions and changes of a spec or a token count, never our own writes. Objects that were there at the start arrived when they were created.

Who changed something is kept beside it, from the event until the effect is recorded: the objects in the store do not know it.

Invariant: a Client settles at most `longest` seconds after the first arrival of a batch, however many follow. What this module deliberately does not
do: wait.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from registrar.clock import Clock
from registrar.engine.queue import Key
from registrar.lifecycle.model import Asker

_ASKED = 4096
"""Of how many Clients at most it is kept who changed something: a replica that does not lead works nothing off."""
_ASKERS = 32


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
        self._asked: OrderedDict[Key, dict[str, Asker]] = OrderedDict()

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
        self._asked.pop(key, None)

    # Who asked --------------------------------------------------------------------------------------------------

    def asked(self, key: Key, asker: Asker) -> None:
        """Somebody changed something of the Client; kept until what came of it is recorded, the last of each subject."""
        askers = {**self._asked.get(key, {}), asker.subject: asker}
        self._asked[key] = dict(list(askers.items())[-_ASKERS:])
        self._asked.move_to_end(key)
        while len(self._asked) > _ASKED:
            self._asked.popitem(last=False)

    def askers(self, key: Key) -> tuple[Asker, ...]:
        """Who has changed something of the Client since it last was at rest."""
        return tuple(self._asked.get(key, {}).values())

    def rested(self, key: Key, known: tuple[Asker, ...]) -> None:
        """The Client is at rest with what `known` have changed; whoever came since stays."""
        if self.askers(key) == known:
            self._asked.pop(key, None)

    def _end(self, burst: _Burst) -> float:
        return min(burst.last + self._settle, burst.first + self._longest)
