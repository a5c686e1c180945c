"""A real scrape after real work: the numbers are those of the API server, of the gateway and of the audit log."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from localenv.cluster import Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator

pytestmark = pytest.mark.integration
REGISTRATIONS = "gateway_registrar_registrations"
REQUESTS = "gateway_registrar_gateway_requests_total"
ACTIONS = "gateway_registrar_actions_total"


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, operator: Operator, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own, checked in full every ten seconds."""
    manifest: Json = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"] |= {"default": False, "drift": {"mode": "Correct", "interval": "10s"}}
    cluster.apply(manifest)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


class Scrape:
    """One reading of /metrics."""

    def __init__(self, operator: Operator) -> None:
        self.samples = [s for family in text_string_to_metric_families(operator.metrics()) for s in family.samples]

    def sum(self, name: str, /, **labels: str) -> float:
        """The sum over the series with these labels; a series must exist."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"{name} {labels}"
        return sum(found)

    def has(self, name: str, /, **labels: str) -> bool:
        """Whether there is such a series."""
        return any(s.name == name and labels.items() <= s.labels.items() for s in self.samples)


def audited(operator: Operator) -> Counter[tuple[str, str]]:
    """The audit log's lines by verb and outcome."""
    lines = (json.loads(line) for line in operator.audit.read_text().splitlines())
    return Counter((line["verb"], line["outcome"]) for line in lines)


def effects(scrape: Scrape) -> Counter[tuple[str, str]]:
    """The same, as counted."""
    rows = (s for s in scrape.samples if s.name == "gateway_registrar_effects_total")
    return Counter({(s.labels["verb"], s.labels["outcome"]): int(s.value) for s in rows})


def settled(operator: Operator, gateway: str, *, foreign: float) -> Scrape:
    """Wait until one Client is left on the gateway beside so many strangers and nothing is under way; returns that very reading."""
    readings: list[Scrape] = []

    def reached() -> bool:
        readings[:] = [Scrape(operator)]
        states = {"foreign": foreign, "ours": 1.0}
        return (
            all(readings[0].sum(REGISTRATIONS, gateway=gateway, state=state) == n for state, n in states.items())
            and readings[0].sum("workqueue_depth") == 0
            and readings[0].sum("controller_runtime_active_workers") == 0
        )

    until(reached, what=f"{foreign} foreign registrations, one of ours and an empty queue")
    return readings[0]


def test_the_numbers_are_true(cluster: Cluster, operator: Operator, namespace: str, gateway: str) -> None:
    """Fails when a number is not that of the API server, the gateway, the kernel or the audit log."""
    began, before, lines = time.time(), Scrape(operator), audited(operator)
    for name in ("shop", "kiosk"):
        cluster.apply(
            client(namespace, name, gatewayRef={"name": gateway}),
            contract(namespace, f"{name}-orders", client=name, api="orders", version="1.0"),
        )
    for name in ("shop", "kiosk"):
        cluster.wait_phase(namespace, name, "Registered")
    cluster.annotate("Client", namespace, "kiosk", "unregister", "one")
    cluster.wait_phase(namespace, "kiosk", "Retired")
    until(lambda: Scrape(operator).has(REGISTRATIONS, gateway=gateway, state="foreign"), what="a full check")
    foreign = Scrape(operator).sum(REGISTRATIONS, gateway=gateway, state="foreign")
    stranger = {
        "organizationId": namespace,
        "clientId": "stranger",
        "version": "1.0",
        "apiKey": "s" * 32,
        "contracts": [],
    }
    assert cluster.gateway_request("PUT", "/clients", stranger).status == 204
    after = settled(operator, gateway, foreign=foreign + 1)
    gateway_is_told(after, gateway, seconds=time.time() - began)
    controllers_are_told(after, operator)
    for phase, count in Counter(row["status"].get("phase") for row in cluster.list("Client", "")).items():
        assert after.sum("gateway_registrar_objects", kind="Client", phase=phase) == count
    assert after.sum("gateway_registrar_objects", kind="RuntimeGateway") == len(cluster.list("RuntimeGateway", ""))
    done = {"verb": "unregister", "outcome": "Succeeded"}
    assert after.sum(ACTIONS, **done) - before.sum(ACTIONS, **done) == 1
    assert effects(after) - effects(before) == audited(operator) - lines
    assert (effects(after) - effects(before))[("Registered", "Succeeded")] == 2


def gateway_is_told(scrape: Scrape, gateway: str, *, seconds: float) -> None:
    """Two Clients were registered within so many seconds and one was unregistered; nothing else changed this gateway."""
    assert scrape.sum(REGISTRATIONS, gateway=gateway, state="expected") == 1
    assert scrape.sum(REGISTRATIONS, gateway=gateway, state="healing") == 0
    assert scrape.sum("gateway_registrar_gateway_ready", gateway=gateway, reason="Ready") == 1
    assert scrape.sum("gateway_registrar_gateway_circuit_open", gateway=gateway) == 0
    assert scrape.sum("gateway_registrar_drift_total", gateway=gateway) == 0
    assert scrape.sum(REQUESTS, gateway=gateway, operation="register", code="204") == 2
    assert scrape.sum(REQUESTS, gateway=gateway, operation="unregister", code="200") == 1
    assert scrape.sum(REQUESTS, gateway=gateway, operation="probe", code="200") > 1
    timed = scrape.sum("gateway_registrar_gateway_request_duration_seconds_count", gateway=gateway)
    assert timed == scrape.sum(REQUESTS, gateway=gateway)
    assert 0 < scrape.sum("gateway_registrar_oldest_key_age_seconds", gateway=gateway) < seconds + 2


def controllers_are_told(scrape: Scrape, operator: Operator) -> None:
    """Every key that was added was waited for, worked on and counted once; the calls are timed and the process is this one."""
    passes = scrape.sum("controller_runtime_reconcile_total")
    for name in (
        "controller_runtime_reconcile_time_seconds_count",
        "workqueue_adds_total",
        "workqueue_queue_duration_seconds_count",
        "workqueue_work_duration_seconds_count",
    ):
        assert scrape.sum(name) == passes, name
    assert scrape.sum("controller_runtime_reconcile_errors_total") == 0
    assert scrape.sum("rest_client_requests_total", method="PATCH", code="200") >= 4
    assert scrape.sum("rest_client_requests_total") == scrape.sum("rest_client_request_duration_seconds_count")
    assert scrape.sum("leader_election_master_status", name="gateway-registrar") == 1
    resident = int(Path(f"/proc/{operator.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert abs(scrape.sum("process_resident_memory_bytes") - resident) < 32 * 1024 * 1024
