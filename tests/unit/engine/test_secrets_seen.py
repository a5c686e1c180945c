"""Secrets that come and go by their label: none is lost for good, and none is read that nobody allowed."""

from __future__ import annotations

from dataclasses import replace

from registrar.engine.store import Store
from registrar.resources.objects import SecretObject
from tests.unit.lifecycle.build import client, meta


def secret(version: int) -> SecretObject:
    """The key Secret with that resourceVersion."""
    return SecretObject(
        meta=meta("shop-api-key", resource_version=str(version)), owner_uid="uid-shop", allowed=True, data={}
    )


def test_a_secret_that_lost_its_label_comes_back() -> None:
    """Fails when a Secret that left the selection is taken for one that never comes back: its Client would try to make it for ever."""
    store = Store()
    store.upsert(secret(5))
    assert store.remove("Secret", "team", "shop-api-key", "uid-shop-api-key", version=7) is not None
    assert store.upsert(secret(5)) is None, "a late event is older than the going"
    assert store.upsert(secret(7)) is not None, "a reading after it is not"
    assert store.remove("Secret", "team", "shop-api-key", "uid-shop-api-key", version=8) is not None
    assert store.upsert(secret(9)) is not None, "the label is back"


def test_what_is_no_secret_stays_gone() -> None:
    """Fails when a deleted Client comes back by a late event, however new it looks."""
    store = Store()
    store.upsert(client())
    assert store.remove("Client", "team", "shop", "uid-shop", version=1) is not None
    late = client()
    assert store.upsert(replace(late, meta=replace(late.meta, resource_version="99"))) is None
