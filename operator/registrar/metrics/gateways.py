"""The metrics of the runtime gateways: each call of one, and what the keeper knows of it.

Invariants: a gateway that is no longer there has no gauge; what is not known has none either (registrations before the first look, what is not ours before
the first full check), because a 0 would be taken for an answer. What this module deliberately does not do: call a gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from registrar.metrics.families import Bound, Families, Family

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds; a call ends after `gateway_timeout_seconds`, 4 by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFigures:
    """What is known of one gateway now; None where it is not known.

    `ready` and `reason` are those of the RuntimeGateway's Ready condition; `ours` are the registrations that stand, `expected` those that should,
    `healing` the difference; `foreign` are not ours; `owed` are to be taken off still; `apis_missing` counts APIs that Clients want and the gateway lacks.
    `oldest_key` is an age in seconds.
    """

    name: str
    ready: bool
    reason: str
    circuit_open: bool
    ours: int
    expected: int
    healing: int
    foreign: int | None
    owed: int | None
    apis_missing: int
    oldest_key: float | None


_READY = Family(
    "gateway_registrar_gateway_ready",
    "gauge",
    "1 when the RuntimeGateway is Ready, else 0; `reason` is its Ready condition's.",
    ("gateway", "reason"),
)
_OPEN = Family(
    "gateway_registrar_gateway_circuit_open",
    "gauge",
    "1 while the circuit breaker holds all calls but the probe back, else 0.",
    ("gateway",),
)
_REGISTRATIONS = Family(
    "gateway_registrar_registrations",
    "gauge",
    "Registrations on a gateway: ours that stand, expected, healing (expected and not there), foreign (not ours, as of the last full check).",
    ("gateway", "state"),
)
_OWED = Family(
    "gateway_registrar_owed",
    "gauge",
    "Registrations whose Client was let go and that are still to be taken off.",
    ("gateway",),
)
_MISSING = Family(
    "gateway_registrar_apis_missing",
    "gauge",
    "APIs that Contracts name and that the gateway says it does not have.",
    ("gateway",),
)
_KEY = Family(
    "gateway_registrar_oldest_key_age_seconds",
    "gauge",
    "Age of the oldest API key that is published on the gateway; counted anew at most once a minute.",
    ("gateway",),
)
FIGURES = (_READY, _OPEN, _REGISTRATIONS, _OWED, _MISSING, _KEY)


def gauges(figures: Iterable[GatewayFigures]) -> Iterable[tuple[str, tuple[str, ...], float]]:
    """The series of `FIGURES`."""
    for row in figures:
        name = row.name
        yield _READY.name, (name, row.reason), float(row.ready)
        yield _OPEN.name, (name,), float(row.circuit_open)
        states = {"ours": row.ours, "expected": row.expected, "healing": row.healing, "foreign": row.foreign}
        for state, count in states.items():
            if count is not None:
                yield _REGISTRATIONS.name, (name, state), float(count)
        if row.owed is not None:
            yield _OWED.name, (name,), float(row.owed)
        yield _MISSING.name, (name,), float(row.apis_missing)
        if row.oldest_key is not None:
            yield _KEY.name, (name,), row.oldest_key


class GatewayCalls:
    """The calls of all gateways, each counted where it is made."""

    def __init__(self, families: Families) -> None:
        """Declare them."""
        self._count = Bound(families.counter(
            "gateway_registrar_gateway_requests_total", "Calls of a gateway, by operation and by the code of the answer; `<error>` without one.",
            "gateway", "operation", "code",
        ))  # fmt: skip
        self._seconds = Bound(families.histogram(
            "gateway_registrar_gateway_request_duration_seconds", "Time of one call of a gateway, without the wait for its turn.",
            "gateway", "operation", buckets=_BUCKETS,
        ))  # fmt: skip

    def of(self, gateway: str) -> Callable[[str, str, float], None]:
        """Counts one call of that gateway: operation, code and seconds."""

        def answered(operation: str, code: str, seconds: float) -> None:
            self._count(gateway, operation, code).inc()
            self._seconds(gateway, operation).observe(seconds)

        return answered
