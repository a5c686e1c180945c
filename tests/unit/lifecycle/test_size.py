"""A snapshot that no status could hold is never sent."""

from __future__ import annotations

from typing import Any

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import Push, View
from registrar.lifecycle.size import too_large
from registrar.resources.objects import PolicyObject, TargetRef
from registrar.resources.status import canonical
from tests.unit.lifecycle.build import contract, policy, registered, view

CONTRACTS = tuple(contract(f"c{number}") for number in range(2))


def large(count: int, *, length: int = 2000) -> tuple[PolicyObject, ...]:
    """Policies whose configurations take `count` times `length` bytes."""
    config = canonical({"ipList": ["1" * length]})
    return tuple(
        policy(f"p{number}", type="ipAllowList", config=config, target=TargetRef("Client", "shop"))
        for number in range(count)
    )


@pytest.mark.parametrize(("count", "length", "expected"), [(1, 2000, False), (100, 2000, False), (140, 2000, True)])
def test_the_bound(count: int, length: int, expected: bool) -> None:
    """Fails when the estimate is taken for the size, or the size is not looked at."""
    assert too_large(case_of(view(None, *CONTRACTS, policies=large(count, length=length)))) is expected


def conditions_of(seen: View) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    return {c.type: (c.status, c.reason) for c in decide(seen).status.conditions}


def test_a_first_registration_that_is_too_large() -> None:
    """Fails when it is sent, or when nobody is told."""
    seen = view(None, *CONTRACTS, policies=large(200))
    found = conditions_of(seen)
    assert not isinstance(decide(seen).effect, Push)
    assert found["Published"] == found["Ready"] == ("False", "SnapshotTooLarge")
    assert found["Stalled"] == ("True", "SnapshotTooLarge")


@pytest.mark.parametrize("how", [{"tokens": (("reregister", "one"),)}, {"publish": "Automatic"}], ids=str)
def test_a_change_that_is_too_large(how: dict[str, Any]) -> None:
    """Fails when a change breaks what serves, or the token loops."""
    seen = registered(*CONTRACTS, now_policies=large(200), changes_to_client=how)
    decision = decide(seen)
    assert not isinstance(decision.effect, Push)
    assert conditions_of(seen)["Ready"] == ("True", "ServingPrevious")
    assert conditions_of(seen)["Published"] == ("False", "SnapshotTooLarge")
    outcomes = [(action.outcome, "too large" in action.message) for action in decision.status.actions]
    assert outcomes == ([("Failed", True)] if "tokens" in how else [])


def test_what_is_published_is_never_too_large() -> None:
    """Fails when a Client that serves is called broken by a bound that came later."""
    seen = registered(*CONTRACTS, policies=large(200), changes_to_client={})
    assert not too_large(case_of(seen))
