"""Deletion always ends: by force, with what is owed remembered first, or with what is to stay left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    Effect,
    EnsureSecret,
    KeyFact,
    KeyState,
    LiveFact,
    ReadLive,
    RecordOwed,
    ReleaseSecret,
    RemoveFinalizer,
    TakeSecret,
    Unregister,
    View,
    Wait,
    Why,
    WriteStatus,
)
from registrar.resources.objects import ApiKeySpec
from tests.unit.lifecycle.build import (
    absent,
    blob,
    client,
    contract,
    fault,
    foreign,
    gateway,
    meta,
    ours,
    registered,
    status,
    view,
)

DOWN: dict[str, Any] = {"faults": {"default": fault()}}
OBSERVE = (gateway(mode="Observe"),)


def deleted(*, force: str = "uid-shop", policy: str = "", **changes: Any) -> View:
    """A registered Client that is being deleted, by force unless told otherwise."""
    about = {"deleting": True, "force_delete": force, "deletion_policy": policy}
    return registered(contract(), changes_to_client=about, **changes)


def two(*, live: dict[str, LiveFact], **changes: Any) -> View:
    """The same, registered on two gateways."""
    gateways = (gateway(), gateway("second", default=False))
    contracts = (contract(), contract("billing", gateway="second"))
    before = view(None, *contracts, gateways=gateways)
    seen = client(status(before), deleting=True, force_delete=changes.pop("force", ""))
    return view(seen, *contracts, gateways=gateways, live=live, **changes)


@pytest.mark.parametrize("live", [{"default": ours()}, {}], ids=["ours", "unknown"])
def test_force_remembers_what_is_owed_before_it_lets_go(live: dict[str, LiveFact]) -> None:
    """Fails when the finalizer goes before the debt is written, or when a forced deletion waits for the gateway."""
    assert decide(deleted(live=live, **DOWN)).effect == RecordOwed(("default",))
    after = {"owed": frozenset({"default"}), **DOWN}
    assert isinstance(decide(deleted(live=live, key=KeyFact(KeyState.MISSING), **after)).effect, RemoveFinalizer)


def test_force_takes_off_what_it_can() -> None:
    """Fails when a forced deletion owes what could have been taken off at once."""
    assert decide(deleted()).effect == Unregister("default", Why.DELETED, "taken off gateway default")
    assert decide(deleted(live={})).effect == ReadLive("default")


@pytest.mark.parametrize("live", [{"default": absent()}, {"default": foreign()}], ids=["absent", "foreign"])
def test_nothing_is_owed_of_a_gateway_without_it(live: dict[str, LiveFact]) -> None:
    """Fails when a debt is made of what is not there, or not ours."""
    assert not isinstance(decide(deleted(live=live, **DOWN)).effect, RecordOwed)


@pytest.mark.parametrize("token", ["", "uid-other", "true", "uid-shop "])
def test_force_names_the_very_object(token: str) -> None:
    """Fails when an annotation that was meant for another object lets this one go."""
    assert isinstance(decide(deleted(force=token, **DOWN)).effect, WriteStatus | Wait)


def test_force_counts_only_while_terminating() -> None:
    """Fails when the annotation does something to a Client that nobody deletes."""
    seen = registered(contract(), changes_to_client={"force_delete": "uid-shop"}, **DOWN)
    assert not isinstance(decide(seen).effect, RecordOwed | RemoveFinalizer)


def test_one_gateway_that_is_down_keeps_no_other_waiting() -> None:
    """Fails when a key goes on working on a gateway that could be told, because another one can't."""
    live = {"default": ours(), "second": ours()}
    seen = two(live=live, **DOWN)
    assert decide(seen).effect == Unregister("second", Why.DELETED, "taken off gateway second")
    seen = two(live={"default": ours(), "second": absent()}, **DOWN)
    assert isinstance(decide(seen).effect, WriteStatus | Wait)
    seen = two(live={"default": ours(), "second": absent()}, force="uid-shop", **DOWN)
    assert decide(seen).effect == RecordOwed(("default",))


def test_a_gateway_that_is_only_observed_is_owed() -> None:
    """Fails when a deletion under Observe leaves a key that nobody remembers, or writes to the gateway."""
    assert decide(deleted(force="", gateways=OBSERVE)).effect == RecordOwed(("default",))
    assert decide(deleted(force="", gateways=OBSERVE, live={})).effect == ReadLive("default")


@pytest.mark.parametrize(
    ("key", "source", "effect"),
    [
        (KeyState.VALID, "Generated", ReleaseSecret()),
        (KeyState.IN_USE, "Generated", ReleaseSecret()),
        (KeyState.INVALID, "Generated", ReleaseSecret()),
        (KeyState.LEFT, "Generated", RemoveFinalizer()),
        (KeyState.MISSING, "Generated", RemoveFinalizer()),
        (KeyState.VALID, "Existing", RemoveFinalizer()),
    ],
)
def test_retain_releases_the_secret_first(key: KeyState, source: str, effect: Effect) -> None:
    """Fails when the Secret is collected with the Client that was to leave it."""
    seen = deleted(force="", policy="Retain", key=KeyFact(key), **DOWN)
    seen = replace(seen, client=replace(seen.client, api_key=ApiKeySpec(source=source)))
    assert decide(seen).effect == effect


def test_a_secret_that_was_left_behind_is_taken() -> None:
    """Fails when a Client that was made again is stuck with the Secret of its former life."""
    seen = view(client(meta=meta("shop", uid="uid-again")), contract(), key=KeyFact(KeyState.LEFT))
    assert decide(seen).effect == TakeSecret()
    paused = view(client(paused=True), contract(), key=KeyFact(KeyState.LEFT))
    assert not isinstance(decide(paused).effect, TakeSecret | EnsureSecret)


def test_what_is_not_ours_is_looked_at_again() -> None:
    """Fails when a Client never notices that the registration in its way is gone."""
    seen = view(client(), live={"default": foreign()})
    found = replace(seen.client, status_blob=blob(decide(seen).status.to_json()))
    assert decide(replace(seen, client=found, status=found.status)).effect == Wait(retry=True)
