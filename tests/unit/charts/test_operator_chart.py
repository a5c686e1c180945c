"""The operator's chart: what its defaults promise, and what each toggle does."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART, render, render_text
from registrar import __version__
from registrar.engine.app import STOP_GRACE
from registrar.settings import Settings
from tests.unit.charts.variants import EVERYTHING, LEAST, VARIANTS

Json = dict[str, Any]


def _one(kind: str, values: Json | None = None) -> Json:
    (found,) = (row for row in render(values=values) if row["kind"] == kind)
    return found


def _kinds(values: Json | None = None) -> set[str]:
    return {row["kind"] for row in render(values=values)}


def _pod(values: Json | None = None) -> Json:
    spec: Json = _one("Deployment", values)["spec"]["template"]["spec"]
    return spec


def _env(values: Json | None = None) -> Json:
    return {row["name"]: row.get("value") for row in _pod(values)["containers"][0]["env"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_packaged_chart_makes_the_same(variant: str, tmp_path: Path) -> None:
    chart, values = VARIANTS[variant]
    archive = Path(helm_python.package(chart, destination=tmp_path))
    assert render(archive, values) == render(chart, values)
    with tarfile.open(archive) as packed:
        assert not [name for name in packed.getnames() if "/tests/" in name]


@pytest.mark.parametrize("variant", VARIANTS)
def test_helm_lint_has_nothing_to_say(variant: str) -> None:
    chart, values = VARIANTS[variant]
    report = helm_python.lint(chart, values, strict=True, namespace="gateway-registrar-system")
    assert report["errors"] == []
    assert [row["error"] for row in report["messages"]] == ["icon is recommended"]


def test_the_pod_runs_under_the_restricted_pod_security_standard() -> None:
    pod = _pod()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_tmp_is_the_only_place_to_write_to() -> None:
    pod = _pod()
    assert pod["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]


def test_the_probes_ask_where_the_operator_listens() -> None:
    container = _pod({"settings": {"probesPort": 9090}})["containers"][0]
    assert container["ports"] == [{"name": "metrics", "containerPort": 9090, "protocol": "TCP"}]
    paths = [container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")]
    assert paths == [{"path": path, "port": "metrics"} for path in ("/healthz", "/healthz", "/readyz")]


def test_the_graceful_stop_fits_into_the_grace_period() -> None:
    # The Lease's release may take one call of 10 s, the Events get 2 s, the watch streams 5 s.
    assert _pod()["terminationGracePeriodSeconds"] > STOP_GRACE + 10 + 2 + 5


def test_the_operator_takes_the_settings_of_the_default_release(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings({}, monkeypatch)
    assert settings.model_dump(exclude={"identity", "log_format"}) == Settings(namespace="team-x").model_dump(
        exclude={"identity", "log_format"}
    )


def test_the_operator_takes_every_setting_that_values_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(
        {"settings": {"settleSeconds": 0.25, "workers": 7, "lease": False, "logLevel": "error"}, "replicas": 1}
        | {"watchNamespaces": ["a", "b"]},
        monkeypatch,
    )
    assert (settings.settle_seconds, settings.workers, settings.lease) == (0.25, 7, False)
    assert (settings.log_level, settings.watch_namespaces) == ("error", ("a", "b"))


def _settings(values: Json, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a process with the container's environment."""
    env = _env(values)
    assert env.pop("POD_NAMESPACE") is None
    monkeypatch.setenv("POD_NAMESPACE", "team-x")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_the_namespace_is_the_pods_own() -> None:
    env = {row["name"]: row for row in _pod()["containers"][0]["env"]}
    assert env["POD_NAMESPACE"]["valueFrom"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}


def test_no_service_of_the_namespace_becomes_a_setting() -> None:
    assert _pod()["enableServiceLinks"] is False


def test_an_update_never_takes_the_last_replica_away() -> None:
    assert _one("Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_without_a_lease_no_two_pods_overlap() -> None:
    assert _one("Deployment", LEAST)["spec"]["strategy"] == {"type": "Recreate"}


def test_replicas_spread_over_nodes_and_zones() -> None:
    keys = [row["topologyKey"] for row in _pod()["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, f"gateway-registrar:{__version__}"),
        ({"image": {"tag": "main"}}, "gateway-registrar:main"),
        ({"image": {"repository": "localhost:5000/a/b"}}, f"localhost:5000/a/b:{__version__}"),
        ({"image": {"tag": "main", "digest": "sha256:" + "ab" * 32}}, "gateway-registrar@sha256:" + "ab" * 32),
    ],
)
def test_the_image(values: Json, image: str) -> None:
    assert _pod(values)["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"serviceAccount": {"create": False, "name": "x"}}, "ServiceAccount"),
        ({"crds": {"enabled": False}}, "CustomResourceDefinition"),
        ({"podDisruptionBudget": {"enabled": False}}, "PodDisruptionBudget"),
        ({"networkPolicy": {"enabled": False}}, "NetworkPolicy"),
        ({"metrics": {"service": {"enabled": False}}}, "Service"),
    ],
)
def test_a_toggle_that_is_on_can_be_turned_off(values: Json, kind: str) -> None:
    assert kind in _kinds()
    assert _kinds(values) == _kinds() - {kind}


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, {"ServiceMonitor"}),
        ({"metrics": {"prometheusRule": {"enabled": True}}}, {"PrometheusRule"}),
        ({"metrics": {"dashboard": {"enabled": True}}}, {"ConfigMap"}),
        ({"actionPolicy": {"enabled": True}}, {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}),
    ],
)
def test_a_toggle_that_is_off_can_be_turned_on(values: Json, kinds: set[str]) -> None:
    assert not kinds & _kinds()
    assert kinds <= _kinds(values)


def test_another_service_account_is_used() -> None:
    assert _pod(LEAST)["serviceAccountName"] == "registrar"
    assert _pod()["serviceAccountName"] == _one("ServiceAccount")["metadata"]["name"]


def test_the_alerts_and_the_dashboard_are_the_files() -> None:
    rule = _one("PrometheusRule", EVERYTHING)
    assert rule["spec"] == yaml.safe_load((OPERATOR_CHART / "files" / "alerts.yaml").read_text())
    dashboard = _one("ConfigMap", EVERYTHING)
    assert dashboard["metadata"]["namespace"] == "monitoring"
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    wanted = json.loads((OPERATOR_CHART / "files" / "dashboard.json").read_text())
    assert json.loads(dashboard["data"]["gateway-registrar.json"]) == wanted


def test_egress_is_bound_only_when_asked_for() -> None:
    assert _one("NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]
    bound = _one("NetworkPolicy", EVERYTHING)["spec"]
    assert bound["policyTypes"] == ["Ingress", "Egress"]
    assert bound["egress"][-1]["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_common_labels_are_on_everything_but_the_crds_and_in_no_selector() -> None:
    for row in render(values=EVERYTHING):
        if row["kind"] == "CustomResourceDefinition":
            continue
        assert row["metadata"]["labels"]["example.com/cost-centre"] == "4711", row["kind"]
    assert _one("Deployment", EVERYTHING)["spec"]["selector"] == _one("Deployment")["spec"]["selector"]


def test_two_releases_with_other_names_share_no_object() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        rows = render(values={"crds": {"enabled": False}}, release=release)
        return {(row["kind"], row["metadata"]["name"]) for row in rows}

    assert not names("blue") & names("green")


def test_a_long_release_name_makes_valid_names() -> None:
    for row in render(values=EVERYTHING | {"serviceAccount": {"name": ""}}, release="r" * 53):
        assert len(row["metadata"]["name"]) <= 63


def test_the_notes_say_what_is_next() -> None:
    notes = render_text(values={"replicas": 1, "watchNamespaces": ["team-a"]}, namespace="here")["templates/NOTES.txt"]
    assert "kubectl --namespace here rollout status deployment/gateway-registrar" in notes
    assert "Only these namespaces are watched: team-a." in notes
    assert "Use replicas: 2 in production" in notes


def test_the_gateways_chart_makes_what_the_values_say() -> None:
    chart, values = VARIANTS["gateways"]
    rows = {(row["kind"], row["metadata"]["name"]): row for row in render(chart, values)}
    assert rows.keys() == {
        ("RuntimeGateway", "default"),
        ("RuntimeGateway", "standby"),
        ("APIGrant", "orders-for-shop"),
        ("Secret", "default-gateway-credentials"),
    }
    assert rows["RuntimeGateway", "default"]["spec"] == values["gateways"]["default"]["spec"]
    assert rows["APIGrant", "orders-for-shop"]["spec"] == values["grants"]["orders-for-shop"]["spec"]
    secret = rows["Secret", "default-gateway-credentials"]
    assert secret["metadata"]["labels"]["gateway-registrar.dev/allow-use"] == "true"
    assert secret["metadata"]["namespace"] == "gateway-registrar-system"


def test_the_gateways_chart_makes_nothing_unless_told() -> None:
    assert render(GATEWAYS_CHART) == []


def test_credentials_go_to_the_operators_namespace() -> None:
    values = VARIANTS["gateways"][1] | {"operatorNamespace": "elsewhere"}
    (secret,) = (row for row in render(GATEWAYS_CHART, values) if row["kind"] == "Secret")
    assert secret["metadata"]["namespace"] == "elsewhere"
