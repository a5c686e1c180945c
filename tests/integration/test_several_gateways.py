"""One Client on two real gateways: each is sent its own contracts, and what happens to one is not said of the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.operator import Operator
from localenv.second_gateway import SecondGateway

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

NAME = "second"
ORDERS, BILLING = "acme/orders/1.0", "acme/billing/1.0"


@pytest.fixture(scope="module")
def second(env: Environment, cluster: Cluster) -> Iterator[SecondGateway]:
    """A second gateway and its RuntimeGateway."""
    running = SecondGateway.start(env)
    cluster.apply(running.manifest(NAME))
    yield running
    cluster.patch("RuntimeGateway", "", NAME, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", NAME)
    running.down()


def there(manifest: Json) -> Json:
    """The Contract, on the second gateway."""
    manifest["spec"]["gatewayRef"] = {"name": NAME}
    return manifest


def on_both(cluster: Cluster, namespace: str) -> None:
    """A Client with orders here and billing there."""
    cluster.apply(
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        there(contract(namespace, "billing", client="shop", api="billing", version="1.0")),
    )


def registered(cluster: Cluster, namespace: str) -> str:
    """Wait until the Client is registered; returns its key."""
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    return cluster.key(namespace, "shop-api-key")


def reason(found: Json, type_: str) -> str:
    """The reason of a condition."""
    return str(condition(found, type_).get("reason"))


def test_each_gateway_has_its_own_contracts(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when a first registration on two gateways publishes one only, or sends a gateway what is the other's."""
    on_both(cluster, namespace)
    key = registered(cluster, namespace)
    until(lambda: cluster.call(ORDERS, key) == 200, what="orders here", seconds=10)
    until(lambda: second.call(cluster, BILLING, key) == 200, what="billing there", seconds=10)
    assert cluster.call(BILLING, key) != 200
    assert second.call(cluster, ORDERS, key) != 200
    found = cluster.get("Client", namespace, "shop")
    assert found is not None
    assert {row["name"]: len(row["contracts"]) for row in found["status"]["gateways"]} == {"default": 1, NAME: 1}
    cluster.delete("Contract", namespace, "billing")
    until(lambda: second.call(cluster, BILLING, key) != 200, what="billing being closed", seconds=20)
    assert cluster.call(ORDERS, key) == 200


def test_a_first_contract_on_a_second_gateway_waits(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when Manual publishes it unasked; the same API version on both gateways is two Contracts."""
    cluster.apply(client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    key = registered(cluster, namespace)
    cluster.apply(there(contract(namespace, "orders-there", client="shop", api="orders", version="1.0")))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert second.call(cluster, ORDERS, key) != 200
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    registered(cluster, namespace)
    until(lambda: second.call(cluster, ORDERS, key) == 200, what="orders there", seconds=10)
    assert cluster.call(ORDERS, key) == 200


def test_one_gateway_down_neither_blocks_nor_falsifies(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when the gateway that is up waits for the other, or when the Client does not say which one lacks."""
    second.down()
    cluster.wait(
        "RuntimeGateway", "", NAME, lambda o: reason(o, "Ready") == "GatewayUnreachable", what="said", seconds=60
    )
    on_both(cluster, namespace)
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: reason(o, "Registered") == "PartiallyRegistered", what="partial"
    )
    assert NAME in condition(found, "Registered")["message"]
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(ORDERS, key) == 200, what="orders here", seconds=10)
    orders = cluster.wait(
        "Contract", namespace, "orders", lambda o: o["status"].get("phase") == "Active", what="Active"
    )
    assert condition(orders, "Ready")["status"] == "True"
    second.up()
    registered(cluster, namespace)
    until(lambda: second.call(cluster, BILLING, key) == 200, what="billing there", seconds=10)


def test_deletion_with_one_gateway_down(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when the key goes on working where it could be taken off, or the Client goes while it works elsewhere."""
    on_both(cluster, namespace)
    key = registered(cluster, namespace)
    second.down()
    cluster.delete("Client", namespace, "shop")
    until(lambda: cluster.call(ORDERS, key) != 200, what="orders being closed", seconds=30)
    cluster.wait("Client", namespace, "shop", lambda o: reason(o, "Ready") == "Terminating", what="said")
    second.up()
    cluster.wait_gone("Client", namespace, "shop", seconds=60)


def test_observe_writes_nothing_and_manage_carries_on(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when Observe writes to the gateway, does not show what it would do, or Manage has to be told again."""
    cluster.apply(second.manifest(NAME, mode="Observe"))
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": NAME}),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Observing").get("status") == "True", what="Observing"
    )
    assert [row["type"] for row in found["status"]["pendingChanges"]] == ["ContractAdded"]
    key = cluster.key(namespace, "shop-api-key")
    assert second.call(cluster, ORDERS, key) != 200
    cluster.apply(second.manifest(NAME))
    registered(cluster, namespace)
    until(lambda: second.call(cluster, ORDERS, key) == 200, what="orders there", seconds=10)
    cluster.apply(second.manifest(NAME, mode="Observe"))
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert second.call(cluster, ORDERS, key) == 200
    cluster.apply(second.manifest(NAME))
    until(lambda: second.call(cluster, ORDERS, key) != 200, what="what is owed being taken off", seconds=60)


def test_two_names_of_one_gateway(cluster: Cluster, namespace: str, second: SecondGateway) -> None:
    """Fails when one Client is registered twice on one gateway."""
    twin = second.manifest(namespace)
    cluster.apply(twin, client(namespace, "shop", gatewayRef={"name": NAME}))
    manifest = contract(namespace, "orders", client="shop", api="orders", version="1.0")
    manifest["spec"]["gatewayRef"] = {"name": namespace}
    cluster.apply(manifest)
    found = cluster.wait(
        "Contract", namespace, "orders", lambda o: o["status"].get("phase") == "Rejected", what="Rejected"
    )
    assert reason(found, "Ready") == "SameGateway"
    cluster.delete("RuntimeGateway", "", namespace)


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
