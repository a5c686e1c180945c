"""A proxy in front of the real gateway's configuration API, for what the gateway can't be made to do.

Without a script it passes everything through; a shared test holds that to the real gateway. What this module deliberately does not do: answer anything
that the gateway would, by itself.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` requests of `method` whose path begins with `path`.

    `kind`: status (answer `status` with `headers` and `body`, do not forward), lose (forward, then cut the connection), delay (forward after `seconds`), hold
    (forward only when `release` is called; the caller has given up by then).
    """

    method: str
    path: str
    kind: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    happened: int = 0


class GatewayProxy:
    """The proxy, in a thread of its own."""

    def __init__(self, target: str) -> None:
        """`target` is the real gateway's configuration API."""
        self._target = target
        self._faults: list[Fault] = []
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._ready = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._landed = threading.Event()
        self.port = 0
        self.requests: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def url(self) -> str:
        """Where the proxy is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> GatewayProxy:
        """Start to listen, on a free port."""
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        """Stop to listen: from then on there is no connection to be had."""
        if self._stopped is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)
            self._loop.close()
            self._stopped = None

    def script(self, fault: Fault) -> Fault:
        """Have the fault happen to the next requests that it is meant for."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def release(self) -> None:
        """Let the requests that are held reach the gateway, and wait until the first has."""
        self._landed.clear()
        self._loop.call_soon_threadsafe(self._released.set)
        self._landed.wait(10)

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=1.0)
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = int(runner.addresses[0][1])
            self._ready.set()
            await self._stopped.wait()
            # Connections that were just taken in get their transports first: whoever has none yet is not closed with the others.
            await site.stop()
            for _ in range(3):
                await asyncio.sleep(0)
            await runner.cleanup()
            # Requests that are still held end here, and the transports get the turn of the loop in which they close their sockets.
            held = asyncio.all_tasks() - {asyncio.current_task()}
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)

    def _take(self, request: web.Request) -> Fault | None:
        for fault in self._faults:
            if fault.happened < fault.times and request.method == fault.method and request.path.startswith(fault.path):
                fault.happened += 1
                return fault
        return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        body = await request.read()
        fault = self._take(request)
        if fault is None:
            return await self._forward(request, body)
        match fault.kind:
            case "status":
                return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
            case "delay":
                await asyncio.sleep(fault.seconds)
                return await self._forward(request, body)
            case "hold":
                await self._released.wait()
                answer = await self._forward(request, body)
                self._landed.set()
                return answer
            case _:
                await self._forward(request, body)
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        async with self._session.request(
            request.method, f"{self._target}{request.path_qs}", data=body or None, headers=headers
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() in ("content-type", "x-api-gateway-error")}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
