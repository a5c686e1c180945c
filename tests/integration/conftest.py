"""The real pair for the integration tests: one environment for the session, one operator for each module, one namespace for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from localenv.cluster import Cluster, condition
from localenv.environment import ROOT, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from tests.faults.gateway_proxy import GatewayProxy

QUICK: dict[str, str | float] = {
    "settle_seconds": 1.0,
    "settle_max_seconds": 5,
    "sentinel_interval_seconds": 0.5,
    "heal_grace_seconds": 2,
}
"""Settings that make waiting short; the rules are the same."""


@pytest.fixture(scope="session")
def env() -> Iterator[Environment]:
    """The API server and the gateway; TEST_LOCALENV_DIR keeps them for the next run."""
    kept = os.environ.get("TEST_LOCALENV_DIR")
    environment = Environment.up(Path(kept) if kept else ROOT / ".localenv" / "test")
    yield environment
    if not kept:
        environment.down()


@pytest.fixture(scope="session")
def cluster(env: Environment) -> Cluster:
    """The administrator's view."""
    return Cluster(env)


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A fresh namespace, which is an organization of the same name; what is left in it goes with the environment."""
    return cluster.namespace(f"t-{uuid4().hex[:10]}")


@pytest.fixture(scope="module")
def operator(env: Environment, request: pytest.FixtureRequest) -> Iterator[Operator]:
    """An operator with quick settings that all tests of the module share."""
    name = request.module.__name__.rpartition(".")[2]
    running = Operator(env, name=name, settings={"lease": "false", **QUICK}).start()
    yield running
    running.stop()


@pytest.fixture
def proxy(env: Environment) -> Iterator[GatewayProxy]:
    """A proxy of its own for the test."""
    running = GatewayProxy(env.gateway_config_url).start()
    yield running
    running.stop()


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, proxy: GatewayProxy, namespace: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, that is reached through the proxy."""
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"] |= {"default": False}
    manifest["spec"]["apiman"] |= {"endpoint": proxy.url}
    cluster.apply(manifest)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)
