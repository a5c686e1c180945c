"""The yardstick: the very writes that the operator made, with their real bodies, sent to fresh objects of the same kind by a plain loop.

resourceVersions are left out, and UIDs are those of the fresh objects. What this module deliberately does not do: read, compute or wait for anything between two writes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import orjson

from registrar.lifecycle.case import FINALIZER
from tests.bench.api import Api, Json, in_flight
from tests.bench.load import ROOT, Load

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Write:
    """One precomputed write."""

    method: str
    path: str
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Record:
    """The operator's writes, a batch for each Client; `names` tells whose UID is which."""

    batches: list[list[Write]]
    names: dict[str, str]


async def record(api: Api, done: Load, *, events: int) -> Record:
    """What the operator wrote for `done`, in the order in which it writes; `events` Events are shared out among the Clients."""
    contracts: dict[str, list[Json]] = {}
    names = {}
    for row in await _of(api, "contracts", done):
        contracts.setdefault(f"{row['metadata']['namespace']}/{row['spec']['clientRef']['name']}", []).append(row)
        names[row["metadata"]["uid"]] = _name("contracts", row, done)
    secrets = {f"{s['metadata']['namespace']}/{s['metadata']['name']}": s for s in await api.list("/api/v1/secrets")}
    batches = []
    for number, row in enumerate(await _of(api, "clients", done)):
        key = f"{row['metadata']['namespace']}/{row['metadata']['name']}"
        names[row["metadata"]["uid"]] = _name("clients", row, done)
        batches.append(list(_writes(row, secrets[f"{key}-api-key"], contracts[key], event=number < events)))
    return Record(batches=batches, names=names)


async def prepare(api: Api, recorded: Record, *, done: Load, fresh: Load) -> list[list[Write]]:
    """The recorded writes for the objects of `fresh`: with their namespaces and UIDs in place of the former ones."""
    doubles = {
        _name(kind, row, fresh): row["metadata"]["uid"]
        for kind in ("clients", "contracts")
        for row in await _of(api, kind, fresh)
    }
    uids = {uid: doubles[name] for uid, name in recorded.names.items()}

    def moved(write: Write) -> Write:
        body = _UID.sub(lambda match: uids.get(match[0], match[0]), write.body.decode())
        path = write.path.replace(f"/namespaces/{done.prefix}", f"/namespaces/{fresh.prefix}")
        return replace(write, path=path, body=body.replace(done.prefix, fresh.prefix).encode())

    return [[moved(write) for write in batch] for batch in recorded.batches]


def _writes(row: Json, secret: Json, contracts: list[Json], *, event: bool) -> Iterator[Write]:
    space, name = row["metadata"]["namespace"], row["metadata"]["name"]
    path = f"{ROOT}/namespaces/{space}/clients/{name}"
    finalizer = [{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]
    yield Write("PATCH", path, orjson.dumps(finalizer), JSON_PATCH)
    kept = {key: secret["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": kept, "data": secret["data"]}
    yield Write("POST", f"/api/v1/namespaces/{space}/secrets", orjson.dumps(body))
    yield Write("PATCH", f"{path}/status", orjson.dumps({"status": row["status"]}), MERGE)
    for contract in contracts:
        target = f"{ROOT}/namespaces/{space}/contracts/{contract['metadata']['name']}/status"
        yield Write("PATCH", target, orjson.dumps({"status": contract["status"]}), MERGE)
    if event:
        yield Write("POST", f"/apis/events.k8s.io/v1/namespaces/{space}/events", orjson.dumps(_event(space, name)))


def _event(space: str, name: str) -> Json:
    """An Event as the operator writes one for a first registration."""
    regarding = {"apiVersion": "gateway-registrar.dev/v1alpha1", "kind": "Client", "namespace": space, "name": name}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.replayed", "namespace": space},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "gateway-registrar.dev/registrar",
        "reportingInstance": "replay",
        "action": "Registered",
        "reason": "Registered",
        "note": "ContractAdded: " + "x" * 400,
        "type": "Normal",
        "regarding": regarding,
    }


async def _of(api: Api, kind: str, load: Load) -> list[Json]:
    """The objects of a kind that belong to the load."""
    rows = await api.list(f"{ROOT}/{kind}")
    return [row for row in rows if row["metadata"]["namespace"].startswith(load.prefix)]


def _name(kind: str, row: Json, load: Load) -> str:
    """What an object and its fresh double have in common."""
    meta = row["metadata"]
    return f"{kind}/{meta['namespace'].removeprefix(load.prefix)}/{meta['name']}"


async def send(api: Api, batches: list[list[Write]]) -> float:
    """Send everything, with as many calls in flight as the operator has; returns the seconds that it took."""

    async def one(batch: list[Write]) -> None:
        for write in batch:
            await api.send(write.method, write.path, write.body, write.content_type)

    def jobs() -> Iterator[Callable[[], Awaitable[None]]]:
        for batch in batches:
            yield partial(one, batch)

    began = time.monotonic()
    await in_flight(jobs())
    return time.monotonic() - began
