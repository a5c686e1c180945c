"""The watch over gateways in virtual time: a loss is noticed, said and queued, whatever else is going on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.figures import Figures
from registrar.engine.gateway_finalizer import GatewayFinalizer
from registrar.engine.gather import Gatherer
from registrar.engine.heal_rate import FEW
from registrar.engine.keeper import LONGEST_START, GatewayKeeper
from registrar.engine.memory import Memory
from registrar.engine.owed import Ledger
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.pool import Handle
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import Seals, identity_of, registration
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import GatewayUnreachable
from registrar.gateways.base import GatewayInfo, Identity, Registration
from registrar.gateways.limits import CircuitBreaker
from registrar.lifecycle.model import Live, LiveFact
from registrar.metrics import Metrics
from registrar.resources.objects import ApiRef, Block, ClientObject, ContractObject, GatewayObject
from registrar.resources.status import ContractStatus, PublishedContract, Snapshot
from tests.unit.lifecycle.build import contract, gateway, meta, status, view

pytestmark = pytest.mark.looptime
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


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    """All benches of a test; their keepers end with it."""
    BENCH.clear()
    yield BENCH
    BENCH.clear()


async def finish(bench: Bench) -> None:
    """End the keeper, and see that it ends."""
    assert bench.task is not None
    bench.task.cancel()
    done, _ = await asyncio.wait([bench.task], timeout=60)
    assert done, "the keeper must end when it is told to"
    assert bench.task.cancelled()


async def test_a_reset_is_noticed_said_and_queued_the_oldest_first(benches: list[Bench], looptime: float) -> None:
    """Fails when a reset is noticed later than 10 s after it, or said late, or heals in any other order."""
    bench = Bench()
    times = {number: f"2026-01-{1 + (number * 5) % 28:02}T00:00:00Z" for number in range(28)}
    for number, since in times.items():
        bench.add(number, since=since)
    bench.start()
    await asyncio.sleep(30)
    assert bench.queue.idle
    bench.drivers["default"].has.clear()
    lost_at = asyncio.get_running_loop().time()
    names = await bench.queued(28)
    assert names == [f"c{number}" for number in sorted(times, key=lambda n: times[n])]
    assert asyncio.get_running_loop().time() - lost_at < 10
    await asyncio.sleep(1)
    at, reason = bench.writer.ready("default")[-1]
    assert reason == "Healing" and at - lost_at < 10
    assert bench.writer.writes[-1][2]["clients"] == {"ours": 0, "foreign": 0, "expected": 28, "healing": 28}
    await finish(bench)


async def test_a_reset_takes_both_keys_of_an_overlap(benches: list[Bench]) -> None:
    """Fails when of two registrations only the published one is known to be lost: its second key would stay dead until the next full check."""
    bench = Bench()
    for number in range(5):
        uid = bench.add(number).meta.uid
        bench.memory.of(uid).saw_second("default", LiveFact(state=Live.OURS, digest="other", version="1.0"))
        fact = replace(bench.memory.of(uid).live["default"], version="1.0.r")
        bench.memory.of(uid).live["default"] = fact
    driver = bench.drivers["default"]
    driver.has = {replace(identity, version="1.0.r"): wire for identity, wire in driver.has.items()}
    bench.start()
    await asyncio.sleep(30)
    assert bench.queue.idle
    driver.has.clear()
    await bench.queued(5)
    for memory in (bench.memory.of(f"uid-c{number}") for number in range(5)):
        assert memory.second["default"].state is Live.ABSENT
        assert (memory.live["default"].state, memory.live["default"].version) == (Live.ABSENT, "1.0.r")
    await finish(bench)


async def test_healing_is_counted_down(benches: list[Bench]) -> None:
    """Fails when a RuntimeGateway says `0 of n` until the last is back, or for ever."""
    bench = Bench()
    clients = [bench.add(number) for number in range(10)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    lost = dict(driver.has)
    driver.has.clear()
    await bench.queued(10)
    for one, (identity, wire) in zip(clients, lost.items(), strict=True):
        await asyncio.sleep(11)
        driver.has[identity] = wire
        fact = LiveFact(state=Live.OURS, digest=one.status.snapshot("default").hash)
        bench.memory.of(one.meta.uid).saw("default", fact)
    await asyncio.sleep(20)
    seen = [new["clients"]["healing"] for _, _, new in bench.writer.writes]
    assert seen[-1] == 0 and len(set(seen)) >= 8, seen
    assert bench.writer.ready("default")[-1][1] == "Ready"
    await finish(bench)


async def test_who_waits_for_a_heal_is_asked_to_say_so(benches: list[Bench]) -> None:
    """Fails when Clients behind a slow gateway go on looking registered, or are asked again and again, or one that is not lost is."""
    bench = Bench()
    clients = [bench.add(number, since=f"2026-01-0{5 - number}T00:00:00Z") for number in range(4)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    [kept] = [i for i in driver.has if i.client_id == "c3"]
    driver.has = {kept: driver.has[kept]}
    assert await bench.queued(3) == ["c2", "c1", "c0"]
    memories = [bench.memory.of(one.meta.uid) for one in clients]
    assert not any(memory.tell for memory in memories)
    assert await bench.queued(3) == ["c2", "c1", "c0"]
    assert [memory.tell for memory in memories] == [True, True, True, False]
    await asyncio.sleep(60)
    assert bench.queue.idle
    await finish(bench)


async def test_only_a_few_say_so_while_heals_go_quickly(benches: list[Bench]) -> None:
    """Fails when a fast gateway's heals wait behind the status writes of all that are still to come."""
    bench = Bench()
    clients = [bench.add(number) for number in range(600)]
    bench.start()
    await asyncio.sleep(20)
    driver = bench.drivers["default"]
    lost = dict(driver.has)
    driver.has.clear()
    memories = [bench.memory.of(one.meta.uid) for one in clients]
    await bench.queued(len(clients))
    for one, (identity, wire) in zip(clients, lost.items(), strict=True):
        await asyncio.sleep(0.05)
        driver.has[identity] = wire
        fact = LiveFact(state=Live.OURS, digest=one.status.snapshot("default").hash)
        bench.memory.of(one.meta.uid).saw("default", fact)
    asked = sum(memory.tell for memory in memories)
    assert FEW <= asked <= 6 * FEW, asked
    await finish(bench)


async def test_a_long_check_holds_nothing_up(benches: list[Bench]) -> None:
    """Fails when a full check of one gateway keeps another one, or its own status, from being looked at."""
    bench = Bench(gateway(), gateway("second", default=False))
    for number in range(10):
        bench.add(number)
        bench.add(100 + number, on="second")
    held = bench.drivers["default"].held = asyncio.Event()
    bench.start()
    await asyncio.sleep(30)
    assert bench.writer.ready("second")[-1][1] == "Ready"
    bench.drivers["second"].has.clear()
    assert len(await bench.queued(10)) == 10
    held.set()
    bench.drivers["default"].down = True
    await asyncio.sleep(12)
    assert bench.writer.ready("default")[-1][1] == "GatewayUnreachable"
    await finish(bench)


async def test_a_reset_during_a_check(benches: list[Bench]) -> None:
    """Fails when a reset has to wait for the end of a check that is spread over minutes."""
    bench = Bench()
    for number in range(30):
        bench.add(number)
    bench.start()
    await asyncio.sleep(60)
    assert bench.keeper.watched["default"].checking
    bench.drivers["default"].has.clear()
    before = asyncio.get_running_loop().time()
    assert len(await bench.queued(30)) == 30
    assert asyncio.get_running_loop().time() - before < 10
    await finish(bench)


async def test_reads_are_spread_out(benches: list[Bench]) -> None:
    """Fails when a full check of thousands comes in one burst, or takes longer than it may."""
    bench = Bench()
    for number in range(40):
        bench.add(number)
    bench.start()
    await asyncio.sleep(60)
    early = len(bench.drivers["default"].reads)
    assert early < 25
    await asyncio.sleep(260)
    assert not bench.keeper.watched["default"].checking
    assert set(bench.drivers["default"].reads) == {f"c{n}" for n in range(40)}
    await finish(bench)


async def test_an_api_that_is_back_before_the_check_ends(benches: list[Bench]) -> None:
    """Fails when a check says of an API what was true when it asked, minutes before it says so: its Contracts would be taken for dead, and pushed again."""
    bench = Bench()
    for number in range(20):
        bench.add(number, api=f"a{number:02}")
    driver, handle = bench.drivers["default"], bench.pool.handles["default"]
    back = ApiRef("acme", "a00", "1.0")
    gone = ApiRef("acme", "a01", "1.0")
    driver.apis -= {back, gone}
    bench.start()
    await asyncio.sleep(30)
    assert 2 < driver.api_calls < 20, "in the middle of the check"
    driver.apis.add(back)
    assert not handle.missing
    assert await bench.queued(1) == ["c1"]
    assert handle.missing == {gone}
    await asyncio.sleep(300)
    assert bench.queue.idle
    await finish(bench)


async def test_drift_of_one(benches: list[Bench]) -> None:
    """Fails when a changed registration is not found by the check, said in words, or counted."""
    bench = Bench(gateway(drift_interval=20))
    bench.add(1)
    other = bench.add(2)
    driver = bench.drivers["default"]
    [identity] = [i for i in driver.has if i.client_id == "c2"]
    driver.has[identity] = replace(driver.has[identity], contracts=())
    bench.start()
    assert await bench.queued(1) == ["c2"]
    fact = bench.memory.of(other.meta.uid).live["default"]
    assert fact.drift == ("contract c2-orders is gone",)
    assert 'outcome="found"} 1.0' in bench.metrics.render().decode()
    await asyncio.sleep(100)
    assert bench.queue.idle, "what is known is not found again"
    await finish(bench)


async def test_what_was_presumed_at_the_start_is_read_soon(benches: list[Bench]) -> None:
    """Fails when a registration that somebody changed while no operator ran is only found minutes later, or a loss is."""
    bench = Bench()
    clients = [bench.add(number) for number in range(50)]
    for one in clients:
        memory = bench.memory.of(one.meta.uid)
        memory.presumed, memory.live = dict(memory.live), {}
    driver = bench.drivers["default"]
    changed, gone = ([i for i in driver.has if i.client_id == name][0] for name in ("c7", "c9"))
    driver.has[changed] = replace(driver.has[changed], contracts=())
    del driver.has[gone]
    bench.start()
    assert set(await bench.queued(2)) == {"c7", "c9"}
    await asyncio.sleep(10)
    assert len(set(driver.reads)) == 49, (
        "the rest waits for the drift interval, but what is not known yet is read at once"
    )
    states = [bench.memory.of(one.meta.uid).live["default"].state for one in clients]
    assert (states.count(Live.OURS), states.count(Live.ABSENT)) == (49, 1)
    await finish(bench)


async def test_the_first_check_waits_for_the_passes_of_the_start(benches: list[Bench]) -> None:
    """Fails when Clients that no pass has looked at yet are left out of the first check, which the next one follows ten minutes later."""
    bench = Bench()
    one = bench.add(1)
    key = Key("Client", one.meta.namespace, one.meta.name)
    bench.queue.add(key)
    bench.start()
    await asyncio.sleep(20)
    assert bench.keeper.watched["default"].check is None
    assert await bench.queue.get() == key
    bench.queue.done(key)
    await asyncio.sleep(6)
    assert bench.keeper.watched["default"].checking
    await finish(bench)


async def test_a_queue_that_is_never_empty_keeps_no_check_away(benches: list[Bench]) -> None:
    """Fails when a busy operator never looks for drift."""
    bench = Bench()
    one = bench.add(1)
    bench.queue.add(Key("Client", one.meta.namespace, one.meta.name))
    bench.start()
    await asyncio.sleep(LONGEST_START + 12)
    assert bench.keeper.watched["default"].check is not None
    await finish(bench)


async def test_a_pass_beats_a_check(benches: list[Bench]) -> None:
    """Fails when what a check read before a pass changed the gateway is taken for what is there now."""
    bench = Bench()
    one = bench.add(1)
    driver = bench.drivers["default"]
    pushed = dict(driver.has)
    driver.has.clear()
    driver.held = asyncio.Event()
    bench.start()
    await asyncio.sleep(8)
    driver.has |= pushed
    fresh = LiveFact(state=Live.OURS, digest=one.status.snapshot("default").hash)
    bench.memory.of(one.meta.uid).forget_live("default")
    bench.memory.of(one.meta.uid).saw("default", fresh)
    driver.held.set()
    await asyncio.sleep(60)
    assert bench.memory.of(one.meta.uid).live["default"] is fresh
    assert bench.queue.idle
    await finish(bench)


async def test_a_blocked_client_is_not_missed(benches: list[Bench]) -> None:
    """Fails when a blocked Client sets off a check every five seconds, or counts as lost."""
    bench = Bench(gateway(blocked=(Block("team", "c1", "", "leak"),)))
    one = bench.add(1)
    bench.drivers["default"].has.clear()
    bench.memory.of(one.meta.uid).saw("default", LiveFact(state=Live.ABSENT))
    bench.start()
    await asyncio.sleep(60)
    assert bench.queue.idle
    assert bench.writer.writes[-1][2]["clients"] == {"ours": 0, "foreign": 0, "expected": 0, "healing": 0}
    await finish(bench)


async def test_a_lost_registration_where_drift_is_only_reported(benches: list[Bench]) -> None:
    """Fails when a RuntimeGateway says that it heals what it only reports."""
    bench = Bench(gateway(drift_mode="Observe"))
    bench.add(1)
    bench.start()
    await asyncio.sleep(10)
    bench.drivers["default"].has.clear()
    assert await bench.queued(1) == ["c1"]
    await asyncio.sleep(1)
    assert bench.writer.ready("default")[-1][1] == "Drifted"
    await finish(bench)


async def test_a_retired_api(benches: list[Bench]) -> None:
    """Fails when an API that was retired later is not noticed, or its return."""
    bench = Bench(gateway(drift_interval=20))
    bench.add(1, api="orders")
    bench.add(2, api="billing")
    bench.start()
    await asyncio.sleep(30)
    gone = ApiRef("acme", "billing", "1.0")
    bench.drivers["default"].apis.discard(gone)
    assert await bench.queued(1) == ["c2"]
    handle = bench.pool.handles["default"]
    assert handle.missing == frozenset({gone}) and not handle.apis_vanished
    bench.drivers["default"].apis.add(gone)
    assert await bench.queued(1) == ["c2"]
    assert handle.missing == frozenset()
    await finish(bench)


async def test_many_apis_at_once_are_seen_as_many(benches: list[Bench]) -> None:
    """Fails when APIs that vanish together are taken in one by one: the first ones would have Contracts rejected."""
    bench = Bench(gateway(drift_interval=20))
    for number in range(12):
        bench.add(number, api=f"api{number}")
    bench.start()
    await asyncio.sleep(30)
    handle = bench.pool.handles["default"]
    bench.drivers["default"].apis.clear()
    await bench.queued(1)
    assert handle.apis_vanished and len(handle.missing) == 12
    await bench.queued(11)
    await asyncio.sleep(6)
    assert bench.writer.ready("default")[-1][1] == "ApisMissing"
    bench.drivers["default"].apis |= handle.missing
    assert len(set(await bench.queued(12))) == 12
    await asyncio.sleep(6)
    assert bench.writer.ready("default")[-1][1] == "Ready"
    await finish(bench)


async def test_a_missing_api_that_nobody_wants_is_forgotten(benches: list[Bench]) -> None:
    """Fails when a misspelled API of a Contract that is gone is asked for until the end of time."""
    bench = Bench()
    bench.pool.handles["default"].missing = frozenset({ApiRef("acme", "typo", "1.0")})
    bench.start()
    await asyncio.sleep(30)
    assert bench.pool.handles["default"].missing == frozenset()
    assert bench.drivers["default"].api_calls == 0
    await finish(bench)


async def test_missing_apis_are_asked_for_in_parts(benches: list[Bench]) -> None:
    """Fails when thousands of missing APIs cost thousands of calls every five seconds, or one of them is never asked for."""
    bench = Bench()
    for number in range(120):
        bench.add(number, api=f"api{number}")
    driver = bench.drivers["default"]
    bench.pool.handles["default"].missing = frozenset(driver.apis)
    driver.apis.clear()
    bench.keeper.watched.clear()
    handle = bench.pool.handles["default"]
    from registrar.engine.drift import ASKED

    drift = bench.keeper._watched("default").drift
    for _ in range(3):
        before = driver.api_calls
        await drift.ask_missing(handle)
        assert driver.api_calls - before <= ASKED
    assert driver.api_calls == 120


async def test_a_changed_gateway_is_looked_at_at_once(benches: list[Bench]) -> None:
    """Fails when somebody who corrects a RuntimeGateway, or makes one, waits for the interval to see what came of it."""
    bench = Bench()
    bench.start()

    async def changed(name: str) -> str:
        await bench.keeper.reconcile(Key("RuntimeGateway", "", name))
        await asyncio.sleep(0.1)
        at, reason = bench.writer.ready(name)[-1]
        assert asyncio.get_running_loop().time() - at < 0.2
        return reason

    await asyncio.sleep(21)
    bench.drivers["default"].down = True
    assert await changed("default") == "GatewayUnreachable"
    await asyncio.sleep(21)
    bench.drivers["default"].down = False
    bench.store.upsert(gateway("new"))
    bench.pool.handles["new"] = replace(bench.pool.handles["default"], name="new")
    assert await changed("new") == "Ready"
    await finish(bench)


async def test_a_gateway_that_goes_and_comes(benches: list[Bench]) -> None:
    """Fails when the watch over a deleted RuntimeGateway does not end, or one that comes later is not watched."""
    bench = Bench()
    bench.add(1)
    bench.start()
    await asyncio.sleep(20)
    found = bench.store.gateway("default")
    assert found is not None
    watched = bench.keeper.watched["default"]
    bench.store.remove("RuntimeGateway", "", "default", found.meta.uid)
    watched.due.set()
    await asyncio.sleep(12)
    assert bench.keeper.watched == {}
    bench.store.upsert(gateway("later"))
    bench.pool.handles["later"] = replace(bench.pool.handles["default"], name="later")
    await asyncio.sleep(12)
    assert bench.writer.ready("later")[-1][1] == "Ready"
    await finish(bench)


async def test_a_look_costs_the_same_for_many(benches: list[Bench]) -> None:
    """Fails when a look walks over all Clients: at 10,000 of them the operator would never be idle."""
    bench = Bench()
    for number in range(50):
        bench.add(number)
    watched = bench.keeper._watched("default")
    watched.next_check = float("inf")
    calls: list[str] = []
    original = bench.store.client

    def counting(namespace: str, name: str) -> ClientObject | None:
        calls.append(name)
        return original(namespace, name)

    bench.store.client = counting  # type: ignore[method-assign]
    for _ in range(10):
        calls.clear()
        await bench.keeper.look("default")
        assert len(calls) <= 3


def key_age(bench: Bench, client: ClientObject, seconds: float, *, version: str) -> None:
    """The Client's key was made so many seconds ago; 0 for a status that does not say."""
    since = bench.clock.now() - seconds if seconds else 0.0
    bench.store.upsert(replace(client, key_since=since, meta=replace(client.meta, resource_version=version)))


async def test_what_the_metrics_say_of_a_gateway(benches: list[Bench]) -> None:
    """Fails when a loss, what is foreign or the oldest key is not what the gauges say, or keys are looked through for every reading."""
    await asyncio.sleep(1000)
    bench = Bench()
    rows = [bench.add(number) for number in range(3)]
    for row in rows:
        key_age(bench, row, 0, version="2")
    figures = Figures(
        store=bench.store,
        keeper=bench.keeper,
        pool=cast(Any, bench.pool),
        ledger=bench.keeper.ledger,
        clock=bench.clock,
    )
    assert figures.gateways() == []
    await bench.keeper.look("default")
    (first,) = figures.gateways()
    assert (first.ready, first.expected, first.ours, first.healing) == (True, 3, 3, 0)
    assert (first.foreign, first.owed, first.oldest_key) == (None, None, None)

    key_age(bench, rows[0], 100, version="3")
    await asyncio.sleep(61)
    assert [row.oldest_key for row in figures.gateways()] == [pytest.approx(161)]
    key_age(bench, rows[1], 500, version="3")
    assert [row.oldest_key for row in figures.gateways()] == [pytest.approx(161)], "what was read a moment ago is kept"
    await asyncio.sleep(61)
    (aged,) = figures.gateways()
    assert aged.oldest_key == pytest.approx(561)
    await asyncio.sleep(400)
    assert [row.foreign for row in figures.gateways()] == [0], "the full check has counted"

    bench.drivers["default"].has.clear()
    bench.pool.handles["default"].breaker = CircuitBreaker(failures=0)
    await bench.keeper.look("default")
    await asyncio.sleep(9)
    await bench.keeper.look("default")
    (lost,) = figures.gateways()
    assert (lost.ready, lost.reason, lost.healing, lost.ours, lost.circuit_open) == (False, "Healing", 3, 0, True)
