"""How far a tenant reaches: Policies on what is not its own, identities on gateways where the organization is somebody else's."""

from __future__ import annotations

from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import VerdictState
from registrar.lifecycle.reach import within_reach
from registrar.resources.objects import TargetRef
from tests.unit.lifecycle.build import claim, client, contract, gateway, objects, policy

PLAN = TargetRef("Plan", "gold", "acme")


def test_what_one_does_not_own_is_out_of_reach() -> None:
    """Fails when a Policy on another's plan wakes, or counts, the Clients behind it."""
    mixed = policy(targets=(TargetRef("Client", "shop"), PLAN))
    closed = gateway(organizations=(claim("acme", "owner"),))
    assert within_reach(mixed, [closed]).targets == (TargetRef("Client", "shop"),)
    assert within_reach(policy(target=PLAN), [closed]).targets == ()
    assert within_reach(policy(target=PLAN), []).targets == ()
    assert within_reach(mixed, []).targets == (TargetRef("Client", "shop"),)


def test_what_one_owns_on_some_gateway_is_within_reach() -> None:
    """Fails when an owner's Policy reaches nobody."""
    owners = policy(target=PLAN, namespace="owner")
    assert within_reach(owners, [gateway(), gateway("other", organizations=(claim("acme", "owner"),))]) is owners


def test_an_organization_that_is_anothers_on_the_second_gateway() -> None:
    """Fails when a Client takes an identity on a gateway on which its organization belongs to somebody else."""
    first = gateway("default", organizations=(claim("acme", "team"),))
    second = gateway("second", default=False, organizations=(claim("acme", "owner"),))
    there = contract("billing", gateway="second")
    judged = desired(objects(client(organization="acme"), contract("orders"), there, gateways=(first, second)))
    verdicts = {v.contract.meta.name: (v.state, v.reason) for v in judged.verdicts}
    assert verdicts == {
        "orders": (VerdictState.VALID, ""),
        "billing": (VerdictState.REJECTED, "NotPermitted"),
    }
    assert [snapshot.gateway for snapshot in judged.snapshots] == ["default"]
