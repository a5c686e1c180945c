"""Renders the golden files; run `PYTHONPATH=operator:. python -m tests.unit.charts.golden_files` to renew them, and read the difference."""

from __future__ import annotations

from pathlib import Path

from localenv.charts import render_text
from tests.unit.charts.variants import VARIANTS

GOLDEN = Path(__file__).parent / "golden"
COMMAND = "PYTHONPATH=operator:. python -m tests.unit.charts.golden_files"
_COPIED = ("templates/crds.yaml", "templates/dashboard.yaml", "templates/prometheusrule.yaml")
"""Templates that put a file of the chart in: those files have tests of their own."""


def golden(variant: str) -> str:
    """What the chart makes of the variant, one template after the other."""
    chart, values = VARIANTS[variant]
    texts = render_text(chart, values).items()
    return "".join(f"# {name}\n{text.strip()}\n" for name, text in texts if name not in _COPIED)


if __name__ == "__main__":
    for each in VARIANTS:
        (GOLDEN / f"{each}.yaml").write_text(golden(each), encoding="utf-8")
