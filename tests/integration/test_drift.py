"""Drift and self-heal on the real pair: what somebody changes at the gateway, what it loses, and APIs that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.gateway import Api
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.faults.gateway_proxy import Fault, GatewayProxy
from tests.integration.conftest import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, proxy: GatewayProxy, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own for the same gateway, checked every ten seconds and reached through the proxy."""
    apply_gateway(env, cluster, namespace, proxy)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


def apply_gateway(env: Environment, cluster: Cluster, name: str, proxy: GatewayProxy, *, mode: str = "Correct") -> None:
    """The RuntimeGateway with that drift mode."""
    manifest: Json = runtime_gateway(env)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= {"default": False, "drift": {"mode": mode, "interval": "10s"}}
    manifest["spec"]["apiman"] |= {"endpoint": proxy.url}
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
    cluster: Cluster, namespace: str, gateway: str, env: Environment, proxy: GatewayProxy, operator: Operator
) -> None:
    """Fails when Observe pushes, or the drift goes unsaid, or a publish on purpose does not end it."""
    apply_gateway(env, cluster, gateway, proxy, mode="Observe")
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


def twenty(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The keys of twenty registered Clients, by name."""
    return {name: registered(cluster, namespace, name) for name in (f"c{number:02}" for number in reversed(range(20)))}


def all_healed(cluster: Cluster, namespace: str, keys: Iterable[str]) -> None:
    """Wait until every key works again and the RuntimeGateway says so."""
    for key in keys:
        until(lambda key=key: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=60)  # type: ignore[misc]
    found = cluster.wait(
        "RuntimeGateway",
        "",
        namespace,
        lambda o: (
            o["status"]["clients"]
            == {"ours": 20, "foreign": o["status"]["clients"]["foreign"], "expected": 20, "healing": 0}
        ),
        what="20 of 20",
        seconds=30,
    )
    assert condition(found, "Ready")["status"] == "True"


def effects(operator: Operator, namespace: str) -> list[tuple[str, str, str]]:
    """The verb, the outcome and the Client's name of each effect on the namespace's Clients so far."""
    lines = [json.loads(line) for line in operator.audit.read_text().splitlines()]
    rows = [(line["verb"], line["outcome"], line["client"].partition("/")) for line in lines]
    return [(verb, outcome, name) for verb, outcome, (within, _, name) in rows if within == namespace]


def test_a_reset_of_twenty_is_healed(
    cluster: Cluster, namespace: str, gateway: str, env: Environment, proxy: GatewayProxy, operator: Operator
) -> None:
    """Fails when a gateway that lost everything is not healed, or a quick heal costs each Client a status write.

    The operator can't see the gateway until its APIs are back: the next test has them come later.
    """
    keys = twenty(cluster, namespace)
    before = len(effects(operator, namespace))
    versions = {
        row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("Client", namespace)
    }
    for method in ("GET", "PUT"):
        proxy.script(Fault(method, "/", "status", times=1_000_000, status=503))
    env.reset_gateway()
    proxy.clear()
    all_healed(cluster, namespace, keys.values())
    # A key works some milliseconds before the line that says so.
    until(lambda: len(effects(operator, namespace)) >= before + len(keys), what="the audit lines")
    assert sorted(effects(operator, namespace)[before:]) == [("Healed", "Succeeded", name) for name in sorted(keys)]
    assert QUICK["heal_grace_seconds"], "a heal within it costs no status write"
    after = {row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("Client", namespace)}
    assert len([name for name in keys if after[name] == versions[name]]) >= 10


def test_a_reset_whose_apis_come_back_later(
    cluster: Cluster, namespace: str, gateway: str, env: Environment, operator: Operator
) -> None:
    """Fails when Clients of a gateway that has lost its APIs too are not put back once those are, or are pushed again and again meanwhile."""
    keys = twenty(cluster, namespace)
    before = len(effects(operator, namespace))
    env.stop_gateway()
    env.start_gateway()
    for name in keys:
        cluster.wait(
            "Contract",
            namespace,
            f"{name}-orders",
            lambda o: condition(o, "Ready").get("reason") == "ApiNotPublished",
            what="ApiNotPublished",
        )
    env.publish_apis()
    all_healed(cluster, namespace, keys.values())
    for name in keys:
        cluster.wait_phase(namespace, name, "Registered")
    found = effects(operator, namespace)[before:]
    assert sorted(row for row in found if row[1] == "Succeeded") == [
        ("Healed", "Succeeded", name) for name in sorted(keys)
    ]
    failed = [name for _, outcome, name in found if outcome != "Succeeded"]
    assert len(failed) == len(set(failed)), "an API that is missing is not asked to take anybody twice"


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when something above surprised the operator."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
