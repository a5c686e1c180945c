"""The charts on a real API server of their own, which has none of the CRDs at first and no gateway.

Helm's own library installs, upgrades and uninstalls; kubectl applies `manifests/install.yaml`. What is not here: a running operator (there is no kubelet).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import helm_python
import pytest

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART, render
from localenv.cluster import Answer, Cluster, client, until
from localenv.environment import ROOT, Environment
from localenv.install import remove_crds
from localenv.manifests import NAMESPACE
from tests.unit.charts.variants import GATEWAYS, VARIANTS

Json = dict[str, Any]
pytestmark = pytest.mark.skipif(
    "KUBECONFIG_EXTERNAL" in os.environ, reason="installs and removes CRDs: needs an API server of its own"
)
MONITORING = Path(__file__).parent / "monitoring_crds.yaml"
INSTALL = ROOT / "manifests" / "install.yaml"
OUR_CRDS = {
    f"{plural}.gateway-registrar.dev" for plural in ("apigrants", "clients", "contracts", "policies", "runtimegateways")
}
VERBS = ("unregister", "rotate-key", "revoke-key", "force-delete")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of which the control plane alone is started."""
    environment = Environment.at(tmp_path_factory.mktemp("charts"))
    try:
        environment.control_plane.start()
        yield environment
    finally:
        environment.down()


@pytest.fixture(scope="module")
def admin(bare: Environment) -> Cluster:
    """The administrator's view."""
    return Cluster(bare)


def _helm(environment: Environment) -> helm_python.Config:
    return helm_python.Config(kubeconfig_path=environment.kubeconfig, namespace=NAMESPACE)


def _crds(cluster: Cluster) -> set[str]:
    items = cluster.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").body["items"]
    return {item["metadata"]["name"] for item in items if item["spec"]["group"] == "gateway-registrar.dev"}


def _apply(environment: Environment, *rows: Json, dry_run: bool = False) -> list[str]:
    """Apply on the server's side, strictly; returns kubectl's line for each object."""
    arguments = ["apply", "--server-side", "--validate=strict", "-f", "-"] + ["--dry-run=server"] * dry_run
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(rows)})
    return environment.run_kubectl(*arguments, stdin=stdin).splitlines()


def test_the_pair_is_installed_upgraded_and_uninstalled_on_a_cluster_without_the_crds(
    bare: Environment, admin: Cluster
) -> None:
    # One test, because each step stands on what the one before left.
    admin.namespace("acme-prod")
    assert _crds(admin) == set()
    with _helm(bare) as helm:
        with pytest.raises(helm_python.HelmError, match="ensure CRDs are installed first"):
            helm.install(GATEWAYS_CHART, "gateways", GATEWAYS, create_namespace=True)
        helm.uninstall("gateways", ignore_not_found=True)

        release = helm.install(OPERATOR_CHART, "gateway-registrar", create_namespace=True)
        assert release["status"] == "deployed"
        assert _crds(admin) == OUR_CRDS

        assert helm.install(GATEWAYS_CHART, "gateways", GATEWAYS)["status"] == "deployed"
        assert [g["metadata"]["name"] for g in admin.list("RuntimeGateway", "")] == ["default", "standby"]
        assert admin.get("APIGrant", "acme-prod", "orders-for-shop") is not None

        assert helm.upgrade(OPERATOR_CHART, "gateway-registrar", {"replicas": 3})["revision"] == 2
        deployment = admin.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/gateway-registrar").body
        assert deployment["spec"]["replicas"] == 3

        helm.uninstall("gateway-registrar")
        assert _crds(admin) == OUR_CRDS
        assert len(admin.list("RuntimeGateway", "")) == 2
        # The CRDs that were left are taken over again, and what they define was never gone.
        assert helm.install(OPERATOR_CHART, "gateway-registrar")["status"] == "deployed"
        assert len(admin.list("RuntimeGateway", "")) == 2
        helm.uninstall("gateways")
        helm.uninstall("gateway-registrar")
        assert admin.list("RuntimeGateway", "") == []


def test_install_yaml_is_applied_on_a_cluster_without_the_crds(bare: Environment, admin: Cluster) -> None:
    remove_crds(admin)
    assert _crds(admin) == set()
    bare.run_kubectl("apply", "-f", str(INSTALL))
    bare.run_kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in OUR_CRDS))
    before = bare.run_kubectl(
        "get", "pdb", "--namespace", NAMESPACE, "-o", "jsonpath={.items[0].metadata.resourceVersion}"
    )
    again = bare.run_kubectl("apply", "-f", str(INSTALL)).splitlines()
    # kubectl replaces the selector of every PodDisruptionBudget and calls that a change; the API server knows that it is none.
    assert {line.split()[0].split(".")[0] for line in again if not line.endswith("unchanged")} <= {
        "poddisruptionbudget"
    }
    assert (
        bare.run_kubectl("get", "pdb", "--namespace", NAMESPACE, "-o", "jsonpath={.items[0].metadata.resourceVersion}")
        == before
    )
    # The same file on the server's side: what a client-side apply left is taken over, and nothing conflicts.
    bare.run_kubectl("apply", "--server-side", "-f", str(INSTALL))


@pytest.fixture(scope="module")
def with_crds(bare: Environment, admin: Cluster) -> Environment:
    """The API server with our CRDs, those of the Prometheus Operator, and the namespaces that the variants name."""
    for name in (NAMESPACE, "monitoring", "team-a", "team-b", "acme-prod"):
        admin.namespace(name)
    bare.run_kubectl("apply", "--server-side", "-f", str(ROOT / "crds"), "-f", str(MONITORING), "--force-conflicts")
    bare.run_kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    return bare


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_accepts_every_object(with_crds: Environment, variant: str) -> None:
    chart, values = VARIANTS[variant]
    rows = render(chart, values, release="dry-run")
    lines = _apply(with_crds, *(row for row in rows if row["kind"] != "CustomResourceDefinition"), dry_run=True)
    assert len(lines) == sum(row["kind"] != "CustomResourceDefinition" for row in rows)
    assert all(line.endswith("(server dry run)") for line in lines)


def test_the_strict_validation_would_see_an_unknown_field(with_crds: Environment) -> None:
    (monitor,) = (row for row in render(*VARIANTS["operator-everything"]) if row["kind"] == "ServiceMonitor")
    monitor["spec"]["endpoints"][0]["intervall"] = "1s"
    with pytest.raises(Exception, match="intervall"):
        _apply(with_crds, monitor, dry_run=True)


@pytest.mark.parametrize("variant", ["operator-default", "operator-everything", "operator-least"])
def test_a_restricted_namespace_lets_the_pod_in(with_crds: Environment, admin: Cluster, variant: str) -> None:
    admin.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
    )
    (deployment,) = (row for row in render(*VARIANTS[variant]) if row["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"] | {"name": "probe"},
        "spec": template["spec"],
    }
    assert _try_pod(admin, pod).status == 201
    # What the answer is worth: the same pod with one right more is refused.
    weaker = deepcopy(pod)
    weaker["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = _try_pod(admin, weaker)
    assert (refused.status, "restricted" in refused.body["message"]) == (403, True)


def _try_pod(admin: Cluster, pod: Json) -> Answer:
    return admin.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)


# The policy for action annotations ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(with_crds: Environment, admin: Cluster) -> str:
    """A namespace in which team-a may edit Clients, and team-b may set the guarded annotations as well; the policy is in force."""
    values = {"actionPolicy": {"enabled": True}}
    policy = [row for row in render(values=values) if row["metadata"]["name"] == "gateway-registrar-actions"]
    assert {row["kind"] for row in policy} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ClusterRole",
    }
    editing = {
        "apiGroups": ["gateway-registrar.dev"],
        "resources": ["clients"],
        "verbs": ["get", "list", "create", "update", "patch", "delete"],
    }
    acting = editing | {"verbs": list(VERBS)}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "editors"},
        "rules": [editing],
    }
    bindings = [
        _binding("editors", user=user, namespace="team-a", name=f"edit-{user}") for user in ("team-a", "team-b")
    ]
    bindings.append(_binding("gateway-registrar-actions", user="team-b", namespace="team-a", name="act-team-b"))
    _apply(with_crds, *policy, role, *bindings)
    team_a, team_b = (Cluster(with_crds, user=user) for user in ("team-a", "team-b"))
    team_a.wait_rights("team-a", [editing])
    team_b.wait_rights("team-a", [editing, acting])

    def in_use() -> bool:
        """The API server takes a new policy into use a moment after it was made."""
        answer = _create(team_a, "early", {"unregister": "t"}, dry_run=True)
        return answer.status == 403 and "needs the verb unregister" in answer.body["message"]

    until(in_use, what="the policy being used")
    return "team-a"


def _binding(role: str, *, user: str, namespace: str, name: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def _create(user: Cluster, name: str, annotations: dict[str, str], *, dry_run: bool = False) -> Answer:
    manifest = client("team-a", name)
    manifest["metadata"]["annotations"] = {
        f"gateway-registrar.dev/{verb}": value for verb, value in annotations.items()
    }
    return user.request("POST", user.path("Client", "team-a") + ("?dryRun=All" if dry_run else ""), manifest)


def _annotate(user: Cluster, name: str, annotations: dict[str, str | None], **labels: str) -> Answer:
    changed = {f"gateway-registrar.dev/{verb}": value for verb, value in annotations.items()}
    return user.patch("Client", "team-a", name, {"metadata": {"annotations": changed, "labels": labels}})


@pytest.mark.parametrize("verb", VERBS)
def test_only_who_has_the_verb_sets_the_annotation(with_crds: Environment, guarded: str, verb: str) -> None:
    team_a, team_b = (Cluster(with_crds, user=user) for user in ("team-a", "team-b"))
    name = f"client-{verb}"
    assert _create(team_a, name, {"reregister": "1"}).status == 201
    refused = _annotate(team_a, name, {verb: "1"})
    assert refused.status == 403
    for word in (f"gateway-registrar.dev/{verb}", f"the verb {verb}", guarded, "gateway-registrar-actions"):
        assert word in refused.body["message"]
    assert _create(team_a, f"{name}-2", {verb: "1"}).status == 403
    assert _create(team_b, f"{name}-2", {verb: "1"}).status == 201
    assert _annotate(team_b, name, {verb: "1"}).status == 200


def test_a_value_that_is_there_is_no_change(with_crds: Environment, guarded: str) -> None:
    team_a, team_b = (Cluster(with_crds, user=user) for user in ("team-a", "team-b"))
    assert _create(team_b, "kept", {verb: "1" for verb in VERBS}).status == 201
    # What a GitOps controller does with a manifest that carries the annotation.
    reapplied = client(guarded, "kept")
    reapplied["metadata"]["annotations"] = {f"gateway-registrar.dev/{verb}": "1" for verb in VERBS}
    assert team_a.apply(reapplied, manager="gitops")
    assert _annotate(team_a, "kept", {"reregister": "2"}, team="a").status == 200
    assert _annotate(team_a, "kept", {"unregister": "2"}).status == 403
    # Taking it away asks for nothing; putting it back does, with the value of before too.
    assert _annotate(team_a, "kept", {"unregister": None}).status == 200
    assert _annotate(team_a, "kept", {"unregister": "1"}).status == 403
    assert _annotate(team_b, "kept", {"unregister": "1"}).status == 200
