"""Conditions as Kubernetes and kstatus want them.

Invariants, held by `merge` on every write: one entry for each type; `lastTransitionTime` moves only when `status` does; `Reconciling`
and `Stalled` are absent when false and never there together; every entry carries the generation it was judged on.
What this module deliberately does not do: choose a reason or a message (see `reasons.py` and `lifecycle/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

READY = "Ready"
REGISTERED = "Registered"
PUBLISHED = "Published"
ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"
PROGRAMMED = "Programmed"
RECONCILING = "Reconciling"
STALLED = "Stalled"
REACHABLE = "Reachable"
AUTHENTICATED = "Authenticated"
DEPRECATED = "Deprecated"
EXPIRING = "Expiring"
BLOCKED = "Blocked"
DRIFTED = "Drifted"

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"

MESSAGE_LIMIT = 1024
"""Longest message, in characters; the API allows 32768, a person reads less."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `transitioned_at` is RFC 3339, empty until `merge` fills it."""

    type: str
    status: str
    reason: str
    message: str
    transitioned_at: str = ""
    observed_generation: int = 0

    def to_json(self) -> dict[str, Any]:
        """The entry as a status holds it."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.transitioned_at,
            "observedGeneration": self.observed_generation,
        }


def parse_conditions(rows: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Read `status.conditions[]`; entries without a type are dropped."""
    return tuple(
        Condition(
            type=str(row["type"]),
            status=str(row.get("status", UNKNOWN)),
            reason=str(row.get("reason", "")),
            message=str(row.get("message", "")),
            transitioned_at=str(row.get("lastTransitionTime", "")),
            observed_generation=int(row.get("observedGeneration") or 0),
        )
        for row in rows
        if row.get("type")
    )


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, if there is one."""
    return next((condition for condition in conditions if condition.type == type_), None)


def merge(old: Iterable[Condition], new: Iterable[Condition], *, at: str, generation: int) -> tuple[Condition, ...]:
    """The conditions to write: `new`, with the transition times of `old` where the status did not move.

    `at` is the RFC 3339 time for those that did. A type that is in `old` only is dropped, as kstatus wants it of
    `Reconciling` and `Stalled`.
    """
    before = {condition.type: condition for condition in old}
    return tuple(
        Condition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason,
            message=condition.message[:MESSAGE_LIMIT],
            transitioned_at=known.transitioned_at
            if (known := before.get(condition.type)) is not None and known.status == condition.status
            else at,
            observed_generation=generation,
        )
        for condition in new
    )
