"""`import`, `subscribe` and `call` of the kubectl plugin, on the real API server and the real gateway."""

from __future__ import annotations

import base64
import json
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localenv.cluster import Answer, Cluster, Json, client, condition, contract, policy, until
from localenv.environment import ROOT, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

PACKAGE = "class:io.apiman.gateway.engine.policies."
ORDERS, BILLING = "acme/orders/1.0", "acme/billing/1.0"


def registrar(
    env: Environment, *arguments: str, user: str = "admin", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the plugin as a user would, with the kubeconfig of `user`."""
    kubeconfig = env.kubeconfig if user == "admin" else env.control_plane.kubeconfig(user)
    return subprocess.run(
        [sys.executable, "-m", "registrar.cli", *arguments, "--kubeconfig", str(kubeconfig)],
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own, which asks for the grants of a namespace that owns the APIs, and lets nobody adopt without a key."""
    owner = cluster.namespace(f"{namespace}-owner")
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    organizations = [{"name": "acme", "namespaces": [owner]}]
    manifest["spec"] |= {"default": False, "contracts": "Granted", "organizations": organizations}
    cluster.apply(manifest)
    yield namespace
    cluster.patch("RuntimeGateway", "", namespace, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", namespace)


# import --------------------------------------------------------------------------------------------------------------


def wire(name: str, config: Any) -> Json:
    """A policy as another tool puts it on the gateway."""
    return {"policyImpl": f"{PACKAGE}{name}", "policyJsonConfig": json.dumps(config)}


LIMIT = wire("RateLimitingPolicy", {"limit": 1000, "period": "Minute", "granularity": "Client"})
API_QUOTA = wire("QuotaPolicy", {"period": "Day", "limit": 50, "granularity": "Api", "headerLimit": "X-Mine"})
HIDDEN = wire("IgnoredResourcesPolicy", {"rules": [{"verb": "*", "pathPattern": "/secret.*"}]})
FOREIGN_FORM = wire("IPBlacklistPolicy", {"ipList": ["203.0.113.0/24"], "responseCode": 403})
LOGIN = wire(
    "BasicAuthenticationPolicy",
    {
        "realm": "shop",
        "requireTransportSecurity": False,
        "requireBasicAuth": True,
        "staticIdentity": {"identities": [{"username": "alice", "password": "correct-horse", "isHash": False}]},
    },
)
AUDIT = "class:com.example.AuditPolicy"
CUSTOM = {"policyImpl": AUDIT, "policyJsonConfig": json.dumps({"level": "full", "share": 0.5, "of": [1, {}]})}
WITH_NULL = {"policyImpl": AUDIT, "policyJsonConfig": json.dumps({"level": "full", "of": None})}
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"alice:correct-horse").decode()}


def by_hand(cluster: Cluster, organization: str, name: str, **policies: list[Json]) -> str:
    """Register a client as another tool would; `policies` are by API. Returns its key."""
    key = f"by-hand-{uuid4().hex}"
    rows = [
        {"apiOrgId": "acme", "apiId": api, "apiVersion": "1.0", "plan": "gold", "policies": found}
        for api, found in policies.items()
    ]
    body = {"organizationId": organization, "clientId": name, "version": "1.0", "apiKey": key, "contracts": rows}
    assert cluster.gateway_request("PUT", "/clients", body).status < 300
    return key


def seen(cluster: Cluster, key: str) -> list[tuple[int, str]]:
    """What calls with the key are answered, with and without the password."""
    calls: list[Answer] = [
        cluster.fetch(api, key, path, headers=headers)
        for api in (ORDERS, BILLING)
        for path in ("hello", "secret/1")
        for headers in ({}, PASSWORD)
    ]
    return [(answer.status, answer.headers.get("X-Policy-Failure-Code", "")) for answer in calls]


def test_what_is_on_the_gateway_becomes_objects(
    env: Environment, cluster: Cluster, namespace: str, gateway: str, tmp_path: Path
) -> None:
    """Fails when an imported Client is not Registered with nothing pending, a call is answered otherwise than before, or a secret is in a readable file."""
    shop = by_hand(cluster, namespace, "Shop_Front", orders=[LIMIT, LOGIN, HIDDEN], billing=[LIMIT, API_QUOTA])
    other = by_hand(cluster, namespace, "till", orders=[FOREIGN_FORM, LIMIT, HIDDEN])
    by_hand(cluster, namespace, "audited", billing=[WITH_NULL, CUSTOM])
    before = {key: seen(cluster, key) for key in (shop, other)}
    assert (404, "10007") in before[shop] and (401, "10004") in before[shop] and (200, "") in before[shop]
    standing = [cluster.registration(namespace, name) for name in ("Shop_Front", "till", "audited")]
    folder = tmp_path / "out"
    done = registrar(env, "import", "--gateway", gateway, "--organization", namespace, "-o", str(folder))
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*.yaml")}
    for name, path in files.items():
        mode = stat.S_IMODE(path.stat().st_mode)
        if "secrets" in name:
            assert mode == 0o600
        else:
            assert shop not in path.read_text() and "correct-horse" not in path.read_text()
    first = next(line for line in done.stderr.splitlines() if "kubectl patch" in line)
    env.run_kubectl(*shlex.split(first)[1:])
    env.run_kubectl("apply", "-R", "-f", str(folder))
    for row in cluster.list("Client", namespace):
        found = cluster.wait_phase(namespace, row["metadata"]["name"], "Registered", seconds=60)
        assert not found["status"].get("pendingChanges"), found["status"]["pendingChanges"]
    assert [cluster.registration(namespace, name) for name in ("Shop_Front", "till", "audited")] == standing
    assert {key: seen(cluster, key) for key in (shop, other)} == before
    again = registrar(env, "import", "--gateway", gateway, "--organization", namespace, "-o", "-")
    assert (again.returncode, again.stdout) == (0, "") and "3 registrations are the operator's already" in again.stderr
