"""What is owed: written before anything goes, paid when the gateway is back, and never paid with what is somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from registrar.clock import Jitter, SystemClock
from registrar.engine.audit import Audit
from registrar.engine.foreign import count_foreign
from registrar.engine.owed import MOST, Collector, Debt, Ledger, config_map_name
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import Seals
from registrar.engine.store import Store
from registrar.errors import GatewayUnreachable, KubeNotFound, KubeRefused
from registrar.gateways.base import Identity, Registration
from registrar.kube.client import Page
from tests.unit.lifecycle.build import client, gateway

KEY = "k" * 43
WHO = Identity("team", "shop", "1.0")
SEALS = Seals(b"s" * 32)
DEBT = Debt("uid-gone", "team/shop", WHO, key_digest=SEALS.key_digest(KEY))


class Kube:
    """ConfigMaps in memory; `requests` are the kinds of calls, in order."""

    def __init__(self) -> None:
        self.maps: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []

    async def patch(self, resource: Any, *, namespace: str, name: str, body: dict[str, Any], site: Any) -> Any:
        self.requests.append("patch")
        if name not in self.maps:
            raise KubeNotFound("no such ConfigMap", status=404)
        data = self.maps[name].setdefault("data", {})
        for key, value in body["data"].items():
            data.pop(key, None) if value is None else data.update({key: value})

    async def create(self, resource: Any, *, namespace: str, body: dict[str, Any], site: Any) -> Any:
        self.requests.append("create")
        self.maps[body["metadata"]["name"]] = body

    async def list_pages(self, resource: Any, *, namespace: str, label_selector: str) -> AsyncIterator[Page]:
        yield Page(items=list(self.maps.values()), resource_version="1")


@dataclass
class Gateway:
    """A gateway with at most one registration."""

    found: Registration | None = None
    down: bool = False
    removed: list[Identity] = field(default_factory=list)

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        if self.down:
            raise GatewayUnreachable("down")
        return self.found

    async def unregister(self, identity: Identity, *, urgent: bool = False) -> None:
        self.removed.append(identity)
        self.found = None

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        return {"shop": frozenset({"1.0", "1.0.r", "2.0"}), "other": frozenset({"1", "2"})}.get(client_id, frozenset())


def registration(key: str = KEY) -> Registration:
    """Under the identity that is owed."""
    return Registration("team", "shop", "1.0", key, ())


@dataclass
class Setup:
    """A collector with everything that it looks at."""

    kube: Kube
    ledger: Ledger
    store: Store
    queue: WorkQueue
    driver: Gateway
    breaker: SimpleNamespace
    collector: Collector

    async def collect(self) -> None:
        """One round."""
        for name, debts in self.ledger.open().items():
            await self.collector.collect(name, debts)


@pytest.fixture
async def setup() -> Setup:
    """One debt is written down; the gateway still has the registration."""
    kube, store, driver = Kube(), Store(), Gateway(found=registration())
    clock, jitter, breaker = SystemClock(), Jitter(), SimpleNamespace(is_open=False)
    ledger = Ledger(cast(Any, kube), namespace="system")
    queue = WorkQueue(clock=clock, jitter=jitter, base=1, maximum=10)
    store.upsert(gateway())
    handle = SimpleNamespace(driver=driver, breaker=breaker)
    pool = SimpleNamespace(handle=lambda name: handle)
    collector = Collector(
        ledger=ledger,
        store=store,
        pool=cast(Any, pool),
        queue=queue,
        seals=SEALS,
        audit=Audit(),
        clock=clock,
        jitter=jitter,
        interval=1,
    )
    await ledger.record("default", DEBT)
    return Setup(kube, ledger, store, queue, driver, breaker, collector)


async def test_a_debt_is_paid(setup: Setup) -> None:
    """Fails when a registration that is owed stays, or stays owed."""
    await setup.collect()
    assert setup.driver.removed == [WHO]
    assert (setup.ledger.count("default"), setup.kube.maps[config_map_name("default")]["data"]) == (0, {})
    assert setup.ledger.gateways_of("uid-gone") == frozenset()


async def test_a_debt_outlives_the_process(setup: Setup) -> None:
    """Fails when a restart forgets what is owed, or when a key is written down."""
    assert KEY not in str(setup.kube.maps)
    again = Ledger(cast(Any, setup.kube), namespace="system")
    await again.load()
    assert again.loaded and again.open() == {"default": (DEBT,)}
    assert again.gateways_of("uid-gone") == {"default"}


async def test_an_entry_that_somebody_spoilt_is_left_alone(setup: Setup) -> None:
    """Fails when one bad entry makes the others unreadable."""
    setup.kube.maps[config_map_name("default")]["data"] |= {"a": "nonsense", "b": "[]", "c": "{}"}
    again = Ledger(cast(Any, setup.kube), namespace="system")
    await again.load()
    assert again.count("default") == 1


@pytest.mark.parametrize("found", [None, registration("x" * 43)], ids=["gone", "somebody else's"])
async def test_what_is_not_owed_any_more_is_not_touched(setup: Setup, found: Registration | None) -> None:
    """Fails when a debt takes off what somebody else has put there, or never ends."""
    setup.driver.found = found
    await setup.collect()
    assert (setup.driver.removed, setup.driver.found, setup.ledger.count("default")) == ([], found, 0)


async def test_a_new_client_with_the_same_key_settles_it(setup: Setup) -> None:
    """Fails when a restored Client loses the registration that it has just taken over."""
    setup.store.reserve_key(SEALS.key_digest(KEY), "uid-new")
    await setup.collect()
    assert (setup.driver.removed, setup.ledger.count("default")) == ([], 0)


async def test_without_the_key_the_payload_is_the_proof(setup: Setup) -> None:
    """Fails when a Client whose Secret was gone is never taken off."""
    await setup.ledger.settle("default", DEBT)
    await setup.ledger.record("default", replace(DEBT, key_digest="", hash=SEALS.digest(registration())))
    await setup.collect()
    assert setup.driver.removed == [WHO]


async def test_a_gateway_that_does_not_help_is_asked_again_later(setup: Setup) -> None:
    """Fails when a dead gateway is hammered, or the debt is dropped."""
    setup.driver.down = True
    await setup.collect()
    setup.driver.down = False
    await setup.collect()
    assert (setup.driver.removed, setup.ledger.count("default")) == ([], 1)
    setup.breaker.is_open = True
    await setup.collect()
    setup.breaker.is_open = False
    await setup.collect()
    assert setup.driver.removed == [WHO]


async def test_observe_is_not_written_to(setup: Setup) -> None:
    """Fails when a debt is paid on a gateway that must not be written to."""
    found = gateway(mode="Observe")
    setup.store.upsert(replace(found, meta=replace(found.meta, resource_version="2")))
    await setup.collect()
    assert (setup.driver.removed, setup.ledger.count("default")) == ([], 1)


async def test_the_client_that_waits_for_the_identity_is_woken(setup: Setup) -> None:
    """Fails when a new Client under the identity waits out its backoff."""
    setup.store.upsert(client())
    setup.store.reserve_identity(
        gateway="default", organization="team", client_id="shop", version="1.0", uid="uid-shop"
    )
    await setup.collect()
    assert await setup.queue.get() == Key("Client", "team", "shop")


async def test_there_is_a_bound(setup: Setup) -> None:
    """Fails when a ConfigMap could grow past what the API server takes."""
    for number in range(MOST - 1):
        await setup.ledger.record("default", replace(DEBT, uid=f"uid-{number}"))
    await setup.ledger.record("default", DEBT)
    with pytest.raises(KubeRefused):
        await setup.ledger.record("default", replace(DEBT, uid="one-more"))


async def test_a_forgiven_debt_ends(setup: Setup) -> None:
    """Fails when a ConfigMap that was deleted keeps the collector busy."""
    setup.kube.maps.clear()
    await setup.collect()
    assert setup.ledger.open() == {}


async def test_versions_count_as_foreign_too() -> None:
    """Fails when another version of one of our clients is not counted, or a rotating one is."""
    listed = [("team", "shop"), ("team", "other"), ("team", "%2e")]
    ours = [Identity("team", "shop", "1.0")]
    assert await count_foreign(cast(Any, Gateway()), listed, ours=ours, pause=0.0) == 4
