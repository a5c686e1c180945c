"""Adoption: whose key it is, what is kept, and when it no longer counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    AdoptKey,
    EnsureSecret,
    KeyFact,
    KeyState,
    LiveContract,
    LivePolicy,
    Push,
    ReadLive,
    Unregister,
    View,
    Why,
    WriteStatus,
)
from registrar.resources.objects import ApiKeySpec, ApiRef
from registrar.resources.status import ContractStatus, canonical
from tests.unit.lifecycle.build import absent, blob, client, contract, fault, foreign, ours, policy, registered, view

ALLOWED: dict[str, Any] = {"adopting": frozenset({"default"})}
MISSING = KeyFact(KeyState.MISSING)
ORDERS = ApiRef("acme", "orders", "1.0")
LIMIT = LivePolicy("f-limit", "rateLimit", canonical({"limit": 7}))
LIST = LivePolicy("f-list", "ipAllowList", canonical({"ipList": ["10.0.0.1"]}))
OTHER = LivePolicy("f-other", "custom", canonical({"implementation": "class:Own"}))


def adopting(**changes: Any) -> View:
    """A new Client that says adopt, in front of somebody's registration."""
    made: dict[str, Any] = {"live": {"default": foreign()}, "key": MISSING, **ALLOWED, **changes}
    return view(client(adopt=True), contract(), **made)


def found(*policies: LivePolicy, adopt: bool = True, **changes: Any) -> View:
    """The registration is recognised by its key: one contract with an object behind it, and one without."""
    rows = (LiveContract(ORDERS, "gold", policies), LiveContract(ApiRef("acme", "billing", "1.0"), "gold", ()))
    return view(client(adopt=adopt), contract(), live={"default": ours(contracts=rows)}, **changes)


def written(seen: View) -> View:
    """The view with the status that `decide` would write, written."""
    status = decide(seen).status
    live = {"default": ours(status.gateways[0].hash)}
    changed = replace(seen.client, status_blob=blob(status.to_json()))
    return replace(seen, client=changed, status=changed.status, live=live)


@pytest.mark.parametrize("key", [KeyState.MISSING, KeyState.VALID])
def test_the_key_is_taken_before_one_is_made(key: KeyState) -> None:
    """Fails when a Client that may adopt gets a new key, which the registration does not have."""
    assert decide(adopting(key=KeyFact(key))).effect == AdoptKey("default")
    assert decide(adopting(live={})).effect == ReadLive("default")


@pytest.mark.parametrize(
    "seen",
    [
        adopting(adopting=frozenset()),
        adopting(live={"default": absent()}),
        adopting(live={"default": replace(foreign(), adoptable=False)}),
        adopting(faults={"default": fault()}),
        view(client(), contract(), key=MISSING, live={"default": foreign()}, **ALLOWED),
    ],
    ids=["not permitted", "nothing there", "bad key", "down", "not asked for"],
)
def test_no_key_is_taken_without_a_right(seen: View) -> None:
    """Fails when a registration is taken over that nobody said may be."""
    assert decide(seen).effect == EnsureSecret()


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"state": "Retired"}, {"api_key": ApiKeySpec("Existing", "own")}], ids=str
)
def test_no_key_is_taken_for_a_client_that_has_no_use_for_it(change: dict[str, Any]) -> None:
    """Fails when a paused, retired or Existing Client takes a key."""
    seen = view(client(adopt=True, **change), contract(), live={"default": foreign()}, key=MISSING, **ALLOWED)
    assert not isinstance(decide(seen).effect, AdoptKey)


def test_adopt_counts_only_while_nothing_is_published() -> None:
    """Fails when another key on the gateway is adopted instead of corrected."""
    seen = registered(contract(), changes_to_client={"adopt": True}, live={"default": ours("other")}, **ALLOWED)
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.why is Why.CORRECTED


def test_what_is_in_the_way_says_how_to_adopt_it() -> None:
    """Fails when adopt is refused without the next step."""
    for seen, word in (
        (adopting(key=KeyFact(KeyState.VALID), adopting=frozenset()), "spec.adoption.namespaces"),
        (adopting(key=KeyFact(KeyState.VALID), live={"default": replace(foreign(), adoptable=False)}), "allowed form"),
    ):
        row = next(row for row in decide(seen).status.conditions if row.type == "Registered")
        assert row.reason == "AlreadyExists" and word in row.message


def test_an_adopted_contract_without_an_object_is_pending_not_revoked() -> None:
    """Fails when adoption takes something off before anybody has seen what it would be."""
    seen = found()
    assert decide(seen).effect == WriteStatus()
    assert [(p.type, p.subject) for p in decide(seen).status.pending] == [("ContractRemoved", "acme/billing/1.0")]
    assert isinstance(decide(found(adopt=False)).effect, Push | Unregister)


def test_the_providers_rules_survive_the_next_reregister() -> None:
    """Fails when a reregister silently drops a rule that was on the adopted registration."""
    seen = written(found(LIMIT, OTHER))
    asked = replace(seen, client=replace(seen.client, tokens=(("reregister", "one"),)))
    case = case_of(asked)
    kept = case.wanted("default")
    assert [(p.type, p.config, p.digest) for p in kept.policies] == [
        ("rateLimit", LIMIT.config, ""),
        ("custom", "", "f-other"),
    ]
    assert kept.contracts[0].policies == ("Found:acme/orders/1.0/0", "Found:acme/orders/1.0/1")
    assert [change.type for change in case.pending] == ["ContractRemoved"]


def test_an_object_takes_the_place_of_a_found_rule_of_its_type() -> None:
    """Fails when both would run, or when a rule of another type is lost with it."""
    before = written(found(LIMIT, LIST))
    now = view(before.client, contract(), policies=(policy(),), live=before.live)
    case = case_of(now)
    assert case.wanted("default").contracts[0].policies == ("Found:acme/orders/1.0/1", "Client:team/limit")
    assert {change.type for change in case.pending} == {"ContractRemoved", "PolicyRemoved", "PolicyAdded"}


def test_without_adopt_a_found_rule_goes_with_the_next_publish() -> None:
    """Fails when there is no way to get rid of a found rule, or when it is not shown that it goes."""
    before = written(found(LIMIT))
    now = view(replace(before.client, adopt=False), contract(), live=before.live)
    assert "PolicyRemoved" in {change.type for change in case_of(now).pending}


def test_a_contract_that_is_new_keeps_nothing() -> None:
    """Fails when the rules of one contract get into another."""
    before = written(found(LIMIT))
    fresh = contract("catalog", status=ContractStatus())
    case = case_of(view(before.client, fresh, live=before.live))
    assert [entry.policies for entry in case.wanted("default").contracts] == [()]
