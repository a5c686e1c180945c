"""Pacing of a gateway, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from registrar.clock import LoopClock
from registrar.errors import (
    GatewayAmbiguous,
    GatewayError,
    GatewayRefused,
    GatewayThrottled,
    GatewayUnauthorized,
    GatewayUnreachable,
    LeaseLost,
)
from registrar.gateways.base import GatewayInfo, Identity, Registration
from registrar.gateways.limited import LimitedDriver
from registrar.gateways.limits import CircuitBreaker, GatewayLimits

pytestmark = pytest.mark.looptime
WHO = Identity("acme", "shop", "1.0")


def limits(most: int = 2, rate: float = 0) -> GatewayLimits:
    """Limits on the loop's own clock."""
    return GatewayLimits(max_in_flight=most, requests_per_second=rate, clock=LoopClock())


class Scripted:
    """A driver whose calls take a second and end as told."""

    def __init__(self) -> None:
        self.ends: list[GatewayError | None] = []
        self.calls: list[str] = []
        self.most = 0
        self._now = 0

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(1)
        finally:
            self._now -= 1
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end

    async def register(self, registration: Registration, *, urgent: bool = False) -> None:
        await self._call("register")

    async def unregister(self, identity: Identity, *, urgent: bool = False) -> None:
        await self._call("unregister")

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        await self._call("read")
        return None

    async def list_clients(self, organization: str) -> frozenset[Identity]:
        await self._call("list")
        return frozenset()

    async def client_ids(self, organization: str) -> frozenset[str]:
        await self._call("ids")
        return frozenset()

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        await self._call("versions")
        return frozenset()

    async def organizations(self) -> tuple[str, ...]:
        await self._call("organizations")
        return ()

    async def endpoint(self, *, organization: str, api: str, version: str) -> str:
        return "http://public"

    async def api_published(self, *, organization: str, api: str, version: str) -> bool:
        await self._call("api")
        return True

    async def probe(self) -> GatewayInfo:
        await self._call("probe")
        return GatewayInfo(version="1", up=True)

    async def close(self) -> None:
        self.calls.append("close")


def limited(driver: Scripted, *, paced: GatewayLimits | None = None) -> LimitedDriver:
    """The driver within limits."""
    return LimitedDriver(driver=driver, limits=paced or limits(), breaker=CircuitBreaker(), guard=lambda: None)


async def test_no_more_than_allowed_at_once(looptime: float) -> None:
    """Fails when a gateway gets more calls at once than its limits say."""
    driver = Scripted()
    calls = limited(driver)
    await asyncio.gather(*(calls.read(WHO) for _ in range(6)))
    assert (driver.most, looptime) == (2, 3)


async def test_revocations_go_first() -> None:
    """Fails when a revocation waits behind ordinary calls that came before it."""
    driver = Scripted()
    calls = limited(driver, paced=limits(1))
    await asyncio.gather(calls.read(WHO), calls.read(WHO), calls.unregister(WHO, urgent=True))
    assert driver.calls == ["read", "unregister", "read"]


async def test_a_rate(looptime: float) -> None:
    """Fails when requestsPerSecond is not kept."""
    driver = Scripted()
    calls = limited(driver, paced=limits(100, rate=10))
    await asyncio.gather(*(calls.read(WHO) for _ in range(40)))
    assert 3 <= looptime - 1 <= 3.2


async def test_throttling_halves_and_pauses(looptime: float) -> None:
    """Fails when Retry-After is not kept, or the load does not fall."""
    driver = Scripted()
    driver.ends = [GatewayThrottled("slow down", retry_after=5)]
    calls = limited(driver, paced=limits(4))
    with pytest.raises(GatewayThrottled):
        await calls.read(WHO)
    driver.most = 0
    await asyncio.gather(*(calls.read(WHO) for _ in range(4)))
    assert driver.most == 2
    assert looptime == 1 + 5 + 2


async def test_the_breaker_opens_and_a_probe_closes_it() -> None:
    """Fails when a dead gateway is called again and again, or stays shut out though it is back."""
    driver = Scripted()
    driver.ends = [GatewayUnreachable("no"), GatewayAmbiguous("no"), *[GatewayUnreachable("no")] * 3]
    calls = limited(driver)
    for _ in range(5):
        with pytest.raises(GatewayError):
            await calls.read(WHO)
    assert calls.breaker.is_open
    with pytest.raises(GatewayUnreachable, match="several times"):
        await calls.read(WHO)
    assert len(driver.calls) == 5, "an open breaker lets nothing through"
    await calls.probe()
    assert not calls.breaker.is_open
    await calls.read(WHO)


async def test_the_breaker_knows_that_it_is_the_credentials() -> None:
    """Fails when Clients of a gateway that refuses the password are told that it can't be reached."""
    driver = Scripted()
    driver.ends = [*[GatewayUnauthorized("no", status=401)] * 5, GatewayUnreachable("gone")]
    calls = limited(driver)
    for _ in range(5):
        with pytest.raises(GatewayUnauthorized):
            await calls.read(WHO)
    assert calls.breaker.is_open and calls.breaker.unauthorized
    with pytest.raises(GatewayUnreachable, match="gone"):
        await calls.probe()
    assert calls.breaker.is_open and not calls.breaker.unauthorized
    await calls.probe()
    assert not calls.breaker.is_open


async def test_a_refusal_is_an_answer() -> None:
    """Fails when a gateway that refuses bad requests is taken for a dead one."""
    driver = Scripted()
    driver.ends = [GatewayRefused("bad", status=400)] * 10
    calls = limited(driver)
    for _ in range(10):
        with pytest.raises(GatewayRefused):
            await calls.read(WHO)
    assert not calls.breaker.is_open


async def test_the_guard_is_asked_before_a_change() -> None:
    """Fails when a replica that has lost the Lease still changes a gateway."""

    def lost() -> None:
        raise LeaseLost("gone")

    driver = Scripted()
    calls = LimitedDriver(driver=driver, limits=limits(), breaker=CircuitBreaker(), guard=lost)
    with pytest.raises(LeaseLost):
        await calls.unregister(WHO)
    await calls.read(WHO)
    assert driver.calls == ["read"]


async def test_a_cancelled_wait_leaves_no_hole() -> None:
    """Fails when a worker that was stopped while it waited keeps its place for ever."""
    driver = Scripted()
    calls = limited(driver, paced=limits(1))
    first = asyncio.create_task(calls.read(WHO))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(calls.read(WHO))
    await asyncio.sleep(0.1)
    second.cancel()
    await first
    await calls.read(WHO)
    assert driver.calls == ["read", "read"]
