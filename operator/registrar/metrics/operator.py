"""All metrics of one operator.

Invariants: what a counter is asked for again and again is bound once. What this module deliberately does not do: see the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from registrar import __version__
from registrar.metrics.controllers import ApiServerCalls, QueueMetrics, ReconcileMetrics
from registrar.metrics.families import Bound, Families
from registrar.metrics.gateways import FIGURES, GatewayCalls, GatewayFigures, gauges
from registrar.resources.objects import VERBS

LEASE = "gateway-registrar"
OUTCOMES = ("Succeeded", "Failed", "Skipped")
"""What becomes of an action."""


class Metrics:
    """The registry, and a method for everything that is counted; groups that one module is handed alone are attributes."""

    def __init__(self) -> None:
        """Make them, in a registry of their own."""
        families = self.families = Families()
        self.reconciles = ReconcileMetrics(families)
        self.queue = QueueMetrics(families)
        self.api_server = ApiServerCalls(families)
        self._leader = families.gauge("leader_election_master_status", "1 on the leader, 0 on the others.", "name")
        self._leader.labels(LEASE).set(0)
        self.gateway_calls = GatewayCalls(families)
        self._objects = families.gauge(
            "gateway_registrar_objects",
            "Objects by kind and phase; the phase is empty for those without a status and for kinds without phases.",
            "kind",
            "phase",
        )
        self._effects = Bound(families.counter(
            "gateway_registrar_effects_total",
            "Changes of a gateway or of a key that were tried, by audit verb and outcome: one for each audit line.",
            "verb", "outcome",
        ))  # fmt: skip
        self._actions = Bound(families.counter(
            "gateway_registrar_actions_total", "Actions that an annotation asked for, by verb and outcome.", "verb", "outcome"
        ))  # fmt: skip
        for verb in VERBS:
            for outcome in OUTCOMES:
                self._actions(verb, outcome)
        self._drift = Bound(families.counter(
            "gateway_registrar_drift_total",
            "Registrations that a gateway did not have as published (found), and those put right (mended).",
            "gateway", "outcome",
        ))  # fmt: skip
        self._sweep = Bound(families.counter(
            "gateway_registrar_sweep_findings_total",
            "Objects that the watch had lost and the sweep found: deleted, or missed (new or changed).",
            "kind", "finding",
        ))  # fmt: skip
        self._calls = Bound(families.counter(
            "gateway_registrar_calls_total",
            "Calls of the API server and of gateways, by site in the code; the outcome is ok or the error's class.",
            "site", "outcome",
        ))  # fmt: skip
        self._events_dropped = families.counter(
            "gateway_registrar_events_dropped_total", "Kubernetes Events that were not sent: too many waited, or the API server refused one."
        )  # fmt: skip
        self._watch_restarts = families.counter(
            "gateway_registrar_watch_restarts_total", "Times that all watch streams ended and were started again."
        )
        build = families.gauge("gateway_registrar_build_info", "Always 1; the version is a label.", "version")
        build.labels(__version__).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=families.registry)

    def leader(self, leads: bool) -> None:
        """Whether this process leads."""
        self._leader.labels(LEASE).set(1 if leads else 0)

    def event_dropped(self) -> None:
        """An Event was not sent."""
        self._events_dropped.inc()

    def watch_restarted(self) -> None:
        """The watch streams ended and are started again."""
        self._watch_restarts.inc()

    def sweep_finding(self, kind: str, finding: str) -> None:
        """The sweep found an object that the watch had lost (`finding` is deleted or missed)."""
        self._sweep(kind, finding).inc()

    def objects(self, kind: str, phase: str, count: Callable[[], float]) -> None:
        """Where the number of objects of a kind in a phase is read when the metrics are."""
        self._objects.labels(kind, phase).set_function(count)

    def gateways(self, figures: Callable[[], Iterable[GatewayFigures]]) -> None:
        """Where what is known of the gateways is read when the metrics are."""
        self.families.gauges(FIGURES, lambda: gauges(figures()))

    def watched(self, gateway: str) -> None:
        """The gateway is watched from now on: its drift counts from 0, so that the first finding is an increase."""
        for outcome in ("found", "mended"):
            self._drift(gateway, outcome)

    def drift(self, gateway: str, outcome: str) -> None:
        """A registration was not as published (`outcome` found), or was put right (mended)."""
        self._drift(gateway, outcome).inc()

    def effect(self, verb: str, outcome: str) -> None:
        """A change of a gateway or of a key was tried; both words are the audit line's."""
        self._effects(verb, outcome).inc()

    def action(self, verb: str, outcome: str) -> None:
        """An action that an annotation asked for is handled, with that outcome."""
        self._actions(verb, outcome).inc()

    def call(self, site: str, outcome: str) -> None:
        """A call at that site of the seam ended with `outcome`: ok, or the error's class."""
        self._calls(site, outcome).inc()

    def render(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.families.registry)
