"""The probes over real HTTP: what the kubelet and Prometheus get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from registrar.engine.probes import STUCK_AFTER, Probes
from registrar.metrics import Metrics


@dataclass
class Served:
    """Probes that listen, and what they are asked about."""

    metrics: Metrics = field(default_factory=Metrics)
    not_ready: str = "the caches are not loaded yet"
    age: float = 0.0
    url: str = ""

    async def get(self, path: str) -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as response:
            return response.status, response.headers["Content-Type"], await response.text()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Probes on a free port."""
    made = Served()
    probes = Probes(
        host="127.0.0.1",
        port=0,
        metrics=made.metrics,
        not_ready=lambda: made.not_ready,
        oldest_age=lambda: made.age,
    )
    made.url = f"http://127.0.0.1:{await probes.start()}"
    yield made
    await probes.stop()


async def test_what_prometheus_gets(served: Served) -> None:
    """Fails when the content type is none that Prometheus 3 takes without a fallback, or the text is not that of the registry."""
    served.metrics.event_dropped()
    status, type_, text = await served.get("/metrics")
    assert (status, type_) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "gateway_registrar_events_dropped_total 1.0\n" in text
    assert "_created" not in text


async def test_what_the_kubelet_gets(served: Served) -> None:
    """Fails when a replica is ready that can't work yet, does not say why, or lives on with a queue that does not move."""
    assert (await served.get("/readyz"))[::2] == (503, "the caches are not loaded yet\n")
    served.not_ready = ""
    assert (await served.get("/readyz"))[0] == 200
    served.age = STUCK_AFTER
    assert (await served.get("/healthz"))[0] == 200
    served.age = STUCK_AFTER + 1
    assert (await served.get("/healthz"))[::2] == (500, "a key has waited for 301 s\n")
