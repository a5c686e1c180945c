"""Who holds an identity and a key after a restart, whatever the order in which Clients are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.engine.claims import reserve_all
from registrar.engine.queue import Key
from registrar.engine.rendering import Seals
from registrar.engine.store import Store
from registrar.resources.objects import ApiKeySpec, ClientObject, SecretObject
from tests.unit.lifecycle.build import blob, client, meta

SEALS = Seals(secret=b"s" * 32)
KEY = "k" * 43
IDENTITY = {"gateway": "default", "organization": "acme", "clientId": "shop", "version": "1.0"}


def holder(
    name: str, *, phase: str = "Registered", age: float = 0, status: dict[str, Any] | None = None
) -> ClientObject:
    """A Client whose status says that it has the identity and the key."""
    recorded = {"identity": IDENTITY, "apiKey": {"secretName": "key"}} if status is None else status
    return replace(
        client(),
        meta=meta(name, namespace=name, created_at=1000 - age),
        phase=phase,
        api_key=ApiKeySpec(source="Existing", secret_name="key"),
        status_blob=blob(recorded),
    )


def store_of(*clients: ClientObject, key: str = KEY) -> Store:
    """A store with these Clients, each with the same key in its Secret, after a start."""
    store = Store()
    for one in clients:
        store.upsert(one)
        found = meta("key", namespace=one.meta.namespace, uid=f"secret-{one.meta.name}")
        store.upsert(SecretObject(meta=found, owner_uid="", allowed=True, data={"apiKey": key.encode("latin-1")}))
    reserve_all(store=store, seals=SEALS)
    return store


def owners(store: Store) -> tuple[str, str]:
    """Who holds the identity and the key, when a stranger asks."""
    identity = store.reserve_identity(
        gateway="default", organization="acme", client_id="shop", version="1.0", uid="stranger"
    )
    return identity, store.reserve_key(SEALS.key_digest(KEY), "stranger")


@pytest.mark.parametrize(
    "rival",
    [
        holder("a-rival", phase="Created", age=500),
        holder("a-rival", age=-1),
        holder("a-rival", phase="Created", status={}),
        holder("a-rival", status={"apiKey": {}}),
    ],
)
def test_who_held_it_holds_it(rival: ClientObject) -> None:
    """Fails when a Client with a copied key, or one that claims another's identity, only has to be looked at first."""
    assert owners(store_of(rival, holder("victim"))) == ("uid-victim", "uid-victim")
    assert owners(store_of(holder("victim"), rival)) == ("uid-victim", "uid-victim")


@pytest.mark.parametrize(
    "status",
    [{}, {"identity": "x", "apiKey": "y"}, {"identity": {"gateway": "default"}, "apiKey": {"secretName": "other"}}],
)
def test_what_no_status_says_is_free(status: dict[str, Any]) -> None:
    """Fails when a Client that never had it holds it."""
    assert owners(store_of(holder("new", status=status))) == ("stranger", "stranger")


def test_a_key_that_is_none_is_not_reserved() -> None:
    """Fails when text that is no key, or no text, is held."""
    assert owners(store_of(holder("odd"), key="API::acme|orders|1.0"))[1] == "stranger"
    assert owners(store_of(holder("odd"), key="\xff" * 43))[1] == "stranger"


def test_who_was_refused_is_looked_at_when_it_is_free() -> None:
    """Fails when a Client stays refused though the one that held its identity or key is gone, or has another key."""
    store = store_of(holder("victim"))
    store.upsert(holder("second"))
    assert store.reserve_key(SEALS.key_digest(KEY), "uid-second") == "uid-victim"
    assert store.take_freed() == set()
    assert store.reserve_key("another", "uid-victim") == "uid-victim"
    assert store.take_freed() == {Key("Client", "second", "second")}
    identity = {"gateway": "default", "organization": "acme", "client_id": "shop", "version": "1.0"}
    assert store.reserve_identity(**identity, uid="uid-second") == "uid-victim"
    assert store.reserve_identity(**identity, uid="uid-gone") == "uid-victim"
    store.remove("Client", "victim", "victim", "uid-victim")
    assert store.take_freed() == {Key("Client", "second", "second")}
    assert store.take_freed() == set()
    assert store.reserve_identity(**identity, uid="uid-second") == "uid-second"


def test_waiting_is_bounded() -> None:
    """Fails when a Client that is made and deleted again and again fills the memory."""
    store = store_of(holder("victim"))
    store.upsert(holder("second"))
    store.reserve_key(SEALS.key_digest(KEY), "uid-second")
    for number in range(5_000):
        store.reserve_key(SEALS.key_digest(KEY), f"gone-{number}")
    assert len(store._waiting["uid-victim"]) <= 1_001
    store.remove("Client", "victim", "victim", "uid-victim")
    assert store.take_freed() == {Key("Client", "second", "second")}


def test_a_client_without_a_secret() -> None:
    """Fails when a missing Secret stops the start."""
    store = Store()
    store.upsert(holder("lost"))
    reserve_all(store=store, seals=SEALS)
    assert owners(store) == ("uid-lost", "stranger")
