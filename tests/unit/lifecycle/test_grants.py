"""Who may use which API: the rules of APIGrants, one by one, for what is asked and for what is published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import LiveContract, LiveFact, Push, Unregister, View, Why, WriteStatus
from registrar.lifecycle.report import report
from registrar.resources.objects import ApiRef, ContractObject, GrantObject
from registrar.resources.selectors import Selector
from registrar.resources.status import ContractStatus
from tests.unit.lifecycle.build import (
    NOW,
    claim,
    client,
    contract,
    gateway,
    grant,
    ours,
    policy,
    published,
    registered,
    status,
    view,
)

GRANTED = (gateway(contracts="Granted"),)
OWN = contract(api=ApiRef("team", "orders", "1.0"))
OWNERS = gateway(contracts="Granted", organizations=(claim("acme", "acme-a", "acme-b"),))
SELECTED = Selector(labels=(("team", "shop"),))


def own(*, plans: tuple[str, ...] = ("gold",), **changes: Any) -> GrantObject:
    """A grant of the Client's own namespace for its own API."""
    return grant(namespace="team", plans=plans, **changes)


TABLE: dict[str, tuple[ContractObject, tuple[GrantObject, ...], str]] = {
    "no grant": (contract(), (), "NotGranted"),
    "granted": (contract(), (grant(),), ""),
    "another API": (contract(), (grant(api="billing"),), "NotGranted"),
    "this version": (contract(), (grant(versions=("0.9", "1.0")),), ""),
    "another version": (contract(), (grant(versions=("2.0",)),), "NotGranted"),
    "another namespace": (contract(), (grant(namespaces=frozenset({"mobile"})),), "NotGranted"),
    "another plan": (contract(plan="gld"), (grant(),), "UnknownPlan"),
    "the plan of a second grant": (contract(plan="silver"), (grant(), grant("b", plans=("silver",))), ""),
    "the plan of a grant for others": (
        contract(plan="silver"),
        (grant(), grant("b", plans=("silver",), namespaces=frozenset({"mobile"}))),
        "UnknownPlan",
    ),
    "the plan of another version": (
        contract(plan="silver"),
        (grant(), grant("b", plans=("silver",), versions=("2.0",))),
        "UnknownPlan",
    ),
    "being deleted": (contract(), (grant(deleting=True),), "NotGranted"),
    "by a stranger": (contract(), (grant(namespace="mobile", organization="acme"),), "NotGranted"),
    "by a stranger, with another that counts": (contract(), (grant(namespace="x", organization="acme"), grant()), ""),
    "by the consumer itself": (contract(), (grant(namespace="team", organization="acme"),), "NotGranted"),
    "by name of the organization": (contract(), (grant(organization="acme"),), ""),
    "selected": (contract(), (grant(namespaces=frozenset(), selector=SELECTED),), ""),
    "every namespace": (contract(), (grant(namespaces=frozenset(), selector=Selector()),), ""),
    "not selected": (
        contract(),
        (grant(namespaces=frozenset(), selector=Selector(labels=(("team", "x"),))),),
        "NotGranted",
    ),
    "its own": (OWN, (), ""),
    "its own, on any plan while no grant names the API": (replace(OWN, plan="gld"), (), ""),
    "its own, on a plan that a grant names for others": (OWN, (own(namespaces=frozenset({"mobile"})),), ""),
    "its own, misspelled": (replace(OWN, plan="gld"), (own(namespaces=frozenset({"mobile"})),), "UnknownPlan"),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_asked(name: str) -> None:
    """Fails when a Contract is let through that nobody granted, or refused that somebody did."""
    asked, grants, reason = TABLE[name]
    seen = view(None, asked, gateways=GRANTED, grants=grants, labels={"team": "shop"})
    assert [v.reason for v in seen.desired.verdicts] == [reason]
    assert bool(seen.desired.snapshots) == (reason == "")
    assert isinstance(decide(seen).effect, Push) == (reason == "")


def test_any() -> None:
    """Fails when contracts: Any asks for a grant."""
    assert view(None, contract(plan="anything")).desired.verdicts[0].reason == ""


def test_owners_by_an_entry() -> None:
    """Fails when the namespace of an organization's name counts though an entry names others, or a grant of several organizations counts."""
    by_name = view(None, contract(), gateways=(OWNERS,), grants=(grant(namespace="acme", organization="acme"),))
    assert by_name.desired.verdicts[0].reason == "NotGranted"
    by_entry = view(None, contract(), gateways=(OWNERS,), grants=(grant(namespace="acme-b"),))
    assert by_entry.desired.verdicts[0].reason == ""
    two = gateway(contracts="Granted", organizations=(claim("acme", "acme-a"), claim("other", "acme-a")))
    unclear = view(None, contract(), gateways=(two,), grants=(grant(namespace="acme-a"),))
    assert unclear.desired.verdicts[0].reason == "NotGranted"


def test_a_misspelled_plan_is_told_the_right_ones() -> None:
    """Fails when the message does not say what would do, or grows without bound."""
    found = view(None, contract(plan="gld"), gateways=GRANTED, grants=(grant(plans=("silver", "gold")),))
    assert "named are: gold, silver. Correct spec.plan" in found.desired.verdicts[0].message
    many = tuple(f"p{number:02}" for number in range(40))
    found = view(None, contract(plan="gld"), gateways=GRANTED, grants=(grant(plans=many),))
    assert "p15 and 24 more." in found.desired.verdicts[0].message


# Withdrawal ----------------------------------------------------------------------------------------------------------


def live(*contracts: ContractObject, **changes: Any) -> View:
    """A Client on which these are published and live, on a gateway that wants grants."""
    changes.setdefault("gateways", GRANTED)
    return registered(*contracts, **changes)


BOTH = (contract("billing"), contract("orders"))


def test_withdrawal_is_surgery() -> None:
    """Fails when a withdrawn grant waits for a publish, or takes other changes or other contracts with it."""
    seen = live(*BOTH, policies=(policy(),), now_policies=(policy(limit=5),), grants=(grant(),))
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.surgery and effect.why is Why.REVOKED
    assert [entry.name for entry in effect.target.contracts] == ["orders"]
    assert '"limit":100' in effect.target.policies[0].config
    assert effect.detail == "contract billing taken off: it is no longer granted"


@pytest.mark.parametrize("publish", ["Manual", "Automatic"])
@pytest.mark.parametrize("paused", [True, False])
def test_the_last_grant(publish: str, paused: bool) -> None:
    """Fails when a mode or a pause keeps a withdrawn grant alive."""
    seen = live(contract(), changes_to_client={"publish": publish, "paused": paused})
    detail = "contract orders taken off: it is no longer granted"
    assert decide(seen).effect == Unregister("default", Why.REVOKED, detail)


WITHDRAWN: dict[str, tuple[tuple[GrantObject, ...], bool]] = {
    "nothing changed": ((grant(),), False),
    "the plan is gone": ((grant(plans=("silver",)),), True),
    "the version is gone": ((grant(versions=("2.0",)),), True),
    "the namespace is gone": ((grant(namespaces=frozenset({"mobile"})),), True),
    "the label is gone": ((grant(namespaces=frozenset(), selector=SELECTED),), True),
    "being deleted": ((grant(deleting=True),), True),
    "another one stays": ((grant(deleting=True), grant("b")), False),
    "by a stranger": ((grant(namespace="mobile", organization="acme"),), True),
}


@pytest.mark.parametrize("name", WITHDRAWN)
def test_what_withdraws(name: str) -> None:
    """Fails when a published contract outlives its grant, or dies with one that still stands."""
    grants, gone = WITHDRAWN[name]
    assert isinstance(decide(live(contract(), grants=grants)).effect, Unregister) is gone


def test_it_is_judged_on_what_is_published() -> None:
    """Fails when an edit to a plan that is not granted takes the old one off, or when one to a granted plan keeps a withdrawn one alive."""
    edited = live(contract(), now_contracts=(contract(plan="silver"),), grants=(grant(),))
    decision = decide(edited)
    assert decision.effect == WriteStatus()
    assert decision.status.phase == "UnpublishedChanges"
    row = contract_status(edited)
    assert (row.phase, row.live_plan, row.conditions[0].reason) == ("Active", "gold", "UnknownPlan")
    moved = live(contract(), now_contracts=(contract(plan="silver"),), grants=(grant(plans=("silver",)),))
    assert isinstance(decide(moved).effect, Unregister)


def test_an_automatic_publish_keeps_what_is_refused() -> None:
    """Fails when an edit to a plan that is not granted takes the old one off under publish: Automatic, or holds up the rest."""
    edited = (contract("billing", plan="platinum"), contract("orders"))
    grants = (grant("a", api="billing"), grant("b"))
    seen = live(
        *BOTH,
        policies=(policy(),),
        now_contracts=edited,
        now_policies=(policy(limit=5),),
        grants=grants,
        changes_to_client={"publish": "Automatic"},
    )
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.why is Why.PUBLISHED
    assert [(entry.name, entry.plan) for entry in effect.target.contracts] == [("billing", "gold"), ("orders", "gold")]
    assert [policy_.config for policy_ in effect.target.policies] == [policy(limit=5).config]
    rest = live(*BOTH, now_contracts=edited, grants=grants, changes_to_client={"publish": "Automatic"})
    decision = decide(rest)
    assert decision.effect == WriteStatus()
    assert [change.type for change in decision.status.pending] == ["ContractRemoved"]


def test_an_automatic_publish_is_no_way_round_drift() -> None:
    """Fails when a change that stays pending has drift corrected on a gateway that only observes it."""
    seen = live(
        *BOTH,
        now_contracts=(contract("billing", plan="platinum"), contract("orders")),
        grants=(grant("a", api="billing"), grant("b")),
        changes_to_client={"publish": "Automatic"},
        gateways=(gateway(contracts="Granted", drift_mode="Observe"),),
    )
    drifted = replace(seen, live={"default": ours("other")})
    assert not isinstance(decide(drifted).effect, Push | Unregister)


def test_an_automatic_publish_keeps_no_api_twice() -> None:
    """Fails when a refused Contract keeps its place beside the one that has taken it."""
    older = replace(contract(), meta=replace(contract().meta, name="older", uid="uid-older", created_at=1.0))
    seen = live(
        contract(), now_contracts=(older, contract()), grants=(grant(),), changes_to_client={"publish": "Automatic"}
    )
    effect = decide(seen).effect
    assert isinstance(effect, Push) and [entry.name for entry in effect.target.contracts] == ["older"]


def test_an_owner_is_not_cut_off_by_its_own_grant() -> None:
    """Fails when an owner's grant to others takes off its own contract on a plan that the grant does not name."""
    seen = live(replace(OWN, plan="inner"), grants=(own(namespaces=frozenset({"mobile"})),))
    assert not isinstance(decide(seen).effect, Push | Unregister)
    assert contract_status(seen).conditions[0].reason == "UnknownPlan"


def test_a_gateway_that_is_gone_withdraws_nothing() -> None:
    """Fails when a RuntimeGateway that is not there counts as one that grants nothing."""
    assert not isinstance(decide(live(contract(), gateways=())).effect, Push | Unregister)


def test_granted_wants_grants_for_what_is_live() -> None:
    """Fails when a gateway that is changed to Granted keeps what nobody granted: the field says that it does not."""
    assert isinstance(decide(live(contract())).effect, Unregister)


def test_a_client_that_is_not_accepted_loses_its_grants_too() -> None:
    """Fails when a withdrawal waits until its Client is mended."""
    lost = gateway(contracts="Granted", organizations=(claim("team", "others"),))
    assert isinstance(decide(live(contract(), gateways=(lost,))).effect, Unregister)


def contract_status(seen: View, name: str = "orders") -> ContractStatus:
    """What the Contract's status becomes."""
    return next(new for row, new in changed_statuses(case_of(seen)) if row.meta.name == name)


def test_withdrawn_and_granted_anew() -> None:
    """Fails when a withdrawn contract is registered again before it is granted, or unasked afterwards while others are live."""
    before = view(None, *BOTH)
    rest = published(view(None, contract("billing")))
    recorded = status(before, gateways=(rest,))
    found = client(recorded)
    grants = (grant(api="billing"),)
    seen = view(found, *BOTH, gateways=GRANTED, grants=grants, live={"default": ours()})
    row = contract_status(seen)
    assert (row.phase, row.conditions[0].reason) == ("Rejected", "NotGranted")
    assert report(case_of(seen)).pending == ()
    anew = view(found, *BOTH, gateways=GRANTED, grants=(*grants, grant("b")), live={"default": ours()})
    assert decide(anew).effect == WriteStatus()
    assert [change.message for change in report(case_of(anew)).pending] == [
        "ContractAdded orders: acme/orders/1.0 on plan gold"
    ]


def found(plan: str = "gold") -> dict[str, LiveFact]:
    """The gateway has a registration of ours that no status records."""
    return {"default": ours(contracts=(LiveContract(contract().api, plan, ()),))}


def test_what_is_taken_over_is_judged_as_it_is_live() -> None:
    """Fails when a lost status takes off what is granted, because its Contract asks for something else by now, or keeps what is not."""
    asked, grants = contract(plan="platinum"), (grant(),)
    taken = view(None, asked, gateways=GRANTED, grants=grants, live=found())
    assert [(e.uid, e.plan) for e in case_of(taken).published["default"].contracts] == [("uid-orders", "gold")]
    assert not isinstance(decide(taken).effect, Push | Unregister)
    assert isinstance(decide(view(None, asked, gateways=GRANTED, live=found())).effect, Unregister)
    assert isinstance(decide(view(None, asked, gateways=GRANTED, grants=grants, live=found("old"))).effect, Unregister)
    ended = contract(expires_at=NOW - 1)
    assert isinstance(decide(view(None, ended, gateways=GRANTED, grants=grants, live=found())).effect, Unregister)


def test_the_valid_contract_takes_over_before_one_that_is_refused() -> None:
    """Fails when an older Contract that is refused claims what a younger one is entitled to."""
    older = contract(plan="platinum")
    younger = replace(contract(), meta=replace(contract().meta, name="younger", uid="uid-younger", created_at=NOW))
    seen = view(None, older, younger, gateways=GRANTED, grants=(grant(),), live=found())
    assert [e.uid for e in case_of(seen).published["default"].contracts] == ["uid-younger"]
