"""The keys of a Client, read with the user's own rights, and which of them one is.

Invariants: no key is printed, logged or part of a message. What this module deliberately does not do: send a key anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from registrar.cli.calling.explain import KeyRole, secret_name
from registrar.cli.cluster import Json, Session
from registrar.cli.errors import NoRights, NotFound, Usage
from registrar.cli.gather import permitted
from registrar.cli.reading import name, word
from registrar.kube.client import SECRETS
from registrar.kube.secrets import NEXT_ENTRY, PREVIOUS_ENTRY

_KEY = re.compile(r"[A-Za-z0-9_-]{20,128}")


async def keys_of(session: Session, client: Json, *, needed: bool) -> dict[str, str]:
    """The Client's valid keys by role; raises NoRights or NotFound when one is `needed` and the Secret can't be read."""
    wanted = secret_name(client)
    secret = await permitted(session.find(SECRETS, wanted)) if not needed else await _needed(session, client, wanted)
    data = (secret or {}).get("data") or {}
    entry = word(client, "spec", "apiKey", "secretKey") or "apiKey"
    rows = {KeyRole.CURRENT: entry}
    if word(client, "spec", "apiKey", "source") != "Existing":
        rows |= {KeyRole.NEXT: NEXT_ENTRY, KeyRole.PREVIOUS: PREVIOUS_ENTRY}
    found = {role.value: _text(data.get(place)) for role, place in rows.items()}
    return {role: text for role, text in found.items() if _KEY.fullmatch(text)}


async def _needed(session: Session, client: Json, wanted: str) -> Json:
    found = await permitted(_found(session, client, wanted))
    if found is None:
        raise NoRights(
            f"You may not read Secret {wanted} in namespace {session.namespace}, which has the key.",
            step=f"Ask for get on secrets/{wanted}, or call with a key of yours: --key-file.",
        )
    return found


async def _found(session: Session, client: Json, wanted: str) -> Json:
    found = await session.find(SECRETS, wanted)
    if found is None:
        raise NotFound(
            f"Secret {wanted} with the key does not exist in namespace {session.namespace}.",
            step=f"kubectl registrar why client/{name(client)} -n {session.namespace}",
        )
    return found


def _text(value: object) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("ascii") if isinstance(value, str) else ""
    except (binascii.Error, ValueError):
        return ""


def key_from(source: str) -> str:
    """The key in a file, or on standard input for `-`; raises Usage when there is none."""
    try:
        key = (sys.stdin.read(4096) if source == "-" else Path(source).read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(
            f"The key can't be read from {source} ({type(error).__name__}).",
            step="Name a file that has nothing but the key.",
        ) from error
    if not _KEY.fullmatch(key):
        raise Usage(
            "--key-file has no key: 20 to 128 characters of A-Z a-z 0-9 _ -.",
            step="Name a file that has nothing but the key.",
        )
    return key


def role_of(key: str, known: Mapping[str, str]) -> KeyRole:
    """Which of the Client's keys it is."""
    return next((KeyRole(role) for role, text in known.items() if hmac.compare_digest(text, key)), KeyRole.UNKNOWN)
