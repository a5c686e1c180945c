"""The status of a RuntimeGateway, computed from what the keeper knows.

Invariants: equal facts give an equal status. What this module deliberately does not do: look at a gateway, or write.
"""

from __future__ import annotations

from typing import Any

from registrar.lifecycle.model import Fault
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, UNKNOWN, Condition, parse_conditions
from registrar.resources.objects import GatewayObject
from registrar.resources.reasons import Reason
from registrar.resources.times import timestamp


def gateway_status(
    gateway: GatewayObject,
    *,
    credentials: bool,
    namespace: str,
    fault: Fault | None,
    version: str,
    expected: int,
    healing: int,
    foreign: int,
    missing: int,
    now: float,
    vanished: bool = False,
    owed: int = 0,
    holding: int = 0,
) -> dict[str, Any]:
    """The whole status as JSON.

    `credentials` says whether the credentials Secret in `namespace` is complete; `expected`, `healing` and `foreign` count
    registrations; `missing` counts APIs, and `vanished` says that they are so many that the gateway is what is wrong; `now` is in seconds since the epoch.
    `owed` counts what is still to be taken off, `holding` the Clients that a deletion of the RuntimeGateway waits for.
    """
    rows = _conditions(
        gateway,
        credentials=credentials,
        namespace=namespace,
        fault=fault,
        expected=expected,
        healing=healing,
        missing=missing,
        vanished=vanished,
    )
    if gateway.meta.deleting and holding:
        rows = deletion_waits(rows, name=gateway.meta.name, count=holding)
    merged = conditions.merge(
        parse_conditions(gateway.raw_status.get("conditions") or ()),
        rows,
        at=timestamp(now),
        generation=gateway.meta.generation,
    )
    status: dict[str, Any] = {
        "observedGeneration": gateway.meta.generation,
        "conditions": [condition.to_json() for condition in merged],
        "clients": {"ours": expected - healing, "foreign": foreign, "expected": expected, "healing": healing},
        "owed": {"count": owed},
    }
    return status | ({"version": version} if version else {})


def _conditions(
    gateway: GatewayObject,
    *,
    credentials: bool,
    namespace: str,
    fault: Fault | None,
    expected: int,
    healing: int,
    missing: int,
    vanished: bool,
) -> tuple[Condition, ...]:
    name = gateway.meta.name
    if not credentials:
        text = reasons.credentials_missing(name=gateway.credentials_secret, namespace=namespace)
        return (
            _row(conditions.READY, FALSE, Reason.CREDENTIALS_MISSING, text),
            _row(conditions.REACHABLE, UNKNOWN, Reason.CREDENTIALS_MISSING, text),
            _row(conditions.AUTHENTICATED, FALSE, Reason.CREDENTIALS_MISSING, text),
            # The Secret may come in the same rollout; it is picked up when it does.
            _row(conditions.RECONCILING, TRUE, Reason.CREDENTIALS_MISSING, text),
        )
    if fault is not None:
        text = reasons.gateway_fault(fault.value, name)
        reached = fault in (Fault.UNAUTHORIZED, Fault.THROTTLED, Fault.REFUSED)
        return (
            _row(conditions.READY, FALSE, fault.value, text),
            _row(conditions.REACHABLE, TRUE if reached else FALSE, fault.value, text),
            _row(conditions.AUTHENTICATED, FALSE if fault is Fault.UNAUTHORIZED else UNKNOWN, fault.value, text),
            _row(conditions.RECONCILING, TRUE, fault.value, text),
        )
    fine = (
        _row(conditions.REACHABLE, TRUE, Reason.REACHABLE, reasons.GATEWAY_READY),
        _row(conditions.AUTHENTICATED, TRUE, Reason.AUTHENTICATED, reasons.GATEWAY_READY),
    )
    if vanished:
        text = reasons.apis_missing(missing)
        return (_row(conditions.READY, FALSE, Reason.APIS_MISSING, text), *fine)
    if healing and gateway.drift_mode != "Correct":
        text = reasons.registrations_gone(gone=healing, total=expected)
        return (_row(conditions.READY, FALSE, Reason.DRIFTED, text), *fine)
    if healing:
        text = reasons.healing(done=expected - healing, total=expected)
        return (
            _row(conditions.READY, FALSE, Reason.HEALING, text),
            *fine,
            _row(conditions.RECONCILING, TRUE, Reason.HEALING, text),
        )
    if missing:
        return (
            _row(conditions.READY, TRUE, Reason.READY, f"{reasons.GATEWAY_READY} {reasons.apis_missing(missing)}"),
            *fine,
        )
    return (_row(conditions.READY, TRUE, Reason.READY, reasons.GATEWAY_READY), *fine)


def deletion_waits(rows: tuple[Condition, ...], *, name: str, count: int) -> tuple[Condition, ...]:
    """The conditions of a RuntimeGateway whose deletion waits: Ready says for whom; the rest stays as it is."""
    text = reasons.gateway_in_use(name=name, count=count)
    kept = [row for row in rows if row.type not in (conditions.READY, conditions.RECONCILING, conditions.STALLED)]
    return (
        _row(conditions.READY, FALSE, Reason.GATEWAY_IN_USE, text),
        *kept,
        _row(conditions.RECONCILING, TRUE, Reason.GATEWAY_IN_USE, text),
    )


def _row(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=type_, status=status, reason=str(reason), message=message)
