"""What a Contract's status announces beside its standing: that its API is deprecated, and that it will end.

`Deprecated` and `Expiring` are there while they are true and absent otherwise. Each is an Event too, once: with the status write that brings it or that changes
what it says, so a restart repeats none.

Invariants: equal facts give equal conditions; a time in a message is one of a spec, never the present.
What this module deliberately does not do: change how a Contract stands; an announcement opens and closes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from registrar.lifecycle.case import Case
from registrar.lifecycle.expiry import expiring
from registrar.lifecycle.grants import deprecation
from registrar.lifecycle.model import Notice, Verdict
from registrar.resources import conditions, reasons
from registrar.resources.conditions import TRUE, Condition
from registrar.resources.objects import ApiRef, ContractObject
from registrar.resources.reasons import Reason
from registrar.resources.status import ContractStatus
from registrar.resources.times import timestamp

ANNOUNCEMENTS = (conditions.DEPRECATED, conditions.EXPIRING)
_TAKEN_AWAY = frozenset({Reason.EXPIRED, Reason.NOT_GRANTED, Reason.UNKNOWN_PLAN})


def announced(case: Case, verdict: Verdict, status: ContractStatus) -> ContractStatus:
    """The status with the announcements of the moment."""
    contract = verdict.contract
    rows = list(_announcements(case, verdict))
    if not rows or status is contract.status:
        return status
    merged = conditions.merge(contract.status.conditions, rows, at=case.now, generation=contract.meta.generation)
    return replace(status, conditions=(*status.conditions, *merged))


def _announcements(case: Case, verdict: Verdict) -> Iterator[Condition]:
    contract = verdict.contract
    if case.view.access.grants:
        api, plan = _in_use(case, verdict)
        grant = deprecation(case.view.access, verdict.gateway, api, plan)
        if grant is not None:
            text = reasons.api_deprecated(api=str(api), sunset=grant.sunset, replaced_by=grant.replaced_by)
            yield Condition(conditions.DEPRECATED, TRUE, Reason.API_DEPRECATED, text)
    if contract.expires_at is not None and expiring(contract, now=case.view.now):
        yield Condition(
            conditions.EXPIRING, TRUE, Reason.EXPIRING, reasons.contract_expiring(timestamp(contract.expires_at))
        )


def _in_use(case: Case, verdict: Verdict) -> tuple[ApiRef, str]:
    """The API version and plan that are published, or that the spec asks for while nothing is."""
    contract = verdict.contract
    snapshot = case.published.get(verdict.gateway)
    entry = next((e for e in snapshot.contracts if e.uid == contract.meta.uid), None) if snapshot else None
    if entry is None:
        return contract.api, contract.plan
    return ApiRef(entry.organization, entry.api, entry.version), entry.plan


def contract_notices(contract: ContractObject, new: ContractStatus) -> tuple[Notice, ...]:
    """The Events that go with a Contract's new status: an announcement that is new or says something else, and an access that ended."""
    old = contract.status
    said = {row.type: row.message for row in old.conditions}
    made = [
        Notice(row.reason, row.message, warning=True)
        for row in new.conditions
        if row.type in ANNOUNCEMENTS and said.get(row.type) != row.message
    ]
    ready = conditions.find(new.conditions, conditions.READY)
    before = conditions.find(old.conditions, conditions.READY)
    if ready is not None and before is not None and ready.reason in _TAKEN_AWAY and ready.reason != before.reason:
        made.append(Notice(ready.reason, ready.message, warning=True))
    return tuple(made)
