"""What is true of a Client's keys: which registration has which, how old the current one is, and when something is due.

A Client has two identities on a gateway, `<version>` and `<version>.r`. The published snapshot says under which one it stands; the other one is
free, or holds the second registration of an overlap. Which key belongs where follows from the key Secret alone: while it holds a next key, a
published registration that has a second one beside it carries the next key and the second one the current key; else they carry the current and the previous one.

Invariants: nothing here is remembered, all of it follows from the objects and the readings, so a restart changes no answer; the second identity
is read only where a status, the Secret or what is asked for says that something may be there. What this module deliberately does not do: choose an effect.
"""

from __future__ import annotations

from dataclasses import replace

from registrar.lifecycle.case import Case
from registrar.lifecycle.model import KeyFact, KeyRole, KeyState, Live, LiveFact, Notice, View, Why
from registrar.resources import conditions, reasons
from registrar.resources.objects import KEY_VERBS
from registrar.resources.reasons import Reason
from registrar.resources.status import Snapshot
from registrar.resources.times import parse_timestamp, timestamp

SUFFIX = ".r"
"""What the second identity's version ends in; the schema lets no Client's own version end so."""
DEFAULT_OVERLAP = 3600.0
"""Seconds for which the former key works beside the new one where `spec.apiKey.rotation` says nothing."""
LEAD = 86_400.0
"""Seconds before a rotation from which on it is announced; a tenth of the interval where that is less."""


def other_version(version: str, own: str) -> str:
    """The Client's other identity, given the one in use (empty for its `own` version)."""
    return "" if version else f"{own}{SUFFIX}"


def published_on(case: Case) -> tuple[str, ...]:
    """The gateways on which something is published."""
    return tuple(gateway for gateway in case.gateways if not case.published[gateway].empty)


# The second identity -------------------------------------------------------------------------------------------------


def second(view: View, gateway: str) -> LiveFact:
    """What stands under the Client's other identity there; without a reason to look it is nothing."""
    known = view.second.get(gateway)
    if known is not None:
        return known
    return LiveFact(state=Live.UNKNOWN if suspected(view, gateway) else Live.ABSENT)


def suspected(view: View, gateway: str) -> bool:
    """Whether something may stand under the other identity: the status is missing or not ours, or a rotation has begun or may have."""
    fact = view.live.get(gateway)
    effected = view.effected.get(gateway)
    recorded = effected.snapshot if effected is not None else view.status.snapshot(gateway)
    return (
        view.status.never_written
        or (fact is not None and not fact.genuine)
        or bool(recorded.second_hash)
        or bool(view.key.next or view.key.previous)
        or any(view.status.action(verb).in_progress for verb in KEY_VERBS)
        or due(view)
    )


def stray(case: Case, gateway: str) -> bool:
    """Whether the other identity holds a registration of ours that no snapshot mentions: a rotation that came no further."""
    return second(case.view, gateway).state is Live.OURS and not case.published[gateway].second_hash


def overlapping(case: Case) -> bool:
    """Whether some gateway has a second registration, as far as it is published."""
    return any(case.published[gateway].second_hash for gateway in case.gateways)


def aligned(case: Case) -> bool:
    """Whether every second registration has the contracts of the published one."""
    return all(
        not snapshot.second_hash or snapshot.second_for == snapshot.hash
        for gateway in case.gateways
        if (snapshot := case.published[gateway])
    )


def carried(wanted: Snapshot, published: Snapshot) -> Snapshot:
    """What is desired, under the identity and beside the second registration that are published."""
    return replace(
        wanted,
        registered_at=published.registered_at,
        version=published.version,
        second_hash=published.second_hash,
        second_for=published.second_for,
    )


# Which key is where --------------------------------------------------------------------------------------------------


def main_role(key: KeyFact, snapshot: Snapshot) -> KeyRole:
    """The key that the published registration carries."""
    return KeyRole.NEXT if key.next and snapshot.second_hash else KeyRole.CURRENT


def second_role(key: KeyFact) -> KeyRole:
    """The key that the second registration carries."""
    return KeyRole.CURRENT if key.next else KeyRole.PREVIOUS


def digest_of(key: KeyFact, role: KeyRole) -> str:
    """The digest of the key in that role; empty when the Secret has none."""
    return {KeyRole.CURRENT: key.current, KeyRole.NEXT: key.next, KeyRole.PREVIOUS: key.previous}[role]


# Times ---------------------------------------------------------------------------------------------------------------


def created_at(view: View) -> str:
    """When the key was made (RFC 3339), empty where the operator does not make it.

    The latest of what the Secret says, what the status says (a Secret that was deleted may not be back yet), and a change of the key by hand that was just pushed.
    """
    if not view.client.api_key.generated:
        return ""
    changes = [timestamp(change.at) for change in view.effected.values() if change.why is Why.KEY_CHANGED]
    return max([view.key.created_at, view.status.key_created_at, *changes])


def overlap_of(view: View) -> float:
    """How long the former key works beside the new one, in seconds."""
    spec = view.client.api_key
    return spec.overlap if spec.interval else DEFAULT_OVERLAP


def _rotates_at(view: View) -> float:
    """When the schedule replaces the key, in seconds since the epoch; infinite without a schedule."""
    spec, made = view.client.api_key, created_at(view)
    if not (spec.generated and spec.interval and made and view.key.state is KeyState.VALID):
        return float("inf")
    return parse_timestamp(made) + spec.interval


def next_rotation_at(view: View) -> str:
    """The same for the status; empty without a schedule."""
    at = _rotates_at(view)
    return "" if at == float("inf") else timestamp(at)


def due(view: View) -> bool:
    """Whether the schedule wants a new key now."""
    return view.now >= _rotates_at(view)


def _announced_from(view: View) -> float:
    return _rotates_at(view) - min(LEAD, view.client.api_key.interval / 10)


def due_soon(view: View) -> bool:
    """Whether a scheduled rotation is near enough to be announced."""
    return view.now >= _announced_from(view)


def announced(case: Case) -> list[Notice]:
    """The Event ahead of a rotation: once, with the status that first says so."""
    known = conditions.find(case.view.status.conditions, str(Reason.KEY_ROTATION_DUE)) is not None
    if known or not due_soon(case.view):
        return []
    return [Notice(Reason.KEY_ROTATION_DUE, reasons.KEY_ROTATION_DUE)]


def _overlap_end(view: View) -> float:
    """When the previous key dies, in seconds since the epoch: what the Secret says, or the status while the Secret can't say it."""
    if view.key.state in (KeyState.MISSING, KeyState.NOT_OWNED):
        recorded = view.status.overlap_ends_at
        return parse_timestamp(recorded) if recorded else float("inf")
    return view.key.previous_until if view.key.previous else 0.0


def overlap_over(view: View) -> bool:
    """Whether a second registration has no reason to stay."""
    return not view.key.next and view.now >= _overlap_end(view)


def overlap_ends_at(case: Case) -> str:
    """When the previous key stops working (RFC 3339); empty outside an overlap and before its end is known."""
    end = _overlap_end(case.view)
    if not overlapping(case) or case.view.key.next or end in (0.0, float("inf")):
        return ""
    return timestamp(end)


def times(case: Case) -> list[float]:
    """When something about the keys changes by itself, in seconds since the epoch."""
    view = case.view
    moments = [_announced_from(view), _rotates_at(view)]
    if overlapping(case):
        moments.append(_overlap_end(view))
    if case.key_verb and not case.settled:
        moments.append(view.settled_at)
    return [moment for moment in moments if moment != float("inf")]
