"""What the annotations ask for, and what became of it.

A token that is not among the last 32 handled ones asks for its verb once. `inProgressToken` is written before the first side effect;
the result and the handled token go into one patch. A refused action is handled too, so that a bad one can't loop.

Invariants: the annotation is never edited; a token fires at most once; unregister beats reregister, whichever came first.
What this module deliberately does not do: carry an action out (see `decide`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from registrar.resources.objects import KEY_VERBS, REREGISTER, UNREGISTER, ClientObject
from registrar.resources.status import HANDLED_TOKENS, ActionStatus, ClientStatus

SUCCEEDED = "Succeeded"
FAILED = "Failed"
SKIPPED = "Skipped"


def token_digest(token: str) -> str:
    """The short hash under which a handled token is remembered."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def new_token(client: ClientObject, status: ClientStatus, verb: str) -> str:
    """The token that asks for `verb` and was not handled yet; empty when there is none."""
    token = dict(client.tokens).get(verb, "")
    if not token or token_digest(token) in status.action(verb).handled:
        return ""
    return token


def wanted(client: ClientObject, status: ClientStatus) -> tuple[str, str]:
    """The verb to carry out and its token; two empty texts when nothing is asked for.

    An action in progress goes on under the token that it was begun with, unless an unregister supersedes it.
    """
    unregister = status.action(UNREGISTER).in_progress or new_token(client, status, UNREGISTER)
    if unregister:
        return UNREGISTER, unregister
    reregister = status.action(REREGISTER).in_progress or new_token(client, status, REREGISTER)
    return (REREGISTER, reregister) if reregister else ("", "")


def wanted_key(client: ClientObject, status: ClientStatus) -> tuple[str, str]:
    """The verb about the key to carry out and its token; two empty texts when nothing is asked for, or an unregister supersedes it."""
    if wanted(client, status)[0] == UNREGISTER:
        return "", ""
    for verb in KEY_VERBS:
        token = status.action(verb).in_progress or new_token(client, status, verb)
        if token:
            return verb, token
    return "", ""


def begun(status: ClientStatus, verb: str, token: str, *, at: str) -> ClientStatus:
    """The status with `verb` in progress since `at` (RFC 3339)."""
    action = replace(status.action(verb), in_progress=token, outcome="", message="", started_at=at, completed_at="")
    return with_action(status, action)


def finished(status: ClientStatus, verb: str, token: str, *, outcome: str, message: str, at: str) -> ClientStatus:
    """The status with the token of `verb` handled."""
    before = status.action(verb)
    digest = token_digest(token)
    handled = (*(known for known in before.handled if known != digest), digest)[-HANDLED_TOKENS:]
    action = ActionStatus(
        name=verb,
        last_handled=token,
        handled=handled,
        outcome=outcome,
        message=message,
        started_at=before.started_at if before.in_progress == token else at,
        completed_at=at,
    )
    return with_action(status, action)


def with_action(status: ClientStatus, action: ActionStatus) -> ClientStatus:
    """The status with that verb's entry replaced."""
    others = [entry for entry in status.actions if entry.name != action.name]
    return replace(status, actions=tuple(sorted((*others, action), key=lambda entry: entry.name)))
