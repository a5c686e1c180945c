"""Drift and self-heal on the real pair: what somebody changes at the gateway, what it loses, and APIs that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.gateway import Api
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.integration.conftest import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own for the same gateway, checked every ten seconds."""
    apply_gateway(env, cluster, namespace)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


def apply_gateway(env: Environment, cluster: Cluster, name: str, *, mode: str = "Correct") -> None:
    """The RuntimeGateway with that drift mode."""
    manifest: Json = runtime_gateway(env)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= {"default": False, "drift": {"mode": mode, "interval": "10s"}}
    cluster.apply(manifest)


def registered(cluster: Cluster, namespace: str, name: str = "shop", *, apis: tuple[str, ...] = ("orders",)) -> str:
    """A registered Client with a limit and a Contract for each API; returns its key."""
    cluster.apply(
        client(namespace, name, gatewayRef={"name": namespace}),
        *(contract(namespace, f"{name}-{api}", client=name, api=api, version="1.0") for api in apis),
        rate_limit(namespace, f"{name}-limit", client=name, limit=1000, period="Hour"),
    )
    cluster.wait_phase(namespace, name, "Registered")
    key = cluster.key(namespace, f"{name}-api-key")
    for api in apis:
        until(lambda api=api: cluster.call(f"acme/{api}/1.0", key) == 200, what="200")  # type: ignore[misc]
    return key


def tamper(cluster: Cluster, namespace: str) -> Json:
    """Raise the limit at the gateway, past the operator; returns what was there."""
    found = cluster.registration(namespace, "shop") or {}
    changed = json.loads(json.dumps(found).replace('\\"limit\\":1000', '\\"limit\\":999999'))
    assert changed != found
    assert cluster.gateway_request("PUT", "/clients", changed).status == 204
    return found


def events(cluster: Cluster, namespace: str, reason: str) -> list[str]:
    """The notes of the Events with that reason."""
    return [row["note"] for row in cluster.list("Event", namespace) if row["reason"] == reason]


def test_what_was_changed_is_put_back(cluster: Cluster, namespace: str, gateway: str, operator: Operator) -> None:
    """Fails when a registration that somebody changed stays changed, or the correction does not say what it corrected."""
    registered(cluster, namespace)
    before = tamper(cluster, namespace)
    until(lambda: cluster.registration(namespace, "shop") == before, what="the correction", seconds=60)
    found = cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: o["status"]["changeLog"][-1]["what"] == "DriftCorrected",
        what="the change log",
    )
    assert "rateLimit.limit 1000 -> 999999" in found["status"]["changeLog"][-1]["detail"]
    assert found["status"]["phase"] == "Registered"
    until(lambda: bool(events(cluster, namespace, "DriftCorrected")), what="the Event")
    assert f'gateway_registrar_drift_total{{gateway="{namespace}",outcome="mended"}} 1.0' in operator.metrics()


def test_observed_drift_is_only_reported(
    cluster: Cluster, namespace: str, gateway: str, env: Environment, operator: Operator
) -> None:
    """Fails when Observe pushes, or the drift goes unsaid, or a publish on purpose does not end it."""
    apply_gateway(env, cluster, gateway, mode="Observe")
    registered(cluster, namespace)
    before = tamper(cluster, namespace)
    found = cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: condition(o, "Drifted").get("status") == "True",
        what="Drifted",
        seconds=60,
    )
    assert "rateLimit.limit 1000 -> 999999" in condition(found, "Drifted")["message"]
    assert (condition(found, "Ready")["status"], condition(found, "Ready")["reason"]) == ("False", "Drifted")
    until(lambda: bool(events(cluster, namespace, "Drifted")), what="the Event")
    assert cluster.registration(namespace, "shop") != before
    assert f'gateway_registrar_drift_total{{gateway="{namespace}",outcome="found"}} 1.0' in operator.metrics()
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    until(lambda: cluster.registration(namespace, "shop") == before, what="the publish", seconds=20)
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert condition(found, "Drifted") == {}


def test_one_registration_that_was_removed(cluster: Cluster, namespace: str, gateway: str) -> None:
    """Fails when a single loss is noticed only with the next full check."""
    key = registered(cluster, namespace)
    path = f"/organizations/{namespace}/clients/shop/versions/1.0"
    assert cluster.gateway_request("DELETE", path).status == 200
    until(lambda: cluster.registration(namespace, "shop") is not None, what="the registration", seconds=10)
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=10)


def test_an_api_that_is_retired_and_published_again(
    cluster: Cluster, namespace: str, gateway: str, env: Environment
) -> None:
    """Fails when a retired API keeps the rest from being published, or does not come back by itself."""
    api = Api("acme", namespace, "1.0")
    env.publish_apis(api)
    key = registered(cluster, namespace, apis=("orders", namespace))
    path = f"/organizations/acme/apis/{namespace}/versions/1.0"
    assert cluster.gateway_request("DELETE", path).status == 200
    found = cluster.wait(
        "Contract",
        namespace,
        f"shop-{namespace}",
        lambda o: condition(o, "Ready").get("reason") == "ApiNotPublished",
        what="ApiNotPublished",
        seconds=60,
    )
    assert found["status"]["phase"] == "Pending"
    cluster.apply(rate_limit(namespace, "shop-limit", client="shop", limit=1001, period="Hour"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    snapshot = cluster.wait_phase(namespace, "shop", "Registered")["status"]["gateways"][0]
    assert {row["name"]: row["live"] for row in snapshot["contracts"]} == {
        "shop-orders": True,
        f"shop-{namespace}": False,
    }
    assert cluster.call("acme/orders/1.0", key) == 200
    env.publish_apis(api)
    until(lambda: cluster.call(f"acme/{namespace}/1.0", key) == 200, what="200", seconds=30)
    cluster.wait("Contract", namespace, f"shop-{namespace}", lambda o: o["status"]["phase"] == "Active", what="Active")


def test_many_apis_that_vanish_are_the_gateways_fault(
    cluster: Cluster, namespace: str, gateway: str, env: Environment
) -> None:
    """Fails when a gateway that lost its APIs has Contracts rejected, or says that it is Ready."""
    apis = [Api("acme", f"{namespace}-{number}", "1.0") for number in range(11)]
    env.publish_apis(*apis)
    key = registered(cluster, namespace, apis=tuple(api.name for api in apis))
    for api in apis:
        path = f"/organizations/acme/apis/{api.name}/versions/1.0"
        assert cluster.gateway_request("DELETE", path).status == 200
    found = cluster.wait(
        "RuntimeGateway",
        "",
        gateway,
        lambda o: condition(o, "Ready").get("reason") == "ApisMissing",
        what="ApisMissing",
        seconds=60,
    )
    assert condition(found, "Ready")["status"] == "False"
    cluster.apply(contract(namespace, "late", client="shop", api=apis[0].name, version="1.0", plan="other"))
    for api in apis:
        found = cluster.wait(
            "Contract",
            namespace,
            f"shop-{api.name}",
            lambda o: condition(o, "Ready").get("reason") == "ApisMissing",
            what="ApisMissing",
        )
        assert found["status"]["phase"] == "Pending"
    env.publish_apis(*apis)
    for api in apis:
        until(lambda api=api: cluster.call(f"acme/{api.name}/1.0", key) == 200, what="200", seconds=60)  # type: ignore[misc]
    cluster.wait("RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")


def test_a_reset_of_twenty_is_healed(
    cluster: Cluster, namespace: str, gateway: str, env: Environment, operator: Operator
) -> None:
    """Fails when a gateway that lost everything is not healed, or a quick heal costs each Client a status write."""
    names = [f"c{number:02}" for number in reversed(range(20))]
    keys = [registered(cluster, namespace, name) for name in names]
    effects = len(operator.audit.read_text().splitlines())
    versions = {
        row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("Client", namespace)
    }
    env.reset_gateway()
    for key in keys:
        until(lambda key=key: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=60)  # type: ignore[misc]
    lines = [json.loads(line) for line in operator.audit.read_text().splitlines()[effects:]]
    healed = [line["client"].partition("/")[2] for line in lines if line["client"].startswith(f"{namespace}/")]
    assert {line["verb"] for line in lines} == {"Healed"}
    assert sorted(healed) == sorted(names)
    found = cluster.wait(
        "RuntimeGateway",
        "",
        gateway,
        lambda o: (
            o["status"]["clients"]
            == {"ours": 20, "foreign": o["status"]["clients"]["foreign"], "expected": 20, "healing": 0}
        ),
        what="20 of 20",
        seconds=30,
    )
    assert condition(found, "Ready")["status"] == "True"
    assert QUICK["heal_grace_seconds"], "a heal within it costs no status write"
    after = {row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("Client", namespace)}
    assert len([name for name in names if after[name] == versions[name]]) >= 10


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when something above surprised the operator."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
