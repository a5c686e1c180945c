"""The store: newer beats older, gone is gone, and every question is answered by an index that is right."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.engine.queue import Key
from registrar.engine.store import Store
from registrar.resources.objects import ApiRef, Block, TargetRef
from registrar.resources.parse import parse_client, parse_contract, parse_gateway, parse_policy, parse_secret
from registrar.resources.status import ContractStatus
from tests.unit.lifecycle.build import client, contract, gateway, policy, status, view


def at(item: Any, version: int, **changes: Any) -> Any:
    """The object with that resourceVersion."""
    return replace(item, meta=replace(item.meta, resource_version=str(version), **changes))


def test_newer_beats_older() -> None:
    """Fails when a late event puts an old version over our own last write."""
    store = Store()
    assert store.upsert(at(client(), 5)) is not None
    assert store.upsert(at(client(paused=True), 5)) is None, "an echo is nothing new"
    assert store.upsert(at(client(paused=True), 4)) is None
    assert store.upsert(at(client(paused=True), 10)) is not None
    assert store.upsert(at(client(), 9)) is None
    found = store.client("team", "shop")
    assert found is not None and found.paused


def test_gone_is_gone() -> None:
    """Fails when a late event brings a deleted object back, or a deletion takes its successor."""
    store = Store()
    store.upsert(at(client(), 5))
    assert store.remove("Client", "team", "shop", "uid-shop") is not None
    assert store.upsert(at(client(), 6)) is None
    successor = at(client(), 7, uid="uid-new")
    assert store.upsert(successor) is not None
    assert store.remove("Client", "team", "shop", "uid-shop") is None
    assert store.client("team", "shop") == successor


def test_an_older_object_of_the_same_name() -> None:
    """Fails when the event of a former life replaces the present one."""
    store = Store()
    store.upsert(at(client(), 7, uid="uid-new"))
    assert store.upsert(at(client(), 9, created_at=1.0)) is None


def test_reservations() -> None:
    """Fails when two Clients get one identity or one key, or a gone one keeps them."""
    store = Store()
    who = {"gateway": "default", "organization": "team", "client_id": "shop", "version": "1.0"}
    assert store.reserve_identity(**who, uid="a") == "a"
    assert store.reserve_identity(**who, uid="b") == "a"
    assert store.reserve_key("k", "a") == "a"
    assert store.reserve_key("k", "b") == "a"
    assert store.reserve_key("k2", "a") == "a", "a Client's key may change"
    assert store.reserve_key("k", "b") == "b", "and its former one is free"
    store.release("a")
    assert store.reserve_identity(**who, uid="b") == "b"
    assert store.reserve_key("k2", "b") == "b"


KINDS = ("Client", "Contract", "Plan", "API")


def world(source: random.Random) -> list[Any]:
    """A handful of objects that refer to each other in all the ways there are, in many versions."""
    rows: list[Any] = []
    for version in range(1, 40):
        name = f"c{source.randrange(3)}"
        rows.append(
            source.choice(
                (
                    at(client(gateway=source.choice(("", "default"))), version, name=name, uid=f"u-{name}"),
                    at(
                        replace(
                            contract(source.choice(("orders", "billing")), plan=source.choice(("gold", "silver"))),
                            client=name,
                        ),
                        version,
                    ),
                    at(
                        policy(
                            source.choice(("p", "q")),
                            target=TargetRef(
                                source.choice(KINDS), source.choice((name, "orders", "gold")), "acme", "1.0"
                            ),
                            secret_names=source.choice(((), ("s1",), ("s1", "s2"))),
                        ),
                        version,
                    ),
                )
            )
        )
    return rows


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_indexes_are_right(source: random.Random) -> None:
    """Fails when an index keeps what is gone, or has lost what is there: compared with a scan after every change."""
    store = Store()
    for item in world(source):
        if source.random() < 0.2:
            kind = {"ClientObject": "Client", "ContractObject": "Contract"}.get(type(item).__name__, "Policy")
            store.remove(kind, item.meta.namespace, item.meta.name, item.meta.uid)
            store._gone.clear()
        else:
            store.upsert(item)
        contracts: list[Any] = list(store.all("Contract"))
        for name in ("c0", "c1", "c2"):
            scanned = sorted(c.meta.name for c in contracts if c.client == name)
            assert [c.meta.name for c in store.contracts_of("team", name)] == scanned
        api = ApiRef("acme", "orders", "1.0")
        assert store.clients_using_api(api) == {
            Key("Client", "team", c.client) for c in contracts if c.api.name == api.name
        }
        policies: list[Any] = list(store.all("Policy"))
        for one in policies:
            reached = {
                Key("Client", "team", c.client)
                for c in contracts
                for t in one.targets
                if (t.kind == "Contract" and t.name == c.meta.name)
                or (t.kind == "Plan" and (t.organization, t.name) == (c.api.organization, c.plan))
                or (t.kind == "Plan" and (t.organization, t.name) == (c.api.organization, c.status.live_plan))
                or (t.kind == "API" and (t.organization, t.name) == (c.api.organization, c.api.name))
            }
            reached |= {Key("Client", "team", t.name) for t in one.targets if t.kind == "Client"}
            assert store.clients_affected_by(one) == reached
        for secret in ("s1", "s2"):
            scanned = sorted(p.meta.name for p in policies if secret in p.secret_names)
            assert [p.meta.name for p in store.policies_of_secret("team", secret)] == scanned
        clients: list[Any] = list(store.all("Client"))
        on_default = {c.meta.name for c in clients if c.gateway == "default"}
        assert {key.name for key in store.clients_on_gateway("default")} == on_default
        assert sum(store.phases.values()) == len(contracts) + len(clients)


def test_a_client_is_found_by_what_is_published() -> None:
    """Fails when a gateway's check leaves out a Client that is published there."""
    store = Store()
    store.upsert(client(status(view(None, contract())), placed=("default",)))
    assert [key.name for key in store.clients_on_gateway("default")] == ["shop"]
    store.upsert(gateway())
    assert list(store.gateways()) == ["default"]


def test_a_client_is_found_by_the_plan_that_is_published() -> None:
    """Fails when an owner's limit does not reach a Client whose Contract names another plan by now, or its policies are not found."""
    store = Store()
    moved = contract(plan="silver", status=ContractStatus(phase="Active", live_plan="gold"))
    snapshot = view(None, contract()).desired.snapshot("default")
    limit = policy("limit", namespace="owner", target=TargetRef("Plan", "gold", "acme"))
    for item in (client(), moved, limit):
        store.upsert(item)
    assert store.clients_affected_by(limit) == {Key("Client", "team", "shop")}
    assert store.policies_for(client(), (moved,)) == ()
    assert store.policies_for(client(), (moved,), published=(snapshot,)) == (limit,)
    store.remove("Contract", "team", "orders", "uid-orders")
    assert store.clients_affected_by(limit) == set()


def test_who_is_published_where() -> None:
    """Fails when a count of registrations needs a walk over all Clients, or goes wrong with a change."""
    store = Store()
    key = Key("Client", "team", "shop")
    store.upsert(at(client(standing=(("default", 7.0), ("second", 9.0))), 5))
    assert (store.published_count("default"), store.published_on("second")) == (1, [key])
    assert (store.published_since("default", key), store.published_since("third", key)) == (7.0, None)
    store.upsert(at(client(standing=(("second", 9.0),)), 6))
    assert (store.published_count("default"), store.published_on("default")) == (0, [])
    store.remove("Client", "team", "shop", "uid-shop")
    assert store.published_count("second") == 0


@pytest.mark.parametrize(
    ("rows", "standing"),
    [
        ([{"name": "a", "registeredAt": "2026-01-01T00:00:00Z", "contracts": [{}]}], (("a", 1767225600.0),)),
        ([{"name": "a", "registeredAt": "nonsense", "contracts": [{}]}, "x", {"name": 7}], (("a", 0.0),)),
        ([{"name": "a", "contracts": []}], ()),
        ("nonsense", ()),
    ],
)
def test_a_status_by_hand_is_read_all_the_same(rows: Any, standing: Any) -> None:
    """Fails when a status that somebody wrote by hand keeps a Client from being read."""
    raw = {"metadata": {"name": "shop", "namespace": "team"}, "status": {"gateways": rows}}
    assert parse_client(raw).standing == standing


def test_the_block_list_is_read() -> None:
    """Fails when an entry of the emergency stop is not taken in."""
    rows = [{"organization": "team", "clientId": "shop", "reason": "leak"}]
    raw = {"metadata": {"name": "default"}, "spec": {"type": "Apiman", "blocked": rows}}
    assert parse_gateway(raw).blocked == (Block("team", "shop", "", "leak"),)


def test_parsing_keeps_what_matters() -> None:
    """Fails when a field of the API is read from the wrong place."""
    raw = {
        "metadata": {
            "name": "shop",
            "namespace": "team",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"gateway-registrar.dev/reregister": "t1", "other/annotation": "x"},
            "finalizers": ["gateway-registrar.dev/registration"],
        },
        "spec": {
            "version": "2",
            "apiKey": {"source": "Existing", "secretName": "mine", "secretKey": "k"},
            "paused": True,
        },
        "status": {
            "phase": "Created",
            "observedGeneration": 3,
            "gateways": [{"name": "b"}],
            "identity": {"gateway": "a"},
        },
    }
    found = parse_client(raw)
    assert found.placed == ("a", "b")
    assert (found.client_id, found.version, found.secret_name, found.paused) == ("shop", "2", "mine", True)
    assert (found.tokens, found.phase, found.raw_status) == ((("reregister", "t1"),), "Created", raw["status"])
    assert found.meta.created_at == 1767225600.0


def test_a_secret_is_parsed_without_showing() -> None:
    """Fails when a Secret's bytes are in a repr, or an owner of another kind counts."""
    raw = {
        "metadata": {
            "name": "s",
            "namespace": "team",
            "uid": "u",
            "labels": {"gateway-registrar.dev/allow-use": "true"},
            "ownerReferences": [{"controller": True, "apiVersion": "apps/v1", "uid": "o"}],
        },
        "data": {"apiKey": "Y2FuYXJ5", "broken": "%%%"},
    }
    found = parse_secret(raw)
    assert (found.data, found.owner_uid, found.allowed) == ({"apiKey": b"canary"}, "", True)
    assert "canary" not in repr(found)


@pytest.mark.parametrize("type_", ["rateLimit", "ipAllowList"])
def test_a_policy_is_known_by_its_member(type_: str) -> None:
    """Fails when the type of a Policy is not that of the member it has."""
    raw = {
        "metadata": {"name": "p", "namespace": "team", "uid": "u"},
        "spec": {"targetRefs": [{"kind": "Plan", "name": "gold", "organization": "acme"}], type_: {"b": 1, "a": 2}},
    }
    found = parse_policy(raw)
    assert (found.type, found.config, found.targets[0].organization) == (type_, '{"a":2,"b":1}', "acme")


def test_equal_statuses_are_shared() -> None:
    """Fails when 50,000 equal statuses are kept 50,000 times."""
    raw = {
        "metadata": {"name": "a", "namespace": "team", "uid": "u"},
        "spec": {"clientRef": {"name": "shop"}, "api": {"organization": "o", "name": "n", "version": "1"}},
        "status": {"phase": "Active", "observedGeneration": 1, "endpoint": "http://x"},
    }
    assert parse_contract(raw).status is parse_contract(dict(raw)).status


def test_an_echo_is_known_by_its_metadata() -> None:
    """Fails when an echo is parsed again, or when news is taken for an echo: a newer version, or another object of the same name."""
    store = Store()
    store.upsert(at(contract("orders"), 5))

    def raw(version: str, *, uid: str = "uid-orders", name: str = "orders") -> dict[str, Any]:
        return {"metadata": {"namespace": "team", "name": name, "uid": uid, "resourceVersion": version}}

    assert store.covers("Contract", raw("4")) and store.covers("Contract", raw("5"))
    assert not store.covers("Contract", raw("6"))
    assert not store.covers("Contract", raw("4", uid="another"))
    assert not store.covers("Contract", raw("4", name="billing"))


def test_reservations_on_other_gateways() -> None:
    """Fails when a Client's identity is free to others on its second gateway, or is kept there when it is gone."""
    store = Store()
    who = {"organization": "team", "client_id": "shop", "version": "1.0"}
    assert store.reserve_identity(gateway="default", **who, uid="a") == "a"
    assert store.reserve_elsewhere(gateway="second", **who, uid="a") == "a"
    assert store.reserve_identity(gateway="second", **who, uid="b") == "a"
    assert store.reserve_elsewhere(gateway="default", **who, uid="b") == "a"
    store.release("a")
    assert store.holder_of_identity(gateway="second", **who) == ""
    assert store.reserve_identity(gateway="second", **who, uid="b") == "b"
