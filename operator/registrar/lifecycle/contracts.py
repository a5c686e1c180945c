"""The statuses of Contracts, computed from the same facts as their Client's.

Invariants: `Ready` is True only when exactly this generation is live; a Contract whose gateway can't be read keeps the status that it has;
equal facts give an equal status. What this module deliberately does not do: decide about the Client.
"""

from __future__ import annotations

from collections.abc import Iterable

from registrar.lifecycle.announce import announced
from registrar.lifecycle.case import Case
from registrar.lifecycle.model import Verdict, VerdictState
from registrar.lifecycle.phase import RETIRED, phase
from registrar.lifecycle.several import is_announced, observed
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, Condition
from registrar.resources.objects import ApiRef, ContractObject
from registrar.resources.reasons import Reason
from registrar.resources.status import ContractStatus, PublishedContract
from registrar.resources.times import timestamp

PENDING = "Pending"
ACTIVE = "Active"
REJECTED = "Rejected"


def changed_statuses(case: Case) -> tuple[tuple[ContractObject, ContractStatus], ...]:
    """The Contracts of the Client whose status is not what the facts say, with the status that they should have."""
    word = phase(case)
    rows = []
    for verdict in case.view.desired.verdicts:
        status = _status(case, verdict, word)
        if status is not None and (status := announced(case, verdict, status)) != verdict.contract.status:
            rows.append((verdict.contract, status))
    return tuple(rows)


def orphan_statuses(
    contracts: Iterable[ContractObject], *, now: float
) -> tuple[tuple[ContractObject, ContractStatus], ...]:
    """The same for Contracts whose Client does not exist; `now` is in seconds since the epoch."""
    rows = []
    for contract in contracts:
        if contract.meta.deleting:
            continue
        text = reasons.client_not_found(contract.client)
        status = _pending(contract, Reason.CLIENT_NOT_FOUND, text, at=timestamp(now))
        if status != contract.status:
            rows.append((contract, status))
    return tuple(rows)


def _status(case: Case, verdict: Verdict, word: str) -> ContractStatus | None:
    """One Contract's status; None while it is not known what the gateway has."""
    contract, gateway = verdict.contract, verdict.gateway
    snapshot = case.published.get(gateway)
    entry = next((e for e in snapshot.contracts if e.uid == contract.meta.uid), None) if snapshot else None
    if entry is not None and verdict.state is VerdictState.VALID and is_announced(case, gateway) and word != RETIRED:
        text = reasons.contract_registering(case.view.client.meta.name)
        return _pending(contract, Reason.NOT_YET_LIVE, text, at=case.now)
    if entry is not None and not case.known(gateway):
        return None
    if gateway in case.view.blocked and verdict.state is VerdictState.VALID and word != RETIRED:
        return _pending(contract, Reason.BLOCKED, reasons.blocked_contract(gateway), at=case.now)
    if entry is not None and word != RETIRED:
        return _published(case, verdict, entry)
    if verdict.state is not VerdictState.VALID:
        return _refused(case, verdict)
    client = case.view.client.meta.name
    if case.retire:
        return _pending(contract, Reason.CLIENT_RETIRED, reasons.client_retired(client), at=case.now)
    if gateway in observed(case):
        return _pending(contract, Reason.OBSERVING, reasons.observing(gateway), at=case.now)
    if case.anything_published:
        return _pending(contract, Reason.UNPUBLISHED_CHANGES, reasons.contract_waiting(client), at=case.now)
    return _pending(contract, Reason.NOT_YET_LIVE, reasons.contract_registering(client), at=case.now)


def _refused(case: Case, verdict: Verdict) -> ContractStatus:
    phase_ = REJECTED if verdict.state is VerdictState.REJECTED else PENDING
    return _build(
        verdict.contract, phase_, _ready(FALSE, verdict.reason, verdict.message), accepted=verdict, at=case.now
    )


def _published(case: Case, verdict: Verdict, entry: PublishedContract) -> ContractStatus:
    """A Contract that is published: live as it is, live as it was, or waiting for its API or its gateway."""
    contract, gateway = verdict.contract, verdict.gateway
    api = ApiRef(entry.organization, entry.api, entry.version)
    endpoint = case.view.endpoints.get((gateway, api), contract.status.endpoint)
    if case.missing(gateway, entry):
        if gateway in case.vanished:
            text = reasons.apis_vanished(api=str(api), gateway=gateway)
            return _build(contract, PENDING, _ready(FALSE, Reason.APIS_MISSING, text), gateway=gateway, at=case.now)
        text = reasons.api_not_published(api=str(api), gateway=gateway)
        return _build(contract, PENDING, _ready(FALSE, Reason.API_NOT_PUBLISHED, text), gateway=gateway, at=case.now)
    if verdict.state is not VerdictState.VALID and case.withheld(case.published[gateway], entry):
        return _refused(case, verdict)
    if case.lacks(case.published[gateway], entry) and not entry.live:
        text = reasons.policy_lost(gateway)
        ready = _ready(FALSE, Reason.POLICY_UNRESOLVED, text)
        return _build(contract, PENDING, ready, gateway=gateway, at=case.now)
    if not case.serves(gateway):
        if contract.status.phase and case.heals(gateway) and case.view.now < case.loss_said_at(gateway):
            return contract.status
        if not case.heals(gateway):
            text = reasons.contract_drifted(gateway)
            return _build(contract, PENDING, _ready(FALSE, Reason.DRIFTED, text), gateway=gateway, at=case.now)
        text = reasons.gateway_reset(gateway)
        return _build(contract, PENDING, _ready(FALSE, Reason.GATEWAY_RESET, text), gateway=gateway, at=case.now)
    exact = (entry.plan, api) == (contract.plan, contract.api)
    if verdict.state is not VerdictState.VALID:
        ready = _ready(FALSE, verdict.reason, verdict.message)
    elif exact:
        ready = _ready(TRUE, Reason.ACTIVE, reasons.contract_active(api=str(api), plan=entry.plan or "(none)"))
    else:
        text = reasons.contract_changed(plan=entry.plan or "(none)", version=entry.version)
        ready = _ready(FALSE, Reason.UNPUBLISHED_CHANGES, text)
    return _build(
        contract, ACTIVE, ready, accepted=verdict, gateway=gateway, endpoint=endpoint, entry=entry, at=case.now
    )


def _pending(contract: ContractObject, reason: Reason, text: str, *, at: str) -> ContractStatus:
    return _build(contract, PENDING, _ready(FALSE, reason, text), at=at)


def _ready(status: str, reason: str, message: str) -> Condition:
    return Condition(type=conditions.READY, status=status, reason=str(reason), message=message)


def _build(
    contract: ContractObject,
    phase_: str,
    ready: Condition,
    *,
    at: str,
    accepted: Verdict | None = None,
    gateway: str = "",
    endpoint: str = "",
    entry: PublishedContract | None = None,
) -> ContractStatus:
    """Put the status together; what is refused for good is `Stalled` too, as kstatus wants it, also while its former form is still live."""
    rows = [ready]
    if accepted is not None and accepted.state is not VerdictState.VALID:
        rows.append(Condition(type=conditions.ACCEPTED, status=FALSE, reason=accepted.reason, message=accepted.message))
    else:
        rows.append(
            Condition(
                type=conditions.ACCEPTED,
                status=TRUE,
                reason=Reason.ACCEPTED.value,
                message="The Contract is accepted.",
            )
        )
    if phase_ == REJECTED or (accepted is not None and accepted.state is VerdictState.REJECTED):
        rows.append(Condition(type=conditions.STALLED, status=TRUE, reason=ready.reason, message=ready.message))
    return ContractStatus(
        observed_generation=contract.meta.generation,
        phase=phase_,
        conditions=conditions.merge(contract.status.conditions, rows, at=at, generation=contract.meta.generation),
        endpoint=endpoint,
        live_plan=entry.plan if entry is not None else "",
        live_version=entry.version if entry is not None else "",
        gateway=gateway,
    )
