"""The chart's ServiceMonitor and PrometheusRule as a plain Prometheus reads them, by the rules of the Prometheus Operator, which the cluster does not have.

Invariants: a field that is not translated is refused, not left out; expressions and labels of a rule stay as they are. What this module deliberately does not do:
render the chart, or run a Prometheus.
"""

from __future__ import annotations

import re
from datetime import timedelta

from localenv.cluster import Json

DISCOVERY = "http://discovery:8000"
"""Where `discovery` answers, with the namespace as the path."""
_SPEC = {"jobLabel", "namespaceSelector", "selector", "endpoints"}
_ENDPOINT = {"port", "path", "interval", "scrapeTimeout"}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def scrape_configs(monitor: Json) -> list[Json]:
    """The scrape configurations of a ServiceMonitor, one for each of its endpoints; raises ValueError for a field that this does not know."""
    spec = monitor["spec"]
    _refuse_others(spec, _SPEC)
    return [_scrape_config(monitor, number) for number in range(len(spec["endpoints"]))]


def _scrape_config(monitor: Json, number: int) -> Json:
    spec, meta = monitor["spec"], monitor["metadata"]
    endpoint = spec["endpoints"][number]
    _refuse_others(endpoint, _ENDPOINT)
    job = f"__meta_kubernetes_service_label_{_label(spec['jobLabel'])}"
    relabelings = [
        *(_selected(label, value) for label, value in spec["selector"]["matchLabels"].items()),
        _keep("__meta_kubernetes_endpointslice_port_name", regex=endpoint["port"]),
        {"action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)"},
        _copied("__meta_kubernetes_namespace", to="namespace"),
        _copied("__meta_kubernetes_service_name", to="service"),
        _copied("__meta_kubernetes_pod_name", to="pod"),
        _copied("__meta_kubernetes_pod_container_name", to="container"),
        _copied("__meta_kubernetes_service_name", to="job"),
        _copied(job, to="job") | {"regex": "(.+)"},
        {"target_label": "endpoint", "replacement": endpoint["port"]},
    ]
    return {
        "job_name": f"serviceMonitor/{meta['namespace']}/{meta['name']}/{number}",
        "honor_labels": False,
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "metrics_path": endpoint["path"],
        "http_sd_configs": [
            {"url": f"{DISCOVERY}/{name}", "refresh_interval": "1s"} for name in spec["namespaceSelector"]["matchNames"]
        ],
        "relabel_configs": relabelings,
    }


def _selected(label: str, value: str) -> Json:
    """Keep the targets of Services that have a label with that value."""
    sources = (f"__meta_kubernetes_service_{kind}_{_label(label)}" for kind in ("label", "labelpresent"))
    return _keep(*sources, regex=f"({re.escape(value)});true")


def _keep(*sources: str, regex: str) -> Json:
    return {"action": "keep", "source_labels": list(sources), "regex": regex}


def _copied(source: str, *, to: str) -> Json:
    return {"source_labels": [source], "target_label": to}


def _label(name: str) -> str:
    """A label's name as Prometheus' discovery writes it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _refuse_others(found: Json, known: set[str]) -> None:
    if others := found.keys() - known:
        raise ValueError(f"The ServiceMonitor has {', '.join(sorted(others))}, which this does not translate.")


def rules(prometheus_rule: Json, *, divisor: int) -> Json:
    """The rule file of a PrometheusRule, in which each alert fires after a `divisor`th of its time; nothing else is changed."""
    groups = [
        group | {"rules": [_sooner(rule, divisor) for rule in group["rules"]]}
        for group in prometheus_rule["spec"]["groups"]
    ]
    return {"groups": groups}


def _sooner(rule: Json, divisor: int) -> Json:
    if "for" not in rule:
        return rule
    number, unit = re.fullmatch(r"(\d+)([smhd])", rule["for"]).groups()  # type: ignore[union-attr]
    seconds = timedelta(**{_UNITS[unit]: int(number)}).total_seconds()
    return rule | {"for": f"{seconds / divisor * 1000:.0f}ms"}
