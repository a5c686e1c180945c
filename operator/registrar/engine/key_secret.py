"""What is in a key Secret: which keys, since when and what for; and how it is changed.

The operator's own facts about the keys are annotations of the Secret, because they change in the same write as the keys do: a crash can't fall between
them. Secrets of `source: Existing` hold one key and nothing of ours.

Invariants: a text that is no valid key counts as absent; no key is part of a `repr`; a change touches only what it is about, and carries the
resourceVersion that it was computed from. What this module deliberately does not do: call anybody.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.kube.secrets import (
    BASE_URL_ENTRY,
    HEADER_ENTRY,
    HEADER_NAME,
    NEXT_ENTRY,
    OWN_LABELS,
    PREVIOUS_ENTRY,
)
from registrar.lifecycle.model import KeyRole
from registrar.resources.objects import ApiKeySpec, ClientObject, SecretObject
from registrar.resources.parse import GROUP
from registrar.resources.times import parse_timestamp, timestamp

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{20,128}")
"""What every API key must match as a whole: the gateway keeps keys and internal ids in one map (design section 3, Keys)."""
DEFAULT_ENTRY = "apiKey"

CREATED_AT = f"{GROUP}/key-created-at"
MADE_FOR = f"{GROUP}/key-made-for"
NEXT_CREATED_AT = f"{GROUP}/next-key-created-at"
NEXT_MADE_FOR = f"{GROUP}/next-key-made-for"
PREVIOUS_UNTIL = f"{GROUP}/previous-key-until"
ENTRY = f"{GROUP}/key-entry"
TEMPLATE = f"{GROUP}/secret-template"
"""The names of the template's labels and annotations that were put on, so that those that leave the template leave the Secret."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The usable keys of one Secret, by role."""

    texts: Mapping[KeyRole, str] = field(default_factory=dict, repr=False)

    def of(self, role: KeyRole) -> str:
        """The key in that role; empty when there is none."""
        return self.texts.get(role, "")

    def only(self, roles: Mapping[KeyRole, str]) -> Keys:
        """Those of them that are in `roles`."""
        return Keys({role: text for role, text in self.texts.items() if role in roles})


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """What a key Secret says of its keys; `previous_until` is in seconds since the epoch, 0 where it says nothing."""

    keys: Keys
    created_at: str = ""
    made_for: str = ""
    previous_until: float = 0.0


def read_keys(secret: SecretObject, spec: ApiKeySpec) -> FoundKeys:
    """The keys of a Secret that may be used for the Client of that spec."""
    if not spec.generated:
        return FoundKeys(_valid({KeyRole.CURRENT: _text(secret, spec.secret_key)}))
    notes = dict(secret.annotations)
    texts = {
        KeyRole.CURRENT: _text(secret, current_entry(secret, spec)),
        KeyRole.NEXT: _text(secret, NEXT_ENTRY),
        KeyRole.PREVIOUS: _text(secret, PREVIOUS_ENTRY),
    }
    return FoundKeys(
        _valid(texts),
        created_at=_time(notes.get(CREATED_AT, "")) or timestamp(secret.meta.created_at),
        made_for=notes.get(MADE_FOR, ""),
        previous_until=parse_timestamp(until) if (until := _time(notes.get(PREVIOUS_UNTIL, ""))) else 0.0,
    )


def _valid(texts: Mapping[KeyRole, str]) -> Keys:
    return Keys({role: text for role, text in texts.items() if KEY_PATTERN.fullmatch(text)})


def current_entry(secret: SecretObject, spec: ApiKeySpec) -> str:
    """The entry that has the key now: the spec's, or the former one while it has not been moved."""
    if spec.secret_key in secret.data:
        return spec.secret_key
    return dict(secret.annotations).get(ENTRY, DEFAULT_ENTRY)


def _text(secret: SecretObject, entry: str) -> str:
    """The entry as text; empty when it is missing or no text."""
    try:
        return secret.data.get(entry, b"").decode("ascii")
    except UnicodeDecodeError:
        return ""


def _time(text: str) -> str:
    """An RFC 3339 time as this operator writes it; empty for anything else that somebody put there."""
    try:
        return timestamp(parse_timestamp(text)) if text else ""
    except (ValueError, OverflowError):
        return ""


# How it should be ----------------------------------------------------------------------------------------------------


def template_names(spec: ApiKeySpec) -> str:
    """The names of the template's labels and annotations, as the Secret remembers them."""
    labels, annotations = ",".join(k for k, _ in spec.labels), ",".join(k for k, _ in spec.annotations)
    return f"{labels};{annotations}" if labels or annotations else ""


def wanted_annotations(spec: ApiKeySpec) -> dict[str, str]:
    """The annotations that follow from the spec."""
    names = template_names(spec)
    return {
        **dict(spec.annotations),
        **({TEMPLATE: names} if names else {}),
        **({ENTRY: spec.secret_key} if spec.secret_key != DEFAULT_ENTRY else {}),
    }


def outdated(secret: SecretObject, client: ClientObject, *, base_url: str) -> bool:
    """Whether the Secret is not as the spec wants it; what other people put on it is left alone."""
    return bool(_sync(secret, client, base_url=base_url))


def _sync(secret: SecretObject, client: ClientObject, *, base_url: str) -> dict[str, dict[str, Any]]:
    """What a merge patch has to change so that the Secret is as the spec wants it, by `labels`, `annotations` and `data`."""
    spec = client.api_key
    labels, notes = dict(secret.labels), dict(secret.annotations)
    old_labels, _, old_notes = notes.get(TEMPLATE, "").partition(";")
    want_labels, want_notes = {**dict(spec.labels), **OWN_LABELS}, wanted_annotations(spec)
    gone_notes = {*old_notes.split(","), TEMPLATE, ENTRY}
    data: dict[str, Any] = {}
    entry = current_entry(secret, spec)
    if entry != spec.secret_key:
        data |= {spec.secret_key: encoded(secret.data.get(entry, b"")), entry: None}
    for name, value in ((HEADER_ENTRY, HEADER_NAME), (BASE_URL_ENTRY, base_url)):
        if value and secret.data.get(name) != value.encode():
            data[name] = encoded(value.encode())
    changes = {
        "labels": _difference(labels, want_labels, gone=old_labels.split(",")),
        "annotations": _difference(notes, want_notes, gone=gone_notes),
        "data": data,
    }
    return {part: rows for part, rows in changes.items() if rows}


def _difference(has: Mapping[str, str], wants: Mapping[str, str], *, gone: Any) -> dict[str, Any]:
    removed: dict[str, Any] = {name: None for name in gone if name in has and name not in wants}
    return removed | {name: value for name, value in wants.items() if has.get(name) != value}


# Changes -------------------------------------------------------------------------------------------------------------


def encoded(value: bytes) -> str:
    """An entry as the API wants it."""
    return base64.b64encode(value).decode()


def _patch(secret: SecretObject, *, data: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    version = {"resourceVersion": secret.meta.resource_version}
    return {"metadata": {**version, "annotations": dict(annotations)}, "data": dict(data)}


def sync_patch(secret: SecretObject, client: ClientObject, *, base_url: str) -> dict[str, Any]:
    """The merge patch that makes the Secret what the spec wants."""
    changes = _sync(secret, client, base_url=base_url)
    patch = _patch(secret, data=changes.get("data", {}), annotations=changes.get("annotations", {}))
    patch["metadata"]["labels"] = changes.get("labels", {})
    return patch


def stage_patch(secret: SecretObject, *, key: str, request: str, now: float) -> dict[str, Any]:
    """The merge patch that puts a next key beside the current one; no previous one is left."""
    return _patch(
        secret,
        data={NEXT_ENTRY: encoded(key.encode()), PREVIOUS_ENTRY: None},
        annotations={NEXT_CREATED_AT: timestamp(now), NEXT_MADE_FOR: request, PREVIOUS_UNTIL: None},
    )


def swap_patch(secret: SecretObject, client: ClientObject, keys: Keys, *, until: float) -> dict[str, Any]:
    """The merge patch that makes the next key the current one, and the current one the previous one until `until`."""
    notes = dict(secret.annotations)
    return _patch(
        secret,
        data={
            current_entry(secret, client.api_key): encoded(keys.of(KeyRole.NEXT).encode()),
            PREVIOUS_ENTRY: encoded(keys.of(KeyRole.CURRENT).encode()),
            NEXT_ENTRY: None,
        },
        annotations={
            CREATED_AT: notes.get(NEXT_CREATED_AT, ""),
            MADE_FOR: notes.get(NEXT_MADE_FOR, ""),
            PREVIOUS_UNTIL: timestamp(until),
            NEXT_CREATED_AT: None,
            NEXT_MADE_FOR: None,
        },
    )


def end_patch(secret: SecretObject, *, until: float) -> dict[str, Any]:
    """The merge patch that has a running overlap end at `until`."""
    return _patch(secret, data={}, annotations={PREVIOUS_UNTIL: timestamp(until)})


def replace_patch(
    secret: SecretObject, client: ClientObject, *, key: str, request: str, previous: str, now: float
) -> dict[str, Any]:
    """The merge patch that puts a fresh key in the place of the current one; `previous` is kept without an overlap."""
    return _patch(
        secret,
        data={
            current_entry(secret, client.api_key): encoded(key.encode()),
            PREVIOUS_ENTRY: encoded(previous.encode()) if previous else None,
            NEXT_ENTRY: None,
        },
        annotations={
            CREATED_AT: timestamp(now),
            MADE_FOR: request,
            PREVIOUS_UNTIL: None,
            NEXT_CREATED_AT: None,
            NEXT_MADE_FOR: None,
        },
    )


def drop_patch(secret: SecretObject, role: KeyRole) -> dict[str, Any]:
    """The merge patch that takes the next or the previous key out of the Secret."""
    if role is KeyRole.NEXT:
        return _patch(secret, data={NEXT_ENTRY: None}, annotations={NEXT_CREATED_AT: None, NEXT_MADE_FOR: None})
    return _patch(secret, data={PREVIOUS_ENTRY: None}, annotations={PREVIOUS_UNTIL: None})
