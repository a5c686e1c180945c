"""What kstatus says of a custom resource: the rules by which Flux, kpt and Helm decide that an apply is done.

A reading of `Compute` in kubernetes-sigs/cli-utils, `pkg/kstatus/status` (`status.go`, `generic.go`), in its order: deletion, the generation, then
the first of the conditions `Reconciling` and `Stalled` in the order in which they stand, then `Ready`, and `Current` when nothing speaks against it.

Invariants: a pure function of the object; where upstream refuses an object (a field of another type), this raises `TypeError` as loudly.
What this module deliberately does not do: the rules of built-in kinds (`core.go`), which no kind of ours comes near to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The words of kstatus."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict; `reason` is that of the condition that decided, empty where none did."""

    status: Status
    message: str
    reason: str = ""


def compute(obj: Mapping[str, Any]) -> Result:
    """The verdict on one object; raises TypeError where the object is not of the form that every object has."""
    metadata = _mapping(obj, "metadata")
    if _text(metadata, "deletionTimestamp"):
        return Result(Status.TERMINATING, "Resource scheduled for deletion")
    rows = _conditions(obj)
    return (
        _generation(obj, metadata) or _standard(rows) or _ready(rows) or Result(Status.CURRENT, "Resource is current")
    )


def _generation(obj: Mapping[str, Any], metadata: Mapping[str, Any]) -> Result | None:
    """A status of another generation says nothing; where either number is absent, nothing can be said of it."""
    generation, observed = _number(metadata, "generation"), _number(_mapping(obj, "status"), "observedGeneration")
    if generation is None or observed is None or generation == observed:
        return None
    text = f"{obj.get('kind', '')} generation is {generation}, but latest observed generation is {observed}"
    return Result(Status.IN_PROGRESS, text, "LatestGenerationNotObserved")


def _standard(rows: tuple[Mapping[str, Any], ...]) -> Result | None:
    """The first that is true, in the order of the list: an object that has both is judged by the one that comes first."""
    verdicts = {"Reconciling": Status.IN_PROGRESS, "Stalled": Status.FAILED}
    for row in rows:
        if row.get("type") in verdicts and row.get("status") == "True":
            return Result(verdicts[row["type"]], _text(row, "message"), _text(row, "reason"))
    return None


def _ready(rows: tuple[Mapping[str, Any], ...]) -> Result | None:
    """`Ready` decides when nothing else does; False and Unknown are both in progress, for it can't be told whether it will ever be True."""
    for row in rows:
        if row.get("type") != "Ready":
            continue
        if row.get("status") == "True":
            return Result(Status.CURRENT, "Resource is Ready")
        if row.get("status") in ("False", "Unknown"):
            return Result(Status.IN_PROGRESS, _text(row, "message"), _text(row, "reason"))
    return None


def _conditions(obj: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    rows = _mapping(obj, "status").get("conditions")
    if rows is None:
        return ()
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError("status.conditions is no list of objects")
    return tuple(rows)


def _mapping(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{key} is no object")
    return value


def _text(obj: Mapping[str, Any], key: str) -> str:
    value = obj.get(key)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value or ""


def _number(obj: Mapping[str, Any], key: str) -> int | None:
    value = obj.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{key} is no whole number")
    return value
