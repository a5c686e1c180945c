"""/healthz, /readyz and /metrics over HTTP.

Invariants: /healthz speaks of this process only (a lost API server or gateway is no reason to be killed); /readyz says that the caches are loaded and that
the watch streams can be started, so that a rollout of what can't watch stops at its first pod; answers are made from what is in memory.
What this module deliberately does not do: check anything outside.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from registrar.metrics import Metrics

STUCK_AFTER = 300.0
"""Seconds that a key may wait for a worker before the process counts as stuck."""


class Probes:
    """The small HTTP server for the kubelet and Prometheus."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        not_ready: Callable[[], str],
        oldest_age: Callable[[], float],
    ) -> None:
        """`port` 0 takes a free one.

        `not_ready` says why the process can't do its work yet, or nothing; `oldest_age` gives the age in seconds of the oldest waiting key, 0 where no worker runs.
        """
        self._host = host
        self._port = port
        self._metrics = metrics
        self._not_ready = not_ready
        self._oldest_age = oldest_age
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Start to listen; returns the port. Raises OSError when it is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._serve_metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop to listen."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        age = self._oldest_age()
        if age > STUCK_AFTER:
            return web.Response(status=500, text=f"a key has waited for {age:.0f} s\n")
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        why = self._not_ready()
        if why:
            return web.Response(status=503, text=f"{why}\n")
        return web.Response(text="ok\n")

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
