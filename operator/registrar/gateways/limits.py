"""How fast and how much at once a gateway is called, and when it is left alone.

Invariants: revocations go before everything else that waits; a throttled gateway gets half the load at once and more again slowly; an open breaker
lets no call through but the keeper's probe. What this module deliberately does not do: retry.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from registrar.clock import Clock

FAILURES_TO_OPEN = 5
"""Consecutive calls that got nowhere until the breaker opens."""
_RECOVERY = 0.05


class GatewayLimits:
    """A semaphore with priorities, and a token bucket of one second's depth."""

    def __init__(self, *, max_in_flight: int, requests_per_second: float, clock: Clock) -> None:
        """`requests_per_second` 0 sets no rate."""
        self._most = max_in_flight
        self._allowed = float(max_in_flight)
        self._rate = requests_per_second
        self._clock = clock
        self._in_flight = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0
        self._tokens = max(1.0, requests_per_second)
        self._filled_at = clock.monotonic()
        self._pause_until = float("-inf")

    @asynccontextmanager
    async def slot(self, *, urgent: bool) -> AsyncIterator[None]:
        """Hold one of the places while a call is under way; wait for a place and a token first."""
        await self._enter(urgent=urgent)
        try:
            await self._token()
            yield
        finally:
            self._in_flight -= 1
            self._admit()

    def throttled(self, retry_after: float | None) -> None:
        """The gateway asked for less: half the places, and a pause of `retry_after` seconds (1 when it named none)."""
        self._allowed = max(1.0, self._allowed / 2)
        self._pause_until = self._clock.monotonic() + (retry_after or 1.0)

    def succeeded(self) -> None:
        """A call was answered: a little more load again."""
        self._allowed = min(float(self._most), self._allowed + _RECOVERY)

    async def _enter(self, *, urgent: bool) -> None:
        if self._in_flight < int(self._allowed) and not self._waiting:
            self._in_flight += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        heapq.heappush(self._waiting, (0 if urgent else 1, self._number, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._in_flight < int(self._allowed):
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                self._in_flight += 1
                future.set_result(None)

    async def _token(self) -> None:
        """Wait out a pause, then take a token of the rate."""
        pause = self._pause_until - self._clock.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        if not self._rate:
            return
        now = self._clock.monotonic()
        self._tokens = min(max(1.0, self._rate), self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1.0
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class CircuitBreaker:
    """Opens after several calls in a row that got nowhere; a call that is answered closes it."""

    def __init__(self, *, failures: int = FAILURES_TO_OPEN) -> None:
        """Open after that many failures."""
        self._limit = failures
        self._failures = 0
        self.unauthorized = False
        """Whether the last call got nowhere because the gateway refuses the credentials."""

    @property
    def is_open(self) -> bool:
        """Whether ordinary calls are refused."""
        return self._failures >= self._limit

    def failed(self, *, unauthorized: bool = False) -> None:
        """A call got nowhere; `unauthorized` says that it was answered, and the credentials refused."""
        self._failures += 1
        self.unauthorized = unauthorized

    def succeeded(self) -> None:
        """A call was answered, if only by a refusal of what was asked."""
        self._failures = 0
        self.unauthorized = False
