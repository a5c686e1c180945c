"""The Client's status, computed in one place from the facts.

Invariants: equal facts give an equal status, so a status that is already there is not written again; no message holds a time or a count of
attempts; `Reconciling` and `Stalled` are never there together; Ready is never True on what is not live.
What this module deliberately does not do: choose effects, or write anything.
"""

from __future__ import annotations

from dataclasses import replace

from registrar.lifecycle import actions, key_actions, key_facts
from registrar.lifecycle.adoption import in_the_way
from registrar.lifecycle.block import blocked_condition
from registrar.lifecycle.case import Case, restored_with_unregister
from registrar.lifecycle.changelog import change_log, log_notices
from registrar.lifecycle.model import KeyState, Live, Notice, Verdict, VerdictState
from registrar.lifecycle.phase import (
    CREATED,
    REGISTERED,
    RETIRED,
    UNPUBLISHED_CHANGES,
    deviates,
    lost,
    nothing_live,
    phase,
    unknown,
)
from registrar.lifecycle.several import announced, is_announced, lacking, observed
from registrar.lifecycle.size import too_large
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, UNKNOWN, Condition
from registrar.resources.objects import REREGISTER, UNREGISTER, VERBS
from registrar.resources.reasons import Reason
from registrar.resources.status import ClientStatus, Snapshot
from registrar.resources.times import parse_timestamp

PENDING_SHOWN = 64
"""How many pending changes a status shows; the rest is counted."""
_AWAITED = frozenset({Reason.SECRET_MISSING, Reason.GATEWAY_NOT_FOUND, Reason.NO_DEFAULT_GATEWAY})
"""What is not there yet, and is picked up when it comes: a Secret that another controller is about to make must fail nobody's rollout."""


def report(case: Case) -> ClientStatus:
    """The whole status as the facts stand."""
    view = case.view
    status = _tokens_of_birth(case, view.status)
    status = key_actions.settle(case, _settle_action(case, status))
    word = phase(case)
    shown = case.pending[:PENDING_SHOWN]
    return replace(
        status,
        observed_generation=view.client.meta.generation,
        phase=word,
        conditions=conditions.merge(
            view.status.conditions, _conditions(case, word), at=case.now, generation=view.client.meta.generation
        ),
        identity=view.desired.identity,
        retired_by=_retired_by(case),
        secret_name=view.client.secret_name if view.key.state is KeyState.VALID else "",
        key_created_at=key_facts.created_at(view),
        gateways=(
            announced(case)
            or tuple(snapshot for gateway in case.gateways if _recorded(snapshot := _with_live(case, gateway)))
        ),
        pending=shown,
        pending_truncated=len(case.pending) - len(shown),
        change_log=change_log(case, status),
        contracts=_counts(case),
        next_rotation_at=key_facts.next_rotation_at(view),
        overlap_ends_at=key_facts.overlap_ends_at(case),
    )


def notices(case: Case) -> tuple[Notice, ...]:
    """The Events that go with the status: one for each change of a gateway that it records, and one for an action that ends."""
    made = _drift_notices(case)
    made += [
        Notice(effected.why, effected.detail or f"{effected.why} on gateway {gateway}.")
        for gateway, effected in sorted(case.view.effected.items())
    ]
    before, after = case.view.status, key_actions.settle(case, _settle_action(case, case.view.status))
    made += key_facts.announced(case)
    for verb in VERBS:
        old, new = before.action(verb), after.action(verb)
        if new.outcome and new.last_handled != old.last_handled:
            reason = {actions.SUCCEEDED: Reason.ACTION_SUCCEEDED, actions.FAILED: Reason.ACTION_FAILED}.get(
                new.outcome, Reason.ACTION_SKIPPED
            )
            made.append(Notice(reason, f"{verb}: {new.message}", warning=new.outcome == actions.FAILED))
    return (*made, *log_notices(case))


def _drift_notices(case: Case) -> list[Notice]:
    """An Event when drift that is only reported is found, or is another one than before."""
    found, before = drifted_condition(case), conditions.find(case.view.status.conditions, conditions.DRIFTED)
    if found is None or (before is not None and before.message == found.message[: conditions.MESSAGE_LIMIT]):
        return []
    return [Notice(Reason.DRIFTED, found.message, warning=True)]


# Actions -------------------------------------------------------------------------------------------------------------


def _tokens_of_birth(case: Case, status: ClientStatus) -> ClientStatus:
    """Record the tokens that an object without a status brings with it, without carrying them out."""
    if not status.never_written:
        return status
    for verb, token in case.view.client.tokens:
        status = actions.finished(
            status, verb, token, outcome=actions.SKIPPED, message=reasons.ACTION_FIRST_SIGHT, at=case.now
        )
    return status


def _settle_action(case: Case, status: ClientStatus) -> ClientStatus:
    """Close the action whose end is reached, refused or superseded; open one that is to have side effects."""
    if not case.verb:
        return status
    refusal = refused(case)
    if refusal:
        return _finish(case, status, actions.FAILED, refusal)
    if timed_out(case):
        late = reasons.ACTION_RETIREMENT_STANDS if case.verb == UNREGISTER else reasons.ACTION_TIMED_OUT
        return _finish(case, status, actions.FAILED, late)
    if reached(case):
        nothing = case.verb == REREGISTER and not case.anything_published
        return _finish(
            case, status, actions.SUCCEEDED, reasons.ACTION_NOTHING_TO_DO if nothing else reasons.ACTION_DONE
        )
    if case.settled and not _begun(case, status):
        return _supersede(case, actions.begun(status, case.verb, case.token, at=case.now))
    return status


def _begun(case: Case, status: ClientStatus) -> bool:
    """Whether the status says that the action is in progress."""
    return status.action(case.verb).in_progress == case.token


def _finish(case: Case, status: ClientStatus, outcome: str, message: str) -> ClientStatus:
    known = _begun(case, status)
    status = actions.finished(status, case.verb, case.token, outcome=outcome, message=message, at=case.now)
    return status if known else _supersede(case, status)


def _supersede(case: Case, status: ClientStatus) -> ClientStatus:
    """With the start of an unregister what else is asked for or in progress is over; what is asked for later is not."""
    if case.verb == UNREGISTER:
        status = key_actions.superseded(case, status)
    other = status.action(REREGISTER).in_progress or actions.new_token(case.view.client, status, REREGISTER)
    if case.verb != UNREGISTER or not other:
        return status
    return actions.finished(
        status, REREGISTER, other, outcome=actions.SKIPPED, message=reasons.ACTION_SUPERSEDED, at=case.now
    )


def refused(case: Case) -> str:
    """Why the action can't be carried out at all; empty when it can, or when it is too early to say."""
    view = case.view
    if not case.settled or not case.verb:
        return ""
    looked_at = observed(case)
    if looked_at and looked_at == case.gateways:
        return reasons.action_observed(looked_at[0])
    if case.verb != REREGISTER:
        return ""
    if view.client.state == "Retired":
        return reasons.ACTION_REFUSED_STATE
    if view.client.paused:
        return reasons.ACTION_REFUSED_PAUSED
    if view.blocked:
        return reasons.ACTION_REFUSED_BLOCKED
    if view.desired.problem is not None:
        return reasons.action_not_accepted(view.desired.problem.reason)
    if unusable := _unusable_key(case):
        return reasons.action_key_unusable(unusable)
    foreign = [g for g in case.gateways if case.live(g).state is Live.FOREIGN]
    if foreign and len(foreign) == len(case.gateways):
        return reasons.action_foreign(foreign[0])
    if not case.any_valid and not view.status.retired_by:
        return reasons.ACTION_REFUSED_EMPTY
    return reasons.ACTION_REFUSED_TOO_LARGE if too_large(case) else ""


def _unusable_key(case: Case) -> str:
    """The reason for which a person must mend the key first; empty when the key is usable or the operator makes it."""
    resolved = _resolved(case)
    return resolved.reason if resolved.status == FALSE else ""


def reached(case: Case) -> bool:
    """Whether the gateways are as the action wants them."""
    if unknown(case):
        return False
    if case.verb == UNREGISTER:
        return case.acting and nothing_live(case)
    if not case.settled:
        return False
    if not case.any_valid:
        return not case.anything_published
    return (
        case.anything_published
        and not any(change.gateway not in observed(case) for change in case.pending)
        and all(
            case.serves(gateway) or case.published[gateway].empty
            for gateway in case.gateways
            if gateway not in observed(case)
        )
        and key_facts.aligned(case)
    )


def timed_out(case: Case) -> bool:
    """Whether a fault has stood for longer than an action waits, from the action's start on."""
    action = case.view.status.action(case.verb)
    if not case.verb or not action.in_progress:
        return False
    started = parse_timestamp(action.started_at) if action.started_at else 0.0
    return any(
        case.view.now >= max(fault.since, started) + case.view.action_timeout for fault in case.view.faults.values()
    )


def _retired_by(case: Case) -> str:
    """What retired the Client; kept apart so that reregister undoes the annotation only."""
    view = case.view
    if case.verb == UNREGISTER and not refused(case):
        return "Annotation"
    if view.client.state == "Retired":
        return "Spec" if view.status.retired_by in ("", "Spec") else view.status.retired_by
    if restored_with_unregister(view):
        return "Restored"
    if case.verb == REREGISTER and not reached(case):
        return view.status.retired_by
    return view.status.retired_by if case.retire else ""


# The snapshot --------------------------------------------------------------------------------------------------------


def _with_live(case: Case, gateway: str) -> Snapshot:
    """The published snapshot, with `live` false on contracts whose API is known to be gone."""
    snapshot = case.published[gateway]
    contracts = tuple(
        replace(contract, live=False) if case.missing(gateway, contract) else contract
        for contract in snapshot.contracts
    )
    return replace(snapshot, contracts=contracts)


def _recorded(snapshot: Snapshot) -> bool:
    """Whether the snapshot says anything: a gateway on which nothing was ever published has no entry."""
    return not snapshot.empty or bool(snapshot.registered_at)


def _counts(case: Case) -> dict[str, object]:
    wanted = sum(verdict.state is VerdictState.VALID for verdict in case.view.desired.verdicts)
    total = len(case.view.desired.verdicts)
    published = sum(len(snapshot.contracts) for snapshot in case.published.values())
    live = sum(
        1
        for gateway in case.gateways
        for contract in _with_live(case, gateway).contracts
        if contract.live and (case.serves(gateway) or not case.known(gateway)) and not is_announced(case, gateway)
    )
    return {
        "desired": wanted,
        "published": published,
        "live": live,
        "summary": f"{live}/{total}",
        "pendingChanges": len(case.pending),
    }


# Conditions ----------------------------------------------------------------------------------------------------------


def _conditions(case: Case, word: str) -> tuple[Condition, ...]:
    accepted, resolved = _accepted(case), _resolved(case)
    registered, published = _registered(case, word), _published(case)
    ready, extra = _ready(case, word, blockers=(accepted, resolved, registered, published))
    paused = (_condition("Paused", TRUE, Reason.PAUSED, reasons.PAUSED),) if case.view.client.paused else ()
    special = tuple(row for row in (blocked_condition(case), drifted_condition(case)) if row is not None)
    due = (_condition("KeyRotationDue", TRUE, Reason.KEY_ROTATION_DUE, reasons.KEY_ROTATION_DUE),)
    coming = due if key_facts.due_soon(case.view) else ()
    return (ready, registered, published, accepted, resolved, *extra, *paused, *_observing(case), *special, *coming)


def _observing(case: Case) -> tuple[Condition, ...]:
    """Says of which gateways the Client's are only looked at."""
    names = ", ".join(observed(case))
    return (_condition("Observing", TRUE, Reason.OBSERVING, reasons.observing(names)),) if names else ()


def _condition(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=type_, status=status, reason=str(reason), message=message)


def drifted_condition(case: Case) -> Condition | None:
    """The first gateway that does not have what is published where that is only reported; None when there is none."""
    for gateway in case.gateways:
        if case.heals(gateway) or not deviates(case, gateway) or gateway in case.view.blocked:
            continue
        difference = "; ".join(case.live(gateway).drift) or "the registration is gone"
        text = reasons.drifted(gateway=gateway, difference=difference)
        return _condition(conditions.DRIFTED, TRUE, Reason.DRIFTED, text)
    return None


def _accepted(case: Case) -> Condition:
    problem = case.view.desired.problem
    if problem is not None and problem.condition == conditions.ACCEPTED:
        return _condition(conditions.ACCEPTED, FALSE, problem.reason, problem.message)
    return _condition(conditions.ACCEPTED, TRUE, Reason.ACCEPTED, reasons.ACCEPTED)


def _resolved(case: Case) -> Condition:
    problem, client = case.view.desired.problem, case.view.client
    type_, secret = conditions.RESOLVED_REFS, client.secret_name
    if problem is not None and problem.condition == type_:
        return _condition(type_, FALSE, problem.reason, problem.message)
    match case.view.key.state:
        case KeyState.MISSING if client.api_key.source == "Existing":
            return _condition(type_, FALSE, Reason.SECRET_MISSING, reasons.secret_missing(secret))
        case KeyState.NOT_OWNED:
            return _condition(type_, FALSE, Reason.SECRET_NOT_OWNED, reasons.secret_not_owned(secret))
        case KeyState.INVALID:
            text = reasons.key_invalid(secret=secret, entry=client.api_key.secret_key)
            return _condition(type_, FALSE, Reason.KEY_INVALID, text)
        case KeyState.IN_USE:
            return _condition(type_, FALSE, Reason.KEY_IN_USE, reasons.key_in_use(secret))
        case _:
            return _condition(type_, TRUE, Reason.RESOLVED, reasons.RESOLVED)


def _registered(case: Case, word: str) -> Condition:
    type_ = conditions.REGISTERED
    missing = lacking(case)
    if missing:
        text = reasons.partially_registered(lacking=", ".join(missing))
        return _condition(type_, FALSE, Reason.PARTIALLY_REGISTERED, text)
    foreign = [g for g in case.gateways if case.live(g).state is Live.FOREIGN]
    # A retired Client asks for nothing on the gateway, so nothing is in its way.
    if foreign and word != RETIRED and not any(not case.published[g].empty and case.serves(g) for g in case.gateways):
        text = in_the_way(case, foreign[0], identity=_identity(case))
        return _condition(type_, FALSE, Reason.ALREADY_EXISTS, text)
    fault = standing_fault(case)
    if fault and (unknown(case) or not case.anything_published):
        gateway, reason = fault
        return _condition(type_, UNKNOWN if unknown(case) else FALSE, reason, reasons.gateway_fault(reason, gateway))
    if word == RETIRED:
        by_spec = case.view.client.state == "Retired"
        text = reasons.retired(by_spec=by_spec, name=case.view.client.meta.name)
        return _condition(type_, FALSE, Reason.RETIRED, text)
    stopped = blocked_condition(case)
    if stopped is not None:
        return _condition(type_, FALSE, Reason.BLOCKED, stopped.message)
    drifted = drifted_condition(case)
    if drifted is not None:
        return _condition(type_, FALSE, Reason.DRIFTED, drifted.message)
    gone = lost(case)
    if gone:
        return _condition(type_, FALSE, Reason.GATEWAY_RESET, reasons.gateway_reset(gone[0]))
    names = [gateway for gateway in case.gateways if not case.published[gateway].empty]
    if names:
        return _condition(type_, TRUE, Reason.REGISTERED, reasons.registered(", ".join(names)))
    if case.any_valid and observed(case):
        return _condition(type_, FALSE, Reason.OBSERVING, reasons.observing(", ".join(observed(case))))
    if case.any_valid:
        return _condition(type_, FALSE, Reason.REGISTRATION_PENDING, reasons.REGISTRATION_PENDING)
    return _condition(type_, FALSE, Reason.NOT_REGISTERED, reasons.NOTHING_PUBLISHED)


def _published(case: Case) -> Condition:
    type_ = conditions.PUBLISHED
    if too_large(case):
        return _condition(type_, FALSE, Reason.TOO_LARGE, reasons.TOO_LARGE)
    if not case.anything_published:
        return _condition(type_, FALSE, Reason.NOTHING_PUBLISHED, reasons.NOTHING_PUBLISHED)
    if case.pending:
        text = reasons.unpublished(case.pending[0].message, len(case.pending))
        return _condition(type_, FALSE, Reason.UNPUBLISHED_CHANGES, text)
    return _condition(type_, TRUE, Reason.PUBLISHED, reasons.published_all())


def _ready(case: Case, word: str, *, blockers: tuple[Condition, ...]) -> tuple[Condition, tuple[Condition, ...]]:
    """The summary, with `Reconciling` or `Stalled` beside it where kstatus wants one."""
    view, type_ = case.view, conditions.READY
    if view.client.meta.deleting:
        gateway, reason = standing_fault(case) or ("", Reason.TERMINATING)
        text = reasons.terminating(gateway=gateway or case.gateways[0] if case.gateways else "", reason=reason)
        return _condition(type_, FALSE, Reason.TERMINATING, text), (_reconciling(Reason.TERMINATING, text),)
    accepted, resolved, registered, published = blockers
    for blocker in (accepted, resolved):
        if blocker.status == FALSE:
            extra = _reconciling(blocker.reason, blocker.message) if blocker.reason in _AWAITED else _stalled(blocker)
            return _condition(type_, FALSE, blocker.reason, blocker.message), (extra,)
    if registered.reason in (Reason.ALREADY_EXISTS, Reason.DRIFTED):
        return _condition(type_, FALSE, registered.reason, registered.message), (_stalled(registered),)
    stopped = blocked_condition(case)
    if stopped is not None and word != RETIRED:
        return _condition(type_, FALSE, stopped.reason, stopped.message), (_stalled(stopped),)
    if registered.status == UNKNOWN:
        ready = _condition(type_, UNKNOWN, registered.reason, registered.message)
        return ready, (_reconciling(registered.reason, registered.message),)
    if word == RETIRED:
        return _retired(case), ()
    if case.retire:
        ready = _condition(type_, FALSE, Reason.RETIREMENT_PENDING, reasons.RETIREMENT_PENDING)
        return ready, (_reconciling(ready.reason, ready.message),)
    live = int(str(_counts(case)["live"]))
    if word == REGISTERED:
        names = ", ".join(gateway for gateway in case.gateways if not case.published[gateway].empty)
        return _condition(type_, TRUE, Reason.SERVING, reasons.serving(gateways=names, live=live)), ()
    if word == UNPUBLISHED_CHANGES and registered.status == TRUE:
        text = reasons.serving_previous(name=view.client.meta.name, count=len(case.pending))
        return _condition(type_, TRUE, Reason.SERVING_PREVIOUS, text), ()
    if published.reason == Reason.TOO_LARGE:
        return _condition(type_, FALSE, published.reason, published.message), (_stalled(published),)
    if word == CREATED:
        return _created(case), ()
    ready = _condition(type_, FALSE, registered.reason, registered.message)
    return ready, (_reconciling(ready.reason, ready.message),)


def _retired(case: Case) -> Condition:
    """A state that `spec.state` declares is reached, so `--wait` ends; one that an annotation asked for is no serving state."""
    view = case.view
    if view.client.state == "Retired":
        text = reasons.retired(by_spec=True, name=view.client.meta.name)
        return _condition(conditions.READY, TRUE, Reason.RETIRED, text)
    if _retired_by(case) == "Restored":
        return _condition(conditions.READY, FALSE, Reason.RESTORED, reasons.RESTORED)
    text = reasons.retired(by_spec=False, name=view.client.meta.name)
    return _condition(conditions.READY, FALSE, Reason.RETIRED, text)


def _created(case: Case) -> Condition:
    """Says what is missing: a Contract, or the mend of the first one that is not valid."""
    meta = case.view.client.meta
    first: Verdict | None = next(iter(case.view.desired.verdicts), None)
    if first is None:
        text = reasons.no_contracts(namespace=meta.namespace, client=meta.name)
        return _condition(conditions.READY, FALSE, Reason.NO_CONTRACTS, text)
    text = reasons.no_valid_contract(contract=first.contract.meta.name, reason=first.reason)
    return _condition(conditions.READY, FALSE, Reason.NO_VALID_CONTRACT, text)


def _reconciling(reason: str, message: str) -> Condition:
    return _condition(conditions.RECONCILING, TRUE, reason, message)


def _stalled(blocker: Condition) -> Condition:
    return _condition(conditions.STALLED, TRUE, blocker.reason, blocker.message)


def _identity(case: Case) -> str:
    identity = case.view.desired.identity
    return f"{identity.organization}/{identity.client_id}/{identity.version}" if identity is not None else "this Client"


def standing_fault(case: Case) -> tuple[str, str] | None:
    """The first gateway whose fault has stood for longer than a blip, with the reason; None when there is none."""
    view = case.view
    for gateway in case.gateways:
        fault = view.faults.get(gateway)
        if fault is not None and view.now >= fault.since + view.grace:
            return gateway, fault.fault.value
    return None
