"""A RuntimeGateway that is made, corrected or given other credentials is looked at then, not with the next look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.cluster import GROUP, Cluster, Json, condition
from localenv.environment import NAMESPACE, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from localenv.ports import free_ports
from tests.integration.conftest import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

INTERVAL = 3600


@pytest.fixture(scope="module")
def operator(env: Environment) -> Iterator[Operator]:
    """An operator that looks at a gateway once an hour, unless something happens."""
    settings: dict[str, str | float] = {"lease": "false", **QUICK, "sentinel_interval_seconds": INTERVAL}
    running = Operator(env, name="test_gateway_changes", settings=settings).start()
    yield running
    running.stop()


def reason(cluster: Cluster, name: str, wanted: str) -> None:
    """Wait for the reason of the RuntimeGateway's Ready condition."""
    cluster.wait("RuntimeGateway", "", name, lambda o: condition(o, "Ready").get("reason") == wanted, what=wanted)


def test_what_somebody_mends_is_seen_at_once(cluster: Cluster, namespace: str, env: Environment) -> None:
    """Fails when what came of a change of a RuntimeGateway, or of its credentials, is said with the next look only."""
    secret = f"{namespace}-credentials"
    meta = {"name": secret, "namespace": NAMESPACE, "labels": {f"{GROUP}/allow-use": "true"}}
    manifest: Json = runtime_gateway(env)
    endpoint = manifest["spec"]["apiman"]["endpoint"]
    nobody = f"http://127.0.0.1:{free_ports('NOBODY')['NOBODY']}"
    manifest["metadata"]["name"] = namespace
    manifest["spec"]["default"] = False
    manifest["spec"]["apiman"] |= {"credentialsSecretRef": {"name": secret}, "endpoint": nobody}
    cluster.apply(manifest)
    reason(cluster, namespace, "CredentialsNotFound")
    credentials = {"username": env.gateway_user, "password": "wrong"}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": credentials})
    reason(cluster, namespace, "GatewayUnreachable")
    cluster.patch("RuntimeGateway", "", namespace, {"spec": {"apiman": {"endpoint": endpoint}}})
    reason(cluster, namespace, "GatewayUnauthorized")
    cluster.patch("Secret", NAMESPACE, secret, {"stringData": {"password": env.gateway_password}})
    reason(cluster, namespace, "Ready")
    cluster.delete("RuntimeGateway", "", namespace)
    cluster.wait_gone("RuntimeGateway", "", namespace)
    cluster.delete("Secret", NAMESPACE, secret)
