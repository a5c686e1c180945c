"""What is on the gateway already: left alone and counted, or taken over with a proof and with nothing of it lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

ORDERS, BILLING = "acme/orders/1.0", "acme/billing/1.0"
PACKAGE = "class:io.apiman.gateway.engine.policies."
LIMIT = {"limit": 1000, "period": "Minute", "granularity": "Client"}
HEADERS = {"policyImpl": f"{PACKAGE}IgnoredResourcesPolicy", "policyJsonConfig": json.dumps({"rules": []})}


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, on which the namespace may adopt."""
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"] |= {"default": False, "adoption": {"namespaces": [namespace]}}
    cluster.apply(manifest)
    yield namespace
    cluster.patch("RuntimeGateway", "", namespace, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", namespace)


def by_hand(cluster: Cluster, namespace: str, *policies: Json) -> str:
    """Register shop/1.0 as another tool would, with orders and billing; returns its key."""
    key = f"by-hand-{uuid4().hex}"
    rows = [
        {"apiOrgId": "acme", "apiId": api, "apiVersion": "1.0", "plan": "gold", "policies": list(policies)}
        for api in ("orders", "billing")
    ]
    body = {"organizationId": namespace, "clientId": "shop", "version": "1.0", "apiKey": key, "contracts": rows}
    assert cluster.gateway_request("PUT", "/clients", body).status < 300
    return key


def secret(namespace: str, key: str) -> Json:
    """A Secret of the user's with that key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "own",
            "namespace": namespace,
            "labels": {"gateway-registrar.dev/allow-use": "true"},
        },
        "data": {"apiKey": base64.b64encode(key.encode()).decode()},
    }


def orders(namespace: str) -> Json:
    """A Contract for orders."""
    return contract(namespace, "orders", client="shop", api="orders", version="1.0")


def test_a_foreign_registration_is_left_alone(cluster: Cluster, namespace: str) -> None:
    """Fails when what somebody else registered is overwritten or removed, even by the Client's deletion, or stays in the way when it is gone."""
    key = by_hand(cluster, namespace)
    before = cluster.registration(namespace, "shop")
    cluster.apply(client(namespace, "shop", adopt=True), orders(namespace))
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Ready").get("reason") == "AlreadyExists", what="said"
    )
    assert "spec.adoption.namespaces" in condition(found, "Ready")["message"] and key not in json.dumps(found)
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.registration(namespace, "shop") == before
    cluster.apply(client(namespace, "shop"))
    cluster.wait("Client", namespace, "shop", lambda o: bool(condition(o, "Ready")), what="a status")
    path = f"/organizations/{namespace}/clients/shop/versions/1.0"
    assert cluster.gateway_request("DELETE", path).status < 300
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)


def test_adoption_with_the_namespace_named(cluster: Cluster, namespace: str, gateway: str) -> None:
    """Fails when the key changes, something is taken off before it is published, or a rule is lost by the reregister."""
    limit = {"policyImpl": f"{PACKAGE}RateLimitingPolicy", "policyJsonConfig": json.dumps(LIMIT)}
    key = by_hand(cluster, namespace, limit, HEADERS)
    cluster.apply(client(namespace, "shop", adopt=True, gatewayRef={"name": gateway}), orders(namespace))
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges", seconds=60)
    assert {row["type"] for row in found["status"]["pendingChanges"]} == {"ContractRemoved", "PolicyRemoved"}
    assert all("acme/billing/1.0" in row["subject"] for row in found["status"]["pendingChanges"])
    assert cluster.key(namespace, "shop-api-key") == key
    assert cluster.call(ORDERS, key) == cluster.call(BILLING, key) == 200
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    after = cluster.registration(namespace, "shop")
    assert after is not None and after["apiKey"] == key
    assert [row["apiId"] for row in after["contracts"]] == ["orders"]
    kept = [policy["policyImpl"].rpartition(".")[2] for policy in after["contracts"][0]["policies"]]
    assert kept == ["RateLimitingPolicy", "IgnoredResourcesPolicy"]
    until(lambda: cluster.call(BILLING, key) != 200, what="billing being closed", seconds=10)


def test_adoption_with_the_key(cluster: Cluster, namespace: str) -> None:
    """Fails when whoever holds the key can't take its registration over."""
    key = by_hand(cluster, namespace)
    existing = {"source": "Existing", "secretName": "own"}
    cluster.apply(secret(namespace, key), client(namespace, "shop", adopt=True, apiKey=existing), orders(namespace))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges", seconds=60)
    assert cluster.call(BILLING, key) == 200


def test_afterwards_another_key_is_drift(cluster: Cluster, namespace: str, gateway: str) -> None:
    """Fails when adopt: true lets a published Client be taken over by whoever registers another key."""
    key = by_hand(cluster, namespace)
    cluster.apply(client(namespace, "shop", adopt=True, gatewayRef={"name": gateway}), orders(namespace))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges", seconds=60)
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    other = by_hand(cluster, namespace)
    until(lambda: cluster.call(ORDERS, other) != 200, what="the other key being dead", seconds=60)
    assert cluster.call(ORDERS, key) == 200
    assert cluster.key(namespace, "shop-api-key") == key


def test_our_own_registration_is_recognised_after_a_wipe(cluster: Cluster, namespace: str) -> None:
    """Fails when a status that is wiped makes our registration a foreign one, or changes it."""
    cluster.apply(client(namespace, "shop"), orders(namespace))
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    key, before = cluster.key(namespace, "shop-api-key"), cluster.registration(namespace, "shop")
    path = cluster.path("Client", namespace, "shop") + "/status"
    body = [{"op": "replace", "path": "/status", "value": {"observedGeneration": -1}}]
    assert cluster.request("PATCH", path, body, content_type="application/json-patch+json").status == 200
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    assert (cluster.key(namespace, "shop-api-key"), cluster.registration(namespace, "shop")) == (key, before)


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
