"""Differences, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registrar.lifecycle.diff import difference
from registrar.resources.objects import TargetRef
from registrar.resources.status import Snapshot, canonical
from tests.unit.lifecycle.build import contract, policy, published, view


def snapshot(*contracts: object, policies: tuple[object, ...] = ()) -> Snapshot:
    """What these objects desire."""
    return published(view(None, *contracts, policies=policies))  # type: ignore[arg-type]


def signed(found: Snapshot, digest: str) -> Snapshot:
    """The snapshot with that digest of what its policies' Secrets hold."""
    return replace(found, policies=tuple(replace(policy, digest=digest) for policy in found.policies))


ORDERS = TargetRef("Contract", "orders")
GOLD = TargetRef("Plan", "gold", "acme")
WORDS = {
    "nothing": (snapshot(contract()), snapshot(contract()), []),
    "a contract more": (
        snapshot(contract()),
        snapshot(contract(), contract("billing")),
        ["ContractAdded billing: acme/billing/1.0 on plan gold"],
    ),
    "a contract less": (
        snapshot(contract(), contract("billing", plan="")),
        snapshot(contract()),
        ["ContractRemoved billing: acme/billing/1.0"],
    ),
    "another plan and version": (
        snapshot(contract()),
        snapshot(contract(plan="silver", version="2.0")),
        ["ContractChanged orders: version 1.0 -> 2.0, plan gold -> silver"],
    ),
    "a policy more": (
        snapshot(contract()),
        snapshot(contract(), policies=(policy(),)),
        ["PolicyAdded limit: rateLimit on Client"],
    ),
    "a policy less": (
        snapshot(contract(), policies=(policy(),)),
        snapshot(contract()),
        ["PolicyRemoved limit: rateLimit on Client"],
    ),
    "another limit": (
        snapshot(contract(), policies=(policy(),)),
        snapshot(contract(), policies=(policy(limit=50),)),
        ["PolicyChanged limit: rateLimit.limit 100 -> 50"],
    ),
    "another type": (
        snapshot(contract(), policies=(policy(),)),
        snapshot(contract(), policies=(policy(type="quota"),)),
        ["PolicyChanged limit: type rateLimit -> quota"],
    ),
    "the owner's limit": (
        snapshot(contract(), policies=(policy(target=GOLD, namespace="acme"),)),
        snapshot(contract(), policies=(policy(target=GOLD, namespace="acme", limit=1),)),
        ["PolicyChanged limit: rateLimit (kept by the owner of the plan or API)"],
    ),
    "another order": (
        snapshot(contract(), policies=(policy("a"), policy("b", type="quota"))),
        snapshot(contract(), policies=(policy("a", order=1), policy("b", type="quota"))),
        ["PolicyReordered orders: b then a"],
    ),
    "another secret": (
        signed(snapshot(contract(), policies=(policy(),)), "old"),
        signed(snapshot(contract(), policies=(policy(),)), "new"),
        ["PolicyChanged limit: a referenced Secret has changed"],
    ),
    "one more contract reached": (
        snapshot(contract(), contract("billing"), policies=(policy(target=ORDERS),)),
        snapshot(
            contract(),
            contract("billing"),
            policies=(replace(policy(), targets=(ORDERS, TargetRef("Contract", "billing"))),),
        ),
        ["PolicyAdded limit: now on contract billing too"],
    ),
    "one contract less reached": (
        snapshot(
            contract(),
            contract("billing"),
            policies=(replace(policy(), targets=(ORDERS, TargetRef("Contract", "billing"))),),
        ),
        snapshot(contract(), contract("billing"), policies=(policy(target=ORDERS),)),
        ["PolicyRemoved limit: no longer on contract billing"],
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_words(case: str) -> None:
    """Fails when a difference is not seen, is seen twice, or is said otherwise."""
    before, after, expected = WORDS[case]
    assert [change.message for change in difference(before, after)] == expected


def test_values_are_short_and_honest() -> None:
    """Fails when a long value floods the status, or an absent one looks like an empty list."""
    long = canonical({"ipList": ["10.0.0.0/8"] * 20})
    short = canonical({"ipList": [], "nested": {"deep": 1}})
    before = snapshot(contract(), policies=(policy(type="ipAllowList", config=long),))
    after = snapshot(contract(), policies=(policy(type="ipAllowList", config=short),))
    words = difference(before, after)[0].detail
    assert "… -> []" in words and "ipAllowList.nested.deep (none) -> 1" in words
    assert len(words) < 200


def test_live_hash_and_times_are_no_difference() -> None:
    """Fails when what the gateway does is taken for what a user wants."""
    before = snapshot(contract())
    after = replace(
        before, hash="other", registered_at="", contracts=tuple(replace(c, live=False) for c in before.contracts)
    )
    assert difference(before, after) == ()
