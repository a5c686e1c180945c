"""The alerts and the dashboard: they read what there is, each alert says what to do, has its tests and its page. promtool runs in the integration tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate.metrics import families
from tests.unit.metrics.expressions import labels_of, metrics_of

ROOT = Path(__file__).parents[3]
FILES = ROOT / "charts/gateway-registrar/files"
RUNBOOKS = ROOT / "docs/runbooks"
TARGET = {"job", "instance", "namespace", "pod", "le"}
"""Labels that the scrape or a histogram adds."""
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
CASES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/integration/alerts_test.yaml").read_text())["tests"]
DASHBOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
HEADINGS = ("## Meaning", "## Impact", "## Diagnosis", "## Mend")


def series() -> dict[str, set[str]]:
    """Every series name with its labels."""
    found: dict[str, set[str]] = {}
    for row in families():
        names = [f"{row.name}_{part}" for part in ("bucket", "sum", "count")] if row.type == "histogram" else [row.name]
        found |= {name: set(row.labels) for name in names}
    return found


def check(expression: str) -> None:
    """The expression reads series that exist, by labels that they have."""
    known, read = series(), metrics_of(expression)
    assert read, "reads nothing"
    assert read <= known.keys(), read - known.keys()
    assert labels_of(expression) <= TARGET | set().union(*(known[name] for name in read))


def test_the_reading_of_expressions() -> None:
    """Fails when the two functions that the other tests stand on miss a name."""
    text = 'sum by (a, le) (rate(x_bucket{b=~"c|d{",e!="$f"}[$__rate_interval])) / on (g) group_left (h) y > bool 2 and (z offset 5m) or max(w[1h:5m])'
    assert metrics_of(text) == {"x_bucket", "y", "z", "w"}
    assert labels_of(text) == {"a", "le", "b", "e", "g", "h"}


@pytest.mark.parametrize("alert", sorted(RULES))
def test_an_alert(alert: str) -> None:
    """Fails when an alert reads what does not exist, says too little, or lacks a page or one of its tests."""
    rule = RULES[alert]
    check(rule["expr"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"https://gateway-registrar.dev/runbooks/{alert}.html"
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n")
    places = [page.find(f"\n{heading}\n") for heading in HEADINGS]
    assert places == sorted(places) and places[0] > 0, "the page lacks a heading, or has them in another order"
    assert "```" in page[places[2] : places[3]], "the diagnosis has no command"
    assert f"]({alert}.md)" in (RUNBOOKS / "index.md").read_text()
    wanted = [row["exp_alerts"] for case in CASES for row in case["alert_rule_test"] if row["alertname"] == alert]
    assert any(wanted) and not all(wanted), "promtool must see it fire and keep quiet"


def test_no_page_without_its_alert() -> None:
    """Fails when an alert went and its page, or a test of it, stayed."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"index"} == set(RULES)
    assert {row["alertname"] for case in CASES for row in case["alert_rule_test"]} == set(RULES)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel(panel: dict[str, Any]) -> None:
    """Fails when a panel reads what does not exist, does not follow the data source that was chosen, or does not say what it shows."""
    assert panel["description"]
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert 'job="$job"' in target["expr"]
        check(target["expr"])


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Fails when panels share an id or a place, or a variable that an expression uses is not there."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert DASHBOARD["schemaVersion"] >= 39 and DASHBOARD["uid"] == "gateway-registrar"
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    variables = {row["name"]: row for row in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables.keys() == {"datasource", "job", "gateway"}
