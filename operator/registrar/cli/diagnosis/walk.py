"""What blocks a Client or a Contract first: a walk from the operator to the last Secret, and at each stop the conditions that the operator wrote.

    the Client exists ─▶ deletion ─▶ the operator runs ─▶ RuntimeGateway ─▶ Client ─▶ Contract ─▶ Policy ─▶ pending changes ─▶ actions

What stands earlier on this way keeps what stands later from working, so the first stop with a fault is the one to mend. The words are the operator's own messages
where there are any; `mends` adds the command.

Invariants: pure; one finding at a time; nothing is found exactly when all is as the objects ask for. What this module deliberately does not do: ask the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from registrar.cli.diagnosis.facts import CONTRACT, Facts
from registrar.cli.diagnosis.mends import Mend, mends
from registrar.cli.reading import (
    Condition,
    Json,
    action,
    behind,
    condition,
    deleting,
    handled,
    name,
    namespace,
    newest,
    phase,
    rows,
    seconds,
    section,
    token,
    word,
)
from registrar.resources import reasons
from registrar.resources.objects import REREGISTER, UNREGISTER, VERBS
from registrar.resources.reasons import Reason

JUST_NOW = 15.0
"""Seconds after a change during which the operator may still be waiting for the next one (the longest settle time is 10 s)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where, and what mends it. `waits` says that it passes by itself."""

    where: str
    reason: str
    message: str
    mends: tuple[Mend, ...] = ()
    waits: bool = False


def diagnose(facts: Facts) -> Finding | None:
    """The first thing that blocks the subject; None when nothing does."""
    return next((found for look in _LOOKS if (found := look(facts)) is not None), None)


def _finding(facts: Facts, found: Json, reason: str, message: str, *, kind: str, waits: bool = False) -> Finding:
    where = f"{kind} {namespace(found)}/{name(found)}" if namespace(found) else f"{kind} {name(found)}"
    made = () if waits else mends(facts, kind=kind, reason=reason, found=found)
    return Finding(where, reason, message, made, waits)


def _by_condition(facts: Facts, found: Json, row: Condition, *, kind: str, waits: bool = False) -> Finding:
    return _finding(facts, found, row.reason, row.message, kind=kind, waits=waits)


# The stops -----------------------------------------------------------------------------------------------------------


def _client_exists(facts: Facts) -> Finding | None:
    if facts.client is not None or facts.contract is None:
        return None
    message = reasons.client_not_found(facts.client_name)
    return _finding(facts, facts.contract, Reason.CLIENT_NOT_FOUND, message, kind=CONTRACT)


def _deletion(facts: Facts) -> Finding | None:
    for kind, found in (("Client", facts.client), (CONTRACT, facts.contract)):
        if found is not None and deleting(found):
            ready = condition(found, "Ready")
            said = ready.message if ready.reason == Reason.TERMINATING else f"The {kind} is being deleted."
            made = _finding(facts, found, Reason.TERMINATING, said, kind=kind)
            cause = _gateway(facts)
            if cause is None:
                return made
            # Mending the gateway ends the deletion in order; letting the object go does not.
            return replace(made, message=f"{said}\n{cause.message}", mends=(*cause.mends, *made.mends))
    return None


def _operator(facts: Facts) -> Finding | None:
    """The operator has not looked at the object as it is, or has not begun an action that was asked for."""
    for kind, found in (("Client", facts.client), (CONTRACT, facts.contract)):
        if found is not None and (behind(found) or (kind == "Client" and _unheard(found))):
            return _unseen(facts, found, kind)
    return None


def _unheard(client: Json) -> bool:
    return any(
        (asked := token(client, verb))
        and not handled(client, verb, asked)
        and not word(action(client, verb), "inProgressToken")
        for verb in VERBS
    )


def _unseen(facts: Facts, found: Json, kind: str) -> Finding:
    changed = _changed_at(found)
    if changed is not None and facts.now - changed < JUST_NOW:
        said = "It was changed just now, and the operator waits until nothing more arrives. Ask again in a few seconds."
        return _finding(facts, found, "NotSeenYet", said, kind=kind, waits=True)
    if facts.lease is not None and not facts.lease.held:
        said = (
            f"The operator does not run: nobody renews its Lease in namespace {facts.operator_namespace}, and the latest change of this {kind} "
            "was not seen. Have it started."
        )
        return _finding(facts, found, "OperatorNotRunning", said, kind=kind)
    said = (
        f"The operator has not seen the latest change of this {kind}. Check that it runs and watches namespace {facts.namespace} "
        "(its setting watch_namespaces), and read its log."
    )
    return _finding(facts, found, "NotSeen", said, kind=kind)


def _changed_at(found: Json) -> float | None:
    """When somebody but the operator wrote the object last, in seconds since the epoch."""
    times = [
        moment
        for row in rows(found, "metadata", "managedFields")
        if not word(row, "subresource") and (moment := seconds(word(row, "time"))) is not None
    ]
    created = seconds(word(found, "metadata", "creationTimestamp"))
    return max([*times, *([created] if created is not None else [])], default=None)


def _gateway(facts: Facts) -> Finding | None:
    """The RuntimeGateways that the subject depends on."""
    for wanted in facts.gateway_names:
        found = facts.gateway(wanted)
        ready = condition(found, "Ready")
        if found is not None and (ready.false or (ready.reason and not ready.true)):
            return _by_condition(facts, found, ready, kind="RuntimeGateway", waits=ready.reason == Reason.HEALING)
    return None


_OF_THE_CLIENT = ("Blocked", "Paused", "Observing", "Accepted", "ResolvedRefs")


def _client(facts: Facts) -> Finding | None:
    """What is wrong with the Client itself."""
    if facts.client is None:
        return None
    for type_ in _OF_THE_CLIENT:
        row = condition(facts.client, type_)
        if row.false if type_ in ("Accepted", "ResolvedRefs") else row.true:
            return _by_condition(facts, facts.client, row, kind="Client")
    ready, registered = condition(facts.client, "Ready"), condition(facts.client, "Registered")
    if phase(facts.client) == "Retired" or ready.reason in (Reason.RETIRED, Reason.RESTORED, Reason.RETIREMENT_PENDING):
        if _retired_on_purpose(facts.client):
            return None
        return _by_condition(facts, facts.client, ready, kind="Client", waits=ready.reason == Reason.RETIREMENT_PENDING)
    drifted = condition(facts.client, "Drifted")
    if drifted.true:
        return _by_condition(facts, facts.client, drifted, kind="Client")
    if registered.reason and registered.reason not in _SAID_LATER and not registered.true:
        waits = registered.reason in (Reason.REGISTRATION_PENDING, Reason.GATEWAY_RESET)
        return _by_condition(facts, facts.client, registered, kind="Client", waits=waits)
    return None


_SAID_LATER = (Reason.NOT_REGISTERED, Reason.NOTHING_PUBLISHED)


def _retired_on_purpose(client: Json) -> bool:
    """`spec.state: Retired` is a wish that is fulfilled; only a Contract is blocked by it."""
    return word(client, "spec", "state") == "Retired" and condition(client, "Ready").true


_FOLLOWS = (Reason.UNPUBLISHED_CHANGES, Reason.CLIENT_NOT_ACCEPTED)
"""Reasons of a Contract that only repeat what another stop says."""


def _contracts(facts: Facts) -> Finding | None:
    """The first Contract that can't be live as it is; a Policy of its chain before itself."""
    if facts.client is not None and _retired_on_purpose(facts.client):
        if facts.contract is None:
            return None
        return _by_condition(facts, facts.client, condition(facts.client, "Ready"), kind="Client")
    for found in facts.own_contracts:
        ready = condition(found, "Ready")
        if not ready.reason or ready.true or ready.reason in _FOLLOWS or deleting(found):
            continue
        if ready.reason == Reason.POLICY_UNRESOLVED and (culprit := _policies(facts)) is not None:
            return culprit
        waits = ready.reason in (Reason.NOT_YET_LIVE, Reason.GATEWAY_RESET)
        return _by_condition(facts, found, ready, kind=CONTRACT, waits=waits)
    if facts.client is not None and not facts.own_contracts:
        row = condition(facts.client, "Ready")
        message = row.message or reasons.no_contracts(namespace=facts.namespace, client=facts.client_name)
        return _finding(facts, facts.client, Reason.NO_CONTRACTS, message, kind="Client")
    return None


def _policies(facts: Facts) -> Finding | None:
    """The first Policy of the namespace that is not accepted."""
    for found in facts.targeting():
        accepted = condition(found, "Accepted")
        if accepted.false:
            return _by_condition(facts, found, accepted, kind="Policy")
    return None


def _pending(facts: Facts) -> Finding | None:
    """Changes that nobody has published."""
    if facts.client is None:
        return None
    published = condition(facts.client, "Published")
    mine = facts.contract is None or condition(facts.contract, "Ready").reason == Reason.UNPUBLISHED_CHANGES
    if mine and published.false and published.reason in (Reason.UNPUBLISHED_CHANGES, Reason.TOO_LARGE):
        return _by_condition(facts, facts.client, published, kind="Client")
    return None


def _actions(facts: Facts) -> Finding | None:
    """An action that is under way, or the last one when it failed and its aim is not reached."""
    if facts.client is None or facts.contract is not None:
        return None
    for entry in rows(facts.client, "status", "actions"):
        if word(entry, "inProgressToken"):
            said = f"The action {word(entry, 'name')} is under way."
            return _finding(facts, facts.client, "ActionInProgress", said, kind="Client", waits=True)
    last = next(iter(newest(rows(facts.client, "status", "actions"), "completedAt")), {})
    verb = word(last, "name")
    reached = {REREGISTER: condition(facts.client, "Ready").reason == Reason.SERVING, UNREGISTER: False}
    if word(last, "outcome") != "Failed" or reached.get(verb, False):
        return None
    said = f"The last action, {verb}, failed: {word(last, 'message')}"
    return _finding(facts, facts.client, Reason.ACTION_FAILED, said, kind="Client")


def _anything_else(facts: Facts) -> Finding | None:
    """Whatever keeps Ready from being True and no other stop knew."""
    for kind, found in ((CONTRACT, facts.contract), ("Client", facts.client)):
        if found is None or (kind == "Client" and section(found, "status") and condition(found, "Ready").true):
            continue
        ready = condition(found, "Ready")
        if not ready.true:
            said = ready.message or f"The {kind} has no condition Ready yet."
            return _finding(facts, found, ready.reason or "Unknown", said, kind=kind, waits=not ready.reason)
        return None
    return None


_LOOKS: tuple[Callable[[Facts], Finding | None], ...] = (
    _client_exists,
    _deletion,
    _operator,
    _gateway,
    _client,
    _contracts,
    _policies,
    _pending,
    _actions,
    _anything_else,
)
