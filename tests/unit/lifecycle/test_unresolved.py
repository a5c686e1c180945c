"""Policies that can't be resolved: a new contract waits, a published one stays, and nothing is ever open without its chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import LiveContract, LivePolicy, PolicyFact, Push, View
from registrar.lifecycle.recover import recovered
from registrar.resources.objects import PolicyObject, TargetRef
from registrar.resources.status import canonical
from tests.unit.lifecycle.build import (
    absent,
    client,
    contract,
    gateway,
    objects,
    ours,
    policy,
    registered,
    status,
    view,
)

ORDERS = TargetRef("Contract", "orders")
LOGIN = policy("login", type="quota", target=ORDERS, secret_names=("users",))
KNOWN = {("team", "login"): PolicyFact(digest="d1")}
LOST = {("team", "login"): PolicyFact(reason="SecretNotFound", message="mend it")}


def before(*more: PolicyObject) -> View:
    """What orders and billing desire while everything is known."""
    return view(None, contract(), contract("billing"), policies=(LOGIN, *more), policy_facts=KNOWN)


def seen(*policies: PolicyObject, names: tuple[str, ...] = ("orders", "billing"), **changes: Any) -> View:
    """The Client with orders and billing published, now that the Secret is lost."""
    changes.setdefault("policy_facts", LOST)
    changes.setdefault("live", {"default": ours()})
    recorded = status(before())
    return view(client(recorded), *(contract(name) for name in names), policies=(LOGIN, *policies), **changes)


def test_the_digest_stands_in_the_snapshot() -> None:
    """Fails when a changed Secret can't be seen, or what another namespace's Secret holds is told apart by its configuration alone."""
    assert before().desired.snapshots[0].policies[0].digest == "d1"
    plan = TargetRef("Plan", "gold", "acme")
    far = replace(policy("far", target=plan, namespace="acme", type="quota"), secret_names=("s",))
    one, two = (
        view(None, contract(), policies=(far,), policy_facts={("acme", "far"): PolicyFact(digest=digest)})
        for digest in ("d1", "d2")
    )
    assert one.desired.snapshots[0].policies[0].digest != two.desired.snapshots[0].policies[0].digest
    assert one.desired.snapshots[0].policies[0].config == ""


@pytest.mark.parametrize("facts", [{}, LOST])
def test_a_new_contract_waits(facts: dict[tuple[str, str], PolicyFact]) -> None:
    """Fails when a contract is pushed without a policy; a Policy of which nothing is known counts as one that can't be resolved."""
    judged = desired(objects(None, contract(), contract("billing"), policies=(LOGIN,), policy_facts=facts))
    rows = {v.contract.meta.name: (v.state.value, v.reason) for v in judged.verdicts}
    assert rows == {"orders": ("Pending", "PolicyUnresolved"), "billing": ("Valid", "")}
    assert [entry.name for entry in judged.snapshots[0].contracts] == ["billing"]
    assert "team/login" in next(v.message for v in judged.verdicts if v.reason)


def test_a_published_contract_stays() -> None:
    """Fails when a lost Secret is a pending change, or leads to a call of the gateway."""
    now = seen()
    assert case_of(now).pending == ()
    assert not isinstance(decide(now).effect, Push)
    row = next(s for c, s in changed_statuses(case_of(now)) if c.meta.name == "orders")
    assert row.phase == "Active"
    assert (row.conditions[0].status, row.conditions[0].reason) == ("False", "PolicyUnresolved")


def test_others_go_on_beside_it() -> None:
    """Fails when the held contract is taken off, or changed, by a publish of the others."""
    now = seen(names=("orders", "billing", "catalog"))
    snapshot = now.desired.snapshot("default")
    assert [entry.name for entry in snapshot.contracts] == ["billing", "catalog", "orders"]
    assert snapshot.contracts[2] == before().desired.snapshots[0].contracts[1]
    assert [change.message for change in case_of(now).pending] == [
        "ContractAdded catalog: acme/catalog/1.0 on plan gold"
    ]


def test_a_new_policy_that_cannot_be_resolved() -> None:
    """Fails when a published contract gets part of its new chain, or goes, while one Policy of it can't be resolved."""
    more = replace(LOGIN, meta=replace(LOGIN.meta, name="more", uid="uid-more"), type="ipAllowList")
    facts = KNOWN | {("team", "more"): LOST[("team", "login")]}
    now = seen(more, policy_facts=facts)
    assert now.desired.snapshot("default").contracts[1].policies == ("Contract:team/login",)


def test_a_snapshot_of_somebody_else_keeps_nothing_alive() -> None:
    """Fails when a status written by hand can hold a contract without the policies of its chain."""
    recorded = status(before())
    judged = desired(objects(client(recorded), contract(), policies=(LOGIN,), policy_facts=LOST))
    assert judged.snapshots == ()
    empty = {"default": replace(recorded.gateways[0], contracts=())}
    judged = desired(objects(client(recorded), contract(), policies=(LOGIN,), policy_facts=LOST, published=empty))
    assert judged.snapshots == ()


def test_what_is_recovered_is_not_revoked() -> None:
    """Fails when a crash or a wiped status turns a lost Secret into a revocation."""
    live = ours(
        contracts=(
            LiveContract(contract().api, "gold", (LivePolicy("f", "custom", canonical({"implementation": "x"})),)),
        )
    )
    now = view(client(), contract(), policies=(LOGIN,), policy_facts=LOST, live={"default": live})
    found = recovered(now, "default", registered_at="")
    assert [entry.name for entry in found.contracts] == ["orders"]
    assert found.contracts[0].uid == "uid-orders"


UNRENDERABLE = frozenset({"Contract:team/login"})


def test_after_a_reset_only_what_can_be_protected_comes_back() -> None:
    """Fails when a contract is put back without its policy, or the others wait for it."""
    now = seen(live={"default": absent()}, unrenderable=UNRENDERABLE)
    effect = decide(now).effect
    assert isinstance(effect, Push)
    assert {entry.name: entry.live for entry in effect.target.contracts} == {"orders": False, "billing": True}
    recorded = replace(status(before()), gateways=(replace(effect.target, hash="hash", seal="seal"),))
    after = view(
        client(recorded),
        contract(),
        contract("billing"),
        policies=(LOGIN,),
        policy_facts=LOST,
        live={"default": ours()},
        unrenderable=UNRENDERABLE,
    )
    assert not isinstance(decide(after).effect, Push), "it waits"
    row = next(s for c, s in changed_statuses(case_of(after)) if c.meta.name == "orders")
    assert (row.phase, row.conditions[0].reason) == ("Pending", "PolicyUnresolved")
    mended = view(
        client(recorded),
        contract(),
        contract("billing"),
        policies=(LOGIN,),
        policy_facts=KNOWN,
        live={"default": ours()},
    )
    effect = decide(mended).effect
    assert isinstance(effect, Push) and all(entry.live for entry in effect.target.contracts)


def test_a_live_contract_is_not_taken_off_for_it() -> None:
    """Fails when what the gateway has is taken off because it could not be rendered again."""
    now = seen(unrenderable=UNRENDERABLE)
    assert all(entry.live for entry in case_of(now).sendable(now.status.gateways[0]).contracts)


CUSTOM = policy("own", type="custom", config=canonical({"implementation": "class:com.example.Audit"}))


@pytest.mark.parametrize(
    ("allow", "reason"),
    [
        ((), "PolicyUnresolved"),
        (("class:com.example.Other", "class:com.example.Audit2"), "PolicyUnresolved"),
        (("class:com.example.Aud",), "PolicyUnresolved"),
        (("class:com.example.Audit",), ""),
        (("class:com.example.*",), ""),
    ],
)
def test_custom_policies(allow: tuple[str, ...], reason: str) -> None:
    """Fails when code runs on a gateway whose RuntimeGateway does not allow exactly it, or the beginning of its name."""
    asked = objects(None, contract(), policies=(CUSTOM,), gateways=(gateway(custom_policies=allow),))
    asked = replace(asked, renderable={"default": frozenset({"custom"})})
    verdict = desired(asked).verdicts[0]
    assert verdict.reason == reason
    assert not reason or "(NotPermitted)" in verdict.message


def test_a_type_that_the_gateway_cannot_do() -> None:
    """Fails when a contract is pushed without a policy that its gateway has no form for."""
    verdict = desired(objects(None, contract(), policies=(policy(type="caching"),))).verdicts[0]
    assert verdict.reason == "PolicyUnresolved" and "(UnsupportedByGateway)" in verdict.message


def test_a_gateway_that_cannot_be_called() -> None:
    """Fails when lost credentials turn every contract with a policy into one that can't be resolved, or a reregister then drops it."""
    asked = replace(objects(None, contract(), policies=(policy(type="caching"),)), renderable={})
    assert desired(asked).verdicts[0].reason == ""


def test_a_held_contract_and_a_newer_version() -> None:
    """Fails when a contract that is held does not count as one that shares its bucket."""
    day = canonical({"limit": 1, "period": "Day", "granularity": "Api"})
    second = canonical({"limit": 9, "period": "Second", "granularity": "Api"})
    old, new = (
        replace(
            policy(f"v{number}", namespace="acme", target=TargetRef("API", "orders", "acme", f"{number}.0")),
            config=config,
        )
        for number, config in ((1, day), (2, second))
    )
    published = view(None, contract(), policies=(old, LOGIN), policy_facts=KNOWN)
    newer = replace(contract(version="2.0"), meta=replace(contract().meta, name="newer", uid="n", created_at=2e9))
    now = view(client(status(published)), contract(), newer, policies=(old, new, LOGIN), policy_facts=LOST, live={})
    assert [v.reason for v in now.desired.verdicts] == ["PolicyUnresolved", "Conflicted"]


def test_registered_is_used() -> None:
    """Fails when the plain published Client of these tests is no longer quiet: the tests above would prove nothing."""
    assert not isinstance(decide(registered(contract())).effect, Push)
