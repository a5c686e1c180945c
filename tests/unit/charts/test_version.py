"""One version everywhere: the package's."""

from __future__ import annotations

import pytest
import yaml

from localenv.charts import CHARTS
from registrar import __version__


@pytest.mark.parametrize("chart", sorted(path.parent.name for path in CHARTS.glob("*/Chart.yaml")))
def test_a_charts_versions_are_those_of_the_package(chart: str) -> None:
    metadata = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == (__version__, __version__)
