"""Kopf as the source of watch events: the only module that imports it.

Kopf gives the watch streams, their reconnects and the login. Its handlers here are thin `on.event` ones, which write nothing; its change handlers, indexes, daemons
and timers are not used, because they cost writes, memory or time that this operator does not have (see docs/decisions).

Kopf ends on some faults (a watch error that is not 410, a line cut in the middle, a minute of 5xx) and then cancels every task of its event loop. So it runs in a
thread with a loop of its own, events cross over to the engine's loop, and it is started again with a backoff.

Invariants: nothing of Kopf reaches the engine but (kind, type, object); the engine outlives every end of Kopf.
What this module deliberately does not do: decide, keep or write anything.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import kopf
from kopf._core.engines.peering import Identity
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from registrar.clock import Jitter
from registrar.engine.namespaces import WatchedNamespaces
from registrar.engine.preload import KINDS, selector
from registrar.errors import KubeError
from registrar.kube.client import CLIENTS, NAMESPACES, SECRETS, KubeClient, Resource
from registrar.kube.config import KubeAccess

log = logging.getLogger(__name__)

Deliver = Callable[[str, str | None, Mapping[str, Any]], None]
"""Takes in one event: kind, type (ADDED, MODIFIED, DELETED; None for an object of a listing), object."""

_IDENTITY = Identity("gateway-registrar")
"""Kopf's name for this process, which nobody sees because it has no peers here. Without one Kopf asks for the user's name, and in a container the user has none."""
_RESTART = (1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY = 60.0
_MOST_AT_ONCE = 200
"""How many events are taken in before the engine's other tasks get their turn."""


@dataclass(slots=True, kw_only=True)
class KopfShell:
    """Runs Kopf; `deliver`, `relisted` and `restarted` (the streams ended) are called in the engine's event loop, never after `run` was cancelled."""

    access: KubeAccess
    client: KubeClient
    deliver: Deliver
    relisted: Callable[[], None]
    restarted: Callable[[], None]
    jitter: Jitter
    watched: WatchedNamespaces | None
    """None when all namespaces are watched."""
    _renewed: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: bool = False
    _started: threading.Event = field(default_factory=threading.Event)

    @property
    def failing(self) -> bool:
        """Whether Kopf ended before it had started its tasks, and has not started them since; an API server that is away is no such end."""
        return self._failed and not self._started.is_set()

    def renew(self) -> None:
        """Another set of namespaces is there: end the streams and start them for those."""
        self._renewed.set()

    async def run(self) -> None:
        """Keep Kopf running until cancelled; waits for the CRDs first."""
        await self.wait_for_crds()
        attempt = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self._renewed.clear()
            await self._once(loop)
            if self._renewed.is_set():
                log.info("starting the watch streams again: a watched namespace has come or gone")
                continue
            attempt = 0 if loop.time() - started > _HEALTHY else attempt + 1
            delay = self.jitter.around(_RESTART[min(attempt, len(_RESTART) - 1)])
            self.restarted()
            log.warning("the watch streams ended; starting them again in %.0f s", delay)
            await asyncio.sleep(delay)

    async def wait_for_crds(self) -> None:
        """Return when the API server serves our kinds; says once what is missing."""
        said = False
        somewhere = self.watched.names[0] if self.watched is not None else ""
        while True:
            try:
                async for _ in self.client.list_pages(CLIENTS, namespace=somewhere, chunk=1):
                    return
            except KubeError as error:
                if not said:
                    log.warning("%s. Are the CRDs installed? Apply crds/ to the cluster; waiting for them", error)
                    said = True
            await asyncio.sleep(self.jitter.around(2.0))

    async def _once(self, loop: asyncio.AbstractEventLoop) -> None:
        """One life of Kopf in its thread; returns when it has ended, however it did."""
        stop = threading.Event()
        ended = asyncio.Event()
        self._started = threading.Event()
        watcher = _Watcher(self, loop, stop, self._started)
        thread = threading.Thread(
            target=watcher.live, args=(lambda: loop.call_soon_threadsafe(ended.set),), name="kopf", daemon=True
        )
        thread.start()
        waits = [asyncio.create_task(event.wait()) for event in (ended, self._renewed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            stop.set()
            # Kopf closes its streams when it sees the flag; the process does not wait longer than it must.
            await asyncio.to_thread(thread.join, 5.0)
            self._failed = not self._started.is_set()


class _Watcher:
    """One life of Kopf."""

    def __init__(
        self, shell: KopfShell, loop: asyncio.AbstractEventLoop, stop: threading.Event, started: threading.Event
    ) -> None:
        self._shell = shell
        self._loop = loop
        self._stop = stop
        self._started = started
        self._crossing: deque[tuple[str, str | None, Mapping[str, Any]]] = deque()

    def live(self, ended: Callable[[], None]) -> None:
        """The thread's work."""
        try:
            asyncio.run(self._operator())
        except Exception as error:
            # Whatever ended Kopf, the answer is the same: say it and start again.
            log.warning("Kopf ended: %s: %s", type(error).__name__, error)
        finally:
            if not self._loop.is_closed():
                ended()

    async def _operator(self) -> None:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        watched = self._shell.watched
        for resource in KINDS:
            if resource is NAMESPACES and watched is not None:
                continue  # one stream of them would need a right on all Namespaces; they are looked at one by one
            kopf.on.event(
                group=resource.group,
                version=resource.version,
                plural=resource.plural,
                registry=registry,
                id=f"watch-{resource.plural}",
            )(self._handler(resource))
        await kopf.operator(
            registry=registry,
            settings=_settings(),
            memories=_NoMemories(),
            standalone=True,
            identity=_IDENTITY,
            clusterwide=watched is None,
            namespaces=watched.present() if watched is not None else (),
            stop_flag=self._stop,
            ready_flag=self._started,
        )

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        """A session with the credentials as they are now; Kopf asks again after a 401."""
        access = self._shell.access
        authorization = access.authorization()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.ssl or True),
            headers={"Authorization": authorization} if authorization else {},
        )
        return kopf.AiohttpSession(aiohttp_session=session, server=access.server)

    def _handler(self, resource: Resource) -> Callable[..., Any]:
        kind = resource.kind

        async def handle(*, event: kopf.RawEvent, **_: Any) -> None:
            if self._stop.is_set():
                return
            self._crossing.append((kind, event["type"], event["object"]))
            if len(self._crossing) == 1:
                # One wake-up for all that arrives until the engine's loop gets to it.
                self._loop.call_soon_threadsafe(self._cross)

        return handle

    def _cross(self) -> None:
        """Runs in the engine's loop; what arrives meanwhile is taken along, or wakes it again."""
        for _ in range(_MOST_AT_ONCE):
            if not self._crossing:
                return
            kind, type_, raw = self._crossing[0]
            try:
                if type_ is None:
                    self._shell.relisted()
                self._shell.deliver(kind, type_, raw)
            except Exception:
                # A bug with one object must not end the stream of all others; the sweep will come by it again.
                log.exception("an event of %s could not be taken in", kind)
            # Only now: while it is there, no second wake-up is asked for.
            self._crossing.popleft()
        if self._crossing:
            self._loop.call_soon(self._cross)


def _settings() -> kopf.OperatorSettings:
    """The settings under which 60,000 objects were held in the least memory, without a write (see docs/decisions)."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.watching.chunk_size = 100
    settings.watching.connect_timeout = 10
    settings.watching.label_selectors[SECRETS.version, SECRETS.plural] = selector(SECRETS)
    settings.networking.request_timeout = 60
    settings.queueing.idle_timeout = 0.01
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None
    # Kopf removes its own finalizer where no handler needs one; ours must never be taken for it.
    settings.persistence.finalizer = "kopf.gateway-registrar.dev/unused"
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    return settings


class _NoMemories(ResourceMemories):
    """Keeps nothing: a memory of each object costs 58 MiB for 60,000 of them, and serves only handlers that are not used here.

    `kopf.operator` takes one; that its class is to be had from a private module only is what the exact pin of the version is for.
    """

    async def recall(self, raw_body: Any, *, ephemeral: bool = True, **facts: Any) -> ResourceMemory:
        """A memory that ends with the event."""
        return await super().recall(raw_body, ephemeral=True, **facts)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: the default would copy and compare every object on every event."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was kept."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: no handler here has progress."""

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""

    def purge(self, **_: Any) -> None:
        """Nothing to forget."""

    def touch(self, **_: Any) -> None:
        """Nothing to mark."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing of ours is in it."""
        return essence
