"""A keeper with everything around it: a gateway in memory, and a status writer that keeps what it is told."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any, cast

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.gateway_finalizer import GatewayFinalizer
from registrar.engine.gather import Gatherer
from registrar.engine.keeper import GatewayKeeper
from registrar.engine.memory import Memory
from registrar.engine.owed import Ledger
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.pool import Handle
from registrar.engine.queue import WorkQueue
from registrar.engine.rendering import Seals, identity_of, registration
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import GatewayUnreachable
from registrar.gateways.base import GatewayInfo, Identity, Registration
from registrar.gateways.limits import CircuitBreaker
from registrar.lifecycle.model import Live, LiveFact
from registrar.metrics import Metrics
from registrar.resources.objects import ApiRef, ClientObject, ContractObject, GatewayObject
from registrar.resources.status import ContractStatus, PublishedContract, Snapshot
from tests.unit.lifecycle.build import contract, gateway, meta, status, view

SEALS = Seals(b"secret")
KEY = "k" * 32


@dataclass
class FakeDriver:
    """A gateway in memory; `latency` is in seconds, and `held` makes single reads wait."""

    has: dict[Identity, Registration] = field(default_factory=dict)
    apis: set[ApiRef] = field(default_factory=set)
    latency: float = 0.001
    down: bool = False
    held: asyncio.Event | None = None
    reads: list[str] = field(default_factory=list)
    api_calls: int = 0

    async def probe(self) -> GatewayInfo:
        await asyncio.sleep(self.latency)
        if self.down:
            raise GatewayUnreachable("down on purpose")
        return GatewayInfo("1", True)

    async def organizations(self) -> tuple[str, ...]:
        return tuple({identity.organization for identity in self.has})

    async def client_ids(self, organization: str) -> frozenset[str]:
        await asyncio.sleep(self.latency)
        return frozenset(i.client_id for i in self.has if i.organization == organization)

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        await asyncio.sleep(self.latency)
        return frozenset(i.version for i in self.has if (i.organization, i.client_id) == (organization, client_id))

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        self.reads.append(identity.client_id)
        await asyncio.sleep(self.latency)
        found = self.has.get(identity)
        if self.held is not None:
            await self.held.wait()
        return found

    async def api_published(self, *, organization: str, api: str, version: str) -> bool:
        self.api_calls += 1
        await asyncio.sleep(self.latency)
        return ApiRef(organization, api, version) in self.apis


@dataclass
class FakePool:
    """The handles, without connections."""

    handles: dict[str, Handle] = field(default_factory=dict)

    def handle(self, name: str) -> Handle | None:
        return self.handles.get(name)

    known = handle


@dataclass
class FakeWriter:
    """Keeps what is written, with the time; the store gets it as from the API server."""

    writes: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)

    async def write(self, *_: Any, name: str, new: dict[str, Any], **__: Any) -> None:
        self.writes.append((asyncio.get_running_loop().time(), name, new))
        BENCH[-1].said(name, new)

    def ready(self, name: str) -> list[tuple[float, str]]:
        """When each Ready reason of a gateway was written."""
        rows = [
            (at, c["reason"])
            for at, n, new in self.writes
            if n == name
            for c in new["conditions"]
            if c["type"] == "Ready"
        ]
        return [row for i, row in enumerate(rows) if i == 0 or rows[i - 1][1] != row[1]]


BENCH: list[Bench] = []


class Bench:
    """A keeper with everything around it, and Clients that are registered."""

    def __init__(self, *gateways: GatewayObject, drift_interval: float = 600.0) -> None:
        self.clock = LoopClock()
        self.jitter = Jitter(random.Random(1))
        self.store, self.memory, self.metrics = Store(), Memory(), Metrics()
        self.queue = WorkQueue(clock=self.clock, jitter=self.jitter)
        arrivals = Arrivals(clock=self.clock, settle=2, longest=10)
        self.ingest = Ingest(
            store=self.store, queue=self.queue, arrivals=arrivals, memory=self.memory, clock=self.clock, home="system"
        )
        self.pool, self.writer = FakePool(), FakeWriter()
        self.drivers: dict[str, FakeDriver] = {}
        for row in gateways or (gateway(),):
            self.store.upsert(row)
            driver = self.drivers[row.meta.name] = FakeDriver()
            self.pool.handles[row.meta.name] = Handle(
                row.meta.name, cast(Any, driver), CircuitBreaker(), (), frozenset({"rateLimit"})
            )
        ledger = Ledger(cast(Any, None), namespace="system")
        gatherer = Gatherer(
            store=self.store, memory=self.memory, pool=cast(Any, self.pool), arrivals=arrivals, clock=self.clock,
            seals=SEALS, facts=PolicyFacts(store=self.store, home="system", secret=SEALS.secret), grace=10, action_timeout=600, ledger=ledger,
        )  # fmt: skip
        finalizer = GatewayFinalizer(
            store=self.store, memory=self.memory, ingest=self.ingest, gatherer=gatherer, finalizers=cast(Any, None)
        )
        self.keeper = GatewayKeeper(
            store=self.store, queue=self.queue, memory=self.memory, pool=cast(Any, self.pool), gatherer=gatherer,
            ingest=self.ingest, status_writer=cast(Any, self.writer), seals=SEALS, clock=self.clock, jitter=self.jitter,
            interval=5, drift_interval=drift_interval, counter_interval=10, namespace="system", metrics=self.metrics,
            ledger=ledger, gateway_finalizer=finalizer,
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None
        BENCH.append(self)

    def said(self, name: str, new: dict[str, Any]) -> None:
        """The status comes back from the API server."""
        import orjson

        found = self.store.gateway(name)
        assert found is not None
        version = str(int(found.meta.resource_version) + 1)
        self.store.upsert(
            replace(found, meta=replace(found.meta, resource_version=version), status_blob=orjson.dumps(new))
        )

    def add(self, number: int, *, on: str = "default", since: str = "", api: str = "orders") -> ClientObject:
        """A Client that is registered on a gateway, known to be."""
        name = f"c{number}"
        base = view(None, contract(api)).desired
        assert base.identity is not None
        identity = replace(base.identity, client_id=name, gateway=on)
        entry = PublishedContract(f"{name}-{api}", f"uid-{name}-{api}", "acme", api, "1.0", "gold")
        since = since or f"2026-01-01T00:00:{number % 60:02}Z"
        snapshot = Snapshot(gateway=on, contracts=(entry,), registered_at=since)
        wire = registration(snapshot, identity=identity, api_key=KEY, config_of=lambda _: None)
        uid = f"uid-{name}"
        snapshot = SEALS.seal(replace(snapshot, hash=SEALS.digest(wire)), uid=uid)
        recorded = replace(status(view()), identity=identity, gateways=(snapshot,))
        from registrar.resources.parse import parse_client

        raw = {
            "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": "1", "generation": 1},
            "spec": {"clientId": name},
            "status": recorded.to_json(),
        }
        made = parse_client(raw)
        self.store.upsert(made)
        self.store.upsert(self._contract(name, api))
        self.store.reserve_identity(
            gateway=on, organization=identity.organization, client_id=name, version="1.0", uid=uid
        )
        self.memory.of(uid).saw(on, LiveFact(state=Live.OURS, digest=snapshot.hash))
        self.drivers[on].has[identity_of(identity)] = wire
        self.drivers[on].apis.add(ApiRef("acme", api, "1.0"))
        return made

    def _contract(self, client_name: str, api: str) -> ContractObject:
        return replace(
            contract(api), meta=meta(f"{client_name}-{api}"), client=client_name, status=ContractStatus(phase="Active")
        )

    def heal(self, client: ClientObject, identity: Identity, wire: Registration) -> None:
        """The Client's pass puts the registration back on the gateway `default`, and knows that it has."""
        self.drivers["default"].has[identity] = wire
        fact = LiveFact(state=Live.OURS, digest=client.status.snapshot("default").hash)
        self.memory.of(client.meta.uid).saw("default", fact)

    def start(self) -> None:
        """Let the keeper run."""
        self.task = asyncio.create_task(self.keeper.run())

    async def queued(self, count: int) -> list[str]:
        """The next keys, in order."""
        names = []
        for _ in range(count):
            key = await self.queue.get()
            assert key is not None
            self.queue.done(key)
            names.append(key.name)
        return names


async def finish(bench: Bench) -> None:
    """End the keeper, and see that it ends."""
    assert bench.task is not None
    bench.task.cancel()
    done, _ = await asyncio.wait([bench.task], timeout=60)
    assert done, "the keeper must end when it is told to"
    assert bench.task.cancelled()
