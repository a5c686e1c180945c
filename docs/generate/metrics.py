"""The page of the operator's metrics, from the registry itself.

What this module deliberately does not do: describe a metric in words of its own; the text is the one that /metrics shows.
"""

from __future__ import annotations

from collections.abc import Iterable

from registrar.metrics import Family, Metrics

_INTRO = """
`GET /metrics` on the probes' port (8080 by default) answers in Prometheus' text format. No label names a Client, a Contract or any other object of a tenant; there is one
series for each RuntimeGateway at most. A histogram `x` has the series `x_bucket{le}`, `x_sum` and `x_count`.

All replicas show all metrics, but only the one that leads calls gateways and knows their state: take the `max` or the `sum` over the replicas. A gauge of
a gateway is absent while its value is not known: the registrations before the first look at the gateway, those that are not ours before its first full check.

The alerts in `charts/gateway-registrar/files/alerts.yaml` and the dashboard `charts/gateway-registrar/files/dashboard.json` use these names; [each alert has a
page](../runbooks/index.md).
"""
_SECTIONS = (
    (
        "The operator's own",
        "What it does, and what it knows of the gateways.",
        ("gateway_registrar_",),
    ),
    (
        "controller-runtime's names",
        "Names, labels, results and buckets are those of operators in Go, so that dashboards made for them work. There is one queue, named `clients`, for all "
        "controllers. `result` is `success`, `error`, `requeue` (tried again after a backoff) or `requeue_after` (done, and looked at again at a known time).",
        ("controller_runtime_", "workqueue_", "rest_client_", "leader_election_"),
    ),
    ("The process", "From the library; `process_*` on Linux only.", ("process_", "python_")),
)


def families() -> list[Family]:
    """Everything that /metrics can show, those of the library included."""
    metrics = Metrics()
    metrics.gateways(lambda: ())
    rows = list(metrics.families.rows)
    known = {row.name for row in rows}
    for family in metrics.families.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name not in known:
            labels = tuple(family.samples[0].labels) if family.samples else ()
            rows.append(Family(name, family.type, family.documentation, labels))
    return rows


def render() -> str:
    """The whole page."""
    rows = families()
    parts = [
        "<!-- Made from operator/registrar/metrics/ by `make docs-reference`; change that instead. -->",
        "# Metrics",
        _INTRO.strip(),
    ]
    for title, text, prefixes in _SECTIONS:
        parts += [f"## {title}", text, _table(row for row in rows if row.name.startswith(prefixes))]
    return "\n\n".join(parts) + "\n"


def _table(rows: Iterable[Family]) -> str:
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.name):
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.type} | {labels} | {_cell(row.help)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
