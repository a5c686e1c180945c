"""What the statuses of Clients and Contracts say, and the rules that hold on every one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses, orphan_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import KeyFact, KeyState, Live, LiveContract, LiveFact, LivePolicy, View, Why
from registrar.lifecycle.report import report
from registrar.resources.objects import ApiRef
from registrar.resources.status import ClientStatus, ContractStatus, LogEntry
from tests.unit.lifecycle.build import (
    NOW,
    absent,
    client,
    contract,
    effected,
    fault,
    foreign,
    gateway,
    ours,
    policy,
    published,
    registered,
    view,
)
from tests.unit.lifecycle.test_phase import TABLE

MISSING: dict[str, Any] = {"default": frozenset({ApiRef("acme", "orders", "1.0")})}
DOWN: dict[str, Any] = {"faults": {"default": fault()}}
BLIP: dict[str, Any] = {"faults": {"default": fault(since=NOW - 1)}}
MORE: dict[str, View] = {
    "paused": registered(contract(), changes_to_client={"paused": True}),
    "key not owned": view(None, contract(), key=KeyFact(KeyState.NOT_OWNED)),
    "key invalid": view(None, contract(), key=KeyFact(KeyState.INVALID)),
    "key in use": view(None, contract(), key=KeyFact(KeyState.IN_USE)),
    "foreign": view(None, contract(), live={"default": foreign()}),
    "down": view(None, contract(), **DOWN),
    "down, unknown": registered(contract(), live={}, **DOWN),
    "blip": registered(contract(), live={}, **BLIP),
    "deleting": registered(contract(), changes_to_client={"deleting": True}, **DOWN),
    "problem": view(client(organization="other"), contract()),
    "no gateway": view(client(), contract(), gateways=()),
    "api gone": registered(contract(), missing_apis=MISSING),
    "apis gone": registered(contract(), missing_apis=MISSING, vanished=frozenset({"default"})),
    "blocked": registered(contract(), live={"default": absent()}, blocked={"default": "leaked"}),
    "drifted": registered(
        contract(), live={"default": ours("x", drift=("it differs",))}, gateways=(gateway(drift_mode="Observe"),)
    ),
    "born retired": view(client(tokens=(("unregister", "x"),)), contract()),
}
ALL = {**{name: row[0] for name, row in TABLE.items()}, **MORE}


@pytest.mark.parametrize("name", ALL)
def test_rules_of_every_status(name: str) -> None:
    """Fails when a status breaks what kstatus and Flux count on."""
    status = report(case_of(ALL[name]))
    rows = {c.type: c for c in status.conditions}
    assert len(rows) == len(status.conditions), "one condition of each type"
    assert "Ready" in rows
    assert not ("Reconciling" in rows and "Stalled" in rows)
    if "Stalled" in rows:
        assert rows["Ready"].status == "False"
    if rows["Ready"].status == "Unknown":
        assert "Reconciling" in rows
    for row in status.conditions:
        assert row.observed_generation == status.observed_generation == 1
        assert row.reason and row.message and row.transitioned_at
    assert ClientStatus.parse(status.to_json()).to_json() == status.to_json()


@pytest.mark.parametrize("name", ALL)
def test_a_status_is_stable(name: str) -> None:
    """Fails when the same facts give another status the next second: the operator would write for ever."""
    seen = ALL[name]
    first = report(case_of(seen))
    again = replace(seen, status=first, now=seen.now + 1)
    second = report(case_of(again))
    times = {"conditions"} if name in ("down",) else set()
    assert {k: v for k, v in second.to_json().items() if k not in times} == {
        k: v for k, v in first.to_json().items() if k not in times
    }


@pytest.mark.parametrize(
    ("name", "ready", "reason"),
    [
        ("no Contract", "False", "NoContracts"),
        ("no valid Contract", "False", "NoValidContract"),
        ("published, equal, live", "True", "Serving"),
        ("published and different", "True", "ServingPrevious"),
        ("published, equal, lost for longer", "False", "GatewayReset"),
        ("retirement asked for by spec, nothing live", "True", "Retired"),
        ("retired by annotation before", "False", "Retired"),
        ("born retired", "False", "Restored"),
        ("foreign", "False", "AlreadyExists"),
        ("down", "False", "GatewayUnreachable"),
        ("down, unknown", "Unknown", "GatewayUnreachable"),
        ("key in use", "False", "KeyInUse"),
        ("key invalid", "False", "KeyInvalid"),
        ("key not owned", "False", "SecretNotOwned"),
        ("problem", "False", "NotPermitted"),
        ("no gateway", "False", "NoDefaultGateway"),
        ("deleting", "False", "Terminating"),
    ],
)
def test_ready(name: str, ready: str, reason: str) -> None:
    """Fails when the summary says something else than is so."""
    found = next(c for c in report(case_of(ALL[name])).conditions if c.type == "Ready")
    assert (found.status, found.reason) == (ready, reason)


def test_a_milestone_stays_in_the_log() -> None:
    """Fails when twenty noisy changes push out the last registration."""
    noise = tuple(LogEntry(time="t", what="DriftCorrected", outcome="Succeeded") for _ in range(19))
    log = (LogEntry(time="t", what="Registered", outcome="Succeeded"), *noise)
    seen = registered(contract(), changes_to_status={"change_log": log})
    seen = replace(seen, effected={"default": effected(published(seen), Why.CORRECTED)})
    kept = report(case_of(seen)).change_log
    assert (len(kept), kept[0].what) == (20, "Registered")
    quiet = replace(seen, status=replace(seen.status, change_log=noise[:1]))
    assert len(report(case_of(quiet)).change_log) == 2
    none = replace(seen, status=replace(seen.status, change_log=(*noise, *noise[:1])))
    assert len(report(case_of(none)).change_log) == 20


def test_pending_changes_are_bounded() -> None:
    """Fails when a Client with very many changes makes a status that can't be stored."""
    many = tuple(policy(f"p{number}", type="ipAllowList") for number in range(80))
    status = report(case_of(registered(contract(), now_policies=many)))
    assert (len(status.pending), status.pending_truncated) == (64, 16)
    seen = registered(contract(), now_policies=many, changes_to_client={"publish": "Automatic"})
    effect = decide(seen).effect
    assert getattr(effect, "detail", "").endswith("and 72 more")


def contract_status(seen: View, name: str = "orders") -> ContractStatus:
    """What the Contract's status becomes."""
    return next(status for row, status in changed_statuses(case_of(seen)) if row.meta.name == name)


RETIRED: dict[str, Any] = {"gateways": (), "retired_by": "Annotation"}
CONTRACTS: dict[str, tuple[View, str, str]] = {
    "live": (registered(contract()), "Active", "Active"),
    "live with another plan": (
        registered(contract(), now_contracts=(contract(plan="silver"),)),
        "Active",
        "UnpublishedChanges",
    ),
    "live, but invalid by now": (
        registered(contract(), now_contracts=(contract(),), now_policies=(policy(type="odd"),)),
        "Active",
        "PolicyUnresolved",
    ),
    "its API is gone": (registered(contract(), missing_apis=MISSING), "Pending", "ApiNotPublished"),
    "lost": (registered(contract(), live={"default": absent(since=NOW - 60)}), "Pending", "GatewayReset"),
    "apis gone": (
        registered(contract(), missing_apis=MISSING, vanished=frozenset({"default"})),
        "Pending",
        "ApisMissing",
    ),
    "blocked": (registered(contract(), blocked={"default": "leaked"}), "Pending", "Blocked"),
    "first": (view(None, contract()), "Pending", "NotYetLive"),
    "rejected": (view(None, contract(), missing_apis=MISSING), "Rejected", "ApiNotPublished"),
    "waiting": (
        registered(contract("billing"), now_contracts=(contract("billing"), contract())),
        "Pending",
        "UnpublishedChanges",
    ),
    "retired": (
        registered(contract(), live={"default": absent()}, changes_to_status=RETIRED),
        "Pending",
        "ClientRetired",
    ),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_contracts(name: str) -> None:
    """Fails when a Contract says that it is live and is not, or hides why not."""
    seen, phase, reason = CONTRACTS[name]
    status = contract_status(seen)
    ready = status.conditions[0]
    assert (status.phase, ready.reason) == (phase, reason)
    assert (ready.status == "True") == (reason == "Active")
    assert ContractStatus.parse(status.to_json()) == status


def test_a_contract_keeps_its_status_while_nothing_is_known() -> None:
    """Fails when a gateway that can't be read makes live Contracts look dead."""
    assert changed_statuses(case_of(registered(contract(), live={}))) == ()
    known = replace(contract(), status=contract_status(registered(contract())))
    blip = registered(contract(), now_contracts=(known,), live={"default": absent(since=NOW - 1)})
    assert changed_statuses(case_of(blip)) == ()


def test_orphans() -> None:
    """Fails when a Contract without a Client says nothing, or says it twice."""
    gone = replace(contract("b"), meta=replace(contract("b").meta, deleting=True))
    rows = orphan_statuses((contract(), gone), now=NOW)
    assert [(row.meta.name, status.conditions[0].reason) for row, status in rows] == [("orders", "ClientNotFound")]
    assert orphan_statuses((replace(contract(), status=rows[0][1]),), now=NOW + 5) == ()


def test_taking_over_what_the_gateway_has() -> None:
    """Fails when a registration under our key is described as something else than it is."""
    limit = policy()
    before = view(None, contract(), policies=(limit,))
    wanted = before.desired.snapshots[0].policies[0]
    found = LiveFact(
        state=Live.OURS,
        digest="hash",
        contracts=(
            LiveContract(
                contract().api,
                "gold",
                (LivePolicy("f1", "rateLimit", wanted.config), LivePolicy("odd", "custom", "{}")),
            ),
            LiveContract(ApiRef("acme", "gone", "1.0"), "gold", (LivePolicy("f1", "rateLimit", wanted.config),)),
        ),
        since=NOW - 60,
    )
    seen = replace(before, live={"default": found}, fingerprints={("default", wanted.id): "f1"})
    snapshot = case_of(seen).published["default"]
    assert [(c.name, c.uid) for c in snapshot.contracts] == [
        ("acme/gone/1.0", "Found:acme/gone/1.0"),
        ("orders", "uid-orders"),
    ]
    orders = next(c for c in snapshot.contracts if c.name == "orders")
    assert orders.policies == (wanted.id, "Found:acme/orders/1.0/1")
    effect: Any = decide(seen).effect
    assert (effect.why, [c.name for c in effect.target.contracts]) == (Why.REVOKED, ["orders"])


def test_a_snapshot_that_nobody_signed_is_not_believed() -> None:
    """Fails when a forged status is healed onto a gateway."""
    seen = registered(contract(), live={"default": absent(since=NOW - 60)})
    forged = replace(seen, live={"default": replace(absent(), genuine=False)})
    assert case_of(forged).published["default"].empty
    found = ours("hash", genuine=False, contracts=(LiveContract(contract().api, "silver", ()),))
    taken = case_of(replace(seen, live={"default": found})).published["default"]
    assert [c.plan for c in taken.contracts] == ["silver"]


def test_a_gateway_of_its_own_without_default() -> None:
    """Fails when a Client that names a gateway is not placed there."""
    seen = view(client(gateway="second"), contract(), gateways=(gateway(), gateway("second", default=False)))
    assert case_of(seen).gateways == ("second",)
