"""A published policy that was kept by digest only, and whose Policy is gone: what the gateway has stays, what it lost can't be made again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import Live, LiveFact, Push, Unregister, View, Why
from registrar.resources.objects import TargetRef
from tests.unit.lifecycle.build import absent, claim, client, contract, gateway, ours, policy, status, view
from tests.unit.lifecycle.steps import at_rest, contracts_written

OWNED = (gateway(organizations=(claim("acme", "owner"), claim("team", "team"))),)
BOTH = (contract("billing"), contract("orders"))
GONE = "API:owner/limit"


def lost(**changes: Any) -> View:
    """Two Contracts, one with an owner's policy that waits for a publish, and that its owner has deleted since."""
    limit = policy("limit", namespace="owner", target=TargetRef("API", "orders", "acme"), rollout="OnPublish")
    recorded = status(view(None, *BOTH, policies=(limit,), gateways=OWNED))
    made: dict[str, Any] = {"unrenderable": frozenset({GONE}), "live": {"default": absent()}}
    return view(client(recorded), *BOTH, gateways=OWNED, **made | changes)


def test_the_rest_is_put_back() -> None:
    """Fails when one policy that is gone keeps the whole Client from being healed, or its contract comes back without it."""
    effect = decide(lost()).effect
    assert isinstance(effect, Push) and effect.why is Why.HEALED
    assert {entry.name: entry.live for entry in effect.target.contracts} == {"billing": True, "orders": False}


def healed() -> View:
    """The same after that push."""
    effect = decide(lost()).effect
    assert isinstance(effect, Push)
    seen = lost()
    recorded = replace(seen.status, gateways=(replace(effect.target, hash="healed"),))
    return replace(lost(), status=recorded, live={"default": ours("healed")})


def test_it_is_put_back_once() -> None:
    """Fails when a contract that can't be rendered is pushed again and again, or called live."""
    seen = healed()
    assert not isinstance(decide(seen).effect, Push | Unregister)
    decision = decide(seen)
    assert decision.status.contracts["live"] == 1
    seen = contracts_written(at_rest(seen))
    by_name = {row.meta.name: row.status for row in seen.contracts}
    assert by_name["orders"].phase == "Pending" and by_name["orders"].conditions[0].reason == "PolicyUnresolved"
    assert by_name["billing"].phase == "Active"


def test_it_comes_back_with_its_policy() -> None:
    """Fails when the contract stays closed though the Policy is there again."""
    effect = decide(replace(healed(), unrenderable=frozenset())).effect
    assert isinstance(effect, Push) and all(entry.live for entry in effect.target.contracts)


def test_what_is_live_stays() -> None:
    """Fails when a deletion by the policy's owner, which waits for a publish, takes a live contract down."""
    seen = lost(live={"default": ours()})
    assert not isinstance(decide(seen).effect, Push | Unregister)
    effect = decide(replace(seen, contracts=BOTH[1:])).effect
    assert isinstance(effect, Push) and effect.surgery
    assert [(entry.name, entry.live) for entry in effect.target.contracts] == [("orders", True)]


def test_surgery_does_not_bring_back_what_cannot_be_rendered() -> None:
    """Fails when the revocation of one contract has to render another one that is not live."""
    effect = decide(replace(healed(), contracts=BOTH[1:])).effect
    assert isinstance(effect, Push) and [(entry.name, entry.live) for entry in effect.target.contracts] == [
        ("orders", False)
    ]


def test_revocation_without_surgery() -> None:
    """Fails when a revocation fails because another contract can't be rendered."""
    seen = lost(live={"default": LiveFact(state=Live.OURS, digest="other")}, contracts=BOTH[1:])
    effect = decide(seen).effect
    assert isinstance(effect, Push) and not effect.surgery
    assert [entry.live for entry in effect.target.contracts] == [False]
