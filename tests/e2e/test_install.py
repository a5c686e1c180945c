"""What an installation from the chart is: two replicas of which one leads, under the restricted profile, and ready only when they can work."""

from __future__ import annotations

import pytest

from localenv.cluster import client, condition, contract
from tests.e2e.release import NAMESPACE, Release

pytestmark = pytest.mark.e2e


def test_two_replicas_and_one_leader(operator: Release) -> None:
    """Fails when a pod is not ready, when both work, or when neither does."""
    pods = {pod["metadata"]["name"]: pod for pod in operator.pods()}
    assert len(pods) == 2
    leading = {name for name in pods if LEADS in operator.pod_metrics(name)}
    assert leading == {operator.leader()}
    for pod in pods.values():
        (status,) = pod["status"]["containerStatuses"]
        assert status["restartCount"] == 0
        assert status["imageID"]


LEADS = 'leader_election_master_status{name="gateway-registrar"} 1.0'


def test_the_namespace_enforces_restricted(operator: Release) -> None:
    """Fails when the chart's pods need more than the restricted profile allows: the API server refused them."""
    found = operator.cluster.get("Namespace", "", NAMESPACE) or {}
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    refused = [
        row["note"]
        for row in operator.cluster.list("Event", NAMESPACE)
        if "violates PodSecurity" in row.get("note", "")
    ]
    assert not refused
    assert len(operator.pods()) == 2


def test_nothing_but_tmp_can_be_written(operator: Release) -> None:
    """Fails when the container can write to its root, or runs as root."""
    python = (
        "import os, pathlib\n"
        "print(os.getuid())\n"
        "for place in ('/', '/opt/registrar', '/etc', '/var', '/home'):\n"
        "    try:\n"
        "        pathlib.Path(place, 'written').write_text('x')\n"
        "        print('wrote', place)\n"
        "    except OSError:\n"
        "        pass\n"
        "pathlib.Path('/tmp/written').write_text('x')\n"
        "print('done')\n"
    )
    pod = operator.leader()
    told = operator.site.run_kubectl(
        "exec", f"--namespace={NAMESPACE}", pod, "--", "/opt/registrar/bin/python", "-c", python
    )
    assert told.split() == ["65532", "done"]


def test_a_first_key_opens_an_api(operator: Release, namespace: str) -> None:
    """Fails when a Client of the chart's installation does not get to the gateway."""
    cluster = operator.site.developer(namespace)
    cluster.apply(client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    cluster.wait_phase(namespace, "shop", "Registered")
    found = cluster.wait(
        "Contract", namespace, "orders", lambda o: o["status"].get("phase") == "Active", what="phase Active"
    )
    assert condition(found, "Ready")["status"] == "True"
    assert cluster.call(found["status"]["endpoint"], cluster.key(namespace, "shop-api-key")) == 200
    assert cluster.call(found["status"]["endpoint"], "") in (401, 403, 404)
