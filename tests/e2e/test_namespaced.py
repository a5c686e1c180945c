"""The chart with `watchNamespaces`: the operator sees these namespaces and no other, with rights in these alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import helm_python
import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, until
from tests.e2e import workloads
from tests.e2e.consumers import registered
from tests.e2e.release import NAME, NAMESPACE, Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class Spaces:
    """Two namespaces that are watched, and one that is not."""

    first: str
    second: str
    outside: str


@pytest.fixture(scope="module")
def spaces(site: Site) -> Iterator[Spaces]:
    names = Spaces(*(f"e2e-{uuid4().hex[:8]}" for _ in range(3)))
    every = (names.first, names.second, names.outside)
    site.apply(*map(workloads.namespace, every))
    yield names
    site.run_kubectl("delete", "namespace", *every, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def narrow(release: Release, spaces: Spaces) -> Iterator[Release]:
    """The release, upgraded to these namespaces; afterwards it watches all of them again, and so can end what is left in them."""
    release.ensure(watchNamespaces=[spaces.first, spaces.second])
    release.ensure_gateways()
    yield release
    release.ensure()


def test_only_what_is_listed_is_seen(narrow: Release, spaces: Spaces) -> None:
    """Fails when a Client elsewhere is touched, when one that is listed is not served, or when a right reaches further than the list."""
    cluster = narrow.cluster
    cluster.apply(
        client(spaces.outside, "shop"),
        contract(spaces.outside, "orders", client="shop", api="orders", version="1.0"),
    )
    before = cluster.get("Client", spaces.outside, "shop")
    for namespace in (spaces.first, spaces.second):
        registered(cluster, namespace)
    assert cluster.get("Client", spaces.outside, "shop") == before
    assert before is not None and before["status"] == {"observedGeneration": -1}
    assert cluster.get("Secret", spaces.outside, "shop-api-key") is None
    cluster.wait(
        "RuntimeGateway", "", "default", lambda o: o["status"]["clients"]["ours"] == 2, what="both being counted"
    )
    reach = {(space, what) for space in ("", spaces.first, spaces.second, spaces.outside) for what in ASKED}
    allowed = {(space, what) for space, what in reach if may(cluster, space, *what)}
    assert allowed == {(space, what) for space in (spaces.first, spaces.second) for what in ASKED}


ASKED = (("list", "", "secrets"), ("delete", "", "secrets"), ("patch", "gateway-registrar.dev", "clients"))


def may(cluster: Cluster, namespace: str, verb: str, group: str, resource: str) -> bool:
    """Whether the operator's account may do that in the namespace; in all of them when it is empty."""
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
    spec = {"user": f"system:serviceaccount:{NAMESPACE}:{NAME}", "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer.body["status"]["allowed"])


def test_a_listed_namespace_that_is_missing_is_said_by_helm(narrow: Release, spaces: Spaces) -> None:
    """Fails when a misspelled namespace is installed without a word, or when the refusal ends the operator that runs."""
    running = {pod["metadata"]["uid"] for pod in narrow.pods()}
    with pytest.raises(helm_python.HelmError, match='namespaces "e2e-misspelled" not found'):
        narrow.ensure(watchNamespaces=[spaces.first, "e2e-misspelled"])
    assert {pod["metadata"]["uid"] for pod in narrow.pods()} == running


def test_a_listed_namespace_that_is_gone_stops_the_start_with_one_line(narrow: Release, spaces: Spaces) -> None:
    """Fails when a pod starts without the namespace, when `kubectl describe pod` does not say why it ends, or when the line's advice does not mend it."""
    cluster = narrow.cluster
    narrow.ensure(watchNamespaces=[spaces.first, spaces.second])
    cluster.request("DELETE", f"{cluster.path('Client', spaces.second)}")
    until(lambda: not cluster.list("Client", spaces.second), what="its Clients being gone")
    cluster.delete("Namespace", "", spaces.second)
    cluster.wait_gone("Namespace", "", spaces.second)
    names = [pod["metadata"]["name"] for pod in narrow.pods()]
    narrow.site.run_kubectl("delete", "pod", f"--namespace={NAMESPACE}", "--wait=false", *names)
    until(lambda: bool(ends(narrow)), what="a pod that has ended", seconds=60)
    for end in ends(narrow):
        assert end["exitCode"] == 2
        assert end["message"].splitlines()[-1] == (
            f"error: --watch-namespaces (REGISTRAR_WATCH_NAMESPACES) names namespace {spaces.second}, which does not exist."
            " Create the namespace, or take it out of the chart's watchNamespaces."
        )
    narrow.ensure(watchNamespaces=[spaces.first])
    found = cluster.wait_phase(spaces.first, "shop", "Registered")
    assert condition(found, "Ready")["status"] == "True"


def ends(release: Release) -> list[Json]:
    """How the containers of the release's pods have ended, by themselves."""
    states = [
        status[state].get("terminated")
        for pod in release.pods()
        if not pod["metadata"].get("deletionTimestamp")
        for status in pod["status"].get("containerStatuses", ())
        for state in ("state", "lastState")
    ]
    return [state for state in states if state]
