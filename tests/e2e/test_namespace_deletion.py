"""Namespaces that are deleted with registered Clients in them: a team's, while the operator and its gateway run and while the gateway is away, and the operator's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from localenv.cluster import Json, condition, until
from localenv.kind import docker
from localenv.kind.images import GATEWAY_JAR
from tests.e2e import workloads
from tests.e2e.consumers import registered
from tests.e2e.release import NAMESPACE, Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


def test_a_namespace_goes_with_all_that_is_in_it(operator: Release, namespace: str) -> None:
    """Fails when a namespace of several Clients hangs or goes before their keys are dead, or when its end surprises the operator."""
    cluster = operator.cluster
    consumers = [
        registered(cluster, namespace, "shop", "orders", "billing", "catalog"),
        registered(cluster, namespace, "till"),
    ]
    said = len(operator.logs.text())
    cluster.delete("Namespace", "", namespace)
    cluster.wait_gone("Namespace", "", namespace, seconds=40)
    for consumer in consumers:
        assert not consumer.on_gateway()
        consumer.wait_dead()
    operator.wait_quiet(clients=2)
    faults = [line for line in operator.logs.text()[said:].splitlines() if '"level":"error"' in line]
    assert not faults


def test_a_namespace_waits_for_a_gateway_that_hangs(operator: Release, namespace: str) -> None:
    """Fails when a namespace goes while nobody can know whether its key works, when nothing says why it stays, or when the key outlives it."""
    cluster, site = operator.cluster, operator.site
    if not site.node:
        pytest.skip("the gateway is stopped from its node, which this cluster gives no way to")
    shop = registered(cluster, namespace)
    with frozen(site):
        cluster.delete("Namespace", "", namespace)
        found = cluster.wait("Client", namespace, "shop", terminating, what="Terminating")
        assert "gateway default" in condition(found, "Ready")["message"]
        cluster.wait("Namespace", "", namespace, names_the_finalizer, what="a word on what remains")
    cluster.wait_gone("Namespace", "", namespace, seconds=40)
    assert not shop.on_gateway()
    shop.wait_dead()


def test_a_namespace_goes_when_its_gateway_comes_back_empty(operator: Release, namespace: str) -> None:
    """Fails when a registration that a gateway has lost meanwhile holds a namespace."""
    cluster = operator.cluster
    shop = registered(cluster, namespace)
    with scaled_away(operator.site):
        cluster.delete("Namespace", "", namespace)
        cluster.wait("Client", namespace, "shop", terminating, what="Terminating")
    cluster.wait_gone("Namespace", "", namespace, seconds=40)
    shop.wait_dead()


def test_the_operators_own_namespace_goes(operator: Release, namespace: str) -> None:
    """Fails when Clients elsewhere lose their key with it, or when installing both charts again does not bring all back, or makes anything anew."""
    cluster = operator.cluster
    shop = registered(cluster, namespace)
    cluster.delete("Namespace", "", NAMESPACE)
    cluster.wait_gone("Namespace", "", NAMESPACE, seconds=90)
    assert shop.call() == 200
    assert shop.has_its_key()

    operator.ensure()
    operator.ensure_gateways()
    operator.wait_quiet(clients=1)
    cluster.wait_phase(namespace, "shop", "Registered")
    assert shop.has_its_key()
    assert shop.call() == 200
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    shop.wait_dead()


def terminating(client: Json) -> bool:
    """Whether the Client says that its deletion waits for something."""
    return condition(client, "Ready").get("reason") == "Terminating"


def names_the_finalizer(namespace: Json) -> bool:
    """Whether the namespace says what it waits for."""
    return "gateway-registrar.dev/registration" in condition(namespace, "NamespaceFinalizersRemaining").get(
        "message", ""
    )


@contextmanager
def frozen(site: Site) -> Iterator[None]:
    """The gateway takes connections and answers none; afterwards it goes on with all that it has."""
    process = ("-f", GATEWAY_JAR.name)
    docker.run("exec", site.node, "pkill", "-STOP", *process)
    try:
        yield
    finally:
        docker.run("exec", site.node, "pkill", "-CONT", *process)
        site.wait_gateway()


@contextmanager
def scaled_away(site: Site) -> Iterator[None]:
    """There is no gateway; afterwards there is one that has its APIs and nothing else."""
    deployment = (f"deployment/{workloads.GATEWAY}", f"--namespace={workloads.GATEWAY_NAMESPACE}")
    site.run_kubectl("scale", *deployment, "--replicas=0")
    until(lambda: not site.gateway_api.up(), what="the gateway being away")
    try:
        yield
    finally:
        site.run_kubectl("scale", *deployment, "--replicas=1")
        site.wait_gateway()
        site.publish_apis()
