"""Who changed an object, as far as the API server tells: the field managers of its `metadata.managedFields`.

A field manager names the tool or controller that wrote a field (`kubectl-annotate`, `argocd-controller`), not the person behind it; only the API server's own audit
log knows that one. Deletions have no field manager.

Invariants: called on the JSON of an event and on nothing that is kept, so it costs no memory for each object; a name is cut and cleaned, because whoever writes
chooses it. What this module deliberately does not do: decide what a change was for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registrar.resources.base import GROUP

LONGEST = 64
"""Characters of a manager's name that are kept; Kubernetes allows 128."""


def changed_spec(raw: Mapping[str, Any]) -> str:
    """The manager that wrote the spec last; empty when nobody is named."""
    return _latest(entry for entry in _entries(raw) if "f:spec" in entry["fieldsV1"])


def set_annotation(raw: Mapping[str, Any], verb: str) -> str:
    """The manager that wrote the annotation of that verb last; empty when nobody is named."""
    name = f"f:{GROUP}/{verb}"
    return _latest(entry for entry in _entries(raw) if name in _annotations(entry["fieldsV1"]))


def printable(text: str, *, longest: int) -> str:
    """The text on one line, cut; for what a user has chosen and a person will read."""
    cut = text[:longest]
    return "".join(letter if letter.isprintable() else " " for letter in cut)


def _entries(raw: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries that are about the object itself, not about its status."""
    metadata = raw.get("metadata")
    rows = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and isinstance(row.get("fieldsV1"), Mapping) and not row.get("subresource"):
            yield row


def _annotations(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = fields.get("f:metadata")
    found = metadata.get("f:annotations") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _latest(entries: Iterator[Mapping[str, Any]]) -> str:
    """The manager of the newest entry; times are to the second, so of equal ones the last in the list."""
    newest, name = "", ""
    for entry in entries:
        time = str(entry.get("time") or "")
        if time >= newest:
            newest, name = time, str(entry.get("manager") or "")
    return printable(name, longest=LONGEST)
