"""One limit in each bucket: who wins, and that nobody's order of arrival or number of objects changes it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.lifecycle.buckets import Placed, resolve
from registrar.lifecycle.chain import effective, siblings
from registrar.lifecycle.decide import decide
from registrar.lifecycle.desired import desired
from registrar.resources.objects import ApiRef, PolicyObject, TargetRef
from registrar.resources.status import canonical
from tests.unit.lifecycle.build import NOW, claim, contract, gateway, meta, objects, policy, view

SHOP = TargetRef("Client", "shop")
ORDERS = TargetRef("Contract", "orders")
GOLD = TargetRef("Plan", "gold", "acme")
API = TargetRef("API", "orders", "acme", "1.0")


def limit(
    name: str, target: TargetRef, *, period: str = "Hour", granularity: str = "Api", number: int = 5, **changes: Any
) -> PolicyObject:
    """A limit, the owner's in the owner's namespace."""
    owner = target.kind in ("Plan", "API")
    config = canonical({"limit": number, "period": period, "granularity": granularity})
    changes.setdefault("namespace", "acme" if owner else "team")
    return policy(name, target=target, config=config, **changes)


def kept(*policies: PolicyObject, beside: tuple[Any, ...] = ()) -> list[str]:
    """The names of the policies that are pushed, in order."""
    found = effective(contract(), policies, gateway(), siblings=beside)
    return [row.policy.meta.name for row in found.kept]


@pytest.mark.parametrize(
    ("policies", "winners"),
    [
        ((limit("mine", ORDERS, order=-9), limit("plan", GOLD)), ["plan"]),
        ((limit("mine", ORDERS, order=-9), limit("api", API)), ["api"]),
        ((limit("plan", GOLD, order=9), limit("api", API, order=-9)), ["plan"]),
        ((limit("mine", SHOP, granularity="Api"), limit("other", ORDERS, order=9)), ["other"]),
        ((limit("b", GOLD), limit("a", GOLD)), ["a"]),
        ((limit("b", GOLD, order=-1), limit("a", GOLD)), ["b"]),
        ((limit("mine", ORDERS), limit("plan", GOLD, type="quota")), ["mine", "plan"]),
        ((limit("mine", SHOP, granularity="Client"), limit("plan", GOLD)), ["mine", "plan"]),
        ((limit("a", SHOP, granularity="Client"), limit("b", SHOP, granularity="Client")), ["a"]),
        ((limit("a", SHOP, granularity="User"), limit("b", SHOP, granularity="Ip")), ["a", "b"]),
        ((policy("list", type="ipAllowList"), policy("more", type="ipAllowList")), ["list", "more"]),
    ],
)
def test_who_wins(policies: tuple[PolicyObject, ...], winners: list[str]) -> None:
    """Fails when a limit counts that must give way, or one is left out that shares its bucket with nobody."""
    assert kept(*policies) == winners


def test_users_share_a_bucket_whatever_the_header() -> None:
    """Fails when two limits for users count apart because their headers differ: the gateway knows the value only."""
    rows = [
        policy(name, config=canonical({"limit": 1, "period": "Hour", "granularity": "User", "userHeader": header}))
        for name, header in (("a", "X-User"), ("b", "X-Other"))
    ]
    assert kept(*rows) == ["a"]


def test_an_owner_who_also_names_a_contract() -> None:
    """Fails when the owner's limit counts as a consumer's because it reaches the contract at a lower level too."""
    both = replace(limit("both", GOLD, namespace="team"), targets=(ORDERS, GOLD), order=9)
    found = effective(
        contract(), (limit("mine", ORDERS), both), gateway(organizations=(claim("acme", "team"),)), siblings=()
    )
    assert [row.policy.meta.name for row in found.kept] == ["both"]


def test_who_does_not_own_the_plan_wins_nothing() -> None:
    """Fails when a stranger's limit on a plan pushes out the owner's, or anybody's."""
    assert kept(limit("stranger", GOLD, namespace="elsewhere"), limit("plan", API)) == ["plan"]


def test_another_version_of_the_api_is_the_same_bucket() -> None:
    """Fails when a consumer lifts the owner's limit on one version by a limit of its own on another one."""
    newer = replace(contract(version="2.0", plan="free"), meta=meta("newer"))
    mine = limit("mine", TargetRef("Contract", "newer"), period="Second")
    both = (mine, limit("plan", GOLD))
    found = effective(newer, both, gateway(), siblings=siblings(newer, (contract(), newer), home="default"))
    assert not found.kept and found.lost[0][1].policy.meta.name == "plan"
    assert kept(*both, beside=(newer,)) == ["plan"]
    clients = limit("clients", SHOP, granularity="Client")
    alone = effective(newer, (clients, limit("q", GOLD, type="quota")), gateway(), siblings=(contract(),))
    assert [row.policy.meta.name for row in alone.kept] == ["clients"]


def test_siblings() -> None:
    """Fails when a Contract elsewhere, gone, or for another API counts as one that shares the bucket."""
    here = contract()
    others = (
        here,
        replace(contract(version="2.0"), meta=meta("same-api")),
        replace(contract(version="3.0", gateway="default"), meta=meta("named-gateway")),
        replace(contract(version="2.0", gateway="second"), meta=meta("elsewhere")),
        replace(contract(version="2.0"), meta=meta("gone", deleting=True)),
        contract("billing"),
    )
    assert [row.meta.name for row in siblings(here, others, home="default")] == ["same-api", "named-gateway"]


def versions(*periods: str, gone: bool = False) -> list[tuple[str, str]]:
    """Verdicts on Contracts for two versions of one API whose owner's limits have these periods."""
    older = replace(contract(), meta=meta("orders", created_at=NOW - 2000))
    newer = replace(contract(version="2.0"), meta=meta("newer"))
    rules = tuple(
        limit(f"v{number}", TargetRef("API", "orders", "acme", f"{number}.0"), period=period, order=number)
        for number, period in enumerate(periods, start=1)
    )
    return [(v.state.value, v.reason) for v in desired(objects(None, older, newer, policies=rules)).verdicts]


def test_owners_limits_on_two_versions() -> None:
    """Fails when a consumer may have two versions of an API whose owner's limits start each other's count anew."""
    assert versions("Hour", "Hour") == [("Valid", ""), ("Valid", "")]
    assert versions("Hour") == [("Valid", ""), ("Valid", "")]
    assert versions("Hour", "Second") == [("Valid", ""), ("Rejected", "Conflicted")]


MANY = (
    limit("p1", GOLD),
    limit("p2", GOLD, period="Day", order=-1),
    limit("a1", API, period="Minute"),
    limit("c1", ORDERS, period="Second", order=-100),
    limit("s1", SHOP, granularity="Client"),
    limit("s2", SHOP, granularity="Client", period="Second", order=-3),
    limit("q1", API, type="quota"),
    limit("q2", ORDERS, type="quota", period="Second"),
    policy("list", type="ipAllowList", config=canonical({"ipList": ["10.0.0.1"]})),
    limit("x1", GOLD, namespace="elsewhere", order=-1000),
)
CONTRACTS = (contract(), contract("billing"), replace(contract(version="2.0"), meta=meta("orders-2", created_at=NOW)))


@given(st.randoms(use_true_random=False))
@settings(max_examples=1000, deadline=None)
def test_a_thousand_orders_of_arrival(source: random.Random) -> None:
    """Fails when the order in which objects arrive shows in the chain, the verdicts or the decision."""
    policies, contracts = list(MANY), list(CONTRACTS)
    source.shuffle(policies)
    source.shuffle(contracts)
    judged = desired(objects(None, *contracts, policies=tuple(policies)))
    assert judged == desired(objects(None, *CONTRACTS, policies=MANY))
    assert (
        decide(view(None, *contracts, policies=tuple(policies))).effect
        == decide(view(None, *CONTRACTS, policies=MANY)).effect
    )
    orders = next(entry for entry in judged.snapshots[0].contracts if entry.name == "orders")
    assert orders.policies == (
        "Client:team/s2",
        "Client:team/list",
        "Plan:acme/p2",
        "API:acme/q1",
    )


@given(st.lists(st.sampled_from(MANY), unique_by=lambda row: row.meta.name))
@settings(max_examples=300, deadline=None)
def test_an_owners_limit_is_never_left_out_for_a_consumers(rows: list[PolicyObject]) -> None:
    """Fails when any set of policies lets a consumer's limit push out the owner's, or leaves a bucket with none."""
    found = effective(contract(), tuple(rows), gateway(), siblings=())
    assert all(winner.owned or not loser.owned for loser, winner in found.lost)
    assert all(winner in found.kept for _, winner in found.lost)


def test_a_policy_without_limits_is_never_lost() -> None:
    """Fails when a rule that counts nothing is taken for a limit."""
    row = Placed(policy(type="caching", config="{}"), "Client", frozenset({"Client"}))
    assert resolve((row, row)).kept == (row, row)


def test_the_apis_name_alone_is_not_enough() -> None:
    """Fails when APIs of the same name in two organizations are taken for one."""
    other = replace(contract(), api=ApiRef("team", "orders", "2.0"), meta=meta("other"))
    assert siblings(contract(), (other,), home="default") == ()
