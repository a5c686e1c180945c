"""What one Client's refused registration teaches about an API concerns every other Client that wants it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.memory import Memory
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.reconciler import ClientReconciler
from registrar.engine.store import Store
from registrar.errors import GatewayApiNotPublished
from registrar.lifecycle.model import Push, Why
from registrar.resources.objects import ApiRef
from tests.unit.lifecycle.build import client, contract, meta, registered

pytestmark = pytest.mark.looptime
ORDERS = ApiRef("acme", "orders", "1.0")


@dataclass
class Handle:
    """A gateway that was without orders, and has it again."""

    missing: frozenset[ApiRef] = frozenset({ORDERS})

    async def check_apis(self, apis: list[ApiRef]) -> bool:
        """It is back."""
        self.missing -= frozenset(apis)
        return True


async def test_an_api_that_is_back_wakes_all_who_want_it() -> None:
    """Fails when the others, registered without the API, are never told: their contracts would stay off until something else happens to them."""
    store, clock = Store(), LoopClock()
    store.upsert(client())
    store.upsert(contract("orders"))
    store.upsert(contract("elsewhere", meta=meta("elsewhere"), client="other", api=ORDERS))
    queue = WorkQueue(clock=clock, jitter=Jitter(random.Random(1)))
    none = cast(Any, None)
    reconciler = ClientReconciler(
        store=store,
        queue=queue,
        arrivals=none,
        memory=Memory(),
        pool=cast(Any, SimpleNamespace(handle=lambda _: Handle())),
        gatherer=none,
        effects=none,
        clock=clock,
        hold=4.0,
    )
    seen = registered(contract("orders"))
    effect = Push("default", seen.status.gateways[0], Why.HEALED)
    gathered = cast(Any, SimpleNamespace(view=seen))
    assert await reconciler._check_apis(gathered, effect, GatewayApiNotPublished("gone", status=404)) == {}
    woken = {await queue.get() for _ in range(queue.depth)}
    assert woken == {Key("Client", "team", "shop"), Key("Client", "team", "other")}
