"""Grants, namespaces and owners in the store: what is selected is always true, and a change wakes those whom it concerns and nobody else."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.clock import Jitter, SystemClock
from registrar.engine import concerned
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import Memory
from registrar.engine.queue import URGENT, Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import Access, Objects
from registrar.resources.objects import ApiRef, NamespaceObject, OrganizationClaim
from registrar.resources.selectors import Requirement, Selector
from tests.unit.lifecycle.build import RENDERABLE, claim, client, contract, gateway, grant, meta, policy

SHOP = Selector(labels=(("team", "shop"),))
versions = iter(range(1, 10_000_000))


def fresh(item: Any, **changes: Any) -> Any:
    """The object as its next version."""
    return replace(item, meta=replace(item.meta, resource_version=str(next(versions)), **changes))


def space(name: str, **labels: str) -> NamespaceObject:
    """A namespace with labels."""
    made: NamespaceObject = fresh(NamespaceObject(meta(name, namespace=""), labels))
    return made


def consumer(namespace: str, name: str = "shop") -> list[Any]:
    """A Client of a namespace with a Contract for each of two APIs of acme."""
    made = fresh(client(), namespace=namespace, name=name, uid=f"{namespace}-{name}")
    rows = [
        fresh(
            replace(contract(api), client=name),
            namespace=namespace,
            name=f"{name}-{api}",
            uid=f"{namespace}-{name}-{api}",
        )
        for api in ("orders", "billing")
    ]
    return [made, *rows]


def store_of(*items: Any) -> Store:
    """A store with these objects."""
    store = Store()
    for item in items:
        assert store.upsert(item) is not None
    return store


def selected(name: str, selector: Selector) -> OrganizationClaim:
    """An organization whose owners are found by labels."""
    return OrganizationClaim(name=name, namespaces=(), selector=selector)


def owners(store: Store, organization: str = "acme") -> set[str]:
    """The namespaces that own the organization on the default gateway."""
    found = store.gateway("default")
    assert found is not None
    names = {row.meta.name for row in store.all("Namespace")}
    return {name for name in names if organization in found.owned_organizations(name)}


def test_owners_by_labels() -> None:
    """Fails when an owner that is selected is missed, stays after its label or itself is gone, or depends on the order of arrival."""
    one = gateway(organizations=(selected("acme", SHOP), claim("other", "x")))
    a, b, c = space("a", team="shop"), space("b", team="x"), space("acme")
    for order in ((one, a, b, c), (a, b, c, one), (b, one, a, c)):
        store = store_of(*(replace(item) for item in order))
        assert owners(store) == {"a"}, "an entry takes the organization from the namespace of its name"
    assert store.upsert(space("b", team="shop")) and owners(store) == {"a", "b"}
    assert store.upsert(space("a")) and owners(store) == {"b"}
    assert store.remove("Namespace", "", "b", "uid-b") and owners(store) == set()
    assert store.upsert(fresh(replace(one, organizations=(selected("acme", Selector()),))))
    assert owners(store) == {"a", "acme"}, "an empty selector means every namespace"
    found = store.gateway("default")
    assert found is not None and found.default_organization("a") == "acme"


def test_grants_are_found_by_api() -> None:
    """Fails when a grant is left out of a decision, or stays in it after it is gone or changed."""
    store = store_of(fresh(grant()), fresh(grant("b", organization="acme", api="billing")))
    orders, billing = contract(), contract("billing")
    assert [g.meta.name for g in store.grants_for((orders,))] == ["grant"]
    assert [g.meta.name for g in store.grants_for((orders, billing))] == ["b", "grant"]
    assert store.grants_for((contract("other"),)) == ()
    store.upsert(fresh(grant(api="billing")))
    assert store.grants_for((orders,)) == ()
    store.remove("APIGrant", "acme", "grant", "uid-grant")
    assert [g.meta.name for g in store.grants_for((billing,))] == ["b"]
    assert store.grant("acme", "grant") is None


@pytest.fixture
def ingest() -> Ingest:
    """What takes events in, with a queue of its own."""
    clock = SystemClock()
    return Ingest(
        store=Store(),
        queue=WorkQueue(clock=clock, jitter=Jitter()),
        arrivals=Arrivals(clock=clock, settle=1.0, longest=5.0),
        memory=Memory(),
        clock=clock,
        home="system",
    )


def woken(ingest: Ingest, kind: str, type_: str, raw: Mapping[str, Any]) -> dict[Key, int]:
    """The keys that an event puts into the queue, with their lanes."""
    queue = ingest._queue
    queue._dirty.clear()
    ingest.apply(kind, type_, raw)
    return dict(queue._dirty)


def raw_namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace as the API has it."""
    meta_ = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(next(versions)), "labels": labels}
    return {"metadata": meta_}


def raw_grant(source: dict[str, Any], *, generation: int = 1, **spec: Any) -> dict[str, Any]:
    """An APIGrant of acme as the API has it."""
    meta_ = {"name": "grant", "namespace": "acme", "uid": "g", "resourceVersion": str(next(versions))}
    base = {"apis": [{"name": "orders"}], "plans": ["gold"], "from": source}
    return {"metadata": meta_ | {"generation": generation}, "spec": base | spec}


def clients(keys: Mapping[Key, int]) -> set[tuple[str, str]]:
    """The Clients among the keys."""
    return {(key.namespace, key.name) for key in keys if key.kind == "Client"}


def load(ingest: Ingest, *items: Any) -> None:
    """Fill the store."""
    for item in items:
        assert ingest.store.upsert(item) is not None


def test_a_grant_wakes_its_consumers(ingest: Ingest) -> None:
    """Fails when a grant's Clients are not looked at, or all others are too; or when a withdrawal waits behind other work."""
    load(ingest, fresh(gateway(contracts="Granted")), space("shop", team="shop"), space("mobile"), space("acme"))
    load(ingest, *consumer("shop"), *consumer("mobile"), *consumer("acme", "own"))
    named = woken(ingest, "APIGrant", "ADDED", raw_grant({"namespaces": ["mobile"]}))
    assert clients(named) == {("mobile", "shop"), ("acme", "own")}, "the owner's plans are checked against it"
    assert Key("APIGrant", "acme", "grant") in named
    by_label = raw_grant({"namespaceSelector": {"matchLabels": {"team": "shop"}}}, generation=2)
    moved = woken(ingest, "APIGrant", "MODIFIED", by_label)
    assert clients(moved) == {("mobile", "shop"), ("shop", "shop"), ("acme", "own")}
    assert {moved[Key("Client", "mobile", "shop")], moved[Key("Client", "shop", "shop")]} == {URGENT}
    echo = raw_grant({"namespaceSelector": {"matchLabels": {"team": "shop"}}}, generation=2)
    assert woken(ingest, "APIGrant", "MODIFIED", echo) == {}, "our own status write wakes nobody"
    assert clients(woken(ingest, "APIGrant", "DELETED", echo)) == {("shop", "shop"), ("acme", "own")}


def test_labels_wake_whom_a_selector_concerns(ingest: Ingest) -> None:
    """Fails when a label that no selector asks for wakes somebody, or one that does wakes others than the namespace's consumers."""
    load(ingest, fresh(gateway(contracts="Granted")), space("mobile"))
    load(ingest, fresh(grant(namespaces=frozenset(), selector=SHOP)), fresh(grant("named", api="billing")))
    load(ingest, *consumer("shop"), *consumer("mobile"))
    load(ingest, fresh(client(), namespace="shop", name="idle", uid="idle"))
    assert woken(ingest, "Namespace", "ADDED", raw_namespace("shop")) == {}
    assert woken(ingest, "Namespace", "MODIFIED", raw_namespace("shop", other="x")) == {}
    gained = woken(ingest, "Namespace", "MODIFIED", raw_namespace("shop", team="shop"))
    assert set(gained) == {Key("Client", "shop", "shop"), Key("APIGrant", "acme", "grant")}
    lost = woken(ingest, "Namespace", "MODIFIED", raw_namespace("shop", team="x"))
    assert clients(lost) == {("shop", "shop")} and lost[Key("Client", "shop", "shop")] == URGENT


def test_labels_wake_whom_an_owner_concerns(ingest: Ingest) -> None:
    """Fails when an organization's new owner leaves its own Clients, its consumers or the targets of its Policies as they were."""
    two = gateway(contracts="Granted", organizations=(selected("acme", SHOP),))
    load(ingest, fresh(two), space("owner"), space("mobile"), space("else"))
    load(ingest, *consumer("owner"), *consumer("mobile"), *consumer("else"))
    load(ingest, fresh(grant(namespace="owner", namespaces=frozenset({"mobile"}))))
    gained = woken(ingest, "Namespace", "MODIFIED", raw_namespace("owner", team="shop"))
    assert clients(gained) == {("owner", "shop"), ("mobile", "shop")}
    lost = woken(ingest, "Namespace", "MODIFIED", raw_namespace("owner"))
    assert clients(lost) == {("owner", "shop"), ("mobile", "shop")}, "the organization that it no longer has counts too"
    from registrar.resources.objects import TargetRef

    limit = policy(namespace="owner", target=TargetRef("API", "orders", "acme"))
    load(ingest, fresh(limit))
    everybody = woken(ingest, "Namespace", "MODIFIED", raw_namespace("owner", team="shop"))
    assert clients(everybody) == {("owner", "shop"), ("mobile", "shop"), ("else", "shop")}
    assert Key("Policy", "owner", "limit") in everybody


def test_a_second_organization_wakes_the_consumers_of_the_first(ingest: Ingest) -> None:
    """Fails when a grant that names no organization comes to mean another one, and those whom it was for stay live."""
    load(ingest, fresh(gateway(contracts="Granted", organizations=(selected("other", SHOP),))), space("acme"))
    load(ingest, space("mobile"), *consumer("mobile"), fresh(grant(namespaces=frozenset({"mobile"}))))
    before = judged(ingest.store)
    moved = woken(ingest, "Namespace", "MODIFIED", raw_namespace("acme", team="shop"))
    assert judged(ingest.store) != before and clients(moved) == {("mobile", "shop")}


def test_contracts_and_gateways_wake_the_counts(ingest: Ingest) -> None:
    """Fails when a grant's consumers are counted once and never again."""
    key = Key("APIGrant", "acme", "grant")
    load(ingest, fresh(grant()))
    raw = {
        "metadata": {"name": "orders", "namespace": "team", "uid": "c", "resourceVersion": str(next(versions))},
        "spec": {"clientRef": {"name": "shop"}, "api": {"organization": "acme", "name": "orders", "version": "1.0"}},
    }
    assert key in woken(ingest, "Contract", "ADDED", raw)
    assert key in woken(ingest, "Contract", "DELETED", raw)
    named = {"metadata": {"name": "g", "uid": "g", "resourceVersion": str(next(versions))}, "spec": {"type": "Apiman"}}
    assert key in woken(ingest, "RuntimeGateway", "ADDED", named)


LABELS = st.dictionaries(st.sampled_from(("team", "env")), st.sampled_from(("shop", "prod")))
SELECTORS = (
    None,
    Selector(),
    SHOP,
    Selector(expressions=(Requirement("env", "NotIn", ("prod",)),)),
    Selector(expressions=(Requirement("env", "Exists"),)),
)
SPACES = ("acme", "shop", "mobile")


def random_world(source: random.Random) -> Store:
    """A handful of consumers, grants and owners that refer to each other in all the ways there are."""
    claims = tuple(
        OrganizationClaim(name, tuple(source.sample(SPACES, source.randrange(2))), source.choice(SELECTORS))
        for name in source.sample(("acme", "other"), source.randrange(3))
    )
    store = store_of(fresh(gateway(contracts="Granted", organizations=claims)))
    for name in SPACES:
        store.upsert(space(name, **source.choice(({}, {"team": "shop"}, {"env": "prod"}))))
        for item in consumer(name):
            store.upsert(item)
    for number in range(source.randrange(1, 5)):
        store.upsert(
            fresh(
                grant(
                    f"g{number}",
                    namespace=source.choice(SPACES),
                    api=source.choice(("orders", "billing")),
                    organization=source.choice(("", "acme", "other")),
                    plans=source.choice((("gold",), ("silver",))),
                    namespaces=frozenset(source.sample(SPACES, source.randrange(2))),
                    selector=source.choice(SELECTORS),
                )
            )
        )
    return store


def judged(store: Store) -> dict[Key, object]:
    """What is decided about each Client."""
    result: dict[Key, object] = {}
    for key in store.all_clients():
        found = store.client(key.namespace, key.name)
        assert found is not None
        contracts = store.contracts_of(key.namespace, key.name)
        gateways = store.gateways()
        access = Access(key.namespace, store.labels_of(key.namespace), store.grants_for(contracts), gateways)
        wanted = desired(Objects(found, contracts, (), gateways, renderable={"default": RENDERABLE}, access=access))
        result[key] = (wanted.problem, tuple((v.reason, v.message) for v in wanted.verdicts))
    return result


@given(st.randoms(use_true_random=False), st.sampled_from(SPACES), LABELS)
@settings(max_examples=300, deadline=None)
def test_nobody_is_left_out(source: random.Random, name: str, labels: dict[str, str]) -> None:
    """Fails when a decision comes out otherwise after a change and its Client is not woken: compared with judging everybody anew."""
    store = random_world(source)
    before = judged(store)
    change = store.upsert(space(name, **labels))
    assert change is not None and isinstance(change.old, NamespaceObject) and isinstance(change.new, NamespaceObject)
    keys = concerned.clients_of_namespace(store, change.old, change.new)
    after = judged(store)
    assert {key for key in after if after[key] != before[key]} <= keys
    grants = list(store.all("APIGrant"))
    taken = store.remove("APIGrant", grants[0].meta.namespace, grants[0].meta.name, grants[0].meta.uid)
    assert taken is not None
    keys = concerned.clients_of_grant(store, taken.old)  # type: ignore[arg-type]
    assert {key for key, value in judged(store).items() if value != after[key]} <= keys


def test_far_times_do_not_pile_up() -> None:
    """Fails when each look at a Client whose Contract ends in a year leaves an entry in the queue until then."""
    import asyncio

    async def run() -> int:
        queue = WorkQueue(clock=SystemClock(), jitter=Jitter())
        key = Key("Client", "team", "shop")
        for _ in range(5000):
            queue.add_at(key, SystemClock().now() + 1e7)
            queue.add(key)
            assert await queue.get() == key
            queue.done(key)
        queue.close()
        return len(queue._later)

    assert asyncio.run(run()) < 2000


def test_an_api_ref_of_another_organization_is_another_api() -> None:
    """Fails when a grant reaches a Contract for an API of the same name elsewhere."""
    other = replace(contract(), api=ApiRef("other", "orders", "1.0"))
    store = store_of(fresh(gateway(contracts="Granted")), fresh(client()), fresh(other))
    found = fresh(grant(organization="acme"))
    store.upsert(found)
    assert concerned.clients_of_grant(store, found) == set()
