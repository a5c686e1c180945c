"""What the watch can lose, and what two writers do to each other."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, client, contract, until
from localenv.environment import Environment
from localenv.operator import Operator
from tests.integration.conftest import QUICK

pytestmark = pytest.mark.integration
APIS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}


def compact(env: Environment) -> None:
    """Make etcd forget all history, so that a watch from before can't be resumed."""
    base = f"http://127.0.0.1:{env.ports['etcd']}/v3/kv"

    def post(path: str, body: dict[str, str]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(f"{base}/{path}", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            answer: dict[str, dict[str, str]] = json.loads(response.read())
            return answer

    revision = post("range", {"key": "AA=="})["header"]["revision"]
    post("compaction", {"revision": revision})


def test_deletions_in_a_watch_gap(cluster: Cluster, namespace: str, env: Environment, operator: Operator) -> None:
    """Fails without the sweep: after a 410 Kopf lists again, and never tells what is missing from the list."""
    cluster.apply(
        client(namespace, "shop"),
        *(contract(namespace, api, client="shop", api=api, version=version) for api, version in APIS.items()),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    os.kill(operator.pid, signal.SIGSTOP)
    try:
        cluster.delete("Contract", namespace, "billing")
        cluster.namespace(f"{namespace}-noise")
        compact(env)
        env.control_plane.stop_apiserver()
        env.control_plane.start_apiserver()
    finally:
        os.kill(operator.pid, signal.SIGCONT)
    assert cluster.call("acme/billing/1.0", key) == 200, "the operator can't know yet"
    until(lambda: cluster.call("acme/billing/1.0", key) == 404, what="billing being closed", seconds=60)
    assert cluster.call("acme/orders/1.0", key) == 200
    assert cluster.call("acme/catalog/2.0", key) == 200
    assert not operator.ended


@pytest.fixture
def second(env: Environment) -> Iterator[Operator]:
    """A second operator that knows nothing of a Lease, either."""
    running = Operator(env, name="second", settings={"lease": "false", **QUICK}).start()
    yield running
    running.stop()


def test_two_writers_of_one_status(cluster: Cluster, namespace: str, operator: Operator, second: Operator) -> None:
    """Fails when a status is written without the resourceVersion it was computed from, or a conflict is not got over."""
    names = [f"shop-{number}" for number in range(6)]
    for name in names:
        cluster.apply(client(namespace, name), contract(namespace, name, client=name, api="orders", version="1.0"))
    # Whether two writers meet is up to chance; that they do in one of twenty rounds of six is not.
    for number in range(20):
        for name in names:
            cluster.wait_phase(namespace, name, "Registered", seconds=60)
            cluster.annotate("Client", namespace, name, "unregister", f"off-{number}")
        for name in names:
            found = cluster.wait_phase(namespace, name, "Retired", seconds=60)
            assert {a["outcome"] for a in found["status"]["actions"]} == {"Succeeded"}
            until(lambda name=name: cluster.registration(namespace, name) is None, what=f"{name} being off")  # type: ignore[misc]
        if sum(conflicts_of(one) for one in (operator, second)) > 0:
            break
        for name in names:
            cluster.annotate("Client", namespace, name, "reregister", f"on-{number}")
    else:
        pytest.fail("the two never met")
    assert "Traceback" not in operator.log.read_text() + second.log.read_text()


def conflicts_of(operator: Operator) -> int:
    """How many calls of the API server ended in a conflict."""
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in operator.metrics().splitlines()
        if line.startswith("gateway_registrar_calls_total") and 'outcome="KubeConflict"' in line
    )


def test_the_lease_moves_on(cluster: Cluster, namespace: str, env: Environment, operator: Operator) -> None:
    """Fails when two candidates lead at once, or when a graceful stop makes the next one wait the Lease out."""
    first = Operator(env, name="first-candidate", settings=QUICK).start()
    other = Operator(env, name="other-candidate", settings=QUICK)
    try:
        until(lambda: leads(first), what="the first leading")
        other.start()
        assert not leads(other)
        # Keys wait on a standby too, but for the Lease and not for a worker: it must not count as stuck.
        assert 'workqueue_oldest_seconds{name="clients"} 0.0' in other.metrics()
        first.stop()
        until(lambda: leads(other), what="the other leading", seconds=5)
    finally:
        first.stop()
        other.stop()


def leads(operator: Operator) -> bool:
    """Whether the operator says that it leads."""
    return 'leader_election_master_status{name="gateway-registrar"} 1.0' in operator.metrics()
