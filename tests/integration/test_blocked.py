"""The platform's emergency stop on the real pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own for the same gateway, so that its block list is its own too."""
    apply_gateway(env, cluster, namespace)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


def apply_gateway(env: Environment, cluster: Cluster, name: str, **spec: Any) -> None:
    """The RuntimeGateway with these fields besides."""
    manifest: Json = runtime_gateway(env)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= {"default": False, **spec}
    cluster.apply(manifest)


def registered(cluster: Cluster, namespace: str, **spec: Any) -> str:
    """A registered Client on that gateway; returns its key."""
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": namespace}, **spec),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        contract(namespace, "billing", client="shop", api="billing", version="1.0"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200")
    return key


def block(namespace: str, **more: str) -> list[Json]:
    """The entry for that Client."""
    return [{"organization": namespace, "clientId": "shop", "reason": "key leaked, ticket 4711", **more}]


def off(cluster: Cluster, namespace: str, key: str) -> Json:
    """The key is dead and the Client says why; returns it."""
    until(lambda: cluster.call("acme/orders/1.0", key) == 404, what="404", seconds=10)
    return cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Blocked").get("status") == "True", what="Blocked"
    )


def test_off_at_once_and_back_by_itself(cluster: Cluster, namespace: str, gateway: str, env: Environment) -> None:
    """Fails when the owner can hold the stop up or undo it, or when lifting it needs somebody."""
    key = registered(cluster, namespace)
    cluster.patch("Client", namespace, "shop", {"spec": {"paused": True}})
    cluster.wait("Client", namespace, "shop", lambda o: condition(o, "Paused") != {}, what="Paused")
    apply_gateway(env, cluster, gateway, blocked=block(namespace))
    found = off(cluster, namespace, key)
    assert "ticket 4711" in condition(found, "Ready")["message"]
    assert (condition(found, "Ready")["reason"], condition(found, "Stalled")["status"]) == ("Blocked", "True")
    assert found["status"]["changeLog"][-1]["what"] == "Blocked"
    cluster.patch("Client", namespace, "shop", {"spec": {"paused": False}})
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    found = cluster.wait("Client", namespace, "shop", lambda o: bool(o["status"].get("actions")), what="handled")
    assert found["status"]["actions"][0]["outcome"] == "Failed"
    cluster.delete("Contract", namespace, "billing")
    assert cluster.registration(namespace, "shop") is None
    apply_gateway(env, cluster, gateway, blocked=[])
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=20)
    assert cluster.call("acme/billing/1.0", key) == 404, "what was revoked meanwhile stays off"
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert condition(found, "Blocked") == {}


def test_another_version_is_not_hit(cluster: Cluster, namespace: str, gateway: str, env: Environment) -> None:
    """Fails when an entry takes more off than it names."""
    key = registered(cluster, namespace)
    apply_gateway(env, cluster, gateway, blocked=block(namespace, version="9.9") + block("other-organization"))
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    cluster.wait("Client", namespace, "shop", lambda o: bool(o["status"].get("actions")), what="handled")
    assert cluster.call("acme/orders/1.0", key) == 200


def test_a_new_client_that_is_blocked(cluster: Cluster, namespace: str, gateway: str, env: Environment) -> None:
    """Fails when a blocked identity is registered in a new Client."""
    apply_gateway(env, cluster, gateway, blocked=block(namespace))
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": namespace}),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Ready").get("reason") == "Blocked", what="Blocked"
    )
    assert cluster.registration(namespace, "shop") is None
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")


def test_it_can_be_deleted(cluster: Cluster, namespace: str, gateway: str, env: Environment) -> None:
    """Fails when a blocked Client can't go."""
    key = registered(cluster, namespace)
    apply_gateway(env, cluster, gateway, blocked=block(namespace))
    off(cluster, namespace, key)
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")


def test_what_the_gateway_says_of_it(cluster: Cluster, namespace: str, gateway: str, env: Environment) -> None:
    """Fails when a blocked Client counts as one to be healed."""
    key = registered(cluster, namespace)
    apply_gateway(env, cluster, gateway, blocked=block(namespace))
    off(cluster, namespace, key)
    found = cluster.wait(
        "RuntimeGateway",
        "",
        gateway,
        lambda o: o["status"].get("clients", {}).get("expected") == 0,
        what="no registration expected",
    )
    assert condition(found, "Ready")["status"] == "True"


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when something above surprised the operator."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
