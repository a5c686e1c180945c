"""The benches of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.keeper.bench import BENCH, Bench


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    """All benches of a test; their keepers end with it."""
    BENCH.clear()
    yield BENCH
    BENCH.clear()
