"""How fast a gateway's lost registrations come back, and so which Clients are asked to say that they wait.

A Client that says so costs status writes, and those go ahead of all heals: asked of thousands at once they stand between a fast gateway and its heals. So while the rest
will be back soon only the few that have waited longest are asked; where that takes longer, so many in each look that all of them have their turn.

Asking must never be what makes it take longer: where it has cost half of the heals, only a few are asked again. On a machine whose cores were all busy, a hundred in each
look took all the time that there was, and 10,000 heals that had begun at 200 a second went on at 20.

Invariant: who waits is asked, if not healed before its turn. What this module deliberately does not do: ask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

PATIENCE = 6.0
"""How many times the grace the last heal may be away before everybody who waits says so: a minute with the default."""
FEW = 20
"""How many are asked in one look while heals go quickly."""
MOST = 100
"""How many are asked in one look otherwise: with five Contracts each some 600 status writes, for which the API server has time until the next look."""
SLOWED = 0.5
"""Below which share of the best rate since the loss the heals count as slowed down."""
_SAMPLE = 1.0
_WEIGHT = 0.5


@dataclass(slots=True)
class HealRate:
    """The rate of one gateway, from the counts of the keeper's looks; looks may come in quick succession."""

    rate: float | None = None
    best: float = 0.0
    _last: tuple[float, int] | None = field(default=None)

    def saw(self, healing: int, *, now: float) -> None:
        """So many are missing at `now` (monotonic seconds). More than before is a new loss, and the measuring starts anew."""
        if not healing or self._last is None or healing > self._last[1]:
            self.rate, self.best, self._last = None, 0.0, (now, healing) if healing else None
            return
        at, before = self._last
        if now < at + _SAMPLE:
            return
        seen = (before - healing) / (now - at)
        self.rate = seen if self.rate is None else _WEIGHT * seen + (1 - _WEIGHT) * self.rate
        self.best = max(self.best, self.rate)
        self._last = (now, healing)

    def seconds_left(self, healing: int) -> float:
        """How long the last of them will have to wait; infinite as long as nothing is known to come back."""
        return healing / self.rate if self.rate else math.inf

    def asked(self, waiting: int, *, healing: int, grace: float) -> int:
        """How many of those that have waited for longer than `grace` (seconds) are asked to say so."""
        slow = self.seconds_left(healing) > PATIENCE * grace
        slowed = self.rate is not None and self.rate < SLOWED * self.best
        return min(waiting, MOST if slow and not slowed else FEW)
