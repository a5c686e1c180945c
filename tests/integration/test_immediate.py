"""`rollout: Immediate` on the real pair: the owner's limit bites at once, and everything else stays as it was published."""

from __future__ import annotations

from typing import Any

import pytest

from localenv.cluster import Cluster, Json, client, contract, until
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@pytest.fixture
def owner(cluster: Cluster) -> str:
    """The namespace that owns the organization of the APIs."""
    return cluster.namespace("acme")


def limit(namespace: str, name: str, target: Json, number: int, **spec: Any) -> Json:
    """A rate limit for an hour."""
    granularity = "Client" if target["kind"] == "Client" else "Api"
    return {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "targetRefs": [target],
            "rateLimit": {"limit": number, "period": "Hour", "granularity": granularity},
            **spec,
        },
    }


def plan(name: str) -> Json:
    """A plan of the API owner's."""
    return {"kind": "Plan", "organization": "acme", "name": name}


def registered(cluster: Cluster, namespace: str, *, plan: str, api: str = "orders") -> str:
    """A registered Client with one Contract on a plan of the test's own; returns its key."""
    cluster.apply(
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api=api, version="1.0", plan=plan),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(f"acme/{api}/1.0", key) == 200, what="200")
    return key


def wire(cluster: Cluster, namespace: str) -> list[str]:
    """The configurations of the contract's policies on the gateway, as text."""
    found = cluster.registration(namespace, "shop") or {"contracts": [{"policies": []}]}
    return [policy["policyJsonConfig"] for policy in found["contracts"][0]["policies"]]


def limits(cluster: Cluster, namespace: str, *numbers: int, seconds: float = 20) -> None:
    """Wait until the contract has exactly these limits, in this order."""
    until(
        lambda: (
            [part.split('"limit":')[1].split(",")[0] for part in wire(cluster, namespace)] == [str(n) for n in numbers]
        ),
        what=f"limits {numbers}",
        seconds=seconds,
    )


def test_a_plan_policy_bites_at_once(cluster: Cluster, namespace: str, owner: str) -> None:
    """Fails when the owner's limit waits for the consumer's publish, or publishes the consumer's changes."""
    key = registered(cluster, namespace, plan=namespace)
    cluster.apply(limit(namespace, "own", {"kind": "Client", "name": "shop"}, 500))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.apply(limit(owner, f"l-{namespace}", plan(namespace), 2))
    until(lambda: cluster.call("acme/orders/1.0", key) == 429, what="429", seconds=10)
    limits(cluster, namespace, 2)
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert [change["subject"] for change in found["status"]["pendingChanges"]] == ["own"]
    assert found["status"]["changeLog"][-1]["what"] == "RolledOut"
    snapshot = found["status"]["gateways"][0]
    assert [p["id"] for p in snapshot["policies"]] == [f"Plan:acme/l-{namespace}"]
    assert "config" not in snapshot["policies"][0], "the owner's configuration is the owner's"


def test_changed_deleted_and_put_back(cluster: Cluster, namespace: str, owner: str) -> None:
    """Fails when a change, a deletion or a new target of an Immediate policy waits, or makes something pending."""
    name = f"l-{namespace}"
    cluster.apply(limit(owner, name, plan(namespace), 1000))
    key = registered(cluster, namespace, plan=namespace)
    limits(cluster, namespace, 1000)
    cluster.apply(limit(owner, name, plan(namespace), 1))
    until(lambda: cluster.call("acme/orders/1.0", key) == 429, what="429", seconds=10)
    cluster.delete("Policy", owner, name)
    limits(cluster, namespace)
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=10)
    cluster.apply(limit(owner, name, plan(f"not-{namespace}"), 7))
    cluster.apply(limit(owner, name, plan(namespace), 7))
    limits(cluster, namespace, 7)
    cluster.apply(limit(owner, name, plan(f"not-{namespace}"), 7))
    limits(cluster, namespace)
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert "pendingChanges" not in found["status"]


def test_what_waits_stays_byte_for_byte(cluster: Cluster, namespace: str, owner: str) -> None:
    """Fails when surgery renders a policy that waits with what its owner has written into it since."""
    waits, bites = f"w-{namespace}", f"b-{namespace}"
    cluster.apply(limit(owner, waits, plan(namespace), 900, rollout="OnPublish", order=1))
    registered(cluster, namespace, plan=namespace)
    before = wire(cluster, namespace)
    cluster.apply(limit(owner, waits, plan(namespace), 901, rollout="OnPublish", order=1))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    quota = limit(owner, bites, plan(namespace), 800, order=2)
    quota["spec"]["quota"] = quota["spec"].pop("rateLimit")
    cluster.apply(quota)
    limits(cluster, namespace, 900, 800)
    assert wire(cluster, namespace)[:1] == before
    cluster.delete("Policy", owner, bites)
    limits(cluster, namespace, 900)
    assert wire(cluster, namespace) == before
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    limits(cluster, namespace, 901)


def test_the_published_plan_is_reached(cluster: Cluster, namespace: str, owner: str) -> None:
    """Fails when a Contract that names another plan, unpublished, is out of the reach of the plan that is live."""
    key = registered(cluster, namespace, plan=namespace)
    cluster.patch("Contract", namespace, "orders", {"spec": {"plan": "elsewhere"}})
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.apply(limit(owner, f"l-{namespace}", plan(namespace), 1))
    until(lambda: cluster.call("acme/orders/1.0", key) == 429, what="429", seconds=10)
    registration = cluster.registration(namespace, "shop") or {}
    assert registration["contracts"][0]["plan"] == namespace


def test_what_cannot_be_rendered_takes_nothing_down(cluster: Cluster, namespace: str, owner: str) -> None:
    """Fails when an Immediate policy that the gateway can't do opens or closes a published contract."""
    key = registered(cluster, namespace, plan=namespace)
    cluster.apply(limit(owner, f"l-{namespace}", plan(namespace), 400))
    limits(cluster, namespace, 400)
    broken = limit(owner, f"x-{namespace}", plan(namespace), 1)
    del broken["spec"]["rateLimit"]
    broken["spec"]["custom"] = {"implementation": "class:com.example.Missing"}
    cluster.apply(broken)
    cluster.wait(
        "Contract",
        namespace,
        "orders",
        lambda o: any(c["reason"] == "PolicyUnresolved" for c in o["status"]["conditions"]),
        what="said",
    )
    cluster.delete("Policy", owner, f"l-{namespace}")
    limits(cluster, namespace, 400)
    assert cluster.call("acme/orders/1.0", key) == 200
    cluster.delete("Policy", owner, f"x-{namespace}")
    limits(cluster, namespace)


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when something above surprised the operator."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
