"""Protects a RuntimeGateway from being deleted while Clients are registered through it: without it nobody could take them off any more.

The finalizer is put on before the first registration through that gateway, once for all of its Clients; a deletion waits, and goes on when none is left.

Invariants: no registration is made through a RuntimeGateway that does not carry the finalizer; one that is being deleted keeps it as long as a
Client is published there, or was seen there.
What this module deliberately does not do: take Clients off (their own deletion or retirement does), or hold a deletion for what is owed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field

from registrar.engine.gather import Gatherer
from registrar.engine.memory import Memory
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import GatewayUnreachable
from registrar.kube.client import GATEWAYS
from registrar.kube.finalizers import FINALIZER, Finalizers
from registrar.lifecycle.model import Live
from registrar.resources.objects import GatewayObject
from registrar.seam import Site

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class GatewayFinalizer:
    """Puts the finalizer on RuntimeGateways and takes it off."""

    store: Store
    memory: Memory
    ingest: Ingest
    gatherer: Gatherer
    finalizers: Finalizers
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def ensure(self, name: str) -> None:
        """Return when the RuntimeGateway carries the finalizer; raises GatewayUnreachable when it is gone or about to go."""
        gateway = self.store.gateway(name)
        if gateway is not None and FINALIZER in gateway.finalizers:
            return
        async with self._locks[name]:
            # Many Clients may have waited here for the same patch.
            gateway = self.store.gateway(name)
            if gateway is None or (gateway.meta.deleting and FINALIZER not in gateway.finalizers):
                raise GatewayUnreachable(f"RuntimeGateway {name} is being deleted.")
            if FINALIZER in gateway.finalizers:
                return
            raw = await self.finalizers.add(
                GATEWAYS, namespace="", name=name, resource_version=gateway.meta.resource_version,
                existing=gateway.finalizers, site=Site.GATEWAY_FINALIZER,
            )  # fmt: skip
            self.ingest.own_write("RuntimeGateway", raw)

    async def released(self, gateway: GatewayObject) -> bool:
        """Take the finalizer off a deleted RuntimeGateway on which nothing is left; True when that was done."""
        if not gateway.meta.deleting or FINALIZER not in gateway.finalizers or self.holding(gateway):
            return False
        raw = await self.finalizers.remove(
            GATEWAYS, namespace="", name=gateway.meta.name, resource_version=gateway.meta.resource_version,
            existing=gateway.finalizers, site=Site.GATEWAY_FINALIZER,
        )  # fmt: skip
        log.info("gateway %s: no Client is registered on it any more, so its deletion goes on", gateway.meta.name)
        if raw is not None:
            self.ingest.own_write("RuntimeGateway", raw)
        return True

    def holding(self, gateway: GatewayObject) -> int:
        """How many Clients a deletion waits for; 0 for a RuntimeGateway that is not being deleted, which nobody needs to count."""
        return sum(1 for _ in self._published(gateway.meta.name)) if gateway.meta.deleting else 0

    def _published(self, name: str) -> list[str]:
        found = []
        for key in self.store.clients_on_gateway(name):
            client = self.store.client(key.namespace, key.name)
            if client is None:
                continue
            memory = self.memory.known(client.meta.uid)
            fact = memory.live.get(name) if memory is not None else None
            if not self.gatherer.recorded(client, name).empty or (fact is not None and fact.state is Live.OURS):
                found.append(client.meta.uid)
        return found
