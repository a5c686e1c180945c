"""Renders the charts with Helm's own library, for the local environment, for the tests and for `manifests/`.

Invariant: what comes out is what `helm template` would print, hooks and notes left out. What this module deliberately does not do: apply anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import yaml

Json = dict[str, Any]
CHARTS = Path(__file__).parent.parent / "charts"
OPERATOR_CHART = CHARTS / "gateway-registrar"
GATEWAYS_CHART = CHARTS / "gateway-registrar-gateways"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The CRDs are long: libyaml reads them ten times as fast, where PyYAML was built with it."""


def render_text(
    chart: Path = OPERATOR_CHART,
    values: Json | None = None,
    *,
    namespace: str = "gateway-registrar-system",
    release: str = "gateway-registrar",
) -> dict[str, str]:
    """The text of each template, by its name within the chart (`templates/deployment.yaml`), in alphabetical order.

    Raises helm_python.HelmError with Helm's message when the chart refuses the values.
    """
    with helm_python.Chart.load(chart) as loaded:
        rendered = loaded.render(values, name=release, namespace=namespace)
    return {name.partition("/")[2]: text for name, text in sorted(rendered.items()) if text.strip()}


def render(
    chart: Path = OPERATOR_CHART,
    values: Json | None = None,
    *,
    namespace: str = "gateway-registrar-system",
    release: str = "gateway-registrar",
) -> list[Json]:
    """The objects that a release of the chart with these values consists of.

    Raises helm_python.HelmError with Helm's message when the chart refuses the values.
    """
    texts = render_text(chart, values, namespace=namespace, release=release)
    return [row for name, text in texts.items() if name.endswith((".yaml", ".yml")) for row in _documents(text)]


def _documents(text: str) -> Iterator[Json]:
    for document in yaml.load_all(text, Loader=_LOADER):
        if document:
            yield document
