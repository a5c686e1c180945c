"""The platform's emergency stop: off at once, whatever the owner does, and back by itself when it is lifted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    Push,
    ReadLive,
    ReleaseSecret,
    Unregister,
    View,
    Wait,
    Why,
    WriteContracts,
    WriteStatus,
)
from registrar.resources.conditions import find
from registrar.resources.objects import Block
from tests.unit.lifecycle.build import NOW, absent, contract, fault, foreign, gateway, ours, registered, view
from tests.unit.lifecycle.steps import at_rest, contracts_written

BLOCKED: dict[str, Any] = {"blocked": {"default": "key leaked, ticket 4711"}}


def stopped(**changes: Any) -> View:
    """A registered Client that the platform blocks."""
    return registered(contract(), **{**BLOCKED, **changes})


@pytest.mark.parametrize("changes", [{}, {"paused": True}, {"publish": "Automatic"}], ids=str)
def test_off_at_once(changes: dict[str, Any]) -> None:
    """Fails when something comes before the stop, or the owner can hold it up."""
    seen = stopped(changes_to_client=changes, settled_at=2e9)
    effect = decide(seen).effect
    assert isinstance(effect, Unregister) and effect.why is Why.BLOCKED
    assert effect.keeps == seen.status.snapshot("default") and "ticket 4711" in effect.detail


def test_what_is_unknown_is_read_first() -> None:
    """Fails when a registration is taken off that may be somebody else's."""
    assert decide(stopped(live={})).effect == ReadLive("default")
    assert not isinstance(decide(stopped(live={"default": foreign()})).effect, Unregister)


def test_what_is_said() -> None:
    """Fails when the owner does not read why, or the Client looks alive."""
    decision = decide(stopped(live={"default": absent()}))
    assert decision.effect == WriteStatus()
    status = decision.status
    rows = {row.type: row for row in status.conditions}
    assert (rows["Blocked"].status, rows["Ready"].reason, rows["Registered"].reason) == ("True", "Blocked", "Blocked")
    assert "key leaked, ticket 4711" in rows["Ready"].message and "opens nothing" in rows["Ready"].message
    assert "Stalled" in rows and "Reconciling" not in rows
    assert (status.phase, status.contracts["live"]) == ("Ready", 0)
    assert status.snapshot("default").contracts, "what was published is kept"
    seen = contracts_written(at_rest(stopped(live={"default": absent()})))
    assert seen.contracts[0].status.conditions[0].reason == "Blocked"


def test_a_gateway_that_does_not_answer() -> None:
    """Fails when a blocked Client is called off while its key may still work."""
    seen = stopped(faults={"default": fault()})
    found = find(decide(seen).status.conditions, "Blocked")
    assert found is not None and "may still work" in found.message
    assert decide(contracts_written(at_rest(seen))).effect == Wait(retry=True)


@pytest.mark.parametrize(
    "seen",
    [
        view(None, contract(), **BLOCKED),
        stopped(live={"default": absent()}),
        stopped(
            live={"default": absent()},
            changes_to_client={"publish": "Automatic"},
            now_contracts=(contract(), contract("b")),
        ),
        stopped(live={"default": absent()}, changes_to_client={"tokens": (("reregister", "one"),)}),
        stopped(
            live={"default": absent()},
            changes_to_status={"retired_by": "Annotation"},
            changes_to_client={"tokens": (("reregister", "one"),)},
        ),
        stopped(live={"default": absent()}, now_contracts=()),
    ],
    ids=["first", "heal", "automatic", "reregister", "unretire", "revoke"],
)
def test_nothing_brings_it_back(seen: View) -> None:
    """Fails when the owner can undo the stop."""
    for _ in range(4):
        effect = decide(seen).effect
        assert not isinstance(effect, Push), effect
        seen = at_rest(seen) if isinstance(effect, WriteStatus) else seen
        seen = contracts_written(seen) if isinstance(effect, WriteContracts) else seen


def test_reregister_is_refused() -> None:
    """Fails when the owner's token waits for the block to be lifted."""
    decision = decide(stopped(live={"default": absent()}, changes_to_client={"tokens": (("reregister", "one"),)}))
    action = decision.status.action("reregister")
    assert (action.outcome, "blocked" in action.message) == ("Failed", True)


def test_lifted() -> None:
    """Fails when a lifted block needs a token, or brings back what was revoked meanwhile."""
    blocked = at_rest(stopped(live={"default": absent()}))
    for gateways in (None, (gateway(drift_mode="Observe"),)):
        seen = replace(blocked, blocked={})
        if gateways is not None:
            seen = replace(seen, correcting=frozenset())
        effect = decide(seen).effect
        assert isinstance(effect, Push) and effect.why is Why.UNBLOCKED
        assert effect.target.contracts == blocked.status.snapshot("default").contracts
    assert isinstance(decide(replace(blocked, blocked={}, contracts=())).effect, Unregister)
    back = replace(blocked, blocked={}, live={"default": ours()})
    assert find(decide(back).status.conditions, "Blocked") is None


def test_deletion_and_retirement_go_on() -> None:
    """Fails when a blocked Client can't go."""
    gone = stopped(live={"default": absent()}, changes_to_client={"deleting": True, "deletion_policy": "Retain"})
    assert decide(gone).effect == ReleaseSecret()
    retired = stopped(live={"default": absent()}, changes_to_client={"state": "Retired"})
    assert isinstance(decide(retired).effect, Unregister)
    ended = stopped(
        live={"default": absent()}, changes_to_client={"state": "Retired"}, changes_to_status={"gateways": ()}
    )
    status = decide(ended).status
    ready = find(status.conditions, "Ready")
    assert (status.phase, ready is not None and ready.reason) == ("Retired", "Retired")


def test_a_gateway_that_is_only_observed() -> None:
    """Fails when Observe is written to."""
    assert not isinstance(decide(stopped(gateways=(gateway(mode="Observe"),))).effect, Unregister)


def test_the_list() -> None:
    """Fails when an entry hits another client, or one without a version misses one."""
    found = gateway(blocked=(Block("shop", "a", "1.0", "x"), Block("shop", "b", "", "y")))
    reasons = [
        (found.block(organization=o, client_id=c, version=v) or Block("", "", "", "")).reason
        for o, c, v in (("shop", "a", "1.0"), ("shop", "a", "2.0"), ("shop", "b", "7"), ("other", "b", "7"))
    ]
    assert reasons == ["x", "", "y", ""]
    assert NOW > 0
