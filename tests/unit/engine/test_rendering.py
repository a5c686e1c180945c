"""From snapshots to registrations, where a policy can't be rendered now."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from registrar.engine.rendering import UnrenderableError, as_found, registration
from registrar.gateways.base import WirePolicy
from registrar.lifecycle.chain import published
from registrar.resources.status import IdentityStatus, PublishedContract, PublishedPolicy, Snapshot
from tests.unit.lifecycle.build import policy

IDENTITY = IdentityStatus("team", "shop", "1.0", "default")
LIMIT = published(policy("limit"), level="Client", namespace="team")
LOGIN = PublishedPolicy("Contract:team/login", "Contract", "basicAuthentication", "OnPublish", config='{"realm":"r"}')


def entry(name: str, *policies: str, live: bool = True) -> PublishedContract:
    """A published contract for the API of the same name."""
    return PublishedContract(name, f"uid-{name}", "acme", name, "1.0", "gold", live=live, policies=policies)


def config_of(found: PublishedPolicy) -> dict[str, Any] | None:
    """Only the limit can be had."""
    loaded: dict[str, Any] = orjson.loads(found.config)
    return loaded if found is LIMIT else None


SNAPSHOT = Snapshot(
    gateway="default",
    policies=(LIMIT, LOGIN),
    contracts=(entry("orders", LIMIT.id, LOGIN.id), entry("billing", LIMIT.id), entry("gone", LOGIN.id, live=False)),
)
BYTES = WirePolicy("class:x.Login", '{"password":"as it was"}')


def test_nothing_is_sent_without_its_whole_chain() -> None:
    """Fails when a contract is rendered without the policy that can't be."""
    with pytest.raises(UnrenderableError, match="login"):
        registration(SNAPSHOT, identity=IDENTITY, api_key="k" * 43, config_of=config_of)


def test_what_the_gateway_has_is_sent_back() -> None:
    """Fails when a live policy is lost, or another one is taken for it, because it can't be rendered now."""
    sent = registration(SNAPSHOT, identity=IDENTITY, api_key="k" * 43, config_of=config_of, kept={LOGIN.id: BYTES})
    assert {c.api: [p.implementation.rpartition(".")[2] for p in c.policies] for c in sent.contracts} == {
        "billing": ["RateLimitingPolicy"],
        "orders": ["RateLimitingPolicy", "Login"],
    }
    there = as_found(sent, SNAPSHOT)
    assert there[LOGIN.id] == BYTES and there.keys() == {LIMIT.id, LOGIN.id}


def test_what_is_not_sent_need_not_be_rendered() -> None:
    """Fails when a contract that waits for its policy holds the others back."""
    waiting = Snapshot(
        gateway="default",
        policies=SNAPSHOT.policies,
        contracts=(entry("orders", LOGIN.id, live=False), entry("billing", LIMIT.id)),
    )
    sent = registration(waiting, identity=IDENTITY, api_key="k" * 43, config_of=config_of)
    assert [contract.api for contract in sent.contracts] == ["billing"]
