"""Clusters that the operator can't work on, as a real API server describes them: it says so in one line, ends, and has touched nothing.

The API server is one of its own, without a gateway: CRDs can't be taken from the one that the other tests share. A cluster that is too old can't be had here; see
`tests/unit/engine/test_served.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv import account
from localenv.cluster import Cluster, Json, until
from localenv.environment import NAMESPACE, Environment
from localenv.errors import LocalEnvError
from localenv.install import CRDS, remove_crds
from localenv.operator import Operator
from registrar.clock import Jitter
from registrar.engine import served
from registrar.engine.startup import check
from registrar.errors import SettingsError
from registrar.kube.client import KubeClient
from registrar.kube.config import load_access
from registrar.resources.kinds import KINDS
from registrar.resources.schema import crd
from registrar.seam import direct
from tests.e2e import preflight
from tests.faults.discovery import changed, schema_of, with_schema

pytestmark = pytest.mark.integration

SETTINGS: dict[str, str | float] = {"lease": "false"}
WRITTEN = ("secrets", "configmaps", "leases", "events")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An API server with the operator's namespace, account and roles, and without CRDs."""
    environment = Environment.at(tmp_path_factory.mktemp("bare"))
    try:
        environment.control_plane.start()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        environment.run_kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        account.grant(environment)
        account.write_kubeconfig(environment, environment.operator_kubeconfig)
        yield environment
    finally:
        environment.down()


@pytest.fixture(autouse=True)
def without_crds(bare: Environment) -> Iterator[None]:
    """Each test begins on an API server that serves none of our kinds."""
    yield
    remove_crds(Cluster(bare))
    until(lambda: not found(bare).resources, what="our kinds being gone")


def apply(bare: Environment, rows: list[Json]) -> None:
    bare.run_kubectl(
        "apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": rows})
    )


def found(bare: Environment) -> served.Served:
    """What the API server says to the operator's own account."""

    async def ask() -> served.Served:
        client = KubeClient(load_access(str(bare.operator_kubeconfig)), seam=direct)
        try:
            return await served.ask(client)
        finally:
            await client.close()

    return asyncio.run(ask())


def written(bare: Environment) -> str:
    """What there is in the operator's namespace, without what every namespace has."""
    names = bare.run_kubectl("get", ",".join(WRITTEN), "-n", NAMESPACE, "-o", "name").split()
    return " ".join(name for name in names if name != "configmap/kube-root-ca.crt")


def test_no_crds(bare: Environment) -> None:
    """Fails when the operator goes on without its kinds."""

    async def start() -> None:
        client = KubeClient(load_access(str(bare.operator_kubeconfig)), seam=direct)
        try:
            await check(client, namespaces=(), home=NAMESPACE, lease="", jitter=Jitter(), patience=0)
        finally:
            await client.close()

    with pytest.raises(SettingsError, match=r"^the cluster does not serve gateway-registrar\.dev/v1alpha1\. Apply"):
        asyncio.run(start())


def test_crds_of_another_product(bare: Environment) -> None:
    """Fails when a kind of the same name is taken for ours, or the operator writes to one of its objects."""
    foreign = crd(KINDS[0])
    foreign["spec"]["versions"][0] |= {
        "subresources": {},
        "selectableFields": [],
        "additionalPrinterColumns": [],
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    apply(bare, [foreign])
    until(lambda: "Client" in found(bare).schemas, what="the other product's kind being served")
    customer = {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "Client",
        "metadata": {"name": "a", "namespace": NAMESPACE},
    }
    bare.run_kubectl("create", "-f", "-", stdin=json.dumps(customer))
    before = bare.run_kubectl("get", "client", "a", "-n", NAMESPACE, "-o", "json")
    operator = Operator(bare, name="foreign", settings=SETTINGS).start(wait=False)
    assert operator.wait_ended(seconds=40) == 2
    (line,) = operator.tail().splitlines()
    assert line.startswith(
        "error: the cluster's CRDs are not those of this operator: clients.gateway-registrar.dev has no status subresource,"
        " contracts.gateway-registrar.dev is missing,"
    )
    assert bare.run_kubectl("get", "client", "a", "-n", NAMESPACE, "-o", "json") == before
    assert written(bare) == ""
    with pytest.raises(LocalEnvError, match="are not those of this operator"):
        preflight.check(bare.kubeconfig)


def test_crds_of_a_former_version(bare: Environment) -> None:
    """Fails when the real API server's description is not what the comparison takes it for."""
    apply(bare, changed(""))
    until(lambda: served.unfit(found(bare)) == "", what="our kinds being served as they are")
    assert served.unusable(found(bare)) == ""
    with pytest.raises(LocalEnvError, match="has an installation"):
        preflight.check(bare.kubeconfig)
    schema = schema_of(KINDS[0])
    del schema["properties"]["spec"]["properties"]["description"]
    apply(bare, with_schema(KINDS[0], schema))
    until(lambda: "spec.description" in served.unusable(found(bare)), what="the missing field being seen")
    assert served.unfit(found(bare)) == ""


def test_crds_that_come_with_the_operator(bare: Environment) -> None:
    """Fails when a release that brings its CRDs makes its own pods end at their first start."""
    operator = Operator(bare, name="early", settings=SETTINGS).start(wait=False)
    try:
        until(lambda: operator.log.exists(), what="the operator having begun")
        bare.run_kubectl("apply", "--server-side", "-f", str(CRDS))
        operator.wait_ready()
    finally:
        assert operator.stop() == 0


def test_a_cluster_to_test_on(bare: Environment, tmp_path: Path) -> None:
    """The suite's own look: an administrator of an empty cluster is fine, anybody else is not."""
    preflight.check(bare.kubeconfig)
    with pytest.raises(LocalEnvError, match="may not do everything"):
        preflight.check(bare.operator_kubeconfig)
    with pytest.raises(LocalEnvError, match="which is no file"):
        preflight.check(tmp_path / "nowhere")
