"""`helm uninstall`, with Clients still there and in the documented order, by the very commands of docs/how-to/uninstall.md."""

from __future__ import annotations

import pytest

from localenv.cluster import API, Cluster, Json, condition, until
from tests.e2e import pages, traces
from tests.e2e.consumers import objects, registered, wait_counted
from tests.e2e.release import NAME, Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


def test_nothing_is_lost_and_a_reinstall_goes_on(operator: Release, namespace: str) -> None:
    """Fails when an uninstall takes a CRD, an object or a key along, or leaves more than those; or when the next installation begins anew."""
    cluster = operator.cluster
    shop = registered(cluster, namespace, "shop", "orders", "billing")
    leaving = registered(cluster, namespace, "leaving")
    wait_counted(cluster, namespace)
    operator.wait_quiet(clients=2)
    before = objects(cluster, namespace)
    effects = operator.changing_calls()
    operator.uninstall()
    assert {row.partition(" ")[0] for row in traces.of_release(operator.site, NAME)} == {"CustomResourceDefinition"}
    assert objects(cluster, namespace) == before
    assert (shop.call(), shop.call("billing"), leaving.call()) == (200, 200, 200)

    cluster.delete("Client", namespace, "leaving")
    assert (cluster.get("Client", namespace, "leaving") or {})["metadata"]["deletionTimestamp"]
    assert leaving.call() == 200, "nobody is there to take it off"

    operator.ensure()
    cluster.wait_gone("Client", namespace, "leaving")
    leaving.wait_dead()
    operator.wait_quiet(clients=1)
    assert remaining(objects(cluster, namespace)) == remaining(before)
    until(lambda: operator.changing_calls() >= effects + 2, what="the audit lines of what left")
    assert operator.changing_calls() == effects + 2, "a registration and a Secret went, and nothing was made again"

    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    shop.wait_dead()
    assert not shop.on_gateway()


def remaining(found: dict[str, Json]) -> dict[str, Json]:
    """What does not belong to the Client that leaves."""
    return {name: row for name, row in found.items() if " leaving" not in name}


def test_the_documented_command_ends_what_hangs(operator: Release, namespace: str) -> None:
    """Fails when the page's command leaves a Client or its namespace Terminating, or when what the page says about the keys is not so."""
    cluster, site = operator.cluster, operator.site
    shop = registered(cluster, namespace)
    until(lambda: only_client(cluster, namespace), what="the Clients of other tests being gone", seconds=60)
    operator.uninstall()
    cluster.delete("Namespace", "", namespace)
    cluster.wait("Namespace", "", namespace, hangs, what="waiting for a finalizer")
    (command,) = pages.commands(pages.UNINSTALL, "The operator was removed first")
    pages.run(site, command)
    cluster.wait_gone("Namespace", "", namespace)
    assert shop.call() == 200, "nobody took it off, as the page says"
    try:
        # The counting is the last part of a full check, spread over half of its interval.
        operator.ensure(settings={"driftIntervalSeconds": 10})
        cluster.wait(
            "RuntimeGateway", "", "default", lambda o: o["status"]["clients"]["foreign"] == 1, what="one being foreign"
        )
        assert shop.call() == 200, "it is never touched by itself"
    finally:
        cluster.gateway_request("DELETE", f"/organizations/{namespace}/clients/shop/versions/1.0")


def only_client(cluster: Cluster, namespace: str) -> bool:
    """Whether the cluster's only Client is in that namespace; those whose finalizer is taken off would stay on the gateway."""
    found = cluster.request("GET", f"/apis/{API}/clients").body["items"]
    return [row["metadata"]["namespace"] for row in found] == [namespace]


def hangs(namespace: Json) -> bool:
    """Whether the namespace waits for the operator's finalizer, and says so."""
    found = condition(namespace, "NamespaceFinalizersRemaining")
    return found.get("status") == "True" and "gateway-registrar.dev/registration" in found["message"]


def test_the_documented_order_leaves_nothing(operator: Release, namespace: str, site: Site) -> None:
    """Fails when something of ours is in the cluster, or on the gateway, after the page's commands; or when it can't be installed again then."""
    cluster = operator.cluster
    shop = registered(cluster, namespace)
    assert traces.of_ours(site)
    for command in pages.commands(pages.UNINSTALL, "The right order"):
        pages.run(site, command)
    assert not traces.of_ours(site)
    assert not shop.on_gateway()
    shop.wait_dead()

    operator.ensure()
    operator.ensure_gateways()
    again = registered(cluster, namespace)
    assert again.key != shop.key
