"""Immediate policies: what is published gets them anew at once, and nothing else of it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.immediate import with_immediate, words
from registrar.lifecycle.model import KeyFact, KeyState, LiveContract, Push, Unregister, View, Why
from registrar.resources.objects import ContractObject, PolicyObject, TargetRef
from registrar.resources.status import Snapshot, canonical
from tests.unit.lifecycle.build import (
    absent,
    claim,
    client,
    contract,
    gateway,
    objects,
    ours,
    policy,
    published,
    registered,
    view,
)
from tests.unit.lifecycle.steps import at_rest

LISTS: dict[str, Any] = {"type": "ipAllowList", "config": canonical({"ipList": ["10.0.0.1"]})}
"""Policies of which a chain may have many."""
GOLD = TargetRef("Plan", "gold", "acme")
ORDERS = TargetRef("API", "orders", "acme")
OWNED = (gateway(organizations=(claim("acme", "owner"), claim("team", "team"))),)


def owners(name: str = "plan-limit", *, limit: int = 100, target: TargetRef = GOLD, **changes: Any) -> PolicyObject:
    """A limit of the API owner's, from the owner's namespace."""
    config = canonical({"limit": limit, "period": "Minute", "granularity": "Api"})
    return policy(name, target=target, namespace="owner", **({"config": config} | changes))


def before(*policies: PolicyObject, contracts: tuple[ContractObject, ...] = ()) -> Snapshot:
    """What was published with these policies."""
    return published(view(None, *(contracts or (contract(),)), policies=policies, gateways=OWNED))


def after(
    snapshot: Snapshot, *policies: PolicyObject, contracts: tuple[ContractObject, ...] = (), **changes: Any
) -> Snapshot:
    """The same with what is Immediate now."""
    found = objects(None, *(contracts or (contract(),)), policies=policies, gateways=OWNED, **changes)
    return with_immediate(snapshot, found)


def chains(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """The policies of each contract."""
    return {entry.name: entry.policies for entry in snapshot.contracts}


def test_nothing_changed_is_the_same_snapshot() -> None:
    """Fails when every pass finds something to roll out."""
    mine, plan = policy(), owners()
    snapshot = before(mine, plan)
    assert after(snapshot, plan, mine) is snapshot


def test_added() -> None:
    """Fails when a new owner's limit waits for a publish, or stands in the wrong place."""
    mine, on_api = policy(), owners("api-limit", target=ORDERS, type="quota")
    target = after(before(mine, on_api), mine, on_api, owners())
    assert chains(target) == {
        "orders": ("Client:team/limit", "Plan:owner/plan-limit", "API:owner/api-limit"),
    }
    assert [p.digest != "" for p in target.policies] == [True, False, True]


def test_changed() -> None:
    """Fails when a changed owner's limit waits, or carries the consumer's unpublished change with it."""
    snapshot = before(policy(), owners())
    target = after(snapshot, policy(limit=5), owners(limit=1))
    assert [p.id for p in target.policies] == [p.id for p in snapshot.policies]
    same = {p.id for p, q in zip(target.policies, snapshot.policies, strict=True) if p == q}
    assert same == {"Client:team/limit"}


def test_deleted() -> None:
    """Fails when a deleted Immediate policy stays, or one that waits goes with it."""
    target = after(before(policy(), owners()), owners(deleting=True))
    assert chains(target) == {"orders": ("Client:team/limit",)}


def test_retargeted() -> None:
    """Fails when a policy that no longer reaches a contract stays on it, or does not come to another one."""
    both = (contract("orders"), contract("billing"))
    snapshot = before(owners(target=ORDERS), contracts=both)
    moved = owners(target=TargetRef("API", "billing", "acme"))
    assert chains(snapshot) == {"billing": (), "orders": ("API:owner/plan-limit",)}
    assert chains(after(snapshot, moved, contracts=both)) == {"billing": ("API:owner/plan-limit",), "orders": ()}


def test_the_published_plan_counts() -> None:
    """Fails when an unpublished change of the plan or version decides which owner's limits apply."""
    snapshot = before(owners())
    silver = owners("silver-limit", target=TargetRef("Plan", "silver", "acme"))
    target = after(snapshot, owners(limit=1), silver, contracts=(contract(plan="silver", version="2.0"),))
    assert chains(target) == {"orders": ("Plan:owner/plan-limit",)}
    assert (target.contracts[0].plan, target.contracts[0].version) == ("gold", "1.0")


def test_a_policy_that_becomes_immediate() -> None:
    """Fails when a switch to Immediate leaves the old one beside the new one, or leaves it to be kept once it is deleted."""
    waits = owners(rollout="OnPublish")
    snapshot = before(waits)
    target = after(snapshot, owners(limit=7))
    assert chains(target) == {"orders": ("Plan:owner/plan-limit",)}
    assert target.policies[0].rollout == "Immediate"
    relabelled = after(snapshot, owners())
    assert relabelled.policies[0].rollout == "Immediate"
    assert words(snapshot, relabelled) == "the rollout of a Policy changed"
    assert chains(after(relabelled)) == {"orders": ()}


def test_a_policy_that_begins_to_wait() -> None:
    """Fails when a change that came with the switch to OnPublish is rolled out."""
    snapshot = before(owners())
    assert after(snapshot, owners(limit=7, rollout="OnPublish")) is snapshot


def test_a_policy_that_moves_to_another_level() -> None:
    """Fails when a policy that was on the Client and is now on the plan counts twice."""
    mine = policy("limit", namespace="team", target=TargetRef("Client", "shop"))
    own = (gateway(organizations=(claim("acme", "team"),)),)
    snapshot = published(view(None, contract(), policies=(mine,), gateways=own))
    moved = replace(mine, targets=(GOLD,))
    target = with_immediate(snapshot, objects(None, contract(), policies=(moved,), gateways=own))
    assert chains(target) == {"orders": ("Plan:team/limit",)}


def test_order_within_a_level() -> None:
    """Fails when an Immediate policy does not find its place between those that wait."""
    first, last = (owners(f"w{n}", order=n, rollout="OnPublish", **LISTS) for n in (1, 9))
    target = after(before(first, last), first, last, owners("mid", order=5, **LISTS), owners("end", order=20, **LISTS))
    assert chains(target)["orders"] == ("Plan:owner/w1", "Plan:owner/mid", "Plan:owner/w9", "Plan:owner/end")


def test_what_no_object_explains_stays_beside_its_neighbour() -> None:
    """Fails when surgery loses or moves a policy that was found on the gateway."""
    snapshot = before(policy())
    found = replace(snapshot.policies[0], id="Found:acme/orders/1.0/1", source="Found")
    entry = replace(snapshot.contracts[0], policies=("Client:team/limit", found.id))
    snapshot = replace(snapshot, policies=(*snapshot.policies, found), contracts=(entry,))
    target = after(snapshot, policy(), owners())
    assert chains(target)["orders"] == ("Client:team/limit", found.id, "Plan:owner/plan-limit")


ODD: dict[str, Any] = {"type": "odd"}


def test_a_published_limit_of_the_consumer_gives_way() -> None:
    """Fails when an owner's new limit bites beside a consumer's in the same bucket, which would start its count anew."""
    target = TargetRef("Contract", "orders")
    config = canonical({"limit": 1_000_000, "period": "Second", "granularity": "Api"})
    mine = policy("mine", target=target, config=config)
    assert chains(after(before(mine), mine, owners())) == {"orders": ("Plan:owner/plan-limit",)}
    # The consumer has deleted its Policy, and not published that yet.
    assert chains(after(before(mine), owners())) == {"orders": ("Plan:owner/plan-limit",)}
    apart = policy("mine", target=target, config=config, type="quota")
    assert chains(after(before(apart), apart, owners())) == {"orders": ("Contract:team/mine", "Plan:owner/plan-limit")}


def test_what_cannot_be_rendered_changes_nothing() -> None:
    """Fails when an unrenderable Immediate policy opens a contract, closes it, or lets the deletion of another limit through."""
    snapshot = before(owners())
    assert after(snapshot, owners("broken", **ODD)) is snapshot
    assert after(snapshot, owners(), owners("broken", **ODD)) is snapshot


def test_what_cannot_be_rendered_holds_up_only_its_own() -> None:
    """Fails when a broken policy on one API keeps the limits of another one from biting."""
    both = (contract("orders"), contract("billing"))
    snapshot = before(contracts=both)
    limit = owners("b", target=TargetRef("API", "billing", "acme"))
    target = after(snapshot, limit, owners("broken", target=ORDERS, **ODD), contracts=both)
    assert chains(target) == {"billing": ("API:owner/b",), "orders": ()}


def test_one_policy_has_one_configuration() -> None:
    """Fails when a snapshot says of a policy what only one of its contracts has."""
    both = (contract("orders"), contract("billing"))
    snapshot = before(owners(), contracts=both)
    target = after(snapshot, owners(limit=1), owners("broken", target=ORDERS, **ODD), contracts=both)
    assert target is snapshot


def test_no_contract_object_no_change() -> None:
    """Fails when a published contract without a Contract gets a new chain: it is about to be revoked."""
    snapshot = before(owners())
    found = objects(None, policies=(owners(limit=1),), gateways=OWNED)
    assert with_immediate(snapshot, found) is snapshot
    assert with_immediate(snapshot, replace(found, gateways={})) is snapshot


# The rule ------------------------------------------------------------------------------------------------------------

ALL: dict[str, Any] = {"rollout": "Immediate"}


def rolled(**changes: Any) -> View:
    """A registered Client whose Immediate limit was tightened, with a plain change besides."""
    both = (policy("now", **ALL), policy("later", type="quota"))
    now = (policy("now", limit=1, **ALL), policy("later", limit=2, type="quota"))
    return registered(contract(), policies=both, now_policies=now, **changes)


def test_it_does_not_wait() -> None:
    """Fails when an Immediate change waits, for the settle time or a token, or publishes another one."""
    seen = rolled(settled_at=2e9)
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.surgery and effect.why is Why.ROLLED_OUT
    assert effect.detail == "PolicyChanged now: rateLimit.limit 100 -> 1"
    assert {p.id: '"limit":100' in p.config for p in effect.target.policies} == {
        "Client:team/later": True,
        "Client:team/now": False,
    }
    assert effect.base == seen.status.snapshot("default")


def test_it_is_not_pending_once_pushed() -> None:
    """Fails when an Immediate change is shown as unpublished, or the other one is not."""
    seen = rolled()
    effect = decide(seen).effect
    assert isinstance(effect, Push)
    status = replace(seen.status, gateways=(replace(effect.target, hash="new"),))
    seen = replace(seen, status=status, live={"default": ours("new")})
    decision = decide(seen)
    assert [p.subject for p in decision.status.pending] == ["later"]


@pytest.mark.parametrize(
    "changes",
    [
        {"changes_to_client": {"paused": True}},
        {"changes_to_client": {"state": "Retired"}},
        {"key": KeyFact(KeyState.INVALID)},
        {"blocked": {"default": "leak"}, "live": {"default": absent()}},
        {"gateways": (gateway(drift_mode="Observe"),), "live": {"default": absent()}},
        {"missing_apis": {"default": frozenset({contract().api})}},
        {"live": {"default": absent()}, "objects": None},
    ],
    ids=["paused", "retired", "no-key", "blocked", "lost-and-observed", "api-gone", "no-objects"],
)
def test_it_is_not_rolled_out(changes: dict[str, Any]) -> None:
    """Fails when something is pushed that must not be."""
    seen = rolled(**changes)
    if "objects" in changes:
        seen = replace(seen, objects=None)
    effect = decide(seen).effect
    assert not (isinstance(effect, Push) and effect.why is Why.ROLLED_OUT)


def test_a_lost_registration_comes_back_with_it() -> None:
    """Fails when a lost registration is put back with a limit that its owner has deleted since."""
    effect = decide(rolled(live={"default": absent()})).effect
    assert isinstance(effect, Push) and (effect.why, effect.surgery) == (Why.ROLLED_OUT, False)


def test_automatic_never_takes_down() -> None:
    """Fails when publish: Automatic drops a published contract because a policy of its chain can't be rendered."""
    seen = registered(
        contract(),
        now_policies=(policy("broken", **ODD),),
        changes_to_client={"publish": "Automatic"},
    )
    assert decide(seen).status.pending == ()
    assert not isinstance(decide(at_rest(seen)).effect, Push | Unregister)


def test_automatic_never_takes_down_what_was_taken_over() -> None:
    """Fails when a lost status and a Policy that can't be resolved together cost a contract that is live."""
    both = (contract("billing"), contract("orders"))
    live = tuple(LiveContract(c.api, c.plan, ()) for c in both)
    broken = policy("broken", target=TargetRef("Contract", "orders"), **ODD)
    seen = view(
        client(publish="Automatic"), *both, policies=(broken,), live={"default": replace(ours(), contracts=live)}
    )
    seen = at_rest(seen)
    assert [change.type for change in decide(seen).status.pending] == ["ContractRemoved"]
    assert not isinstance(decide(seen).effect, Push | Unregister)


def test_words_are_bounded() -> None:
    """Fails when the change log holds a line for each of a hundred policies."""
    many = tuple(owners(f"p{n:02}", **LISTS) for n in range(12))
    assert words(before(), after(before(), *many)).endswith("; and 4 more")
