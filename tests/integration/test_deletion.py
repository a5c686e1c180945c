"""Deletion always ends, whatever is up, down or gone for good; and no key outlives its Client unnoticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import NAMESPACE, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.faults.gateway_proxy import GatewayProxy

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

ORDERS = "acme/orders/1.0"
FINALIZER = "gateway-registrar.dev/registration"


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, proxy: GatewayProxy, namespace: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, that is reached through the proxy."""
    point_at(cluster, env, namespace, proxy.url)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.patch("RuntimeGateway", "", namespace, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", namespace)


def point_at(cluster: Cluster, env: Environment, name: str, url: str) -> None:
    """Make the RuntimeGateway, or have it point elsewhere."""
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= {"default": False}
    manifest["spec"]["apiman"] |= {"endpoint": url}
    cluster.apply(manifest)


def registered(cluster: Cluster, namespace: str, gateway: str = "default", **spec: object) -> str:
    """A registered Client with one Contract; returns its key, which works."""
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": gateway}, **spec),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(ORDERS, key) == 200, what="200", seconds=10)
    return key


def terminating(cluster: Cluster, namespace: str) -> Json:
    """Wait until the Client says that its deletion waits."""
    return cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Ready").get("reason") == "Terminating", what="said"
    )


def owed(cluster: Cluster, gateway: str) -> int:
    """How many registrations the RuntimeGateway says are owed to it."""
    found = cluster.get("RuntimeGateway", "", gateway)
    return int(((found or {}).get("status", {}).get("owed") or {}).get("count", 0))


def force(cluster: Cluster, namespace: str) -> None:
    """Force the deletion of the Client, as its message says."""
    found = cluster.get("Client", namespace, "shop")
    assert found is not None
    cluster.annotate("Client", namespace, "shop", "force-delete", found["metadata"]["uid"])


def test_force_delete_is_owed_and_paid(
    cluster: Cluster, env: Environment, operator: Operator, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a forced deletion hangs, is forgotten over a restart, or leaves the key working once the gateway is back."""
    key = registered(cluster, namespace, gateway)
    proxy.stop()
    cluster.delete("Client", namespace, "shop")
    terminating(cluster, namespace)
    cluster.annotate("Client", namespace, "shop", "force-delete", "yes")
    found = terminating(cluster, namespace)
    assert found["metadata"]["annotations"]["gateway-registrar.dev/force-delete"] == "yes"
    force(cluster, namespace)
    cluster.wait_gone("Client", namespace, "shop")
    until(lambda: owed(cluster, gateway) == 1, what="one being owed")
    assert cluster.get("Secret", namespace, "shop-api-key") is None
    assert cluster.call(ORDERS, key) == 200
    maps = cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps").body["items"]
    assert any(namespace in str(row) for row in maps) and not any(key in str(row) for row in maps)
    operator.stop()
    operator.start()
    point_at(cluster, env, gateway, env.gateway_config_url)
    until(lambda: cluster.registration(namespace, "shop") is None, what="being taken off", seconds=60)
    until(lambda: cluster.call(ORDERS, key) != 200, what="the key being dead", seconds=10)
    until(lambda: owed(cluster, gateway) == 0, what="nothing being owed")


def test_a_new_client_under_an_owed_identity(
    cluster: Cluster, env: Environment, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a debt takes a new Client's registration off, or keeps it waiting once it is paid."""
    old = registered(cluster, namespace, gateway)
    proxy.stop()
    cluster.delete("Client", namespace, "shop")
    terminating(cluster, namespace)
    force(cluster, namespace)
    cluster.wait_gone("Client", namespace, "shop")
    cluster.apply(client(namespace, "shop", gatewayRef={"name": gateway}))
    point_at(cluster, env, gateway, env.gateway_config_url)
    cluster.wait_phase(namespace, "shop", "Registered", seconds=90)
    new = cluster.key(namespace, "shop-api-key")
    assert new != old
    until(lambda: cluster.call(ORDERS, new) == 200, what="200", seconds=10)
    assert cluster.call(ORDERS, old) != 200
    until(lambda: owed(cluster, gateway) == 0, what="nothing being owed")


def test_retain_leaves_both_and_a_new_client_takes_them(cluster: Cluster, namespace: str) -> None:
    """Fails when Retain loses the registration or the Secret to the garbage collector, or when they can't be taken up again."""
    key = registered(cluster, namespace, deletionPolicy="Retain")
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    secret = cluster.get("Secret", namespace, "shop-api-key")
    assert secret is not None and not secret["metadata"].get("ownerReferences")
    assert cluster.call(ORDERS, key) == 200
    cluster.apply(client(namespace, "shop"))
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    assert cluster.key(namespace, "shop-api-key") == key
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.get("Secret", namespace, "shop-api-key") is None
    assert cluster.registration(namespace, "shop") is None


def test_deleted_and_made_again_at_once(cluster: Cluster, namespace: str) -> None:
    """Fails when the former life's Secret or registration is in the way, or its key comes back."""
    old = registered(cluster, namespace)
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.call(ORDERS, old) != 200
    cluster.apply(client(namespace, "shop"))
    cluster.wait_phase(namespace, "shop", "Registered")
    new = cluster.key(namespace, "shop-api-key")
    assert new != old
    until(lambda: cluster.call(ORDERS, new) == 200, what="200", seconds=10)


def test_restored_from_a_backup(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when a Client that comes back with its Secret comes up with another key, or does not know its registration."""
    key = registered(cluster, namespace)
    secret = cluster.get("Secret", namespace, "shop-api-key")
    assert secret is not None
    operator.stop()
    cluster.patch("Client", namespace, "shop", {"metadata": {"finalizers": None}})
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    cluster.wait_gone("Secret", namespace, "shop-api-key", seconds=60)
    operator.start()
    # With the reference to the former object the garbage collector would have it at once: see docs/how-to/uninstall.md.
    kept = {name: secret["metadata"][name] for name in ("name", "namespace", "labels")}
    restored = {"apiVersion": "v1", "kind": "Secret", "metadata": kept, "data": secret["data"]}
    assert cluster.request("POST", cluster.path("Secret", namespace), restored).status == 201
    cluster.apply(client(namespace, "shop"))
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    until(lambda: cluster.key(namespace, "shop-api-key") == key, what="the old key", seconds=20)
    assert cluster.call(ORDERS, key) == 200


def test_a_runtime_gateway_waits_for_its_clients(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a RuntimeGateway goes while keys work on its gateway, or stays when none is left."""
    before = cluster.get("RuntimeGateway", "", gateway)
    assert before is not None and FINALIZER not in before["metadata"].get("finalizers", [])
    key = registered(cluster, namespace, gateway)
    cluster.delete("RuntimeGateway", "", gateway)
    found = cluster.wait(
        "RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("reason") == "InUse", what="said"
    )
    assert "1 Client has" in condition(found, "Ready")["message"]
    assert cluster.call(ORDERS, key) == 200
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    cluster.wait_gone("RuntimeGateway", "", gateway)
    assert cluster.registration(namespace, "shop") is None


def test_a_gateway_that_is_gone_for_good(cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy) -> None:
    """Fails when Client and RuntimeGateway hold each other for ever."""
    registered(cluster, namespace, gateway)
    proxy.stop()
    cluster.delete("RuntimeGateway", "", gateway)
    cluster.delete("Client", namespace, "shop")
    terminating(cluster, namespace)
    force(cluster, namespace)
    cluster.wait_gone("Client", namespace, "shop")
    cluster.wait_gone("RuntimeGateway", "", gateway)


@pytest.mark.parametrize("first", ["Secret", "Contract", "Policy"])
def test_nothing_that_is_missing_holds_a_deletion(cluster: Cluster, namespace: str, first: str) -> None:
    """Fails when a deletion needs an object that is gone."""
    key = registered(cluster, namespace)
    name = {"Secret": "shop-api-key", "Contract": "orders", "Policy": "none"}[first]
    cluster.delete("Client", namespace, "shop")
    cluster.delete(first, namespace, name)
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.call(ORDERS, key) != 200


def test_a_namespace_goes(cluster: Cluster, namespace: str) -> None:
    """Fails when a namespace with a registered Client stays Terminating, or goes while the key works."""
    key = registered(cluster, namespace)
    cluster.delete("Namespace", "", namespace)
    cluster.wait_gone("Namespace", "", namespace, seconds=90)
    assert cluster.call(ORDERS, key) != 200
    assert cluster.registration(namespace, "shop") is None


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the deletions above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
