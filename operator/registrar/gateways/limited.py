"""A driver that keeps to a gateway's limits: every call waits for its place, and none is made while the breaker is open.

Invariants: the guard is asked immediately before a changing call is sent, after all waiting; the probe alone passes an open breaker.
What this module deliberately does not do: know what a call means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from registrar.errors import GatewayError, GatewayThrottled, GatewayUnauthorized, GatewayUnreachable
from registrar.gateways.base import GatewayDriver, GatewayInfo, Identity, Registration
from registrar.gateways.limits import CircuitBreaker, GatewayLimits

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class LimitedDriver:
    """`driver` within `limits`; `guard` raises LeaseLost when changing calls must stop."""

    driver: GatewayDriver
    limits: GatewayLimits
    breaker: CircuitBreaker
    guard: Callable[[], None]

    async def register(self, registration: Registration, *, urgent: bool = False) -> None:
        """See GatewayDriver."""
        await self._call(lambda: self.driver.register(registration), urgent=urgent, changing=True)

    async def unregister(self, identity: Identity, *, urgent: bool = False) -> None:
        """See GatewayDriver."""
        await self._call(lambda: self.driver.unregister(identity), urgent=urgent, changing=True)

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        """See GatewayDriver."""
        return await self._call(lambda: self.driver.read(identity), urgent=urgent)

    async def client_ids(self, organization: str) -> frozenset[str]:
        """See GatewayDriver."""
        return await self._call(lambda: self.driver.client_ids(organization))

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        """See GatewayDriver."""
        return await self._call(lambda: self.driver.client_versions(organization, client_id))

    async def list_clients(self, organization: str) -> frozenset[Identity]:
        """See GatewayDriver; one place for the whole listing."""
        return await self._call(lambda: self.driver.list_clients(organization))

    async def organizations(self) -> tuple[str, ...]:
        """See GatewayDriver."""
        return await self._call(self.driver.organizations)

    async def endpoint(self, *, organization: str, api: str, version: str) -> str:
        """See GatewayDriver."""
        return await self._call(lambda: self.driver.endpoint(organization=organization, api=api, version=version))

    async def api_published(self, *, organization: str, api: str, version: str) -> bool:
        """See GatewayDriver."""
        return await self._call(lambda: self.driver.api_published(organization=organization, api=api, version=version))

    async def probe(self) -> GatewayInfo:
        """See GatewayDriver; passes an open breaker, and closes it when it is answered."""
        return await self._call(self.driver.probe, probing=True, urgent=True)

    async def close(self) -> None:
        """See GatewayDriver."""
        await self.driver.close()

    async def _call(
        self, call: Callable[[], Awaitable[T]], *, urgent: bool = False, changing: bool = False, probing: bool = False
    ) -> T:
        async with self.limits.slot(urgent=urgent):
            if self.breaker.is_open and not probing:
                raise GatewayUnreachable("The gateway did not answer several times; it is probed until it does.")
            if changing:
                self.guard()
            try:
                result = await call()
            except GatewayError as error:
                self._learn(error)
                raise
            self.breaker.succeeded()
            self.limits.succeeded()
            return result

    def _learn(self, error: GatewayError) -> None:
        """What an error says about the gateway, not about the call."""
        if isinstance(error, GatewayThrottled):
            self.limits.throttled(error.retry_after)
        elif isinstance(error, GatewayUnreachable | GatewayUnauthorized):
            self.breaker.failed(unauthorized=isinstance(error, GatewayUnauthorized))
        elif error.status:
            self.breaker.succeeded()
        else:
            # Sent and not answered in time: the next calls would wait for as long.
            self.breaker.failed()
