"""A Client on several gateways: each has its own part, and none falsifies the others; and a gateway that is only observed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import Push, VerdictState, View, Why, WriteContracts, WriteStatus
from registrar.resources.conditions import Condition
from registrar.resources.status import ANNOUNCED, ContractStatus
from tests.unit.lifecycle.build import (
    NOW,
    absent,
    blob,
    claim,
    client,
    contract,
    fault,
    foreign,
    gateway,
    objects,
    ours,
    registered,
    status,
    view,
)

TWO = (gateway(), gateway("second", default=False))
HERE, THERE = contract("orders"), contract("billing", gateway="second")
OBSERVE = (gateway(mode="Observe"),)


def condition(seen: View, type_: str) -> Condition:
    """A condition of the status that would be written."""
    return next(row for row in decide(seen).status.conditions if row.type == type_)


def settled(seen: View) -> View:
    """The view with the status that `decide` would write, written."""
    found = replace(seen.client, status_blob=blob(decide(seen).status.to_json()))
    return replace(seen, client=found, status=found.status)


def on_two(**changes: Any) -> View:
    """A Client that is published on both gateways."""
    recorded = status(view(None, HERE, THERE, gateways=TWO))
    return view(client(recorded), HERE, THERE, gateways=TWO, **changes)


def test_a_first_registration_on_two_is_announced() -> None:
    """Fails when a crash or a fault between two pushes would leave the second one an unpublished change."""
    seen = view(None, HERE, THERE, gateways=TWO)
    first = decide(seen)
    assert first.effect == WriteStatus()
    assert [(s.gateway, s.hash, len(s.contracts)) for s in first.status.gateways] == [
        ("default", ANNOUNCED, 1),
        ("second", ANNOUNCED, 1),
    ]
    push = decide(settled(seen)).effect
    assert isinstance(push, Push) and (push.gateway, push.why) == ("default", Why.REGISTERED)
    assert "acme/orders/1.0" in push.detail and "billing" not in push.detail


@pytest.mark.parametrize("change", [{"state": "Retired"}, {"paused": True}], ids=["retired", "paused"])
def test_nothing_is_announced_that_must_not_be(change: dict[str, Any]) -> None:
    """Fails when a Client that must not be live is announced."""
    assert not decide(view(client(**change), HERE, THERE, gateways=TWO)).status.gateways


def test_one_of_two_down_from_birth_is_partial() -> None:
    """Fails when the gateway that is up waits, or when the status says of the other that it is live."""
    down: dict[str, Any] = {"faults": {"second": fault()}, "live": {"default": absent()}}
    announced = settled(view(None, HERE, THERE, gateways=TWO, **down))
    push = decide(announced).effect
    assert isinstance(push, Push) and push.gateway == "default"
    recorded = replace(announced.status, gateways=(replace(push.target, hash="hash"), announced.status.gateways[1]))
    found = client(recorded)
    seen = view(found, HERE, THERE, gateways=TWO, faults={"second": fault()}, live={"default": ours()})
    registered_ = condition(seen, "Registered")
    assert (registered_.status, registered_.reason) == ("False", "PartiallyRegistered")
    assert "second" in registered_.message and "default" not in registered_.message
    assert decide(seen).status.contracts["live"] == 1
    rows = decide(settled(seen)).effect
    assert isinstance(rows, WriteContracts)
    assert {c.meta.name: s.phase for c, s in rows.statuses} == {"orders": "Active", "billing": "Pending"}


def test_one_of_two_lost_or_taken_is_partial() -> None:
    """Fails when one gateway's loss is said of the other too."""
    for there in (absent(since=NOW - 60), foreign()):
        seen = on_two(live={"default": ours(), "second": there}, managed=frozenset({"default"}))
        assert condition(seen, "Registered").reason == "PartiallyRegistered"
        assert decide(seen).status.contracts["live"] == 1


def test_a_registration_in_the_way_of_an_addition_falsifies_nothing() -> None:
    """Fails when a registration that is not ours, where nothing of ours is published, takes the word Registered from the rest."""
    seen = registered(HERE, now_contracts=(HERE,), live={"default": ours()})
    wider = view(seen.client, HERE, THERE, gateways=TWO, live={"default": ours(), "second": foreign()})
    assert condition(wider, "Registered").status == "True"


def test_a_first_contract_on_a_second_gateway_is_pending() -> None:
    """Fails when it is pushed unasked under Manual, or not shown."""
    seen = registered(HERE, now_contracts=(HERE,), live={"default": ours()})
    wider = view(seen.client, HERE, THERE, gateways=TWO, live={"default": ours(), "second": absent()})
    assert decide(wider).effect == WriteStatus()
    assert [(p.type, p.gateway) for p in decide(wider).status.pending] == [("ContractAdded", "second")]


def test_the_organization_must_be_owned_on_the_other_gateway_too() -> None:
    """Fails when a namespace gets into another's organization by way of a second gateway."""
    other = gateway("second", default=False, organizations=(claim("team", "somebody"),))
    verdict = view(None, THERE, gateways=(gateway(), other)).desired.verdicts[0]
    assert (verdict.state, verdict.reason) == (VerdictState.REJECTED, "NotPermitted")


def test_two_names_of_one_gateway() -> None:
    """Fails when one Client is registered twice on one gateway: each push would replace the other."""
    same = gateway("second", default=False, endpoint="http://default/")
    verdict = view(None, THERE, gateways=(gateway(), same)).desired.verdicts[0]
    assert (verdict.state, verdict.reason) == (VerdictState.REJECTED, "SameGateway")


def test_an_identity_that_is_taken_on_the_other_gateway() -> None:
    """Fails when two Clients could register under one identity there."""
    judged = desired(objects(None, HERE, THERE, gateways=TWO, taken_on=frozenset({"second"})))
    assert [(row.contract.meta.name, row.reason) for row in judged.verdicts] == [
        ("billing", "IdentityTaken"),
        ("orders", ""),
    ]


def test_observe_shows_what_it_would_do() -> None:
    """Fails when Observe writes to the gateway, or does not say what would be written."""
    seen = view(None, HERE, gateways=OBSERVE)
    written = decide(seen)
    assert written.effect == WriteStatus()
    assert [p.type for p in written.status.pending] == ["ContractAdded"]
    assert condition(seen, "Observing").status == "True"
    assert condition(seen, "Registered").reason == "Observing"
    rows = decide(settled(seen)).effect
    assert isinstance(rows, WriteContracts) and rows.statuses[0][1].conditions[0].reason == "Observing"
    done = replace(settled(seen), desired=replace(seen.desired, verdicts=()))
    assert isinstance(decide(done).effect, WriteStatus)


def test_observe_refuses_a_reregister() -> None:
    """Fails when an action under Observe neither ends nor says why."""
    asked = {"tokens": (("reregister", "one"),)}
    seen = registered(HERE, gateways=OBSERVE, changes_to_client=asked)
    action = decide(seen).status.action("reregister")
    assert action.outcome == "Failed" and "Observe" in action.message


def test_observe_carries_on_when_it_becomes_manage() -> None:
    """Fails when what was only shown is not done afterwards."""
    seen = settled(view(None, HERE, gateways=OBSERVE))
    now = view(seen.client, HERE, contracts=(replace(HERE, status=ContractStatus()),))
    assert isinstance(decide(now).effect, Push)
