"""What every test stands on: one event loop of the main thread's own, so that none is made in passing and left open; properties without a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _main_thread_loop() -> Iterator[None]:
    """pytest-asyncio asks for the current loop before it sets its own; asyncio then makes one that nobody closes, a ResourceWarning at some later test."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
