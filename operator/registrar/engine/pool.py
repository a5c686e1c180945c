"""The runtime gateways that can be called: one paced driver for each RuntimeGateway, with what was learnt of it.

Invariants: a driver is made anew when the endpoint, the trust or the credentials change, and only then; credentials are read from the operator's own
namespace alone; an API is missing only after the gateway said so.
What this module deliberately does not do: watch gateways (see `keeper`), or decide anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from registrar.clock import Clock
from registrar.engine.store import Store
from registrar.gateways.apiman.driver import ApimanDriver
from registrar.gateways.apiman.wire import RENDERABLE
from registrar.gateways.base import GatewayDriver
from registrar.gateways.limited import LimitedDriver
from registrar.gateways.limits import CircuitBreaker, GatewayLimits
from registrar.metrics import GatewayCalls
from registrar.resources.objects import ApiRef, GatewayObject
from registrar.seam import Seam

log = logging.getLogger(__name__)

VANISHED_SHARE = 0.2
VANISHED_LEAST = 10
"""From which share, and from how many, of the APIs with contracts on the gateway itself is taken to be wrong."""


@dataclass(slots=True)
class Handle:
    """One gateway that can be called.

    `missing` are APIs that it said it does not have; it is replaced, never changed, so that views share it. `contracted` are those for which something is
    published there, as of the last full check; `endpoints` the URLs to call.
    """

    name: str
    driver: GatewayDriver
    breaker: CircuitBreaker
    signature: tuple[object, ...]
    renderable: frozenset[str]
    missing: frozenset[ApiRef] = frozenset()
    endpoints: dict[ApiRef, str] = field(default_factory=dict)
    contracted: frozenset[ApiRef] = frozenset()

    @property
    def apis_vanished(self) -> bool:
        """Whether so many APIs with contracts are gone that the gateway is what is wrong, not the contracts."""
        gone = len(self.missing & self.contracted)
        return gone >= VANISHED_LEAST and gone > VANISHED_SHARE * len(self.contracted)

    async def endpoint(self, api: ApiRef) -> str:
        """The URL at which `api` is called; asked for once."""
        known = self.endpoints.get(api)
        if known is None:
            known = await self.driver.endpoint(organization=api.organization, api=api.name, version=api.version)
            self.endpoints[api] = known
        return known

    async def published(self, api: ApiRef) -> bool:
        """Whether the gateway has `api` now."""
        return await self.driver.api_published(organization=api.organization, api=api.name, version=api.version)

    async def learn(self, api: ApiRef) -> bool:
        """Have the URL of an API at hand that is to be published for, and know whether the gateway has it; asked for once, True when it has not."""
        if api in self.endpoints:
            return False
        learnt = await self.check_apis([api])
        if api not in self.missing:
            await self.endpoint(api)
        return learnt and api in self.missing

    async def check_apis(self, apis: list[ApiRef]) -> bool:
        """Ask for each API whether it is published; True when something was learnt."""
        learnt = False
        for api in apis:
            there = await self.published(api)
            learnt |= there is (api in self.missing)
            self.missing = self.missing - {api} if there else self.missing | {api}
        return learnt


class Pool:
    """The handles of all RuntimeGateways."""

    def __init__(
        self,
        *,
        store: Store,
        seam: Seam,
        clock: Clock,
        namespace: str,
        timeout: float,
        guard: Callable[[], None],
        calls: GatewayCalls,
    ) -> None:
        """`namespace` is the operator's own; `timeout` is in seconds for one call; `guard` raises LeaseLost before a changing call."""
        self._store = store
        self._seam = seam
        self._clock = clock
        self._namespace = namespace
        self._timeout = timeout
        self._guard = guard
        self._calls = calls
        self._handles: dict[str, Handle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def handle(self, name: str) -> Handle | None:
        """The gateway's handle; None when the RuntimeGateway or its credentials are not there."""
        gateway = self._store.gateway(name)
        credentials = self.credentials(gateway) if gateway is not None else None
        known = self._handles.get(name)
        if gateway is None or credentials is None:
            if known is not None:
                self._discard(name)
            return None
        signature = _signature(gateway, credentials)
        if known is not None and known.signature == signature:
            return known
        if known is not None:
            log.info("gateway %s: endpoint, trust, limits or credentials changed; connecting anew", name)
            self._discard(name)
        made = self._make(gateway, credentials, signature)
        self._handles[name] = made
        return made

    def known(self, name: str) -> Handle | None:
        """The handle as it was made last, if there is one; never makes one."""
        return self._handles.get(name)

    def credentials(self, gateway: GatewayObject) -> tuple[str, str] | None:
        """User name and password from the credentials Secret; None when it is missing or incomplete."""
        secret = self._store.secret(self._namespace, gateway.credentials_secret)
        if secret is None or not secret.allowed:
            return None
        user, password = secret.data.get("username"), secret.data.get("password")
        if not user or not password:
            return None
        try:
            return user.decode(), password.decode()
        except UnicodeDecodeError:
            return None

    def missing_apis(self) -> Mapping[str, frozenset[ApiRef]]:
        """The APIs that are known not to be published, by gateway."""
        return {name: handle.missing for name, handle in self._handles.items() if handle.missing}

    def vanished(self) -> frozenset[str]:
        """The gateways from which so many APIs are gone that no contract is to blame."""
        return frozenset(name for name, handle in self._handles.items() if handle.apis_vanished)

    def _make(self, gateway: GatewayObject, credentials: tuple[str, str], signature: tuple[object, ...]) -> Handle:
        limits = GatewayLimits(
            max_in_flight=gateway.max_in_flight, requests_per_second=gateway.requests_per_second, clock=self._clock
        )
        breaker = CircuitBreaker()
        driver = ApimanDriver(
            endpoint=gateway.endpoint,
            public_endpoint=gateway.public_endpoint,
            username=credentials[0],
            password=credentials[1],
            ca_bundle=gateway.ca_bundle or None,
            seam=self._seam,
            timeout=self._timeout,
            answered=self._calls.of(gateway.meta.name),
        )
        return Handle(
            name=gateway.meta.name,
            driver=LimitedDriver(driver=driver, limits=limits, breaker=breaker, guard=self._guard),
            breaker=breaker,
            signature=signature,
            renderable=RENDERABLE,
        )

    def _discard(self, name: str) -> None:
        handle = self._handles.pop(name)
        task = asyncio.get_running_loop().create_task(handle.driver.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Give back all connections."""
        for name in list(self._handles):
            self._discard(name)
        await asyncio.gather(*self._closing)


def _signature(gateway: GatewayObject, credentials: tuple[str, str]) -> tuple[object, ...]:
    return (
        gateway.meta.uid,
        gateway.endpoint,
        gateway.public_endpoint,
        gateway.ca_bundle,
        gateway.max_in_flight,
        gateway.requests_per_second,
        credentials,
    )
