"""What the packaged operator lives through: its leader killed, its node's kubelet paused, its API server restarted, its gateway killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from tests.e2e.node import Node, answers, renewed, whole
from tests.e2e.release import NAMESPACE, Release, gateways
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e

_ATTEMPT = 2 * 1.2
TAKEN_OVER = 15 + 2 * _ATTEMPT + 2
"""Seconds after which a Lease that nobody renews has another holder: the attempt that sees its last renewal, the chart's duration, one more attempt, and calls."""
PUSHED = {"Registered", "Reregistered", "Published", "Healed", "DriftCorrected"}
ORDERS = "acme/orders/1.0"


@pytest.fixture
def slow(site: Site, operator: Release, namespace: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, that is asked so seldom that a dozen registrations take seconds."""
    spec = gateways(site)["gateways"]["default"]["spec"]
    spec = {**spec, "default": False, "limits": {"requestsPerSecond": 5}}
    operator.cluster.apply(
        {"apiVersion": "gateway-registrar.dev/v1alpha1", "kind": "RuntimeGateway", "metadata": {"name": namespace}}
        | {"spec": spec}
    )
    yield namespace
    for row in operator.cluster.list("Client", namespace):
        operator.cluster.delete("Client", namespace, row["metadata"]["name"])
    until(lambda: not operator.cluster.list("Client", namespace), what="the Clients being gone", seconds=60)
    operator.cluster.delete("RuntimeGateway", "", namespace)


def begin(cluster: Cluster, namespace: str, *names: str, **spec: object) -> None:
    """Apply Clients with a Contract each."""
    for name in names:
        cluster.apply(
            client(namespace, name, **spec),
            contract(namespace, name, client=name, api="orders", version="1.0"),
        )


def registered(cluster: Cluster, namespace: str, *names: str, **spec: object) -> dict[str, str]:
    """Apply Clients with a Contract each, and wait until their keys open the API; returns the keys."""
    begin(cluster, namespace, *names, **spec)
    return {name: opened(cluster, namespace, name) for name in names}


def opened(cluster: Cluster, namespace: str, name: str, *, seconds: float = 60) -> str:
    """Wait until the Client is registered and its key opens the API; returns the key."""
    cluster.wait_phase(namespace, name, "Registered", seconds=seconds)
    key = cluster.key(namespace, f"{name}-api-key")
    until(lambda: cluster.call(ORDERS, key) == 200, what=f"200 for the key of {name}", seconds=10)
    return key


def versions(cluster: Cluster, namespace: str, *names: str) -> dict[str, str]:
    """The resourceVersions of Clients: they differ after any write."""
    return {name: (cluster.get("Client", namespace, name) or {})["metadata"]["resourceVersion"] for name in names}


def pushes(operator: Release, namespace: str) -> Counter[str]:
    """How often each Client of the namespace was sent to its gateway, by the audit lines of all pods that there were."""
    return Counter(
        line["client"].partition("/")[2]
        for line in operator.audit_lines()
        if line["client"].startswith(f"{namespace}/") and line["verb"] in PUSHED and line["outcome"] != "Failed"
    )


def lives(operator: Release) -> dict[str, int]:
    """The restarts of each pod's container."""
    return {
        pod["metadata"]["name"]: status["restartCount"]
        for pod in operator.pods()
        for status in pod["status"]["containerStatuses"]
    }


def test_the_leader_is_killed(operator: Release, node: Node, slow: str) -> None:
    """Fails when nobody leads within the Lease's time, when what was under way is not done, done twice or said wrongly, or what was at rest is written again."""
    cluster, namespace = operator.cluster, slow
    at_rest = ["at-rest-0", "at-rest-1"]
    keys = registered(cluster, namespace, *at_rest, "changing", gatewayRef={"name": slow})
    before = versions(cluster, namespace, *at_rest)
    under_way = [f"under-way-{number}" for number in range(8)]
    begin(cluster, namespace, *under_way, gatewayRef={"name": slow})
    cluster.apply(rate_limit(namespace, "limit", client="changing", limit=1000))
    cluster.annotate("Client", namespace, "changing", "reregister", "one")
    until(lambda: phases(cluster, namespace)["Registered"] > len(keys), what="the first of them", seconds=30)
    leader = operator.leader()
    node.kill(operator.pod(leader))
    operator.site.run_kubectl("delete", "pod", leader, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
    assert phases(cluster, namespace)["Registered"] < len(keys) + len(under_way), "killed too late to be in the way"
    until(lambda: operator.leader() not in ("", leader), what="another leader", seconds=TAKEN_OVER)
    for name in (*under_way, *keys):
        opened(cluster, namespace, name)
    assert (cluster.registration(namespace, "changing") or {})["contracts"][0]["policies"]
    assert versions(cluster, namespace, *at_rest) == before
    done = pushes(operator, namespace)
    assert {name: done[name] for name in keys} == {"at-rest-0": 1, "at-rest-1": 1, "changing": 2}
    assert max(done[name] for name in under_way) == 1
    operator.wait_ready()


def phases(cluster: Cluster, namespace: str) -> Counter[str]:
    """How many Clients of the namespace have each phase."""
    return Counter(row["status"].get("phase", "") for row in cluster.list("Client", namespace))


def test_the_kubelet_is_paused(operator: Release, node: Node, namespace: str) -> None:
    """Fails when the operator needs its kubelet for its work, or loses the lead or a pod because of it."""
    cluster, before, leader = operator.cluster, lives(operator), operator.leader()
    with node.paused_kubelet():
        beat = heartbeat(cluster, node)
        key = registered(cluster, namespace, "shop")["shop"]
        cluster.delete("Contract", namespace, "shop")
        until(lambda: cluster.call(ORDERS, key) != 200, what="the key being of no use", seconds=20)
        # A kubelet beats every ten seconds; a node without one for longer than forty would count as lost.
        until(lambda: heartbeat(cluster, node) < time.time() - 12, what="a missed heartbeat", seconds=20)
    until(lambda: heartbeat(cluster, node) > beat, what="the next heartbeat", seconds=30)
    operator.wait_ready()
    assert (operator.leader(), lives(operator)) == (leader, before)


def heartbeat(cluster: Cluster, node: Node) -> float:
    """When the kubelet said last that it lives, in seconds since the epoch."""
    return renewed(cluster.get("Lease", "kube-node-lease", node.container) or {})


def test_the_api_server_is_restarted(operator: Release, node: Node, namespace: str) -> None:
    """Fails when a pod is restarted with it, when nobody leads afterwards, or when what is applied first is not done."""
    cluster, before = operator.cluster, lives(operator)
    key = registered(cluster, namespace, "before")["before"]
    node.kill_api_server()
    until(lambda: answers(cluster), what="the API server's return", seconds=120)
    back = time.time()
    assert cluster.call(ORDERS, key) == 200
    begin(cluster, namespace, "after")
    cluster.delete("Contract", namespace, "before")
    # It answers its administrators at once, and everybody else when it has read the roles.
    opened(cluster, namespace, "after", seconds=120)
    until(lambda: cluster.call(ORDERS, key) != 200, what="the key being of no use", seconds=20)
    operator.wait_ready()
    assert lives(operator) == before
    until(lambda: whole(cluster, since=back), what="the control plane being whole again", seconds=120)


@pytest.fixture
def mortal(site: Site) -> Iterator[Site]:
    """The site, whose gateway has its APIs again when the test ends, however it does."""
    yield site
    site.wait_gateway()
    site.publish_apis()


def test_the_gateway_is_killed(operator: Release, mortal: Site, namespace: str) -> None:
    """Fails when a registration or a key is not what it was, or when a status says "registered" of what the gateway does not have."""
    cluster = operator.cluster
    names = ("shop", "kiosk")
    keys = registered(cluster, namespace, *names)
    registrations = {name: cluster.registration(namespace, name) for name in names}
    mortal.kill_gateway()
    ready = wait_not_ready(cluster)
    assert condition(ready, "Reconciling")["status"] == "True" or condition(ready, "Ready")["reason"] == "ApisMissing"
    mortal.wait_gateway()
    assert {cluster.call(ORDERS, key) for key in keys.values()}.isdisjoint({200})
    for name in names:
        found = cluster.wait(
            "Client",
            namespace,
            name,
            lambda o: condition(o, "Registered").get("status") == "False",
            what="the loss being said",
            seconds=40,
        )
        assert condition(found, "Ready")["status"] == "False"
        assert found["status"]["phase"] == "Ready"
    mortal.publish_apis()
    for name in names:
        assert opened(cluster, namespace, name) == keys[name]
        assert cluster.registration(namespace, name) == registrations[name]
    cluster.wait("RuntimeGateway", "", "default", lambda o: condition(o, "Ready").get("status") == "True", what="Ready")


def wait_not_ready(cluster: Cluster) -> Json:
    """The RuntimeGateway as soon as it says that something is wrong."""
    return cluster.wait(
        "RuntimeGateway",
        "",
        "default",
        lambda o: condition(o, "Ready").get("status") == "False",
        what="the fault",
        seconds=30,
    )
