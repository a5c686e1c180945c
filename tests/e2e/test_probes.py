"""What the kubelet's probes are for: a process whose event loop is stuck is restarted, one without an API server is not.

The event loop is stuck by a signal handler that never returns, in a `sitecustomize` that the chart's own values mount: nothing of it is in the product. To the
process it is what any call that blocks is: it lives, its other threads run, and its loop has no turn any more. SIGTERM does not end it either.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from localenv.cluster import Cluster, Json, client, contract, until
from tests.e2e import workloads
from tests.e2e.node import Node, answers, whole
from tests.e2e.release import NAMESPACE, Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e

HOOK = "stuck-on-sigusr1"
SITECUSTOMIZE = """\
import signal, threading
signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait())
"""
STICK = "import os, signal; os.kill(1, signal.SIGUSR1)"
PORT = 8080
POLL = 0.3
DURATION, RENEW = 15, 10
"""Seconds that a Lease holds, and without a renewal leads, by the chart's defaults."""
LIVENESS = {"periodSeconds": 3, "timeoutSeconds": 2, "failureThreshold": 3, "terminationGracePeriodSeconds": 1}
SLOW = 120
"""Seconds: an API server that has just come back answers administrators at once, and everybody else when it has read the roles, which takes a busy machine a minute."""
GIVES_UP = LIVENESS["periodSeconds"] * LIVENESS["failureThreshold"] + LIVENESS["timeoutSeconds"]
"""Seconds after which the kubelet has given a process up."""


@pytest.fixture
def operator(release: Release, site: Site) -> Release:
    """The release with a liveness probe that gives up soon, and with the hook."""
    meta = {"name": HOOK, "namespace": NAMESPACE}
    hook = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"sitecustomize.py": SITECUSTOMIZE}}
    site.apply(workloads.namespace(NAMESPACE), hook)
    release.ensure(
        livenessProbe=LIVENESS,
        extraEnv=[{"name": "PYTHONPATH", "value": "/hook"}],
        extraVolumes=[{"name": "hook", "configMap": {"name": HOOK}}],
        extraVolumeMounts=[{"name": "hook", "mountPath": "/hook", "readOnly": True}],
    )
    release.ensure_gateways()
    return release


def test_a_stuck_event_loop_is_restarted(operator: Release, namespace: str) -> None:
    """Fails when the probe does not notice, when nobody leads meanwhile, or when a pod that works is restarted too."""
    before = {name(pod): restarts(pod) for pod in operator.pods()}
    stuck = operator.leader()
    operator.site.run_kubectl("exec", f"--namespace={NAMESPACE}", stuck, "--", "/opt/registrar/bin/python", "-c", STICK)
    until(lambda: operator.leader() not in ("", stuck), what="another leader", seconds=DURATION + 5)
    until(
        lambda: restarts(operator.pod(stuck)) > before[stuck],
        what="the restart",
        seconds=GIVES_UP + 20,
    )
    ended = operator.pod(stuck)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert ended["exitCode"] == 137, "SIGTERM was of no use, as to any process that is stuck"
    until(lambda: "failed liveness probe" in told(operator, stuck), what="the kubelet saying why")
    operator.wait_ready()
    after = {name(pod): restarts(pod) for pod in operator.pods()}
    assert after == before | {stuck: before[stuck] + 1}
    register(operator.cluster, namespace)


def test_a_lost_api_server_is_no_reason(operator: Release, node: Node, namespace: str) -> None:
    """Fails when a pod is restarted because the API server is away, or a probe lies about it, or nobody works afterwards."""
    cluster, before = operator.cluster, operator.pods()
    leading = operator.pod(operator.leader())
    with node.without_api_server():
        # It has lost its Lease, starts over, and knows nothing until there is an API server to ask.
        until(lambda: asked(node, leading, "/readyz") == 503, what="the loss being said", seconds=RENEW + 20)
        assert seen(GIVES_UP + 5, lambda: {asked(node, pod, "/healthz") for pod in before}) == {200}
        assert asked(node, leading, "/readyz") == 503
    until(lambda: answers(cluster), what="the API server's return", seconds=120)
    back = time.time()
    register(cluster, namespace)
    operator.wait_ready()
    assert {name(pod): restarts(pod) for pod in operator.pods()} == {name(pod): restarts(pod) for pod in before}
    assert {asked(node, pod, "/readyz") for pod in operator.pods()} == {200}
    until(lambda: whole(cluster, since=back), what="the control plane being whole again", seconds=120)


def register(cluster: Cluster, namespace: str) -> None:
    """See that the operator works: a Client gets a key that opens an API."""
    cluster.apply(client(namespace, "shop"), contract(namespace, "shop", client="shop", api="orders", version="1.0"))
    cluster.wait_phase(namespace, "shop", "Registered", seconds=SLOW)
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=10)


def name(pod: Json) -> str:
    """The name of a pod."""
    return str(pod["metadata"]["name"])


def restarts(pod: Json) -> int:
    """How often the kubelet has restarted the pod's container."""
    (status,) = pod["status"]["containerStatuses"]
    return int(status["restartCount"])


def told(operator: Release, pod: str) -> str:
    """What the Events about a pod say."""
    rows = operator.cluster.list("Event", NAMESPACE)
    return "\n".join(row["note"] for row in rows if row["regarding"].get("name") == pod)


def asked(node: Node, pod: Json, path: str) -> int:
    """What a probe gets."""
    return node.get(pod, port=PORT, path=path)


def seen(seconds: float, look: Callable[[], set[int]]) -> set[int]:
    """All that was seen in looks over that many seconds."""
    found = look()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(POLL)  # between two looks, each of which is a program that runs in the node
        found |= look()
    return found
