"""The verbs about the key: rotate-key and revoke-key. What they ask for, why they may be refused, and when they are done.

Both may be asked for beside a reregister. A new key is made once for each request: the Secret remembers the request that its key was made for, so
that a crash behind the Secret's change is no second key. The schedule is a request without a token.

Invariants: a token fires at most once; a refused one is handled too; an unregister supersedes both, and revoke-key supersedes rotate-key.
What this module deliberately does not do: carry anything out (see `rotation`).
"""

from __future__ import annotations

from registrar.lifecycle import actions
from registrar.lifecycle.case import Case
from registrar.lifecycle.key_facts import due, other_version, overlapping, published_on, second
from registrar.lifecycle.model import KeyState, Live
from registrar.lifecycle.phase import unknown
from registrar.resources import reasons
from registrar.resources.objects import KEY_VERBS, REVOKE_KEY, ROTATE_KEY, UNREGISTER
from registrar.resources.status import ClientStatus

SCHEDULE = "schedule"


def request_of(verb: str, token: str) -> str:
    """How a key remembers what it was made for."""
    return f"{verb}:{actions.token_digest(token)}"


def open_request(case: Case) -> str:
    """The request for which a new key has still to be made; empty when there is none."""
    if case.key_verb:
        if not case.settled or refused(case) or timed_out(case):
            return ""
        request = request_of(case.key_verb, case.key_token)
        return "" if request == case.view.key.made_for else request
    idle = not case.view.client.paused and case.view.desired.problem is None and not _blocked(case)
    return SCHEDULE if idle and due(case.view) else ""


def begun(case: Case) -> bool:
    """Whether the intent of the request is written down: a token in its action; the schedule needs none, its time is in the status."""
    return not case.key_verb or case.view.status.action(case.key_verb).in_progress == case.key_token


def refused(case: Case) -> str:
    """Why the action can't be carried out at all; empty when it can, or when it is too early to say."""
    view = case.view
    if not case.settled or not case.key_verb:
        return ""
    if not view.client.api_key.generated:
        return reasons.key_is_yours(view.client.secret_name)
    if view.client.paused and case.key_verb == ROTATE_KEY:
        return reasons.ACTION_REFUSED_PAUSED
    if view.desired.problem is not None:
        return reasons.action_not_accepted(view.desired.problem.reason)
    if view.key.state is KeyState.NOT_OWNED:
        return reasons.key_not_rotatable(view.client.secret_name)
    return _blocked(case)


def _blocked(case: Case) -> str:
    """What on a gateway stands in the way of another key; empty when nothing does."""
    for gateway in published_on(case):
        if gateway not in case.view.managed and case.usable(gateway):
            return reasons.key_observed(gateway)
        if second(case.view, gateway).state is Live.FOREIGN and case.key_verb != REVOKE_KEY:
            identity = case.view.desired.identity
            own = identity.version if identity is not None else ""
            version = other_version(case.published[gateway].version, own) or own
            return reasons.key_identity_taken(identity=version, gateway=gateway)
    return ""


def reached(case: Case) -> bool:
    """Whether the key that was asked for is the Secret's, is on every gateway, and for revoke-key is the only one there."""
    key = case.view.key
    if not case.settled or unknown(case) or key.made_for != request_of(case.key_verb, case.key_token) or key.next:
        return False
    there = all(case.live(gateway).key == key.current and case.serves(gateway) for gateway in published_on(case))
    return there and (case.key_verb != REVOKE_KEY or not overlapping(case))


def timed_out(case: Case) -> bool:
    """Whether a fault has stood for longer than an action waits."""
    view = case.view
    return bool(view.status.action(case.key_verb).in_progress) and any(
        view.now >= fault.since + view.action_timeout for fault in view.faults.values()
    )


def settle(case: Case, status: ClientStatus) -> ClientStatus:
    """Close the action whose end is reached or refused; open one that is to have side effects."""
    verb, token = case.key_verb, case.key_token
    if not verb:
        return status
    if refusal := refused(case):
        return _finish(case, status, actions.FAILED, refusal)
    if reached(case):
        done = reasons.ACTION_DONE if published_on(case) else reasons.ACTION_KEY_ONLY
        return _finish(case, status, actions.SUCCEEDED, done)
    if timed_out(case):
        return _finish(case, status, actions.FAILED, reasons.ACTION_KEY_TIMED_OUT)
    if case.settled and status.action(verb).in_progress != token:
        return actions.begun(status, verb, token, at=case.now)
    return status


def _finish(case: Case, status: ClientStatus, outcome: str, message: str) -> ClientStatus:
    status = actions.finished(status, case.key_verb, case.key_token, outcome=outcome, message=message, at=case.now)
    if case.key_verb != REVOKE_KEY:
        return status
    return _skip(case, status, ROTATE_KEY, by=REVOKE_KEY, message=reasons.ACTION_KEY_SUPERSEDED)


def superseded(case: Case, status: ClientStatus) -> ClientStatus:
    """The status with the key verbs skipped that an unregister has just superseded."""
    for verb in KEY_VERBS:
        status = _skip(case, status, verb, by=UNREGISTER, message=reasons.ACTION_SUPERSEDED)
    return status


def _skip(case: Case, status: ClientStatus, verb: str, *, by: str, message: str) -> ClientStatus:
    token = status.action(verb).in_progress or actions.new_token(case.view.client, status, verb)
    if not token or status.action(by).started_at < status.action(verb).started_at:
        return status
    return actions.finished(status, verb, token, outcome=actions.SKIPPED, message=message, at=case.now)
