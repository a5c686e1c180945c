"""What a key Secret says, what is changed in it, and who holds which key."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from registrar.engine import key_secret
from registrar.engine.key_secret import Keys, current_entry, outdated, read_keys
from registrar.engine.store import Store
from registrar.kube.secrets import KeySecret, key_secret_body
from registrar.lifecycle.model import KeyRole
from registrar.resources.objects import ApiKeySpec, ClientObject, SecretObject
from registrar.resources.parse import LAST_APPLIED, parse_secret
from tests.unit.lifecycle.build import client

K1, K2, K3 = "k1" * 16, "k2" * 16, "k3" * 16
URL = "http://public"


def body(spec: ApiKeySpec, **changes: Any) -> dict[str, Any]:
    """A generated Secret as it is created."""
    secret = KeySecret(
        name="shop-api-key",
        namespace="team",
        client_name="shop",
        client_uid="uid-shop",
        entry=spec.secret_key,
        labels=dict(spec.labels),
        annotations=key_secret.wanted_annotations(spec) | {key_secret.CREATED_AT: "2026-01-01T00:00:00Z"},
        base_url=URL,
        **changes,
    )
    made = key_secret_body(secret, key=K1)
    made["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-02-02T00:00:00Z"}
    return made


def parsed(raw: dict[str, Any]) -> SecretObject:
    """The Secret as the store has it."""
    return parse_secret(raw)


def shop(**spec: Any) -> ClientObject:
    """The Client, with that key in its spec."""
    return client(api_key=ApiKeySpec(**spec))


def patched(raw: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The Secret after a merge patch, as the API server would have it."""
    made: dict[str, Any] = {**raw, "metadata": {**raw["metadata"]}}
    for place, rows in (("data", patch["data"]), *(("metadata." + k, v) for k, v in patch["metadata"].items())):
        if place == "metadata.resourceVersion":
            assert rows == "7", "a change is made on the version that it was computed from"
            continue
        holder, _, name = place.rpartition(".")
        target = made["metadata"] if holder else made
        kept = {**target.get(name, {}), **rows}
        target[name] = {key: value for key, value in kept.items() if value is not None}
    return made


def keys(raw: dict[str, Any], spec: ApiKeySpec | None = None) -> dict[KeyRole, str]:
    """The usable keys of a Secret."""
    return dict(read_keys(parsed(raw), spec or ApiKeySpec()).keys.texts)


SPECS = {
    "plain": ApiKeySpec(),
    "template": ApiKeySpec(labels=(("team", "a"),), annotations=(("note", "x"),)),
    "entry": ApiKeySpec(secret_key="token"),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_fresh_secret_is_what_the_spec_wants(name: str) -> None:
    """Fails when a Secret is written again right after it was made: each Client would cost another write."""
    spec = SPECS[name]
    assert not outdated(parsed(body(spec)), client(api_key=spec), base_url=URL)


@pytest.mark.parametrize("before", SPECS)
@pytest.mark.parametrize("after", SPECS)
def test_a_change_of_the_spec_is_one_write(before: str, after: str) -> None:
    """Fails when a change leaves something behind, takes what is not ours, loses the key, or is not found done."""
    wanted = client(api_key=SPECS[after])
    raw = body(SPECS[before])
    raw["metadata"]["labels"]["theirs"] = raw["metadata"]["annotations"]["theirs"] = "kept"
    made = patched(raw, key_secret.sync_patch(parsed(raw), wanted, base_url=URL))
    assert not outdated(parsed(made), wanted, base_url=URL)
    fresh = body(SPECS[after])
    assert made["metadata"]["labels"] == fresh["metadata"]["labels"] | {"theirs": "kept"}
    assert made["metadata"]["annotations"] == fresh["metadata"]["annotations"] | {"theirs": "kept"}
    assert made["data"] == fresh["data"]


def test_a_base_url_that_changes() -> None:
    """Fails when the address of the gateway in the Secret is an old one, or one that is not known takes it away."""
    secret = parsed(body(ApiKeySpec()))
    assert outdated(secret, shop(), base_url="http://elsewhere")
    assert not outdated(secret, shop(), base_url="")


def test_a_label_of_ours_that_was_taken_off() -> None:
    """Fails when a Secret that lost the label by which it is seen stays without it."""
    raw = body(ApiKeySpec())
    del raw["metadata"]["labels"]["gateway-registrar.dev/allow-use"]
    assert outdated(parsed(raw), shop(), base_url=URL)


def test_a_rotation_in_the_secret() -> None:
    """Fails when a step of a rotation loses a key, leaves one behind, or forgets since when and what for it is."""
    raw = body(ApiKeySpec())
    staged = patched(raw, key_secret.stage_patch(parsed(raw), key=K2, request="rotate-key:1", now=1_800_000_000))
    assert keys(staged) == {KeyRole.CURRENT: K1, KeyRole.NEXT: K2}
    found = read_keys(parsed(staged), ApiKeySpec())
    assert (found.created_at, found.made_for) == ("2026-01-01T00:00:00Z", "")
    swapped = patched(staged, key_secret.swap_patch(parsed(staged), shop(), found.keys, until=1_800_003_600))
    found = read_keys(parsed(swapped), ApiKeySpec())
    assert keys(swapped) == {KeyRole.CURRENT: K2, KeyRole.PREVIOUS: K1}
    assert (found.created_at, found.made_for) == ("2027-01-15T08:00:00Z", "rotate-key:1")
    assert found.previous_until == 1_800_003_600
    ended = patched(swapped, key_secret.end_patch(parsed(swapped), until=1_800_000_060))
    assert read_keys(parsed(ended), ApiKeySpec()).previous_until == 1_800_000_060
    dropped = patched(ended, key_secret.drop_patch(parsed(ended), KeyRole.PREVIOUS))
    assert keys(dropped) == {KeyRole.CURRENT: K2}
    assert key_secret.PREVIOUS_UNTIL not in dropped["metadata"]["annotations"]
    assert not outdated(parsed(dropped), shop(), base_url=URL)


def test_a_rotation_that_is_given_up() -> None:
    """Fails when a next key, or what is noted of it, outlives its rotation."""
    raw = body(ApiKeySpec())
    staged = patched(raw, key_secret.stage_patch(parsed(raw), key=K2, request="r", now=1_800_000_000))
    made = patched(staged, key_secret.drop_patch(parsed(staged), KeyRole.NEXT))
    assert (made["data"], made["metadata"]["annotations"]) == (raw["data"], raw["metadata"]["annotations"])


@pytest.mark.parametrize("previous", ["", K1])
def test_a_key_that_is_replaced(previous: str) -> None:
    """Fails when a revoked key gets an overlap, or a next key is left over."""
    raw = body(ApiKeySpec(), previous=K3)
    staged = {**raw, "data": {**raw["data"], "nextApiKey": base64.b64encode(K2.encode()).decode()}}
    patch = key_secret.replace_patch(parsed(staged), shop(), key=K2, request="v", previous=previous, now=1_800_000_000)
    made = patched(staged, patch)
    assert keys(made) == {KeyRole.CURRENT: K2} | ({KeyRole.PREVIOUS: previous} if previous else {})
    found = read_keys(parsed(made), ApiKeySpec())
    assert (found.made_for, found.previous_until, found.created_at) == ("v", 0.0, "2027-01-15T08:00:00Z")


@pytest.mark.parametrize("text", ["API::acme|orders|1.0", "short", "x" * 129, "ä" * 30, "", "a b" * 10])
def test_what_is_no_key(text: str) -> None:
    """Fails when something that the gateway would take for an id of its own counts as a key."""
    raw = body(ApiKeySpec())
    raw["data"]["apiKey"] = base64.b64encode(text.encode()).decode()
    assert keys(raw) == {}


@pytest.mark.parametrize("note", ["", "yesterday", "9999999-01-01T00:00:00Z", "2026-01-01"])
def test_a_note_that_somebody_wrote(note: str) -> None:
    """Fails when an annotation that is no time stops the Client, or makes its key as old as it says."""
    raw = body(ApiKeySpec())
    raw["metadata"]["annotations"] |= {key_secret.CREATED_AT: note, key_secret.PREVIOUS_UNTIL: note}
    found = read_keys(parsed(raw), ApiKeySpec())
    assert found.created_at in ("2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z")
    assert found.previous_until in (0.0, 1_767_225_600.0)


def test_a_secret_of_the_users_has_one_key() -> None:
    """Fails when entries of a Secret that is not ours are taken for keys of a rotation."""
    raw = body(ApiKeySpec(), previous=K3)
    assert keys(raw, ApiKeySpec(source="Existing", secret_name="mine")) == {KeyRole.CURRENT: K1}


def test_an_entry_that_is_not_moved_yet() -> None:
    """Fails when a Client loses its key by a change of secretKey."""
    secret, spec = parsed(body(SPECS["entry"])), ApiKeySpec(secret_key="other")
    assert current_entry(secret, spec) == "token"
    assert read_keys(secret, spec).keys.of(KeyRole.CURRENT) == K1


def test_no_key_is_shown() -> None:
    """Fails when a key gets into a log by the repr of something."""
    raw = body(ApiKeySpec(), previous=K3)
    raw["metadata"]["annotations"][LAST_APPLIED] = K1
    secret = parsed(raw)
    texts = [repr(secret), repr(read_keys(secret, ApiKeySpec())), repr(Keys({KeyRole.NEXT: K2}))]
    assert not any(key in text for key in (K1, K2, K3) for text in texts)
    assert LAST_APPLIED not in dict(secret.annotations)


def test_a_client_holds_all_of_its_keys() -> None:
    """Fails when the key of an overlap can become another Client's, or one that is given up stays taken."""
    store = Store()
    assert store.reserve_keys(("a", "b", ""), "one") == {"a", "b"}
    assert store.reserve_keys(("b", "c"), "two") == {"c"}
    assert store.reserve_key("a", "two") == "one"
    assert store.reserve_keys(("b",), "one") == {"b"}
    assert store.reserve_key("a", "two") == "two"
    assert store.reserve_key("c", "three") == "three", "a Client that took another key gave its former one back"
    store.release("one")
    assert store.reserve_keys(("a", "b"), "two") == {"a", "b"}


def test_nothing_to_change_is_an_empty_patch() -> None:
    """Fails when a patch of a Secret carries what it is not about."""
    patch = key_secret.sync_patch(parsed(body(ApiKeySpec())), shop(), base_url=URL)
    assert patch == {"metadata": {"resourceVersion": "7", "annotations": {}, "labels": {}}, "data": {}}
