"""The rules about keys: making a new one, putting it on the gateways beside the old one, ending the old one, and keeping the Secret as it should be.

A rotation, step by step; every step is found again from the facts that the one before it left (docs/decisions/0030-key-rotation.md):

    intent in the status -> next key in the Secret -> next key under the free identity, recorded -> Secret swapped, overlap begins
    -> overlap over: old identity taken off, recorded -> previous key out of the Secret

Invariants: no key is ever put under two identities; but for revoke-key some key of the Secret opens what is published at every moment; nothing that is
pending is published by a key's change; a registration that is not ours is left alone. What this module deliberately does not do: hold a key, or judge an action.
"""

from __future__ import annotations

from dataclasses import replace

from registrar.lifecycle.case import Case
from registrar.lifecycle.key_actions import begun, open_request
from registrar.lifecycle.key_facts import (
    digest_of,
    main_role,
    other_version,
    overlap_of,
    overlap_over,
    overlapping,
    published_on,
    second,
    second_role,
    stray,
)
from registrar.lifecycle.model import (
    Effect,
    EndOverlap,
    KeyRole,
    KeyState,
    Live,
    PushKey,
    SecretChange,
    Slot,
    UpdateSecret,
    Why,
    WriteStatus,
)
from registrar.resources.objects import REVOKE_KEY
from registrar.resources.status import Snapshot


def align(case: Case) -> Effect | None:
    """The second registration follows the published one: a contract that is taken off is off for both keys, and both are healed."""
    view = case.view
    if case.retire or overlap_over(view):
        return None
    role = second_role(view.key)
    wanted = digest_of(view.key, role)
    for gateway in published_on(case):
        snapshot, fact = case.published[gateway], second(view, gateway)
        if not snapshot.second_hash or fact.state not in (Live.ABSENT, Live.OURS) or not case.writable(gateway):
            continue
        if not wanted or not case.serves(gateway) or wanted == case.live(gateway).key:
            continue
        # Paused, it follows only to lose what the published one has lost: nothing is put back.
        lagging = snapshot.second_for != snapshot.hash and (fact.state is Live.OURS or not view.client.paused)
        if lagging or (not view.client.paused and _second_differs(case, gateway, wanted)):
            detail = f"the registration with the other key on gateway {gateway} follows"
            return PushKey(gateway, _copied(case, snapshot), Slot.SECOND, role, Why.HEALED, detail)
    return None


def _copied(case: Case, snapshot: Snapshot) -> Snapshot:
    """What a copy of the published registration has: what is live there, less what the gateway would refuse now."""
    contracts = tuple(replace(c, live=c.live and not case.missing(snapshot.gateway, c)) for c in snapshot.contracts)
    return replace(snapshot, contracts=contracts)


def _second_differs(case: Case, gateway: str, wanted: str) -> bool:
    """Whether the second registration is gone, has another key than it should, or was changed and drift is mended."""
    fact = second(case.view, gateway)
    if fact.state is Live.ABSENT or fact.key != wanted:
        return True
    return fact.digest != case.published[gateway].second_hash and gateway in case.view.correcting


def sync_secret(case: Case) -> Effect | None:
    """The generated Secret has the labels, annotations, entries and addresses that the spec wants, also after a change."""
    view = case.view
    wanted = view.key.outdated and view.client.api_key.generated and view.key.state is KeyState.VALID
    if not wanted or view.client.paused or view.desired.problem is not None:
        return None
    return UpdateSecret(SecretChange.SYNC)


def end_overlap(case: Case) -> Effect | None:
    """When the overlap is over the old identity is taken off; so is one that a rotation left which went no further."""
    for gateway in case.gateways:
        if not case.writable(gateway) or second(case.view, gateway).state not in (Live.ABSENT, Live.OURS):
            continue
        recorded = case.published[gateway].second_hash
        left = stray(case, gateway) and (not case.view.key.next or case.published[gateway].empty)
        if (recorded and overlap_over(case.view)) or left:
            return _ended(case, gateway)
    return None


def _ended(case: Case, gateway: str) -> EndOverlap:
    return EndOverlap(gateway, case.published[gateway], detail=f"the former key is off gateway {gateway}")


def make_key(case: Case) -> Effect | None:
    """A new key: the intent first; then beside the current one in the Secret, or in its place where no overlap is wanted or possible."""
    view = case.view
    request = open_request(case)
    if not request or case.retire and published_on(case):
        return None
    if view.key.state in (KeyState.MISSING, KeyState.NOT_OWNED):
        return None
    revoking = case.key_verb == REVOKE_KEY
    if view.key.next and not revoking and published_on(case):
        # A rotation is under way already; what it began is completed, for whomever it was begun.
        return None
    if not begun(case):
        return WriteStatus()
    if revoking or not published_on(case) or view.key.state is not KeyState.VALID:
        return _replaced(case, request)
    return _staged(case, request)


def _replaced(case: Case, request: str) -> Effect | None:
    """A new key in the place of the current one; the key that a gateway has stays in the Secret until it has it no more."""
    for gateway in case.gateways:
        if stray(case, gateway):
            # Its key is the next one, which the Secret is about to forget.
            return _ended(case, gateway) if case.writable(gateway) else None
    held = published_on(case) and case.view.key.state is KeyState.VALID
    keep = KeyRole.NEXT if case.view.key.next and overlapping(case) else KeyRole.CURRENT
    return UpdateSecret(SecretChange.REPLACE, request, keep=keep if held else None)


def _staged(case: Case, request: str) -> Effect | None:
    """The next key goes into the Secret once every gateway can take it; a running overlap ends for it, because it has the other identity."""
    for gateway in published_on(case):
        if not case.writable(gateway) or not case.serves(gateway):
            return None
    if overlapping(case):
        # Its end is written down first, or a crash behind taking it off would have it put back.
        over = overlap_over(case.view)
        return None if over else UpdateSecret(SecretChange.END, until=case.view.now)
    return UpdateSecret(SecretChange.STAGE, request)


def advance(case: Case) -> Effect | None:
    """A rotation under way: the next key under the free identity of each gateway, then into its place in the Secret."""
    view = case.view
    if not view.key.next or view.client.paused or case.retire or view.desired.problem is not None:
        return None
    waiting = False
    for gateway in published_on(case):
        snapshot = case.published[gateway]
        if snapshot.second_hash and case.live(gateway).key == view.key.next:
            continue
        waiting = True
        free = second(view, gateway).state in (Live.ABSENT, Live.OURS)
        if snapshot.second_hash or not free or not case.writable(gateway) or not case.serves(gateway):
            continue
        detail = f"a new key on gateway {gateway}, as version {_free_version(case, snapshot)}"
        return PushKey(gateway, _copied(case, snapshot), Slot.FREE, KeyRole.NEXT, Why.KEY_ROTATED, detail)
    if waiting or not published_on(case):
        return None
    return UpdateSecret(SecretChange.SWAP, until=view.now + overlap_of(view))


def _free_version(case: Case, snapshot: Snapshot) -> str:
    identity = case.view.desired.identity
    own = identity.version if identity is not None else ""
    return other_version(snapshot.version, own) or own


def change_key(case: Case) -> Effect | None:
    """A key that was changed in the Secret is put on the gateway at once and alone: what is live, with nothing but the key replaced."""
    view = case.view
    revoking = case.key_verb == REVOKE_KEY
    if view.key.state is not KeyState.VALID or case.retire or view.desired.problem is not None:
        return None
    if view.client.paused and not revoking:
        return None
    for gateway in published_on(case):
        snapshot, fact = case.published[gateway], case.live(gateway)
        role = main_role(view.key, snapshot)
        wanted = digest_of(view.key, role)
        if not wanted or not fact.key or wanted in (fact.key, second(view, gateway).key):
            continue
        if fact.state is not Live.OURS or not case.writable(gateway) or not (case.serves(gateway) or revoking):
            continue
        why = Why.KEY_REVOKED if revoking else Why.KEY_CHANGED
        detail = f"the former key is dead on gateway {gateway}"
        return PushKey(gateway, _copied(case, snapshot), Slot.MAIN, role, why, detail)
    return None


def tidy_secret(case: Case) -> Effect | None:
    """Keys that no gateway has any more leave the Secret: the previous one after its overlap, the next one of a rotation that came to nothing."""
    key = case.view.key
    if key.state is not KeyState.VALID or not case.view.client.api_key.generated:
        return None
    if any(second(case.view, gateway).state is not Live.ABSENT for gateway in case.gateways):
        return None
    if key.next and not published_on(case) and not open_request(case):
        return UpdateSecret(SecretChange.DROP_NEXT)
    if not key.previous or key.next or overlapping(case):
        return None
    held = any(not case.known(gateway) or case.live(gateway).key == key.previous for gateway in case.gateways)
    return None if held else UpdateSecret(SecretChange.DROP_PREVIOUS)
