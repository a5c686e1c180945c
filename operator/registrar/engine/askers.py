"""Who made a change, taken from an event's field managers before the event is let go.

Invariants: nothing of it is kept here, so a rest costs no memory; a change without a field manager (a deletion, an old server) has no asker.
What this module deliberately does not do: keep askers (see `arrivals`), or say what they asked for (see `lifecycle.askers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registrar.engine.store import Change
from registrar.lifecycle.model import Asker
from registrar.resources.managers import changed_spec, set_annotation
from registrar.resources.objects import AnyObject, ClientObject, ContractObject, PolicyObject


def askers_of(change: Change, raw: Mapping[str, Any]) -> Iterator[Asker]:
    """Who wrote the spec, where it is a new one, and who set each token that is new."""
    old, new = change.old, change.new
    if not isinstance(new, ClientObject | ContractObject | PolicyObject):
        return
    if old is None or (old.meta.uid, old.meta.generation) != (new.meta.uid, new.meta.generation):
        yield from _named(f"{change.kind} {new.meta.name}", changed_spec(raw))
    if isinstance(new, ClientObject):
        before = dict(old.tokens) if isinstance(old, ClientObject) else {}
        for verb, token in new.tokens:
            if before.get(verb) != token:
                yield from _named(verb, set_annotation(raw, verb))


def unhandled_askers(new: AnyObject, raw: Mapping[str, Any]) -> Iterator[Asker]:
    """Who set the tokens that a Client carries at the start and that its status does not call the last ones handled."""
    if not isinstance(new, ClientObject) or not new.tokens:
        return
    status = raw.get("status")
    rows = status.get("actions") if isinstance(status, Mapping) else None
    handled = {row.get("name"): row.get("lastHandledToken") for row in rows or () if isinstance(row, Mapping)}
    for verb, token in new.tokens:
        if handled.get(verb) != token:
            yield from _named(verb, set_annotation(raw, verb))


def _named(subject: str, manager: str) -> Iterator[Asker]:
    if manager:
        yield Asker(subject=subject, manager=manager)
