"""Drift in words: what differs is said, and nothing that a gateway's owner keeps secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.drift import drift
from registrar.lifecycle.model import Done, LiveContract, LivePolicy, Push, Unregister, View, Wait, Why, WriteStatus
from registrar.lifecycle.report import notices
from registrar.resources.conditions import find
from registrar.resources.objects import ApiRef
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot, canonical
from tests.unit.lifecycle.build import NOW, absent, contract, gateway, objects, ours, policy, registered
from tests.unit.lifecycle.steps import at_rest, contracts_written

LIMIT = {"limit": 100, "period": "Minute", "nested": {"deep": [1]}}
API = ApiRef("acme", "orders", "1.0")
OBSERVE = (gateway(drift_mode="Observe"),)


def snapshot(**changes: Any) -> Snapshot:
    """One contract with one policy."""
    row = PublishedPolicy("Client:team/limit", "Client", "rateLimit", "OnPublish", canonical(LIMIT), **changes)
    entry = PublishedContract("orders", "u", "acme", "orders", "1.0", "gold", policies=(row.id,))
    return Snapshot(gateway="default", policies=(row,), contracts=(entry,))


def found(type_: str = "rateLimit", *, plan: str = "gold", api: ApiRef = API, **config: Any) -> LiveContract:
    """The same as the gateway has it."""
    return LiveContract(api, plan, (LivePolicy("f", type_, canonical({**LIMIT, **config})),))


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("live", "phrase"),
    [
        ((found(limit=5000),), "contract orders: policy limit: rateLimit.limit 100 -> 5000"),
        ((found(period=SECRET),), "contract orders: policy limit: rateLimit.period differs"),
        ((found(nested={"deep": [SECRET]}),), "contract orders: policy limit: rateLimit.nested.deep differs"),
        ((found(extra=SECRET),), "a policy's configuration differs"),
        ((found("quota"),), "contract orders: in place of policy limit is one of another type"),
        ((found(plan="free"),), "contract orders is on plan free instead of gold"),
        ((found(plan=""),), "contract orders is on plan (none) instead of gold"),
        ((found(plan="<b>"),), "contract orders is on plan (no name) instead of gold"),
        ((), "contract orders is gone"),
        ((LiveContract(API, "gold", ()),), "contract orders has 0 policies instead of 1"),
        (
            (found(), found(api=ApiRef("acme", "billing", "1.0"))),
            "a contract for acme/billing/1.0 is there that is not published",
        ),
    ],
)
def test_one_difference(live: tuple[LiveContract, ...], phrase: str) -> None:
    """Fails when a difference goes unsaid, or a text that somebody put on the gateway is shown."""
    words = drift(snapshot(), live, key_differs=False)
    assert words == (phrase,)
    assert SECRET not in "".join(words)


def test_the_key() -> None:
    """Fails when a changed key goes unsaid, or is shown."""
    assert drift(snapshot(), (found(),), key_differs=True) == ("the API key is another one",)


def test_a_policy_of_another_namespace_is_never_shown() -> None:
    """Fails when the owner's configuration gets into a consumer's status by way of drift."""
    row = PublishedPolicy("Plan:owner/limit", "Plan", "rateLimit", "Immediate", digest="d")
    entry = PublishedContract("orders", "u", "acme", "orders", "1.0", "gold", policies=(row.id,))
    kept = Snapshot(gateway="default", policies=(row,), contracts=(entry,))
    assert drift(kept, (found(limit=5000),), key_differs=False) == ("a policy's configuration differs",)


def test_many_differences() -> None:
    """Fails when a status grows with what somebody put on the gateway."""
    extra = tuple(found(api=ApiRef("acme", f"x{n:02}", "1")) for n in range(20))
    words = drift(snapshot(), (found(), *extra), key_differs=False)
    assert len(words) == 9 and words[-1] == "and 12 more"


def test_a_contract_whose_api_is_gone_is_not_missed() -> None:
    """Fails when what was left out of the push counts as drift."""
    base = snapshot()
    entry = PublishedContract("billing", "v", "acme", "billing", "1.0", "gold", live=False)
    kept = Snapshot(gateway="default", policies=base.policies, contracts=(*base.contracts, entry))
    assert drift(kept, (found(limit=1),), key_differs=False)[0].startswith("contract orders")


# The lifecycle -------------------------------------------------------------------------------------------------------


def tampered(**changes: Any) -> View:
    """A registered Client whose registration somebody changed."""
    live = {"default": ours("other", drift=("contract orders is gone", "the API key is another one"))}
    return registered(contract(), **{"live": live, **changes})


def test_mended_with_words() -> None:
    """Fails when a correction does not say what it corrected."""
    effect = decide(tampered()).effect
    assert isinstance(effect, Push) and effect.why is Why.CORRECTED
    assert effect.detail == ("gateway default had something else: contract orders is gone; the API key is another one")


@pytest.mark.parametrize("live", [ours("other", drift=("contract orders is gone",)), absent()], ids=["else", "gone"])
def test_observed(live: Any) -> None:
    """Fails when Observe pushes, or a Client says that it is served though it is not known to be."""
    seen = tampered(gateways=OBSERVE, live={"default": live})
    decision = decide(seen)
    assert not isinstance(decision.effect, Push | Unregister)
    rows = decision.status.conditions
    drifted, ready, state = (find(rows, name) for name in ("Drifted", "Ready", "Registered"))
    assert drifted is not None and ready is not None and state is not None
    assert (drifted.status, drifted.reason) == ("True", "Drifted") and "gone" in drifted.message
    assert (ready.status, ready.reason, state.status) == ("False", "Drifted", "False")
    assert find(rows, "Stalled") is not None
    assert [n.reason for n in decision.notices] == ["Drifted"]


def test_observed_drift_is_said_once() -> None:
    """Fails when a drift that stays makes a write or an Event with each look."""
    long = {"default": ours("other", drift=("x" * 700, "y" * 700))}
    for changes in ({}, {"live": long}):
        seen = contracts_written(at_rest(tampered(gateways=OBSERVE, **changes)))
        assert isinstance(decide(seen).effect, Done | Wait)
        assert notices(case_of(seen)) == ()
    contracts = seen.contracts[0].status
    assert (contracts.phase, contracts.conditions[0].reason) == ("Pending", "Drifted")
    more = at_rest(tampered(gateways=OBSERVE, policies=(policy(),), now_policies=(policy(limit=1),)))
    ready = find(more.status.conditions, "Ready")
    assert ready is not None and (more.status.phase, ready.status) == ("UnpublishedChanges", "False")


def test_a_loss_can_be_said_before_its_turn_to_be_mended() -> None:
    """Fails when a Client whose heal has to wait for minutes looks registered all the while."""
    seen = registered(contract(), live={"default": absent(since=NOW - 60)}, telling=True)
    decision = decide(seen)
    state = find(decision.status.conditions, "Registered")
    assert isinstance(decision.effect, WriteStatus) and state is not None
    assert (state.status, state.reason, decision.status.phase) == ("False", "GatewayReset", "Ready")
    mended = registered(contract(), live={"default": absent(since=NOW - 60)}, policies=(policy(rollout="Immediate"),))
    told = replace(mended, telling=True, objects=replace(mended.objects or objects(), policies=()))
    assert not isinstance(decide(told).effect, Push)
    assert isinstance(decide(replace(told, telling=False)).effect, Push)


def test_a_heal_is_quiet_where_the_loss_was() -> None:
    """Fails when the heal of a Client that still says Ready costs status writes, which thousands in a row have to wait for, or a loss that was said is never unsaid."""
    resting = at_rest(registered(contract()))
    for since in (NOW - 1, NOW - 60):
        effect = decide(replace(resting, live={"default": absent(since=since)})).effect
        assert isinstance(effect, Push) and effect.quiet
    told = at_rest(replace(resting, live={"default": absent(since=NOW - 60)}, telling=True))
    effect = decide(replace(told, telling=False)).effect
    assert isinstance(effect, Push) and not effect.quiet
