"""From changes to the queue: who is looked at, and before whom."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import Memory
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from tests.unit.lifecycle.build import client, contract, gateway, meta, policy


def ingest() -> Ingest:
    """An empty operator's ear."""
    clock = LoopClock()
    queue = WorkQueue(clock=clock, jitter=Jitter(random.Random(1)))
    arrivals = Arrivals(clock=clock, settle=2, longest=10)
    return Ingest(store=Store(), queue=queue, arrivals=arrivals, memory=Memory(), clock=clock, home="system")


async def drained(made: Ingest, kind: str = "Client") -> list[str]:
    """The keys that wait, in order."""
    names = []
    while made._queue.depth:
        key = await made._queue.get()
        assert key is not None
        made._queue.done(key)
        names += [key.name] if key.kind == kind else []
    return names


def fill(made: Ingest, count: int) -> None:
    """That many Clients, each with a Contract on the same plan."""
    for number in range(count):
        name = f"c{number:03}"
        made.store.upsert(client(meta=meta(name), client_id=name))
        made.store.upsert(contract(meta=meta(f"{name}-orders"), client=name))


def runtime_gateway(version: int, **spec: Any) -> dict[str, Any]:
    """A RuntimeGateway as the API server sends it."""
    metadata = {"name": "default", "uid": "g", "resourceVersion": str(version), "generation": version}
    return {"metadata": metadata, "spec": {"type": "Apiman", **spec}}


async def test_the_emergency_stop_goes_first() -> None:
    """Fails when a blocked Client waits behind all others that a changed RuntimeGateway wakes."""
    made = ingest()
    fill(made, 150)
    made.apply("RuntimeGateway", "ADDED", runtime_gateway(1))
    await drained(made)
    block = {"organization": "team", "clientId": "c149", "reason": "leak"}
    made.apply("RuntimeGateway", "MODIFIED", runtime_gateway(2, blocked=[block]))
    names = await drained(made)
    assert names[0] == "c149" and len(names) == 150
    # All others but one are blocked in another version than theirs: only who is hit may go first, and else who does is left to chance.
    beside = [block | {"clientId": f"c{number:03}", "version": "9"} for number in range(149) if number != 100]
    hit = block | {"clientId": "c100", "version": "1.0"}
    made.apply("RuntimeGateway", "MODIFIED", runtime_gateway(3, blocked=[block, *beside, hit]))
    names = await drained(made)
    assert names[0] == "c100" and len(names) == 150


async def test_a_gateway_is_looked_at_when_it_or_its_credentials_change() -> None:
    """Fails when a corrected RuntimeGateway waits for the next look, or a tenant's Secret of the same name has one come."""

    def credentials(namespace: str, version: int) -> dict[str, Any]:
        labels = {"gateway-registrar.dev/credentials": "true"}
        metadata = {"name": "creds", "namespace": namespace, "uid": namespace, "resourceVersion": str(version)}
        return {"metadata": {**metadata, "labels": labels}, "data": {"password": "cA=="}, "type": "Opaque"}

    made = ingest()
    made.apply("RuntimeGateway", "ADDED", runtime_gateway(1, apiman={"credentialsSecretRef": {"name": "creds"}}))
    assert await drained(made, "RuntimeGateway") == ["default"]
    made.apply("Secret", "ADDED", credentials("team", 2))
    made.apply("Secret", "ADDED", credentials("system", 3))
    assert await drained(made, "RuntimeGateway") == ["default"]
    status = {"conditions": [], "clients": {"ours": 1}}
    made.apply("RuntimeGateway", "MODIFIED", {**runtime_gateway(1), "status": status})
    assert await drained(made, "RuntimeGateway") == []


async def test_a_fan_out_waits_behind_the_rest() -> None:
    """Fails when a plan's policy, changed or deleted, keeps a revocation waiting behind thousands of Clients."""
    from registrar.resources.objects import TargetRef

    made = ingest()
    fill(made, 150)
    limit = policy("limit", namespace="acme", target=TargetRef("Plan", "gold", "acme"))
    made.store.upsert(gateway())
    made.store.upsert(limit)
    made.deleted("Policy", limit.meta)
    made._queue.add(Key("Client", "team", "other"))
    names = await drained(made)
    assert names[0] == "other" and len(names) == 151
    few = ingest()
    fill(few, 3)
    few.store.upsert(gateway())
    few.store.upsert(replace(limit))
    few._queue.add(Key("Client", "team", "other"))
    few.deleted("Policy", limit.meta)
    assert (await drained(few))[-1] == "other"
    await asyncio.sleep(0)
