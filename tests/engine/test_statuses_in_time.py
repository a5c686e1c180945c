"""What other tools wait for is written at once: the generation of a Policy, and that a Contract is live no more. Counters wait."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import Memory
from registrar.engine.policies import PolicyReconciler
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.reconciler import ClientReconciler
from registrar.engine.store import Store
from registrar.resources.objects import ContractObject, PolicyObject
from registrar.resources.status import ContractStatus
from tests.unit.lifecycle.build import client, contract, gateway, policy

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
NONE = cast(Any, None)
LIMIT = Key("Policy", "team", "limit")
SHOP = Key("Client", "team", "shop")


@dataclass
class Bench:
    """A Policy's reconciler over a store; `written` are the statuses."""

    store: Store = field(default_factory=Store)
    clock: LoopClock = field(default_factory=lambda: LoopClock(epoch=1_800_000_000.0))
    written: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = WorkQueue(clock=self.clock, jitter=Jitter(random.Random(1)))
        self.reconciler = PolicyReconciler(
            store=self.store,
            queue=self.queue,
            pool=cast(Any, SimpleNamespace(handle=lambda _: None)),
            ingest=NONE,
            status_writer=cast(Any, SimpleNamespace(write=self.write)),
            clock=self.clock,
            facts=PolicyFacts(store=self.store, home="registrar", secret=b"secret"),
            counter_interval=10.0,
        )

    async def write(self, *_: Any, new: dict[str, Any], **__: Any) -> None:
        """Stands in for the API server: the status comes back as its echo."""
        self.written.append(new)
        self.put(replace(self.policy, status_blob=orjson.dumps(new)))

    @property
    def policy(self) -> PolicyObject:
        """The Policy as the store has it."""
        found = self.store.policy("team", "limit")
        assert found is not None
        return found

    def put(self, changed: PolicyObject, **meta: Any) -> None:
        """A newer version of the Policy."""
        version = str(int(changed.meta.resource_version) + 1)
        assert (
            self.store.upsert(replace(changed, meta=replace(changed.meta, resource_version=version, **meta)))
            is not None
        )

    async def look(self) -> dict[str, str]:
        """Reconcile; the conditions as they stand then, as `status/reason`."""
        await self.reconciler.reconcile(LIMIT)
        rows = self.policy.raw_status.get("conditions", [])
        return {row["type"]: f"{row['status']}/{row['reason']}" for row in rows}


def bench(*items: Any) -> Bench:
    """A reconciler over these objects and the Policy `limit`."""
    made = Bench()
    for item in (gateway(), policy(), *items):
        assert made.store.upsert(item) is not None
    return made


async def test_a_new_generation_is_seen_at_once() -> None:
    """Fails when an edit within ten seconds of the last status leaves a Policy in progress until they are over."""
    made = bench(client(), contract())
    await made.look()
    made.put(made.policy, generation=2)
    await made.look()
    assert [status["observedGeneration"] for status in made.written] == [1, 2]


async def test_counters_wait() -> None:
    """Fails when every new Contract of a plan writes the statuses of its policies."""
    made = bench(client(), contract())
    await made.look()
    assert made.store.upsert(contract("billing")) is not None
    await made.look()
    assert [status["contracts"]["effective"] for status in made.written] == [1]


async def test_a_target_that_is_not_there_is_waited_for() -> None:
    """Fails when a Policy that comes before its Client fails a rollout, or counts as done."""
    made = bench()
    found = await made.look()
    assert found == {"Accepted": "False/TargetNotFound", "Reconciling": "True/TargetNotFound"}
    assert made.store.upsert(client()) is not None
    assert await made.look() == {"Accepted": "True/Valid", "Programmed": "True/Programmed"}


async def test_what_is_refused_is_stalled() -> None:
    """Fails when a Policy that can never be applied counts as done: kstatus reads no `Accepted`."""
    made = bench(client())
    made.put(replace(made.policy, type="custom", config='{"implementation":"class:com.example.Audit"}'))
    assert await made.look() == {"Accepted": "False/NotPermitted", "Stalled": "True/NotPermitted"}


@pytest.mark.parametrize(("phase", "told"), [("Active", True), ("Pending", False), ("", False)])
async def test_a_live_contract_without_a_client_says_so_at_once(phase: str, told: bool) -> None:
    """Fails when a Contract says that it is live while its Client is gone, or one that came before its Client is not given time."""
    store, clock = Store(), LoopClock(epoch=1_800_000_000.0)
    arrivals = Arrivals(clock=clock, settle=1.0, longest=5.0)
    arrivals.note(SHOP)
    assert store.upsert(contract(status=ContractStatus(phase=phase))) is not None
    rows: list[tuple[ContractObject, ContractStatus]] = []

    async def write_contracts(written: tuple[tuple[ContractObject, ContractStatus], ...]) -> None:
        rows.extend(written)

    reconciler = ClientReconciler(
        store=store,
        queue=WorkQueue(clock=clock, jitter=Jitter(random.Random(1))),
        arrivals=arrivals,
        memory=Memory(),
        pool=NONE,
        gatherer=NONE,
        effects=cast(Any, SimpleNamespace(write_contracts=write_contracts)),
        clock=clock,
        hold=4.0,
    )
    assert await reconciler.reconcile(SHOP) == "success"
    assert [status.phase for _, status in rows] == (["Pending"] if told else [])
