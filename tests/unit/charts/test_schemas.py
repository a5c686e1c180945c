"""The values' schemas: closed, complete, and true to what they describe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel, to_snake

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART
from localenv.manifests import NOT_IN_VALUES
from registrar.settings import Settings

Json = dict[str, Any]
CHARTS = (OPERATOR_CHART, GATEWAYS_CHART)
CHOSEN = {"logFormat": "json"}
"""Where the chart's default is not the operator's: in a cluster a collector reads the log."""
IDS = [chart.name for chart in CHARTS]


def _schema(chart: Path) -> Json:
    loaded: Json = json.loads((chart / "values.schema.json").read_text())
    return loaded


def _parts(schema: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every part of a schema with its path; of a condition (`not`, `oneOf`) none, because it is no description."""
    if isinstance(schema, dict):
        yield path, schema
        for key, part in schema.items():
            if key not in ("not", "oneOf", "propertyNames"):
                yield from _parts(part, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _parts(part, f"{path}/{index}")


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_every_object_is_closed_or_a_map_or_kubernetes_own(chart: Path) -> None:
    for path, part in _parts(_schema(chart)):
        if part.get("type") == "object" and path != "/properties/global":
            closed = "additionalProperties" in part and part["additionalProperties"] is not True
            assert closed or "Kubernetes' own" in part.get("$comment", "") or "propertyNames" in part, path


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_every_value_is_described_by_the_schema_and_every_key_of_the_schema_is_in_the_values(chart: Path) -> None:
    def compare(values: Any, schema: Json, path: str) -> None:
        if not isinstance(values, dict) or "properties" not in schema:
            return
        known = schema["properties"].keys() - {"global"}
        assert values.keys() <= known, path
        if path not in ("/resources", "/affinity"):
            assert known <= values.keys(), path
        for name, value in values.items():
            compare(value, schema["properties"][name], f"{path}/{name}")

    compare(yaml.safe_load((chart / "values.yaml").read_text()), _schema(chart), "")


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_every_value_has_a_description(chart: Path) -> None:
    def check(schema: Json, path: str) -> None:
        for name, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{path}/{name}"
            check(part, f"{path}/{name}")

    check(_schema(chart), "")


def test_the_settings_are_the_operators_and_no_others() -> None:
    section = _schema(OPERATOR_CHART)["properties"]["settings"]
    assert {to_snake(name) for name in section["properties"]} == Settings.model_fields.keys() - NOT_IN_VALUES
    assert set(section["required"]) == set(section["properties"])


def test_the_defaults_of_the_settings_are_the_operators() -> None:
    values = yaml.safe_load((OPERATOR_CHART / "values.yaml").read_text())["settings"]
    wanted = {to_camel(name): f.default for name, f in Settings.model_fields.items() if name not in NOT_IN_VALUES}
    assert values == wanted | CHOSEN


def test_the_bounds_of_a_setting_are_the_operators() -> None:
    properties = _schema(OPERATOR_CHART)["properties"]["settings"]["properties"]
    assert (properties["workers"]["minimum"], properties["workers"]["maximum"]) == (1, 1000)
    assert properties["settleSeconds"]["exclusiveMinimum"] == 0
    assert properties["logLevel"]["enum"] == ["debug", "info", "warning", "error"]


def test_the_specs_of_the_gateways_chart_are_those_of_the_kinds() -> None:
    definitions = _schema(GATEWAYS_CHART)["$defs"]
    assert definitions["runtimeGatewaySpec"]["required"] == ["type"]
    assert definitions["runtimeGatewaySpec"]["properties"]["apiman"]["properties"]["endpoint"]["pattern"]
    assert set(definitions["apiGrantSpec"]["required"]) == {"apis", "plans", "from"}
    assert "x-kubernetes" not in json.dumps(definitions)
