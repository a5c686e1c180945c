"""What the objects ask for: identities, verdicts, chains, snapshots."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.lifecycle.chain import IMMEDIATE, ON_PUBLISH, chain, rollout, targets_contract
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import Objects, VerdictState
from registrar.resources.objects import ApiRef, TargetRef
from registrar.resources.status import IdentityStatus, canonical
from tests.unit.lifecycle.build import NOW, claim, client, contract, gateway, meta, objects, policy, status, view

SHOP = TargetRef("Client", "shop")
ORDERS = TargetRef("Contract", "orders")
GOLD = TargetRef("Plan", "gold", "acme")
API = TargetRef("API", "orders", "acme", "1.0")
ANY_VERSION = TargetRef("API", "orders", "acme")


@pytest.mark.parametrize(
    ("reason", "asked"),
    [
        ("NoDefaultGateway", objects(gateways=())),
        ("NoDefaultGateway", objects(gateways=(gateway(default=False),))),
        ("AmbiguousDefault", objects(gateways=(gateway(), gateway("second")))),
        ("GatewayNotFound", objects(client(gateway="nowhere"))),
        ("NotPermitted", objects(client(organization="other"))),
        (
            "NotPermitted",
            objects(gateways=(gateway(organizations=(claim("team", "others"),)),), client_=client(organization="team")),
        ),
        ("AmbiguousOrganization", objects(gateways=(gateway(organizations=(claim("a", "team"), claim("b", "team"))),))),
        ("AmbiguousOrganization", objects(gateways=(gateway(organizations=(claim("team", "others"),)),))),
        ("IdentityTaken", objects(identity_taken=True)),
    ],
)
def test_problems(reason: str, asked: Objects) -> None:
    """Fails when a Client is served that must not be, or the reason misleads."""
    judged = desired(replace(asked, contracts=(contract(),)))
    assert judged.problem is not None and judged.problem.reason == reason
    assert [v.reason for v in judged.verdicts] == ["ClientNotAccepted"]
    assert judged.snapshots == ()


@pytest.mark.parametrize(
    ("organization", "changes", "claims"),
    [
        ("team", {}, ()),
        ("acme", {}, (claim("acme", "team"),)),
        ("b", {"organization": "b"}, (claim("a", "team"), claim("b", "team"))),
        ("team", {"organization": "team"}, (claim("acme", "team"),)),
    ],
)
def test_organizations(organization: str, changes: dict[str, Any], claims: tuple[Any, ...]) -> None:
    """Fails when a Client gets another organization than its own, its namespace's one, or the one of its namespace's name."""
    judged = desired(objects(client(**changes), gateways=(gateway(organizations=claims),)))
    assert judged.identity is not None and judged.identity.organization == organization


def test_defaults_are_fixed_once() -> None:
    """Fails when moving a default moves a Client."""
    recorded = replace(status(view()), identity=IdentityStatus("team", "shop", "1.0", "default"))
    gateways = (gateway(default=False), gateway("second", default_publish="Automatic"))
    judged = desired(objects(client(recorded), gateways=gateways))
    assert judged.identity == recorded.identity
    assert (judged.publish, judged.deletion_policy) == ("Manual", "Unregister")


def verdict(asked: Objects) -> tuple[str, str]:
    """State and reason of the newest Contract."""
    found = desired(asked).verdicts[-1]
    return found.state.value, found.reason


def test_verdicts() -> None:
    """Fails when a Contract is judged otherwise than the design says."""
    here = contract()
    newer = replace(contract(), meta=meta("newer", created_at=NOW))
    missing = {"default": frozenset({here.api})}
    granted = (gateway(contracts="Granted"),)
    assert verdict(objects(None, here)) == ("Valid", "")
    assert verdict(objects(None, here, newer)) == ("Rejected", "Duplicate")
    assert verdict(objects(None, replace(here, gateway="nowhere"))) == ("Pending", "GatewayNotFound")
    assert verdict(objects(None, here, missing_apis=missing)) == ("Rejected", "ApiNotPublished")
    assert verdict(objects(None, here, gateways=granted)) == ("Rejected", "NotGranted")
    assert verdict(objects(None, replace(here, api=ApiRef("team", "own", "1")), gateways=granted)) == ("Valid", "")
    unknown = policy(type="quantumLimit")
    assert verdict(objects(None, here, policies=(unknown,))) == ("Pending", "PolicyUnresolved")
    assert desired(objects(None, replace(here, meta=meta("orders", deleting=True)))).verdicts == ()


def test_a_published_contract_outlives_its_api() -> None:
    """Fails when an API that vanished turns a live Contract into a rejected one."""
    recorded = status(view(None, contract()))
    missing = {"default": frozenset({contract().api})}
    assert verdict(objects(client(recorded), contract(), missing_apis=missing)) == ("Valid", "")
    moved = contract(version="2.0")
    missing = {"default": frozenset({moved.api})}
    assert verdict(objects(client(recorded), moved, missing_apis=missing)) == ("Rejected", "ApiNotPublished")


def test_one_api_on_two_gateways_is_two_contracts() -> None:
    """Fails when each gateway does not get its own contracts only."""
    here, there = contract(), replace(contract(gateway="second"), meta=meta("there"))
    judged = desired(objects(None, here, there, gateways=(gateway(), gateway("second", default=False))))
    assert {s.gateway: [c.name for c in s.contracts] for s in judged.snapshots} == {
        "default": ["orders"],
        "second": ["there"],
    }


LIST: dict[str, Any] = {"type": "ipAllowList", "config": canonical({"ipList": ["10.0.0.0/8"]})}
RULES = tuple(
    replace(rule, **LIST)
    for rule in (
        policy("a", target=SHOP, order=5),
        policy("b", target=SHOP),
        policy("c", target=ORDERS),
        policy("d", target=GOLD, namespace="acme"),
        policy("e", target=API, namespace="acme"),
        policy("f", target=ANY_VERSION, namespace="acme", order=-1),
        policy("x", target=TargetRef("Client", "other")),
        policy("x2", target=SHOP, namespace="elsewhere"),
        policy("x3", target=GOLD),
        policy("x4", target=TargetRef("API", "orders", "acme", "9"), namespace="acme"),
        policy("x5", target=SHOP, deleting=True),
        policy("x6", target=TargetRef("Moon", "shop")),
    )
)


@given(st.randoms(use_true_random=False))
@settings(max_examples=1000, deadline=None)
def test_the_chain_has_one_order(source: random.Random) -> None:
    """Fails when the order of arrival shows, or a policy gets in that may not."""
    shuffled = list(RULES)
    source.shuffle(shuffled)
    names = [entry.id.rpartition("/")[2] for entry in chain(contract(), shuffled, gateway())]
    assert names == ["b", "a", "c", "d", "f", "e"]


def test_a_kind_that_does_not_exist_reaches_nothing() -> None:
    """Fails when an unknown target is taken for everything."""
    assert not targets_contract(TargetRef("Moon", "shop"), policy(), contract())


def test_a_policy_runs_once() -> None:
    """Fails when a policy with two targets in one chain runs twice, or at the lower level."""
    twice = replace(policy(), targets=(ORDERS, SHOP))
    assert [entry.source for entry in chain(contract(), (twice,), gateway())] == ["Client"]


def test_another_namespaces_policy_is_kept_by_digest() -> None:
    """Fails when a tenant can read the owner's configuration in a status."""
    found = chain(contract(), (policy(target=GOLD, namespace="acme"),), gateway())[0]
    assert found.config == "" and len(found.digest) == 32


def test_rollout() -> None:
    """Fails when the owner's limits wait for the consumer, or the consumer's do not."""
    assert rollout(policy(target=GOLD)) == IMMEDIATE
    assert rollout(policy(target=SHOP)) == ON_PUBLISH
    assert rollout(policy(target=SHOP, rollout=IMMEDIATE)) == IMMEDIATE


def test_many_apis_that_vanished_are_no_contracts_fault() -> None:
    """Fails when a gateway that lost its APIs has Contracts rejected."""
    gone = {"default": frozenset({contract().api})}
    [verdict] = desired(objects(None, contract(), missing_apis=gone, vanished=frozenset({"default"}))).verdicts
    assert (verdict.state, verdict.reason) == (VerdictState.PENDING, "ApisMissing")
