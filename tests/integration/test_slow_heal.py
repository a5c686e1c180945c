"""A heal that takes longer than the grace, because the gateway is slow: who waits for it says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.faults.gateway_proxy import Fault, GatewayProxy
from tests.integration.conftest import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@pytest.fixture(scope="module")
def operator(env: Environment) -> Iterator[Operator]:
    """An operator with two workers, so that six Clients are many."""
    settings: dict[str, str | float] = {"lease": "false", **QUICK, "workers": 2}
    running = Operator(env, name="test_slow_heal", settings=settings).start()
    yield running
    running.stop()


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, proxy: GatewayProxy, namespace: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, that takes one call at a time."""
    manifest: Json = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"] |= {"default": False, "limits": {"maxInFlight": 1}}
    manifest["spec"]["apiman"] |= {"endpoint": proxy.url}
    cluster.apply(manifest)
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


def test_who_waits_for_a_slow_heal_says_so(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy, operator: Operator
) -> None:
    """Fails when a Client that a slow gateway keeps waiting looks registered all the while, or is not healed in the end."""
    names = [f"c{number}" for number in range(6)]
    for name in names:
        cluster.apply(
            client(namespace, name, gatewayRef={"name": gateway}),
            contract(namespace, f"{name}-orders", client=name, api="orders", version="1.0"),
        )
        cluster.wait_phase(namespace, name, "Registered")
    proxy.script(Fault("PUT", "/clients", "delay", times=100, seconds=2))
    for name in names:
        path = f"/organizations/{namespace}/clients/{name}/versions/1.0"
        assert cluster.gateway_request("DELETE", path).status == 200
    cluster.wait(
        "RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("reason") == "Healing", what="Healing"
    )
    found = cluster.wait(
        "Client",
        namespace,
        names[-1],
        lambda o: condition(o, "Registered").get("reason") == "GatewayReset",
        what="the loss being said",
    )
    assert (found["status"]["phase"], condition(found, "Ready")["status"]) == ("Ready", "False")
    for name in names:
        until(lambda name=name: cluster.registration(namespace, name) is not None, what=f"{name} back", seconds=60)  # type: ignore[misc]
        cluster.wait_phase(namespace, name, "Registered")
    cluster.wait("RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    assert "Traceback" not in operator.log.read_text()
