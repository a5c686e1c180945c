"""A gateway that is down, slow, refuses, fails or answers nonsense: a backoff, never a crash, and the right end when it is well again."""

from __future__ import annotations

from typing import Any

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.faults.gateway_proxy import Fault, GatewayProxy

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


def create(cluster: Cluster, namespace: str, gateway: str, **spec: Any) -> None:
    """A Client on that gateway with one Contract."""
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": gateway}, **spec),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )


def opens(cluster: Cluster, namespace: str, *, api: str = "acme/orders/1.0") -> None:
    """The Client ends registered, and its key opens the API."""
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(api, key) == 200, what="200", seconds=10)


def test_the_proxy_answers_as_the_gateway(cluster: Cluster, env: Environment, proxy: GatewayProxy) -> None:
    """Fails when the proxy itself changes an answer: every other test here would then be about the proxy."""
    through = Cluster(env)
    paths = (
        "/system/status",
        "/organizations",
        "/organizations/acme/apis/orders/versions/1.0",
        "/organizations/none/clients/",
    )
    direct: list[Any] = [cluster.gateway_request("GET", path) for path in paths]

    class Proxied(Environment):
        gateway_config_url = proxy.url

    through.environment = Proxied(**{name: getattr(env, name) for name in env.__slots__})
    assert [through.gateway_request("GET", path) for path in paths] == direct


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("PUT", "/clients", "status", status=500, body=b"<h1>oops</h1>"), id="500"),
        pytest.param(Fault("PUT", "/clients", "status", status=401, body=b"Unauthorized"), id="401"),
        pytest.param(Fault("PUT", "/clients", "status", status=429, headers={"Retry-After": "1"}), id="429"),
        pytest.param(Fault("PUT", "/clients", "lose"), id="lost-answer"),
        pytest.param(Fault("PUT", "/clients", "delay", seconds=6), id="slow"),
        pytest.param(Fault("GET", "/organizations/t-", "status", times=2, status=200, body=b"{nonsense"), id="garbage"),
        pytest.param(Fault("GET", "/organizations/t-", "status", times=2, status=200, body=b"[]"), id="wrong-shape"),
        pytest.param(Fault("GET", "/organizations/t-", "status", times=2, status=500), id="500-on-read"),
    ],
)
def test_a_fault_costs_a_backoff(
    fault: Fault, cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when an answer is believed that is none, or when the fault is never got over."""
    fault.happened = 0
    proxy.script(fault)
    create(cluster, namespace, gateway)
    opens(cluster, namespace)
    assert fault.happened, "the fault must have happened"


def test_a_gateway_that_is_down(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy, env: Environment
) -> None:
    """Fails when an unreachable gateway goes unsaid, or a Client waits out its backoff though the gateway is back."""
    proxy.stop()
    create(cluster, namespace, gateway)
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Ready").get("reason") == "GatewayUnreachable", what="said"
    )
    assert condition(found, "Reconciling")["status"] == "True"
    cluster.wait(
        "RuntimeGateway", "", gateway, lambda o: condition(o, "Ready")["reason"] == "GatewayUnreachable", what="said"
    )
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = gateway
    manifest["spec"]["default"] = False
    cluster.apply(manifest)
    opens(cluster, namespace)


def test_deletion_waits_for_the_gateway(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy, env: Environment
) -> None:
    """Fails when a Client goes while its key still works."""
    create(cluster, namespace, gateway)
    opens(cluster, namespace)
    key = cluster.key(namespace, "shop-api-key")
    proxy.stop()
    cluster.delete("Client", namespace, "shop")
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "Ready").get("reason") == "Terminating", what="said"
    )
    assert "force-delete" in condition(found, "Ready")["message"]
    assert cluster.call("acme/orders/1.0", key) == 200
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = gateway
    manifest["spec"]["default"] = False
    cluster.apply(manifest)
    cluster.wait_gone("Client", namespace, "shop", seconds=60)
    assert cluster.registration(namespace, "shop") is None


def test_a_push_that_lands_after_the_next_one(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a push that timed out is forgotten: it would bring back what was published before."""
    create(cluster, namespace, gateway, publish="Automatic")
    opens(cluster, namespace)
    held = proxy.script(Fault("PUT", "/clients", "hold"))
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    until(lambda: held.happened == 1, what="the push that is held")
    cluster.delete("Contract", namespace, "billing")
    cluster.wait("Client", namespace, "shop", lambda o: live(o) == 1 and not pending(o), what="one live", seconds=60)
    key = cluster.key(namespace, "shop-api-key")
    proxy.release()
    assert cluster.call("acme/billing/1.0", key) in (200, 404)
    until(lambda: apis(cluster, namespace) == {"orders"}, what="the late push being undone", seconds=30)
    until(lambda: cluster.call("acme/billing/1.0", key) == 404, what="billing being closed", seconds=10)


def test_an_unknown_api_is_said_and_picked_up(cluster: Cluster, namespace: str, env: Environment) -> None:
    """Fails when one API that is not published keeps the others from being registered, or is not noticed when it appears."""
    from localenv.gateway import Api

    cluster.apply(
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        contract(namespace, "later", client="shop", api=namespace, version="1.0"),
    )
    opens(cluster, namespace)
    found = cluster.wait(
        "Contract", namespace, "later", lambda o: o["status"].get("phase") == "Rejected", what="Rejected"
    )
    assert condition(found, "Ready")["reason"] == "ApiNotPublished"
    env.publish_apis(Api("acme", namespace, "1.0"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges", seconds=30)


def test_an_unknown_api_is_said_before_anybody_publishes(cluster: Cluster, namespace: str, env: Environment) -> None:
    """Fails when a Contract of a registered Client for a misspelled API looks like a change that only has to be published."""
    from localenv.gateway import Api

    cluster.apply(client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    cluster.wait_phase(namespace, "shop", "Registered")
    cluster.apply(contract(namespace, "later", client="shop", api=namespace, version="1.0"))
    found = cluster.wait(
        "Contract", namespace, "later", lambda o: o["status"].get("phase") == "Rejected", what="Rejected"
    )
    assert condition(found, "Ready")["reason"] == "ApiNotPublished"
    seen = cluster.wait_phase(namespace, "shop", "Registered")
    assert pending(seen) == []
    env.publish_apis(Api("acme", namespace, "1.0"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges", seconds=30)


def live(found: Json) -> int:
    """How many contracts the status says are live."""
    count: int = found["status"]["contracts"]["live"]
    return count


def pending(found: Json) -> list[Json]:
    """The pending changes."""
    rows: list[Json] = found["status"].get("pendingChanges") or []
    return rows


def apis(cluster: Cluster, namespace: str) -> set[str]:
    """The APIs of the Client's registration on the gateway."""
    found = cluster.registration(namespace, "shop") or {"contracts": []}
    return {row["apiId"] for row in found["contracts"]}


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the faults above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
