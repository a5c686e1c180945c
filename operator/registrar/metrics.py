"""The operator's metrics: controller-runtime's names, so that stock dashboards work, and our own.

Invariants: no label names an object (60,000 of them would be 60,000 series); the registry belongs to one `Metrics`, so two operators in one process
do not mix. What this module deliberately does not do: serve them (see `engine.probes`).
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
            1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60)  # fmt: skip


class Metrics:
    """All metrics of one operator."""

    def __init__(self) -> None:
        """Make them, in a registry of their own."""
        self.registry = CollectorRegistry()
        r = self.registry
        self._reconciled = Counter(
            "controller_runtime_reconcile", "Reconciliations by outcome", ("controller", "result"), registry=r
        )
        self._errors = Counter("controller_runtime_reconcile_errors", "Failed ones", ("controller",), registry=r)
        self._panics = Counter("controller_runtime_reconcile_panics", "Unexpected errors", ("controller",), registry=r)
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds", "Time of one", ("controller",), buckets=_BUCKETS, registry=r
        )
        self._leader = Gauge("leader_election_master_status", "1 on the leader", ("name",), registry=r)
        self._depth = Gauge("workqueue_depth", "Keys that wait", ("name",), registry=r)
        self._age = Gauge("workqueue_oldest_seconds", "Age of the oldest waiting key", ("name",), registry=r)
        self._events_dropped = Counter("gateway_registrar_events_dropped", "Events that were not sent", registry=r)
        self._sweep = Counter(
            "gateway_registrar_sweep_findings", "Differences that the sweep found", ("kind", "finding"), registry=r
        )
        self._objects = Gauge("gateway_registrar_objects", "Objects by kind and phase", ("kind", "phase"), registry=r)
        self._drift = Counter(
            "gateway_registrar_drift",
            "Registrations that a gateway did not have as published, and those put right",
            ("gateway", "outcome"),
            registry=r,
        )
        self._effects = Counter("gateway_registrar_calls", "Calls by site and outcome", ("site", "outcome"), registry=r)

    def reconciled(self, controller: str, result: str, *, seconds: float) -> None:
        """One pass over one object ended; `result` is success, requeue or error."""
        self._reconciled.labels(controller, result).inc()
        self._seconds.labels(controller).observe(seconds)
        if result == "error":
            self._errors.labels(controller).inc()

    def panic(self, controller: str) -> None:
        """A pass ended with an error that nobody expected."""
        self._panics.labels(controller).inc()

    def leader(self, leads: bool) -> None:
        """Whether this process leads."""
        self._leader.labels("gateway-registrar").set(1 if leads else 0)

    def queue(self, *, depth: Callable[[], float], age: Callable[[], float]) -> None:
        """Where the queue's depth and the age in seconds of its oldest key are read when the metrics are."""
        self._depth.labels("clients").set_function(depth)
        self._age.labels("clients").set_function(age)

    def event_dropped(self) -> None:
        """An Event was not sent."""
        self._events_dropped.inc()

    def sweep_finding(self, kind: str, finding: str) -> None:
        """The sweep found an object that the watch had lost (`finding` is deleted or missed)."""
        self._sweep.labels(kind, finding).inc()

    def objects(self, kind: str, phase: str, count: Callable[[], float]) -> None:
        """Where the number of objects of a kind in a phase is read when the metrics are."""
        self._objects.labels(kind, phase).set_function(count)

    def drift(self, gateway: str, outcome: str) -> None:
        """A registration was not as published (`outcome` found), or was put right (mended); there are few gateways."""
        self._drift.labels(gateway, outcome).inc()

    def call(self, site: str, outcome: str) -> None:
        """A call at that site of the seam ended with `outcome`: ok, or the error's class."""
        self._effects.labels(site, outcome).inc()

    def render(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)
