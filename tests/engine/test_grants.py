"""The statuses of APIGrants: what is counted, when it is written, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.grants import GrantReconciler
from registrar.engine.memory import Memory
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import KubeConflict
from registrar.kube.status import merge_patch
from tests.unit.lifecycle.build import claim, client, contract, gateway, grant

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

KEY = Key("APIGrant", "acme", "grant")
INTERVAL = 10.0


@dataclass
class Written:
    """Stands in for the API server: keeps what is written and puts it into the store, as an echo would."""

    store: Store
    rows: list[dict[str, Any]] = field(default_factory=list)
    refuse: bool = False

    async def write(self, *_: Any, old: Mapping[str, Any], new: dict[str, Any], **__: Any) -> dict[str, Any] | None:
        """Take a status."""
        if self.refuse:
            raise KubeConflict("changed", status=409)
        assert merge_patch(old, new), "nothing is written that is there"
        self.rows.append(new)
        found = self.store.grant("acme", "grant")
        assert found is not None
        version = str(int(found.meta.resource_version) + 1)
        made = replace(found, meta=replace(found.meta, resource_version=version), status_blob=orjson.dumps(new))
        assert self.store.upsert(made) is not None
        return None


@dataclass
class Bench:
    """A reconciler with what it needs."""

    store: Store
    queue: WorkQueue
    written: Written
    look: Callable[[], Awaitable[str]]

    @property
    def counts(self) -> list[int]:
        """The counts that were written."""
        return [row["consumers"] for row in self.written.rows]

    def reasons(self) -> dict[str, str]:
        """The conditions as they are."""
        return {row["type"]: row["reason"] for row in self.written.rows[-1]["conditions"]}


def bench(*items: Any) -> Bench:
    """A reconciler over these objects."""
    clock, store = LoopClock(epoch=1_800_000_000.0), Store()
    for item in items:
        assert store.upsert(item) is not None
    queue, written = WorkQueue(clock=clock, jitter=Jitter()), Written(store)
    ingest = Ingest(
        store=store,
        queue=queue,
        arrivals=Arrivals(clock=clock, settle=1.0, longest=5.0),
        memory=Memory(),
        clock=clock,
        home="system",
    )
    reconciler = GrantReconciler(
        store=store,
        queue=queue,
        ingest=ingest,
        status_writer=written,  # type: ignore[arg-type]
        clock=clock,
        counter_interval=INTERVAL,
    )
    return Bench(store, queue, written, lambda: reconciler.reconcile(KEY))


async def test_what_counts() -> None:
    """Fails when a Contract counts that the grant does not allow, or one that it does is left out."""
    now = 1_800_000_000.0
    fits = contract()
    made = bench(
        gateway(),
        gateway("second", default=False, organizations=(claim("acme", "others"),)),
        grant(),
        client(),
        fits,
        contract("a", api=fits.api, plan="silver"),
        contract("b", api=replace(fits.api, version="2.0")),
        contract("c", api=fits.api, expires_at=now - 1),
        contract("d", api=fits.api, deleting=True),
        contract("e", api=fits.api, gateway="second"),
        contract("f", api=fits.api, gateway="nowhere"),
        replace(contract("g", api=fits.api), meta=replace(contract("g").meta, namespace="mobile")),
        contract("billing"),
    )
    assert await made.look() == "success"
    assert made.counts == [2], "orders on 1.0 and on 2.0"
    assert made.reasons() == {"Ready": "Valid", "Accepted": "Valid"}


async def test_a_count_waits_its_turn() -> None:
    """Fails when every Contract costs the grant a write."""
    made = bench(gateway(), grant(), client())
    await made.look()
    for name in ("a", "b", "c"):
        made.store.upsert(contract(name, api=contract().api))
        await made.look()
    assert made.counts == [0]
    assert await asyncio.wait_for(made.queue.get(), timeout=INTERVAL + 1) == KEY
    await made.look()
    assert made.counts == [0, 3]
    made.queue.done(KEY)
    await asyncio.sleep(2 * INTERVAL)
    await made.look()
    await made.look()
    assert made.counts == [0, 3], "a count that stays is not written"


async def test_what_it_is_worth_is_said_at_once() -> None:
    """Fails when a grant without effect seems to have one until the next count."""
    made = bench(gateway(), grant(), client())
    await made.look()
    assert made.store.upsert(
        replace(
            gateway(organizations=(claim("acme", "others"),)),
            meta=replace(gateway().meta, resource_version="2"),
        )
    )
    await made.look()
    assert made.reasons() == {"Ready": "NotPermitted", "Accepted": "NotPermitted", "Stalled": "NotPermitted"}
    two = gateway(organizations=(claim("one", "acme"), claim("two", "acme")))
    assert made.store.upsert(replace(two, meta=replace(gateway().meta, resource_version="3")))
    await made.look()
    assert made.reasons()["Ready"] == "AmbiguousOrganization"


async def test_a_conflict_is_tried_again() -> None:
    """Fails when a write that was overtaken is lost."""
    made = bench(gateway(), grant(), client())
    made.written.refuse = True
    assert await made.look() == "requeue"
    made.written.refuse = False
    assert await asyncio.wait_for(made.queue.get(), timeout=INTERVAL + 1) == KEY
    # The count was made a moment ago, but it is not written yet: what is not said is never held back.
    assert await made.look() == "success"
    assert made.counts == [0]


async def test_a_grant_that_is_gone() -> None:
    """Fails when a key of a deleted grant is worked on."""
    made = bench(gateway())
    assert await made.look() == "success"
    assert made.written.rows == []
