"""Label selectors in the slim form in which they are matched, with the semantics of Kubernetes.

Invariant: all requirements must hold, so a selector without any matches every object.
What this module deliberately does not do: the schema of a selector (see `base`), or know which objects there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of `matchExpressions`; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the requirement holds; an operator that this version does not know never does."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case _:
                return False


@dataclass(frozen=True, slots=True)
class Selector:
    """A whole selector."""

    labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        exact = all(labels.get(key) == value for key, value in self.labels)
        return exact and all(requirement.matches(labels) for requirement in self.expressions)


def parse_selector(raw: Mapping[str, Any] | None) -> Selector | None:
    """A selector of a manifest; None when there is none, which matches nothing."""
    if raw is None:
        return None
    return Selector(
        labels=tuple(sorted((raw.get("matchLabels") or {}).items())),
        expressions=tuple(
            Requirement(row["key"], row["operator"], tuple(row.get("values") or ()))
            for row in raw.get("matchExpressions") or ()
        ),
    )
