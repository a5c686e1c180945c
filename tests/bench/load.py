"""The objects of the load: Clients with five Contracts each unless told otherwise, spread over namespaces, and a Policy for every fiftieth Client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson

from localenv.cluster import client, contract, rate_limit
from localenv.gateway import Api as PublishedApi
from tests.bench.api import Api, Json, in_flight

APIS = tuple(PublishedApi("acme", name, "1.0") for name in ("orders", "billing", "stock", "prices", "offers"))
ROOT = "/apis/gateway-registrar.dev/v1alpha1"
REACHED = 1000
"""How many Clients have their contracts on `REACHED_PLAN`; the others have another plan, so that one owner's policy reaches 5,000 contracts at any size."""
REACHED_PLAN = "gold"
_EVERY = 50


@dataclass(frozen=True, slots=True)
class Load:
    """How much, and under which namespaces (`prefix` and a number); each Client has a Contract for each of `apis`."""

    clients: int
    prefix: str
    namespaces: int = 20
    apis: tuple[PublishedApi, ...] = APIS

    @property
    def contracts(self) -> int:
        """How many Contracts there are."""
        return self.clients * len(self.apis)

    def namespace(self, number: int) -> str:
        """The namespace of the Client with that number."""
        return f"{self.prefix}{number % self.namespaces}"

    def manifests(self) -> Iterator[Json]:
        """Everything but the namespaces; Clients after what belongs to them."""
        for number in range(self.clients):
            space, name = self.namespace(number), f"client-{number}"
            plan = REACHED_PLAN if number < REACHED else "bronze"
            for api in self.apis:
                yield contract(space, f"{name}-{api.name}", client=name, api=api.name, version=api.version, plan=plan)
            if number % _EVERY == 0:
                yield rate_limit(space, f"{name}-limit", client=name, limit=1000)
        for number in range(self.clients):
            yield client(self.namespace(number), f"client-{number}")

    async def create(self, api: Api) -> None:
        """Create everything."""
        for number in range(self.namespaces):
            name = f"{self.prefix}{number}"
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await api.send("POST", "/api/v1/namespaces", orjson.dumps(body))
        await in_flight(self._jobs(api))

    def _jobs(self, api: Api) -> Iterator[Callable[[], Awaitable[Json]]]:
        plurals = {"Client": "clients", "Contract": "contracts", "Policy": "policies"}
        for manifest in self.manifests():
            path = f"{ROOT}/namespaces/{manifest['metadata']['namespace']}/{plurals[manifest['kind']]}"
            yield partial(api.send, "POST", path, orjson.dumps(manifest))
