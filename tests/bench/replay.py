"""The yardstick: the very writes that the operator made, with their real bodies, sent to fresh objects of the same kind by a plain loop.

resourceVersions are left out, and UIDs are those of the fresh objects. What this module deliberately does not do: read, compute or wait for anything between two writes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson

from registrar.lifecycle.case import FINALIZER
from tests.bench.api import Api, Json, in_flight
from tests.bench.load import ROOT, Load

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Write:
    """One precomputed write."""

    method: str
    path: str
    body: bytes
    content_type: str = "application/json"


async def prepare(api: Api, *, done: Load, fresh: Load, events: int) -> list[list[Write]]:
    """The writes of each Client, in the order in which the operator makes them; `events` Events are shared out among them."""
    uids = await _uids(api, done, fresh)
    contracts: dict[str, list[Json]] = {}
    for row in await api.list(f"{ROOT}/contracts"):
        if row["metadata"]["namespace"].startswith(done.prefix):
            contracts.setdefault(f"{row['metadata']['namespace']}/{row['spec']['clientRef']['name']}", []).append(row)
    secrets = {f"{s['metadata']['namespace']}/{s['metadata']['name']}": s for s in await api.list("/api/v1/secrets")}
    batches = []
    for number, row in enumerate(await api.list(f"{ROOT}/clients")):
        space, name = row["metadata"]["namespace"], row["metadata"]["name"]
        if space.startswith(done.prefix):
            mine = contracts[f"{space}/{name}"]
            rewrite = partial(_rewritten, uids=uids, done=done, fresh=fresh)
            batches.append(list(_writes(row, secrets[f"{space}/{name}-api-key"], mine, rewrite, event=number < events)))
    return batches


def _writes(
    row: Json, secret: Json, contracts: list[Json], rewrite: Callable[[object], bytes], *, event: bool
) -> Iterator[Write]:
    space, name = _moved(row["metadata"]["namespace"]), row["metadata"]["name"]
    path = f"{ROOT}/namespaces/{space}/clients/{name}"
    finalizer = [{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]
    yield Write("PATCH", path, orjson.dumps(finalizer), JSON_PATCH)
    kept = {key: secret["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": kept, "data": secret["data"]}
    yield Write("POST", f"/api/v1/namespaces/{space}/secrets", rewrite(body))
    yield Write("PATCH", f"{path}/status", rewrite({"status": row["status"]}), MERGE)
    for contract in contracts:
        target = f"{ROOT}/namespaces/{space}/contracts/{contract['metadata']['name']}/status"
        yield Write("PATCH", target, rewrite({"status": contract["status"]}), MERGE)
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


def _moved(namespace: str) -> str:
    return re.sub(r"^done-", "fresh-", namespace)


def _rewritten(value: object, *, uids: dict[str, str], done: Load, fresh: Load) -> bytes:
    """The body with the fresh objects' UIDs and namespaces in place of the former ones."""
    text = orjson.dumps(value).decode()
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", lambda m: uids.get(m[0], m[0]), text)
    return text.replace(done.prefix, fresh.prefix).encode()


async def _uids(api: Api, done: Load, fresh: Load) -> dict[str, str]:
    """From each object's UID to the UID of its fresh double."""
    by_name: dict[str, dict[str, str]] = {done.prefix: {}, fresh.prefix: {}}
    for kind in ("clients", "contracts"):
        for row in await api.list(f"{ROOT}/{kind}"):
            meta = row["metadata"]
            for prefix, rows in by_name.items():
                if meta["namespace"].startswith(prefix):
                    rows[f"{kind}/{meta['namespace'].removeprefix(prefix)}/{meta['name']}"] = meta["uid"]
    return {uid: by_name[fresh.prefix][name] for name, uid in by_name[done.prefix].items()}


async def replay(api: Api, batches: list[list[Write]]) -> float:
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
