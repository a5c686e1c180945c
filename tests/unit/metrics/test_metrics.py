"""The exposition: the names that stock dashboards know, labels that name no object, and a page that says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from docs.generate.metrics import families, render
from registrar.metrics import GatewayFigures, Metrics
from registrar.resources.objects import VERBS

ROOT = Path(__file__).parents[3]
STOCK = {
    # The workqueue_* and most of controller_runtime_* are what kubebuilder's grafana/controller-runtime-metrics.json reads.
    "controller_runtime_reconcile_total": ("counter", {"controller", "result"}),
    "controller_runtime_reconcile_errors_total": ("counter", {"controller"}),
    "controller_runtime_reconcile_panics_total": ("counter", {"controller"}),
    "controller_runtime_reconcile_time_seconds": ("histogram", {"controller"}),
    "controller_runtime_active_workers": ("gauge", {"controller"}),
    "controller_runtime_max_concurrent_reconciles": ("gauge", {"controller"}),
    "workqueue_depth": ("gauge", {"name"}),
    "workqueue_adds_total": ("counter", {"name"}),
    "workqueue_retries_total": ("counter", {"name"}),
    "workqueue_queue_duration_seconds": ("histogram", {"name"}),
    "workqueue_work_duration_seconds": ("histogram", {"name"}),
    "workqueue_unfinished_work_seconds": ("gauge", {"name"}),
    "workqueue_longest_running_processor_seconds": ("gauge", {"name"}),
    "rest_client_requests_total": ("counter", {"code", "method", "host"}),
    "rest_client_request_duration_seconds": ("histogram", {"verb", "host"}),
    "leader_election_master_status": ("gauge", {"name"}),
    "process_cpu_seconds_total": ("counter", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_open_fds": ("gauge", set()),
    "process_start_time_seconds": ("gauge", set()),
    "python_gc_collections_total": ("counter", {"generation"}),
}
FIXED = {
    "controller", "result", "name", "code", "method", "verb", "host", "kind", "phase", "state", "reason", "operation",
    "outcome", "site", "finding", "version", "generation", "implementation", "major", "minor", "patchlevel",
}  # fmt: skip
"""Labels with few values, all of them of the code, the protocol or the installation."""


def figures(name: str = "default", *, foreign: int | None = None) -> GatewayFigures:
    """A gateway in order."""
    return GatewayFigures(
        name=name, ready=True, reason="Ready", circuit_open=False, ours=2, expected=3, healing=1, foreign=foreign,
        owed=None, apis_missing=0, oldest_key=60.5,
    )  # fmt: skip


def worked() -> Metrics:
    """Metrics with a sample in every family."""
    metrics = Metrics()
    metrics.gateways(lambda: [figures(foreign=4)])
    with metrics.reconciles.working("Client"):
        metrics.reconciles.reconciled("Client", "requeue_after", seconds=0.02)
    metrics.queue.added()
    metrics.queue.waited(0.1)
    metrics.api_server.answered("PATCH", "10.0.0.1:443", "200", seconds=0.01)
    metrics.gateway_calls.of("default")("register", "204", 0.02)
    metrics.effect("Registered", "Succeeded")
    metrics.watched("default")
    metrics.sweep_finding("Client", "deleted")
    metrics.call("kube.get", "ok")
    metrics.objects("Client", "Registered", lambda: 2.0)
    return metrics


def exposed(metrics: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample that the library's own parser finds, by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize("name", sorted(STOCK))
def test_a_stock_dashboard_finds(name: str) -> None:
    """Fails when a metric that dashboards for operators read has another name, type or labels, or is not there before its first event."""
    type_, labels = STOCK[name]
    row = next(row for row in families() if row.name == name)
    assert (row.type, set(row.labels)) == (type_, labels)
    samples = exposed(worked())
    for sample in {"histogram": [f"{name}_bucket", f"{name}_sum", f"{name}_count"]}.get(type_, [name]):
        assert samples[sample], sample
        for key in samples[sample]:
            assert {label for label, _ in key} - {"le"} == labels


def test_no_label_names_an_object() -> None:
    """Fails when a family gets a label whose values grow with the objects of tenants; a gateway's name is allowed to ours alone."""
    for row in families():
        ours = {"gateway"} if row.name.startswith("gateway_registrar_") else set()
        assert set(row.labels) <= FIXED | ours, row.name


def test_every_family_is_declared_and_exposed() -> None:
    """Fails when a family is missing from the list, or has no sample after work: then nothing would be noticed about it here."""
    declared = {row.name for row in families()}
    seen = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in exposed(worked())}
    # An owed registration of this gateway is not known.
    assert declared - seen == {"gateway_registrar_owed"}
    assert seen <= declared


def test_a_first_failure_is_an_increase() -> None:
    """Fails when a counter that an alert watches begins with its first event: Prometheus would see no increase."""
    metrics = Metrics()
    metrics.watched("default")
    samples = exposed(metrics)
    for verb in VERBS:
        assert samples["gateway_registrar_actions_total"][(("outcome", "Failed"), ("verb", verb))] == 0
    for controller in ("Client", "Policy", "APIGrant"):
        assert samples["controller_runtime_reconcile_errors_total"][(("controller", controller),)] == 0
        assert samples["controller_runtime_reconcile_panics_total"][(("controller", controller),)] == 0
    assert samples["gateway_registrar_drift_total"][(("gateway", "default"), ("outcome", "found"))] == 0
    assert samples["leader_election_master_status"][(("name", "gateway-registrar"),)] == 0


def test_results_and_active_workers() -> None:
    """Fails when a result goes to the wrong series, an error is not counted as one, or a pass that raised leaves its worker busy for ever."""
    metrics = Metrics()
    for result in ("success", "error", "requeue", "requeue_after"):
        metrics.reconciles.reconciled("Client", result, seconds=0.1)
    with pytest.raises(ValueError), metrics.reconciles.working("Client"):
        assert exposed(metrics)["controller_runtime_active_workers"][(("controller", "Client"),)] == 1
        raise ValueError
    samples = exposed(metrics)
    assert samples["controller_runtime_active_workers"][(("controller", "Client"),)] == 0
    assert samples["controller_runtime_reconcile_errors_total"][(("controller", "Client"),)] == 1
    results = {
        key: value
        for key, value in samples["controller_runtime_reconcile_total"].items()
        if ("controller", "Client") in key
    }
    assert set(results.values()) == {1.0}
    assert samples["controller_runtime_reconcile_time_seconds_count"][(("controller", "Client"),)] == 4


def test_a_gateway_that_is_gone_has_no_gauge() -> None:
    """Fails when the last word about a gateway stays after its RuntimeGateway went, or a count that nobody has made is shown as 0."""
    rows = [figures("a"), figures("b", foreign=0)]
    metrics = Metrics()
    metrics.gateways(lambda: rows)
    found = exposed(metrics)["gateway_registrar_registrations"]
    assert found == {
        (("gateway", "a"), ("state", "ours")): 2, (("gateway", "a"), ("state", "expected")): 3, (("gateway", "a"), ("state", "healing")): 1,
        (("gateway", "b"), ("state", "ours")): 2, (("gateway", "b"), ("state", "expected")): 3, (("gateway", "b"), ("state", "healing")): 1,
        (("gateway", "b"), ("state", "foreign")): 0,
    }  # fmt: skip
    rows.clear()
    assert "gateway_registrar_registrations" not in exposed(metrics)


def test_the_page_is_that_of_the_code() -> None:
    """Fails when docs/reference/metrics.md was not made anew after a change."""
    assert (ROOT / "docs/reference/metrics.md").read_text() == render(), "run: make docs-reference"
