"""What the operator knows and nobody counts as it happens: read when the metrics are, from what is in memory anyway.

Invariants: a reading costs the same however many objects there are, but for the oldest key, for which the Clients of a gateway are looked through at most
once a minute; only the replica that leads knows anything of the gateways. What this module deliberately does not do: ask anybody outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from registrar.clock import Clock
from registrar.engine.keeper import GatewayKeeper, Watched
from registrar.engine.owed import Ledger
from registrar.engine.pool import Pool
from registrar.engine.queue import WorkQueue
from registrar.engine.store import Store
from registrar.metrics import GatewayFigures, Metrics

KEY_AGE_EVERY = 60.0
"""Seconds for which the time of a gateway's oldest key is kept."""
PHASES = {
    "Client": ("", "Created", "Ready", "Registered", "UnpublishedChanges", "Retired"),
    "Contract": ("", "Pending", "Active", "Rejected"),
}
WITHOUT_PHASES = ("Policy", "RuntimeGateway", "APIGrant")


@dataclass(slots=True, kw_only=True)
class Figures:
    """The figures of the gateways that the keeper watches."""

    store: Store
    keeper: GatewayKeeper
    pool: Pool
    ledger: Ledger
    clock: Clock
    _oldest: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    def gateways(self) -> list[GatewayFigures]:
        """One row for each gateway that was looked at since this replica leads."""
        return [self._of(name, watched) for name, watched in self.keeper.watched.items() if watched.status]

    def _of(self, name: str, watched: Watched) -> GatewayFigures:
        clients, ready = watched.status["clients"], _ready(watched.status)
        handle, made = self.pool.known(name), self._oldest_key(name)
        return GatewayFigures(
            name=name,
            ready=ready["status"] == "True",
            reason=ready["reason"],
            circuit_open=handle is not None and handle.breaker.is_open,
            ours=clients["ours"],
            expected=clients["expected"],
            healing=clients["healing"],
            foreign=watched.drift.foreign if watched.drift.counted else None,
            owed=self.ledger.count(name) if self.ledger.loaded else None,
            apis_missing=len(handle.missing) if handle is not None else 0,
            oldest_key=max(0.0, self.clock.now() - made) if made is not None else None,
        )

    def _oldest_key(self, gateway: str) -> float | None:
        """When the gateway's oldest key was made, in seconds since the epoch, as it was at most a minute ago."""
        if not self.store.published_count(gateway):
            return None
        now = self.clock.monotonic()
        kept = self._oldest.get(gateway)
        if kept is None or now >= kept[0] + KEY_AGE_EVERY:
            kept = self._oldest[gateway] = (now, self.store.oldest_key(gateway))
        return kept[1]


def expose(
    metrics: Metrics, *, store: Store, queue: WorkQueue, figures: Figures, oldest_age: Callable[[], float]
) -> None:
    """Have the metrics read everything that is not counted; `oldest_age` is that of the queue, 0 where no worker runs."""
    metrics.queue.depth.set_function(lambda: float(queue.depth))
    metrics.queue.oldest.set_function(oldest_age)
    metrics.queue.unfinished.set_function(lambda: queue.running()[0])
    metrics.queue.longest.set_function(lambda: queue.running()[1])
    for kind, phases in PHASES.items():
        for phase in phases:
            metrics.objects(kind, phase, lambda key=(kind, phase): float(store.phases[key]))  # type: ignore[misc]
    for kind in WITHOUT_PHASES:
        metrics.objects(kind, "", lambda kind=kind: float(store.count(kind)))  # type: ignore[misc]
    metrics.gateways(figures.gateways)


def _ready(status: dict[str, Any]) -> dict[str, str]:
    """The Ready condition; every status of a RuntimeGateway has one."""
    row: dict[str, str] = next(row for row in status["conditions"] if row["type"] == "Ready")
    return row
