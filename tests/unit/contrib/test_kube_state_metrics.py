"""The configuration for kube-state-metrics: it is valid, every path leads to a field of the CRD, and real statuses make the series that are meant."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from localenv.environment import ROOT
from registrar.resources.kinds import KINDS
from tests.unit.contrib.objects import client_of, conditions, contract_of, gateway_of, made
from tests.unit.lifecycle.test_statuses import ALL
from tests.verdicts.contrib import CONTRIB
from tests.verdicts.kube_state_metrics import Configuration, Resource, scrape

FOLDER = CONTRIB / "kube-state-metrics"
RAW: dict[str, Any] = yaml.safe_load((FOLDER / "custom-resource-state.yaml").read_text())
RESOURCES = {row.groupVersionKind.kind: row for row in Configuration.model_validate(RAW).spec.resources}
SMALL = {"name", "namespace", "client", "type", "status", "reason", "phase", "kind"}
"""Labels that name an object, or have few values."""
OF_INFO = {"organization", "client_id", "client_version", "gateway", "api", "api_version", "plan", "gateway_version"}
"""Labels that only an `info` has, which is one series for each object."""


def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind, as its CRD has it."""
    plural = next(row.plural for row in KINDS if row.name == kind)
    crd = yaml.safe_load((ROOT / "crds" / f"gateway-registrar.dev_{plural}.yaml").read_text())
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def follow(path: list[str], node: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a path leads to; raises KeyError when it leads nowhere."""
    for part in path:
        node = node["items"] if part.startswith("[") else node["properties"][part]
    return node


def paths(resource: Resource) -> list[tuple[list[str], list[str]]]:
    """Every path of a resource's configuration, with what it is relative to."""
    found: list[tuple[list[str], list[str]]] = [
        ([], path) for path in resource.labelsFromPath.values() if path[0] != "metadata"
    ]
    for metric in resource.metrics:
        each = metric.each.gauge or metric.each.info or metric.each.stateSet
        assert each is not None
        found.append(([], each.path))
        found += [(each.path, path) for path in each.labelsFromPath.values()]
        found += [(each.path, metric.each.gauge.valueFrom)] if metric.each.gauge else []
    return found


def test_every_kind_is_there() -> None:
    """Fails when a kind is forgotten, or its plural is another one than the CRD's."""
    assert {kind.name: kind.plural for kind in KINDS} == {k: r.resourcePlural for k, r in RESOURCES.items()}


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_path_leads_somewhere(kind: str) -> None:
    """Fails when a field is renamed: kube-state-metrics would say nothing, and an alert would never fire."""
    for base, path in paths(RESOURCES[kind]):
        node = follow(base, schema(kind))
        follow(path, node["items"] if node.get("type") == "array" and path else node)


@pytest.mark.parametrize("kind", ["Client", "Contract"])
def test_every_phase_is_a_state(kind: str) -> None:
    """Fails when a phase has no series."""
    states = next(metric.each.stateSet for metric in RESOURCES[kind].metrics if metric.name == "phase")
    assert states is not None and states.list == schema(kind)["properties"]["status"]["properties"]["phase"]["enum"]


@pytest.mark.parametrize("kind", RESOURCES)
def test_labels_are_small(kind: str) -> None:
    """Fails when a label would make a new series with each change of a text."""
    resource = RESOURCES[kind]
    for metric in resource.metrics:
        each = metric.each.gauge or metric.each.info or metric.each.stateSet
        assert each is not None
        labels = set(resource.labelsFromPath) | set(metric.labelsFromPath) | set(each.labelsFromPath)
        assert labels <= (SMALL | OF_INFO if metric.name == "info" else SMALL)


def test_a_client() -> None:
    """Fails when the series of a Client with unpublished changes are not the ones that are meant."""
    found = scrape(RESOURCES["Client"], client_of(ALL["published and different"]))
    who = 'name="shop",namespace="team"'
    assert found[f'gateway_registrar_client_phase{{{who},phase="UnpublishedChanges"}}'] == 1
    assert found[f'gateway_registrar_client_phase{{{who},phase="Registered"}}'] == 0
    assert found[f'gateway_registrar_client_condition{{{who},type="Ready"}}'] == 1
    assert found[f'gateway_registrar_client_condition{{{who},type="Published"}}'] == 0
    assert found[f'gateway_registrar_client_ready_reason_info{{{who},reason="ServingPrevious",status="True"}}'] == 1
    assert found[f"gateway_registrar_client_pending_changes{{{who}}}"] == 1
    assert found[f"gateway_registrar_client_contracts_live{{{who}}}"] == 1


def test_the_others() -> None:
    """Fails when a kind's numbers do not reach Prometheus."""
    contract = scrape(RESOURCES["Contract"], contract_of(ALL["published, equal, live"]))
    who = 'client="shop",name="orders",namespace="team"'
    assert contract[f'gateway_registrar_contract_phase{{{who},phase="Active"}}'] == 1
    about = f'api="orders",api_version="1.0",{who},organization="acme",plan="gold"'
    assert contract[f"gateway_registrar_contract_info{{{about}}}"] == 1
    gateway = scrape(RESOURCES["RuntimeGateway"], gateway_of(healing=4, owed=2))
    assert gateway['gateway_registrar_gateway_clients{kind="healing",name="default"}'] == 4
    assert gateway['gateway_registrar_gateway_owed{name="default"}'] == 2
    assert gateway['gateway_registrar_gateway_info{gateway_version="3.1.3",name="default"}'] == 1
    ends = made("Contract", status={}, spec={"expiresAt": "2027-01-15T08:00:00Z", "clientRef": {"name": "shop"}})
    who = 'client="shop",name="shop",namespace="team"'
    last = scrape(RESOURCES["Contract"], ends)
    assert last[f"gateway_registrar_contract_expires_timestamp_seconds{{{who}}}"] == 1_800_000_000
    grant = made("APIGrant", status=conditions("Ready=True/Valid", consumers=3))
    assert scrape(RESOURCES["APIGrant"], grant)['gateway_registrar_grant_consumers{name="shop",namespace="team"}'] == 3


@pytest.mark.parametrize("kind", RESOURCES)
def test_an_object_without_a_status_makes_no_error(kind: str) -> None:
    """Fails when a new object would fill kube-state-metrics' log."""
    for status in ({}, {"observedGeneration": -1}):
        assert not [line for line in scrape(RESOURCES[kind], made(kind, status=status)) if "condition" in line]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("metricsNamePrefix", "x"),
        ("metricNamePrefix", "has-dashes"),
        ("metrics", [{"name": "x", "each": {"type": "Gauge"}}]),
    ],
)
def test_mistakes_are_seen(where: str, value: object) -> None:
    """Fails when the reading would let a misspelled field through, as kube-state-metrics does."""
    broken = {"groupVersionKind": {"group": "g", "version": "v", "kind": "K"}, "metricNamePrefix": "p", "metrics": []}
    with pytest.raises(ValidationError):
        Resource.model_validate(broken | {where: value})


def test_the_role_reads_our_kinds_and_nothing_else() -> None:
    """Fails when kube-state-metrics gets a right that it does not need, or lacks one."""
    role = yaml.safe_load((FOLDER / "cluster-role.yaml").read_text())
    assert {rule["apiGroups"][0]: sorted(rule["resources"]) for rule in role["rules"]} == {
        "gateway-registrar.dev": sorted(kind.plural for kind in KINDS),
        "apiextensions.k8s.io": ["customresourcedefinitions"],
    }
    assert all(rule["verbs"] == ["list", "watch"] for rule in role["rules"])
