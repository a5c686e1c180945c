"""The next thing to do for one Client: a chain of named rules, the first that has something to say wins.

The engine carries the effect out and asks again, until nothing is left. The order of `RULES` is the product's priorities: what must be
off comes before what may be on, and a status that records what a gateway has comes before the next change of that gateway.

Invariants (the six rules of the design that fall to this module): no push before a valid Contract, none for a retired or deleted Client;
no revert, no finalizer removal and no change while it is unknown what the gateway has; a registration that is not ours is never touched; every
rule is right on whatever facts it finds, so a crash between any two effects leads to the same end.
What this module deliberately does not do: talk to anything, keep anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from registrar.lifecycle import key_facts, rotation
from registrar.lifecycle.adoption import adopt
from registrar.lifecycle.block import blocked_gateways, was_blocked
from registrar.lifecycle.case import FINALIZER, Case, case_of
from registrar.lifecycle.changelog import taken_over
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.deletion import owing, remember, retained, usable_first
from registrar.lifecycle.diff import difference
from registrar.lifecycle.expiry import expired, turning_points
from registrar.lifecycle.grants import withdrawn
from registrar.lifecycle.immediate import with_immediate, words
from registrar.lifecycle.keep import with_refused
from registrar.lifecycle.model import (
    AddFinalizer,
    Decision,
    DeleteSecret,
    Done,
    Effect,
    EnsureSecret,
    KeyState,
    Live,
    Push,
    ReadLive,
    RemoveFinalizer,
    TakeSecret,
    Unregister,
    View,
    Wait,
    Why,
    WriteContracts,
    WriteStatus,
)
from registrar.lifecycle.recover import FOUND
from registrar.lifecycle.report import notices, refused, report
from registrar.lifecycle.several import announced, is_announced
from registrar.lifecycle.size import too_large
from registrar.resources import conditions, reasons
from registrar.resources.objects import REREGISTER, UNREGISTER
from registrar.resources.reasons import Reason
from registrar.resources.status import PendingChange, PublishedContract, Snapshot

Rule = Callable[[Case], Effect | None]


def decide(view: View) -> Decision:
    """The next effect for the Client of `view`, and the status that it should have now.

    A Client that would rest if its gateways had what is presumed is left alone unread; for anything else they are read first.
    """
    if view.presumed:
        decision = _decide(replace(view, live={**view.presumed, **view.live}, presumed={}))
        if isinstance(decision.effect, Done) or (isinstance(decision.effect, Wait) and not decision.effect.retry):
            return decision
    return _decide(view)


def _decide(view: View) -> Decision:
    case = case_of(view)
    effect = next((effect for rule in RULES if (effect := rule(case)) is not None), None)
    if effect is not None and not isinstance(effect, WriteStatus):
        return Decision(effect=effect, status=view.status)
    status = report(case)
    if effect is None:
        effect = _write_what_changed(case, changed=status != view.status)
    if not isinstance(effect, WriteStatus):
        return Decision(effect=effect, status=status)
    return Decision(effect=effect, status=status, notices=notices(case), taken_over=taken_over(case))


# Rules ---------------------------------------------------------------------------------------------------------------


def delete(case: Case) -> Effect | None:
    """A deleted Client is taken off every gateway, then its Secret goes, then its finalizer; nothing else happens to it."""
    client = case.view.client
    if not client.meta.deleting:
        return None
    if FINALIZER not in client.finalizers:
        return Done()
    if case.view.desired.deletion_policy == "Retain":
        return retained(case)
    for gateway in usable_first(case):
        effect = None if owing(case, gateway) else _taken_off(case, gateway, Why.DELETED)
        if effect is not None:
            return effect
    debts = remember(case)
    if debts is not None:
        return debts
    owned = client.api_key.source == "Generated" and case.view.key.state in (KeyState.VALID, KeyState.IN_USE)
    return DeleteSecret() if owned else RemoveFinalizer()


def block(case: Case) -> Effect | None:
    """A Client that a gateway blocks is taken off it at once, paused or not; what was published stays, to come back when the block is lifted."""
    for gateway in blocked_gateways(case):
        states = (case.live(gateway).state, key_facts.second(case.view, gateway).state)
        if all(state in (Live.ABSENT, Live.FOREIGN) for state in states) or not case.writable(gateway):
            continue
        if Live.UNKNOWN in states:
            return ReadLive(gateway)
        detail = f"blocked on gateway {gateway}: {case.view.blocked[gateway]}"
        return Unregister(gateway, Why.BLOCKED, detail, keeps=case.published[gateway])
    return None


def record(case: Case) -> Effect | None:
    """What a gateway has taken is written to the status before anything else is done."""
    return WriteStatus() if case.view.effected else None


def finalize(case: Case) -> Effect | None:
    """The finalizer comes before the first side effect."""
    view = case.view
    if FINALIZER in view.client.finalizers or view.client.paused or view.desired.problem is not None:
        return None
    return AddFinalizer()


def provide_key(case: Case) -> Effect | None:
    """The key Secret exists from `Created` on; a deleted one comes back."""
    view = case.view
    if view.key.state is KeyState.LEFT and not view.client.paused and view.desired.problem is None:
        return TakeSecret()
    wanted = view.key.state is KeyState.MISSING and view.client.api_key.source == "Generated"
    if not wanted or view.client.paused or view.desired.problem is not None:
        return None
    blocked = [g for g in case.gateways if not case.usable(g) and not view.status.snapshot(g).empty]
    return _waiting(case) if blocked else EnsureSecret()


def look(case: Case) -> Effect | None:
    """What is unknown is read before anything is decided on it."""
    for gateway in case.gateways:
        known = case.known(gateway) and key_facts.second(case.view, gateway).state is not Live.UNKNOWN
        if not known and case.usable(gateway):
            return ReadLive(gateway)
    return None


def retire(case: Case) -> Effect | None:
    """A Client that must not be live is taken off; an annotation waits for the settle time and records its intent first."""
    if not case.retire:
        return None
    if case.verb == UNREGISTER:
        if not case.acting:
            return None
        if case.view.status.action(UNREGISTER).in_progress != case.token and _anything_on(case):
            return WriteStatus()
    for gateway in usable_first(case):
        effect = _taken_off(case, gateway, Why.RETIRED)
        if effect is not None:
            return effect
    return None


def revoke(case: Case) -> Effect | None:
    """A published contract whose Contract is gone, expired or no longer granted is taken off at once, in every mode; nothing else is published by it."""
    for gateway in case.gateways:
        published = case.published[gateway]
        gone = [entry for entry in published.contracts if not _stands(case, gateway, entry)]
        if not gone or not _ours_to_change(case, gateway):
            continue
        detail = ", ".join(f"contract {entry.name} taken off{_because(case, gateway, entry)}" for entry in gone)
        target = _without(published, gone)
        if target.empty:
            return Unregister(gateway, Why.REVOKED, detail)
        return Push(gateway, case.sendable(target), Why.REVOKED, detail, surgery=case.serves(gateway), base=published)
    return None


def roll_out(case: Case) -> Effect | None:
    """Immediate policies reach what is published at once, in every mode; nothing else is published by it."""
    view = case.view
    if case.retire or view.client.paused or view.key.state is not KeyState.VALID or view.objects is None:
        return None
    for gateway in case.gateways:
        published = case.published[gateway]
        absent = case.live(gateway).state is Live.ABSENT
        waits = absent and (view.telling or not case.heals(gateway))
        if published.empty or waits or not _ours_to_change(case, gateway):
            continue
        rolled = with_immediate(published, view.objects)
        target = case.sendable(rolled)
        if rolled is not published and any(entry.live for entry in target.contracts):
            detail = words(published, rolled)
            return Push(gateway, target, Why.ROLLED_OUT, detail, surgery=case.serves(gateway), base=published)
    return None


def reregister(case: Case) -> Effect | None:
    """What was asked for by annotation: intent first, then every gateway that differs."""
    if case.verb != REREGISTER or not case.settled or refused(case) or not _pushing_allowed(case):
        return None
    differing = [gateway for gateway in case.gateways if _differs(case, gateway)]
    if not differing:
        return None
    if case.view.status.action(REREGISTER).in_progress != case.token:
        return WriteStatus()
    return _publish(case, differing, Why.REREGISTERED)


def heal(case: Case) -> Effect | None:
    """A gateway that does not have what is published gets exactly that again, never unpublished changes."""
    if case.retire or case.view.client.paused or case.view.key.state is not KeyState.VALID or case.view.telling:
        return None
    for gateway in case.gateways:
        published = case.published[gateway]
        if published.empty or not _ours_to_change(case, gateway):
            continue
        target = case.renewable(published)
        returned = any(
            now.live and not before.live for now, before in zip(target.contracts, published.contracts, strict=True)
        )
        if (case.serves(gateway) and not returned) or not any(entry.live for entry in target.contracts):
            continue
        if is_announced(case, gateway):
            return Push(gateway, target, Why.REGISTERED, _words(difference(Snapshot(gateway=gateway), published)))
        absent = case.live(gateway).state is Live.ABSENT
        if absent and was_blocked(case, gateway):
            return Push(gateway, target, Why.UNBLOCKED, f"the block on gateway {gateway} was lifted")
        if returned:
            return Push(gateway, target, Why.HEALED, f"an API is back on gateway {gateway}")
        if not case.heals(gateway):
            continue
        if absent:
            detail = f"gateway {gateway} had lost the registration"
            return Push(gateway, target, Why.HEALED, detail, quiet=_says_ready(case))
        detail = f"gateway {gateway} had something else: {'; '.join(case.live(gateway).drift)}"
        return Push(gateway, target, Why.CORRECTED, detail)
    return None


def _says_ready(case: Case) -> bool:
    """Whether the status that was written last says that all is well: who was never told of a loss need not be told of its end."""
    ready = conditions.find(case.view.status.conditions, conditions.READY)
    return ready is not None and ready.status == conditions.TRUE


def register_first(case: Case) -> Effect | None:
    """The first valid Contract registers the Client, once its objects have been quiet for the settle time."""
    if case.retire or case.anything_published or not case.any_valid or not _pushing_allowed(case):
        return None
    if not case.settled:
        return Wait(until=case.view.settled_at)
    if announced(case):
        return WriteStatus()
    return _publish(case, case.gateways, Why.REGISTERED)


def publish_automatically(case: Case) -> Effect | None:
    """With `publish: Automatic` a change is published as soon as it has settled; what is refused stays published as it was."""
    if case.view.desired.publish != "Automatic" or not case.pending or not case.any_valid:
        return None
    if case.retire or not case.settled or not _pushing_allowed(case) or _would_take_down(case):
        return None
    targets = {gateway: _automatic(case, gateway) for gateway in case.gateways}
    differing = [gateway for gateway, target in targets.items() if difference(case.published[gateway], target)]
    return _publish(case, differing, Why.PUBLISHED, targets)


def _would_take_down(case: Case) -> bool:
    """Whether a published contract would go because a Policy of its chain can't be resolved: that never happens unasked."""
    published = {entry.uid for snapshot in case.published.values() for entry in snapshot.contracts}
    wanted = {entry.uid for snapshot in case.view.desired.snapshots for entry in snapshot.contracts}
    return any(
        verdict.reason == Reason.POLICY_UNRESOLVED and verdict.contract.meta.uid in published - wanted
        for verdict in case.view.desired.verdicts
    )


def settle_new(case: Case) -> Effect | None:
    """A new Client gets its first status once it has settled, so that one apply of everything is one write."""
    if case.view.status.never_written and not case.settled and not case.view.client.meta.deleting:
        return Wait(until=case.view.settled_at)
    return None


RULES: tuple[Rule, ...] = (
    delete,
    block,
    rotation.align,
    record,
    finalize,
    adopt,
    provide_key,
    rotation.sync_secret,
    look,
    retire,
    revoke,
    roll_out,
    rotation.end_overlap,
    rotation.make_key,
    reregister,
    publish_automatically,
    heal,
    rotation.change_key,
    rotation.advance,
    rotation.tidy_secret,
    register_first,
    settle_new,
)
"""The order is the priority: what must go off, then what is recorded, then what may go on."""


# What the rules share ------------------------------------------------------------------------------------------------


def _write_what_changed(case: Case, *, changed: bool) -> Effect:
    """Nothing is left to do but to say so, where it is not said yet."""
    if changed:
        return WriteStatus()
    rows = changed_statuses(case)
    if rows:
        return WriteContracts(rows)
    return _waiting(case)


def _waiting(case: Case) -> Effect:
    """When to look again: a fault or a registration that is not ours by backoff, a token or a loss at its time, else at the next event."""
    if any(not case.usable(gateway) or case.live(gateway).state is Live.FOREIGN for gateway in case.gateways):
        # A Contract of another gateway ends in time all the same.
        return Wait(until=min(turning_points(case.view.contracts, now=case.view.now), default=0.0), retry=True)
    publishing = case.verb or (case.view.desired.publish == "Automatic" and case.pending)
    times = [case.view.settled_at] if publishing and not case.settled else []
    times += [
        case.live(gateway).since + case.view.grace
        for gateway in case.gateways
        if not case.published[gateway].empty and case.known(gateway) and not case.serves(gateway)
    ]
    times += turning_points(case.view.contracts, now=case.view.now)
    times += key_facts.times(case)
    later = [time for time in times if time > case.view.now]
    return Wait(until=min(later)) if later else Done()


def _anything_on(case: Case) -> bool:
    return any(case.live(gateway).state not in (Live.ABSENT, Live.FOREIGN) for gateway in case.gateways)


def _taken_off(case: Case, gateway: str, why: Why) -> Effect | None:
    """The effect that takes the Client off one gateway; None when it is known to be off."""
    state = case.live(gateway).state
    second = key_facts.second(case.view, gateway).state
    off = state is Live.FOREIGN or (state is Live.ABSENT and (case.published[gateway].empty or why is Why.DELETED))
    if off and second in (Live.ABSENT, Live.FOREIGN):
        return None
    if gateway not in case.view.managed and case.usable(gateway):
        return ReadLive(gateway) if state is Live.UNKNOWN else None
    if not case.usable(gateway):
        return _stuck(case)
    if Live.UNKNOWN in (state, second):
        return ReadLive(gateway)
    return Unregister(gateway, why, f"taken off gateway {gateway}")


def _stuck(case: Case) -> Effect:
    """Taking off waits for a gateway: say so once, then try again."""
    changed = report(case) != case.view.status
    return WriteStatus() if changed else Wait(retry=True)


def _pushing_allowed(case: Case) -> bool:
    view = case.view
    if view.client.paused or view.key.state is not KeyState.VALID or view.desired.problem is not None:
        return False
    return not too_large(case)


def _ours_to_change(case: Case, gateway: str) -> bool:
    """Whether the gateway can be changed now and what it has is known not to be somebody else's."""
    free = case.writable(gateway) and gateway not in case.view.blocked
    return free and case.live(gateway).state in (Live.ABSENT, Live.OURS)


def _automatic(case: Case, gateway: str) -> Snapshot:
    """What an automatic publish sends to the gateway."""
    published = case.published[gateway]
    standing = [entry for entry in published.contracts if _stands(case, gateway, entry)]
    return with_refused(case.wanted(gateway), published, standing)


def _differs(case: Case, gateway: str) -> bool:
    wanted = case.wanted(gateway)
    published = case.published[gateway]
    if wanted.empty and published.empty:
        return False
    return bool(difference(published, wanted)) or not case.serves(gateway)


def _publish(
    case: Case, gateways: Iterable[str], why: Why, targets: Mapping[str, Snapshot] | None = None
) -> Effect | None:
    """Push what is desired, or the target given for it, to the first of the gateways that can take it."""
    for gateway in gateways:
        if not _ours_to_change(case, gateway):
            continue
        wanted = targets[gateway] if targets is not None else case.wanted(gateway)
        published = case.published[gateway]
        detail = _words(difference(published, wanted))
        if wanted.empty:
            if not published.empty:
                return Unregister(gateway, why, detail)
            continue
        target = case.sendable(key_facts.carried(wanted, published))
        if any(entry.live for entry in target.contracts):
            return Push(gateway, target, why, detail)
    return None


def _words(changes: tuple[PendingChange, ...]) -> str:
    shown = "; ".join(change.message for change in changes[:8])
    return f"{shown}; and {len(changes) - 8} more" if len(changes) > 8 else shown


def _stands(case: Case, gateway: str, entry: PublishedContract) -> bool:
    """Whether a living Contract of this Client stands behind the published entry, on that gateway, and a grant where it needs one.

    What was adopted stands until the next publish.
    """
    if case.view.client.adopt and entry.uid.startswith(f"{FOUND}:"):
        return True
    return _backed(case, gateway, entry) and not withdrawn(case.view.access, gateway, entry)


def _backed(case: Case, gateway: str, entry: PublishedContract, *, at: float | None = None) -> bool:
    """Whether there is such a Contract, and it has not expired."""
    identity = case.view.desired.identity
    home = identity.gateway if identity is not None else gateway
    now = case.view.now if at is None else at
    return any(
        contract.meta.uid == entry.uid
        and not contract.meta.deleting
        and not expired(contract, now=now)
        and (contract.gateway or home) == gateway
        for contract in case.view.contracts
    )


def _because(case: Case, gateway: str, entry: PublishedContract) -> str:
    """Why a contract is taken off, where it is not simply gone."""
    if _backed(case, gateway, entry):
        return f": {reasons.access_lost(Reason.NOT_GRANTED)}"
    if _backed(case, gateway, entry, at=float("-inf")):
        return f": {reasons.access_lost(Reason.EXPIRED)}"
    return ""


def _without(snapshot: Snapshot, gone: list[PublishedContract]) -> Snapshot:
    """The snapshot without these contracts and without the policies that only they had."""
    contracts = tuple(entry for entry in snapshot.contracts if entry not in gone)
    used = {identifier for entry in contracts for identifier in entry.policies}
    return replace(
        snapshot,
        contracts=contracts,
        policies=tuple(policy for policy in snapshot.policies if policy.id in used),
    )
