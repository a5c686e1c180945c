"""A plain aiohttp client with a fixed number of calls in flight: what the load and the replay are sent with, and what reads the servers' own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import aiohttp
import orjson

from localenv.cluster import Surroundings

IN_FLIGHT = 20
T = TypeVar("T")
Json = dict[str, Any]


class Api:
    """Calls of the API server."""

    def __init__(self, environment: Surroundings) -> None:
        """Talk to the environment's server, as its administrator."""
        access = environment.access()
        self._base = access.server
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=access.ssl or True),
            headers={"Authorization": access.authorization()},
            timeout=aiohttp.ClientTimeout(total=120),
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    async def send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> Json:
        """One call; raises RuntimeError when it is refused: a benchmark with failed writes measures nothing."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        async with self._session.request(method, self._base + path, data=body, headers=headers) as response:
            text = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
            answer: Json = orjson.loads(text)
            return answer

    async def list(self, path: str) -> list[Json]:
        """All objects of a collection, page by page."""
        rows: list[Json] = []
        token = ""
        while True:
            answer = await self.send("GET", f"{path}?limit=500" + (f"&continue={token}" if token else ""))
            rows += answer["items"]
            token = answer["metadata"].get("continue", "")
            if not token:
                return rows

    async def writes(self) -> dict[str, int]:
        """How many writes the server has accepted so far, by resource, told by its own metrics."""
        async with self._session.get(f"{self._base}/metrics") as response:
            text = await response.text()
        counts: dict[str, int] = {}
        for line in text.splitlines():
            if not line.startswith("apiserver_request_total{"):
                continue
            labels = dict(
                part.split("=", 1) for part in line[line.index("{") + 1 : line.rindex("}")].split(",") if "=" in part
            )
            plain = {key: value.strip('"') for key, value in labels.items()}
            if plain.get("verb") in ("PATCH", "APPLY", "POST", "PUT", "DELETE") and plain.get("code", "").startswith(
                "2"
            ):
                resource = plain.get("resource", "")
                counts[resource] = counts.get(resource, 0) + int(float(line.rpartition(" ")[2]))
        return counts


async def in_flight(jobs: Iterable[Callable[[], Awaitable[T]]], *, count: int = IN_FLIGHT) -> None:
    """Run the jobs, `count` at once; the first error ends all."""
    remaining = iter(jobs)

    async def worker() -> None:
        for job in remaining:
            await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(worker())
