"""Clusters that the operator can't work on, and those that only look like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from registrar.engine import served
from registrar.engine.served import OLDEST_KUBERNETES, Served
from registrar.errors import KubeNotFound
from registrar.resources.kinds import KINDS
from tests.faults.discovery import changed, documents, schema_of, with_schema

ROOT = Path(__file__).parents[3]
CLIENT, CONTRACT = KINDS[0], KINDS[1]


async def asked(crds: list[dict[str, Any]] | None = None, *, version: str = "v1.36.2") -> Served:
    """What is found where an API server has these CRDs."""
    said = documents(crds, version=version)

    class Server:
        async def about(self, path: str) -> dict[str, Any]:
            if path not in said:
                raise KubeNotFound("none", status=404)
            return said[path]

    return await served.ask(Server())  # type: ignore[arg-type]


async def test_our_own_crds() -> None:
    found = await asked()
    assert (served.too_old(found), served.unfit(found), served.unusable(found)) == ("", "", "")


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("v1.27.16", "the cluster is Kubernetes v1.27, and 1.28 or newer is needed. Upgrade the cluster."),
        ("v1.9.1", "the cluster is Kubernetes v1.9, and 1.28 or newer is needed. Upgrade the cluster."),
        ("v1.28.0", ""),
        ("v1.31.4-eks-2d5f260", ""),
        ("v2.0.0", ""),
        ("", ""),
    ],
)
async def test_the_version(version: str, line: str) -> None:
    """Fails when versions are compared as texts, or a vendor's suffix is taken for a fault."""
    assert served.too_old(await asked(version=version)) == line


@pytest.mark.parametrize("chart", ["gateway-registrar", "gateway-registrar-gateways"])
def test_the_charts_say_the_same_version(chart: str) -> None:
    """Fails when Helm installs what then does not start."""
    stated = yaml.safe_load((ROOT / "charts" / chart / "Chart.yaml").read_text())["kubeVersion"]
    assert stated == f">={'.'.join(map(str, OLDEST_KUBERNETES))}.0-0"


async def test_no_crds() -> None:
    assert served.unfit(await asked([])) == (
        "the cluster does not serve gateway-registrar.dev/v1alpha1. Apply the CRDs of this version,"
        " with the chart's crds.enabled=true or `kubectl apply --server-side -f crds/`."
    )


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"scope": "Cluster"}, "is cluster-scoped"),
        ({"names": {"kind": "Customer", "plural": "clients"}}, "is not of kind Client"),
        ({"names": {"kind": "Client", "plural": "customers"}}, "is missing"),
    ],
)
async def test_crds_of_somebody_else(spec: dict[str, Any], fault: str) -> None:
    line = served.unfit(await asked(changed("clients", **spec)))
    assert line.startswith(f"the cluster's CRDs are not those of this operator: clients.gateway-registrar.dev {fault}.")
    assert line.endswith("; if they are another product's, remove that first.") and "\n" not in line


async def test_a_gateway_in_a_namespace() -> None:
    line = served.unfit(await asked(changed("runtimegateways", scope="Namespaced")))
    assert "runtimegateways.gateway-registrar.dev is namespaced." in line


async def test_no_status_subresource() -> None:
    version = documents_version() | {"subresources": {}}
    assert "clients.gateway-registrar.dev has no status subresource." in served.unfit(
        await asked(changed("clients", versions=[version]))
    )


def documents_version() -> dict[str, Any]:
    """The one version of the Client's CRD."""
    version: dict[str, Any] = changed("")[0]["spec"]["versions"][0]
    return version


async def test_what_the_operator_must_find_again() -> None:
    """Fails when a CRD is accepted that makes the API server drop a part of a status, however deep."""
    schema = schema_of(CLIENT)
    del schema["properties"]["status"]["properties"]["identity"]["properties"]["gateway"]
    line = served.unfit(await asked(with_schema(CLIENT, schema)))
    assert "clients.gateway-registrar.dev has no status.identity.gateway." in line


async def test_what_is_required_of_a_spec() -> None:
    schema = schema_of(CONTRACT)
    del schema["properties"]["spec"]["properties"]["api"]["properties"]["name"]
    found = await asked(with_schema(CONTRACT, schema))
    assert "contracts.gateway-registrar.dev has no spec.api.name." in served.unfit(found)


async def test_another_type() -> None:
    schema = schema_of(CONTRACT)
    schema["properties"]["spec"]["properties"]["plan"] = {"type": "object"}
    assert "has another type of spec.plan." in served.unfit(await asked(with_schema(CONTRACT, schema)))


async def test_older_by_an_optional_field() -> None:
    """Fails when CRDs that were not upgraded stop an operator that can work with them, or when nobody is told."""
    schema = schema_of(CLIENT)
    del schema["properties"]["spec"]["properties"]["organization"]
    found = await asked(with_schema(CLIENT, schema))
    assert served.unfit(found) == ""
    assert served.unusable(found).startswith(
        "the cluster's CRDs are older than this operator, so nobody can set clients.gateway-registrar.dev spec.organization. Apply"
    )


async def test_newer_by_some_fields() -> None:
    """Fails when an operator that was rolled back does not start any more."""
    schema = schema_of(CLIENT)
    schema["properties"]["status"]["properties"]["mood"] = {"type": "string"}
    schema["properties"]["spec"]["properties"]["mood"] = {"type": "string"}
    found = await asked(with_schema(CLIENT, schema))
    assert (served.unfit(found), served.unusable(found)) == ("", "")


async def test_many_faults_are_one_line() -> None:
    rows = [row | {"spec": row["spec"] | {"scope": "Nowhere"}} for row in changed("")]
    line = served.unfit(await asked(rows))
    assert "policies.gateway-registrar.dev is cluster-scoped, and 1 more. Apply" in line
