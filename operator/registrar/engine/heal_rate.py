"""How fast a gateway's lost registrations come back, and so which Clients are asked to say that they wait.

A Client that says so costs status writes, and those go ahead of all heals: asked of thousands at once they stand between a fast gateway and its heals. So while the rest
will be back soon only the few that have waited longest are asked; where that takes longer, all of them.

Invariant: who would wait for longer than `PATIENCE` times the grace is asked. What this module deliberately does not do: ask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

PATIENCE = 6.0
"""How many times the grace the last heal may be away before everybody who waits says so: a minute with the default."""
FEW = 20
"""How many are asked in one look while heals go quickly."""
_SAMPLE = 1.0
_WEIGHT = 0.5


@dataclass(slots=True)
class HealRate:
    """The rate of one gateway, from the counts of the keeper's looks; looks may come in quick succession."""

    rate: float | None = None
    _last: tuple[float, int] | None = field(default=None)

    def saw(self, healing: int, *, now: float) -> None:
        """So many are missing at `now` (monotonic seconds). More than before is a new loss, and the measuring starts anew."""
        if not healing:
            self.rate, self._last = None, None
            return
        if self._last is None or healing > self._last[1]:
            self.rate, self._last = None, (now, healing)
            return
        at, before = self._last
        if now < at + _SAMPLE:
            return
        seen = (before - healing) / (now - at)
        self.rate = seen if self.rate is None else _WEIGHT * seen + (1 - _WEIGHT) * self.rate
        self._last = (now, healing)

    def seconds_left(self, healing: int) -> float:
        """How long the last of them will have to wait; infinite as long as nothing is known to come back."""
        return healing / self.rate if self.rate else math.inf

    def asked(self, waiting: int, *, healing: int, grace: float) -> int:
        """How many of those that have waited for longer than `grace` (seconds) are asked to say so."""
        return waiting if self.seconds_left(healing) > PATIENCE * grace else min(waiting, FEW)
