"""Surgery: what stays published stays on the wire byte for byte, and the key with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registrar.engine.surgery import edited
from registrar.gateways.base import Registration, WireContract, WirePolicy
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot


def row(name: str, config: str = "old") -> PublishedPolicy:
    return PublishedPolicy(f"Client:team/{name}", "Client", "rateLimit", "OnPublish", config)


def entry(api: str, *policies: str, live: bool = True) -> PublishedContract:
    ids = tuple(f"Client:team/{name}" for name in policies)
    return PublishedContract(api, f"uid-{api}", "acme", api, "1.0", "gold", live, ids)


def wire(name: str) -> WirePolicy:
    """What the gateway has: nothing could render it again."""
    return WirePolicy("class:X", f"{name} with a secret of then")


def render(policy: PublishedPolicy) -> WirePolicy:
    return WirePolicy("class:X", f"{policy.id} now")


BEFORE = Snapshot(
    gateway="default",
    policies=(row("a"), row("b")),
    contracts=(entry("billing", "a"), entry("gone", "a", live=False), entry("orders", "a", "b")),
)
FOUND = Registration(
    organization="team",
    client_id="shop",
    version="1.0",
    api_key="the-live-key",
    contracts=(
        WireContract("acme", "billing", "1.0", "gold", (wire("a"),)),
        WireContract("acme", "orders", "1.0", "gold", (wire("a"), wire("b"))),
    ),
)


def result(target: Snapshot) -> dict[str, tuple[str, ...]]:
    """The configurations of each contract after surgery."""
    made = edited(FOUND, before=BEFORE, target=target, render=render)
    assert made.api_key == "the-live-key"
    return {c.api: tuple(p.config for p in c.policies) for c in made.contracts}


KEPT = {"billing": (wire("a").config,), "orders": (wire("a").config, wire("b").config)}


def test_nothing_changes() -> None:
    """Fails when surgery renders what is there."""
    assert edited(FOUND, before=BEFORE, target=BEFORE, render=render) == FOUND


def test_a_contract_less() -> None:
    """Fails when a revocation touches what stays."""
    assert result(replace(BEFORE, contracts=BEFORE.contracts[1:])) == {"orders": KEPT["orders"]}


def test_one_policy_changed() -> None:
    """Fails when a changed policy keeps its old bytes, or another one loses them."""
    target = replace(BEFORE, policies=(row("a"), row("b", "new")))
    assert result(target) == {**KEPT, "orders": (wire("a").config, "Client:team/b now")}


def test_one_policy_more_and_another_order() -> None:
    """Fails when the bytes are taken by place instead of by policy."""
    target = replace(BEFORE, policies=(*BEFORE.policies, row("c")), contracts=(entry("orders", "b", "c", "a"),))
    assert result(target) == {"orders": (wire("b").config, "Client:team/c now", wire("a").config)}


def test_an_api_that_is_back() -> None:
    """Fails when a contract that the gateway does not have is left out, or stays without its policies."""
    target = replace(BEFORE, contracts=tuple(replace(c, live=True) for c in BEFORE.contracts))
    assert result(target) == {**KEPT, "gone": ("Client:team/a now",)}


def test_a_contract_with_other_policies_than_expected() -> None:
    """Fails when bytes are matched to the wrong policy where the counts differ."""
    short = replace(BEFORE, contracts=(entry("orders", "a"),))
    made = edited(FOUND, before=short, target=short, render=render)
    assert [p.config for p in made.contracts[0].policies] == ["Client:team/a now"]


def test_a_contract_that_was_not_published() -> None:
    """Fails when bytes of an unknown contract are taken for ours."""
    made = edited(FOUND, before=replace(BEFORE, contracts=()), target=BEFORE, render=render)
    assert {p.config for c in made.contracts for p in c.policies} == {"Client:team/a now", "Client:team/b now"}


def test_what_cannot_be_rendered() -> None:
    """Fails when surgery goes on without a policy of the chain."""

    def refuse(policy: PublishedPolicy) -> WirePolicy:
        raise ValueError(policy.id)

    with pytest.raises(ValueError, match="team/b"):
        edited(FOUND, before=BEFORE, target=replace(BEFORE, policies=(row("a"), row("b", "new"))), render=refuse)
