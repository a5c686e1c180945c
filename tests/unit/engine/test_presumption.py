"""When the operator's own records are enough to presume what a gateway has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from registrar.engine.key_secret import Keys
from registrar.engine.presumption import presumed
from registrar.engine.rendering import Seals, registration
from registrar.lifecycle.chain import published
from registrar.lifecycle.model import KeyFact, KeyRole, KeyState, Live, LiveFact
from registrar.resources.status import (
    ANNOUNCED,
    ClientStatus,
    IdentityStatus,
    PublishedContract,
    PublishedPolicy,
    Snapshot,
)
from tests.unit.lifecycle.build import policy

SEALS = Seals(b"secret")
IDENTITY = IdentityStatus("team", "shop", "1.0", "default")
LIMIT = published(policy("limit"), level="Client", namespace="team")
ENTRY = PublishedContract("orders", "uid-orders", "acme", "orders", "1.0", "gold", policies=(LIMIT.id,))
KEYS = Keys({KeyRole.CURRENT: "k" * 43})
FACT = KeyFact(KeyState.VALID, current="digest-of-it")


def config_of(found: PublishedPolicy) -> dict[str, Any] | None:
    """What the snapshot keeps."""
    loaded: dict[str, Any] = orjson.loads(found.config)
    return loaded


def snapshot(gateway: str = "default") -> Snapshot:
    """A snapshot with the hash and the seal that a push leaves."""
    made = Snapshot(gateway=gateway, policies=(LIMIT,), contracts=(ENTRY,))
    sent = registration(made, identity=IDENTITY, api_key="k" * 43, config_of=config_of)
    return SEALS.seal(replace(made, hash=SEALS.digest(sent)), uid="uid-shop")


def judge(*snapshots: Snapshot, keys: Keys = KEYS, config: Any = config_of) -> dict[str, LiveFact]:
    """What is presumed of a Client with these snapshots."""
    status = replace(ClientStatus(), identity=IDENTITY, gateways=snapshots)
    return presumed(status, uid="uid-shop", key=FACT, keys=keys, seals=SEALS, config_of=config)


def test_what_would_be_sent_now_is_what_was_sent() -> None:
    """Fails when a start has to read what nobody but this operator can have changed."""
    one, two = snapshot(), snapshot("second")
    facts = judge(one, two)
    assert facts == {
        name: LiveFact(state=Live.OURS, digest=found.hash, key="digest-of-it")
        for name, found in (("default", one), ("second", two))
    }


@pytest.mark.parametrize(
    ("snapshots", "changes"),
    [
        pytest.param((Snapshot(gateway="default"),), {}, id="nothing published: a push may have been lost"),
        pytest.param((snapshot(), Snapshot(gateway="second")), {}, id="one of two gateways"),
        pytest.param((replace(snapshot(), seal="forged"),), {}, id="a status that somebody else wrote"),
        pytest.param((SEALS.seal(replace(snapshot(), hash=ANNOUNCED), uid="uid-shop"),), {}, id="only announced"),
        pytest.param((SEALS.seal(snapshot(), uid="another"),), {}, id="copied from another Client"),
        pytest.param((snapshot(),), {"keys": Keys({KeyRole.CURRENT: "n" * 43})}, id="another key by now"),
        pytest.param((snapshot(),), {"keys": Keys()}, id="no key"),
        pytest.param((snapshot(),), {"config": lambda _: None}, id="a Secret is gone"),
        pytest.param(
            (snapshot(),), {"config": lambda p: {**orjson.loads(p.config), "limit": 7}}, id="a Secret changed"
        ),
    ],
)
def test_everything_else_is_read(snapshots: tuple[Snapshot, ...], changes: dict[str, Any]) -> None:
    """Fails when a Client rests on records that do not show what the gateway took."""
    assert judge(*snapshots, **changes) == {}
