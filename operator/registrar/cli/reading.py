"""Reads objects as the API server gives them: tolerant of a status that an older or newer operator wrote, or that nobody wrote yet.

The models of `registrar.resources` are for the operator, which needs every field; a tool of a user must still say something about an object that it knows half of.

Invariants: no function raises for a missing or strange field; times are in seconds since the epoch. What this module deliberately does not do: ask the cluster, or print.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registrar.resources.base import GROUP

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; all fields are empty when the object has none of that type."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""

    @property
    def true(self) -> bool:
        """Whether its status is True."""
        return self.status == "True"

    @property
    def false(self) -> bool:
        """Whether its status is False; a condition that is not there is not false."""
        return self.status == "False"


def section(found: Mapping[str, Any] | None, *path: str) -> Json:
    """A mapping inside an object; an empty one when it is not there."""
    value: Any = found
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def rows(found: Mapping[str, Any] | None, *path: str) -> list[Json]:
    """A list of mappings inside an object; an empty one when it is not there."""
    value = section(found, *path[:-1]).get(path[-1])
    return [dict(row) for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def word(found: Mapping[str, Any] | None, *path: str) -> str:
    """A text inside an object; empty when it is not there."""
    value = section(found, *path[:-1]).get(path[-1])
    return str(value) if isinstance(value, str | int | float) else ""


def name(found: Mapping[str, Any]) -> str:
    """The object's `metadata.name`."""
    return word(found, "metadata", "name")


def namespace(found: Mapping[str, Any]) -> str:
    """The object's `metadata.namespace`."""
    return word(found, "metadata", "namespace")


def phase(found: Mapping[str, Any]) -> str:
    """The phase; empty before the operator has written one."""
    return word(found, "status", "phase")


def condition(found: Mapping[str, Any] | None, type_: str) -> Condition:
    """The condition of that type."""
    for row in rows(found, "status", "conditions"):
        if row.get("type") == type_:
            return Condition(type_, *(word(row, field) for field in ("status", "reason", "message")))
    return Condition(type_)


def deleting(found: Mapping[str, Any]) -> bool:
    """Whether the object is being deleted."""
    return bool(word(found, "metadata", "deletionTimestamp"))


def behind(found: Mapping[str, Any]) -> bool:
    """Whether the operator has not yet written a status for the object as it is."""
    observed = section(found, "status").get("observedGeneration")
    return not isinstance(observed, int) or observed < int(section(found, "metadata").get("generation") or 0)


def api(found: Mapping[str, Any]) -> str:
    """The API of a Contract, as organization/name/version."""
    wanted = section(found, "spec", "api")
    return "/".join(word(wanted, part) for part in ("organization", "name", "version"))


def label(reference: Mapping[str, Any]) -> str:
    """The API of a published contract, in the same form."""
    return "/".join(word(reference, part) for part in ("organization", "name", "version"))


# Actions -------------------------------------------------------------------------------------------------------------


def action(found: Mapping[str, Any], verb: str) -> Json:
    """What became of that verb's tokens."""
    return next((row for row in rows(found, "status", "actions") if row.get("name") == verb), {})


def token(found: Mapping[str, Any], verb: str) -> str:
    """The token that the verb's annotation holds now."""
    return word(section(found, "metadata", "annotations"), f"{GROUP}/{verb}")


def handled(found: Mapping[str, Any], verb: str, wanted: str) -> bool:
    """Whether the operator has finished with that token."""
    entry = action(found, verb)
    if word(entry, "lastHandledToken") == wanted:
        return True
    known = entry.get("handledTokens")
    return isinstance(known, list) and hashlib.sha256(wanted.encode()).hexdigest()[:16] in known


# Times ---------------------------------------------------------------------------------------------------------------


def seconds(text: str) -> float | None:
    """The time of an RFC 3339 text; None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def age(text: str, *, now: float) -> str:
    """How long ago that was, as kubectl shows ages; empty when the text is no time."""
    then = seconds(text)
    return "" if then is None else span(now - then)


def until(text: str, *, now: float) -> str:
    """How long it is until then; empty when the text is no time."""
    then = seconds(text)
    return "" if then is None else span(then - now)


_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def span(length: float) -> str:
    """A length of time in its largest unit; nothing is negative."""
    whole = max(0, int(length))
    for size, unit in _UNITS:
        if whole >= 2 * size or (unit == "d" and whole >= size):
            return f"{whole // size}{unit}"
    return f"{whole}s"


def newest(found: Iterable[Json], field: str) -> Sequence[Json]:
    """The rows by that time, the newest first; rows without one come last."""
    return sorted(found, key=lambda row: seconds(word(row, field)) or 0.0, reverse=True)
