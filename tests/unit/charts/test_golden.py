"""What the charts render, byte by byte: no change of a template goes by unseen."""

from __future__ import annotations

import pytest

from tests.unit.charts.golden_files import COMMAND, GOLDEN, golden
from tests.unit.charts.variants import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_rendering_is_the_golden_one(variant: str) -> None:
    assert golden(variant) == (GOLDEN / f"{variant}.yaml").read_text(), f"if it is as it should be now, run: {COMMAND}"


def test_no_golden_file_is_left_of_a_variant_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == VARIANTS.keys()
