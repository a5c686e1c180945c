"""What every test stands on: one event loop of the main thread's own, so that none is made in passing and left open; properties without a time limit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from localenv import kubectl

# How long an example takes says more about the machine than about the property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# Helm runs in this process, and reads it when it is loaded: no test writes to the user's ~/.kube.
os.environ[kubectl.CACHE_VARIABLE] = kubectl.cache_folder()


@pytest.fixture(scope="session", autouse=True)
def _main_thread_loop() -> Iterator[None]:
    """pytest-asyncio asks for the current loop before it sets its own; asyncio then makes one that nobody closes, a ResourceWarning at some later test."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
