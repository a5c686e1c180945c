"""Values that can't work are refused before anything reaches the cluster, with a message that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART, render

Json = dict[str, Any]
CASES: list[Json] = yaml.safe_load((Path(__file__).parent / "bad_values.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_chart_refuses(case: Json) -> None:
    chart = GATEWAYS_CHART if case.get("chart") == "gateways" else OPERATOR_CHART
    with pytest.raises(helm_python.HelmError) as refused:
        render(chart, case["values"])
    assert case["says"] in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(helm_python.HelmRenderError) as refused:
        render(values={"settings": {"lease": False, "settleSeconds": 11}, "serviceAccount": {"create": False}})
    assert [line[:2] for line in str(refused.value).splitlines()].count("- ") == 3


def test_a_chart_that_is_a_dependency_gets_helms_global_key() -> None:
    assert render(values={"global": {"imageRegistry": "example.com"}}) == render()
