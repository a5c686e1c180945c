"""Puts the parts of the operator together and runs them: the only place that knows all of them.

The data flows one way: Kopf's events and the preload fill the store, the store's changes fill the queue, workers look, decide and act, and what they
write comes back as events that change nothing.

Invariants: workers start only when every kind is loaded, the Lease is held, and what a former leader did since the loading is known; the engine's tasks live
outside Kopf and outlive its restarts; losing the Lease stops the workers first and then the engine; a graceful stop lets running passes end, releases the Lease and
flushes the Events.
What this module deliberately does not do: any rule of the product; start again (see `__main__`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from registrar.clock import Clock, Jitter
from registrar.engine.keeper import GatewayKeeper
from registrar.engine.queue import Key, WorkQueue
from registrar.errors import LeaseLost, RegistrarError, SettingsError
from registrar.kube.events import EventRecorder
from registrar.kube.lease import LeaseElector
from registrar.metrics import Metrics

log = logging.getLogger(__name__)

STOP_GRACE = 8.0
"""Seconds that running passes get at a graceful stop: two gateway calls."""


class Reconciler(Protocol):
    """What a worker calls for the keys of one kind."""

    async def reconcile(self, key: Key) -> str:
        """Do what is to do for `key`; returns success, requeue, requeue_after or error."""
        ...


@dataclass(slots=True, kw_only=True)
class Engine:
    """The running operator.

    `sources` bring events, `reconcilers` are by kind, `services` run beside the workers on the leader;
    `catch_up` brings the caches to what is true now, for a leader that was not the only one since they were loaded;
    `before_leading` is called when that is done and the Lease is held, before the first worker; `leading` says that workers run.
    """

    queue: WorkQueue
    reconcilers: dict[str, Reconciler]
    keeper: GatewayKeeper
    elector: LeaseElector | None
    events: EventRecorder
    metrics: Metrics
    clock: Clock
    jitter: Jitter
    workers: int
    loaded: asyncio.Event
    sources: list[Callable[[], Awaitable[None]]]
    catch_up: Callable[[], Awaitable[None]]
    before_leading: Callable[[], None] = lambda: None
    services: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    leading: bool = False
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> int:
        """Run until `stop` is set (returns 0) or something that can't be mended inside the process ends (returns 1).

        Raises SettingsError when what was read from the cluster shows that the settings are wrong, and LeaseLost when another replica may lead by now.
        """
        sources = [asyncio.create_task(_named(source), name=str(source)) for source in self.sources]
        events = asyncio.create_task(self.events.run(), name="events")
        leading = asyncio.create_task(self._lead(), name="leader")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            running: set[asyncio.Task[Any]] = {*sources, events, leading, stopping}
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            return self._verdict(done, stopping)
        finally:
            await self._wind_down(leading, sources, events, stopping)

    def _verdict(self, done: set[asyncio.Task[Any]], stopping: asyncio.Task[bool]) -> int:
        if stopping in done:
            log.info("stopping: asked to")
            return 0
        for task in done:
            error = None if task.cancelled() else task.exception()
            if isinstance(error, SettingsError | LeaseLost):
                raise error
            log.error("stopping: %s ended%s", task.get_name(), f": {error}" if error else "", exc_info=error)
        return 1

    async def _wind_down(
        self,
        leading: asyncio.Task[None],
        sources: list[asyncio.Task[None]],
        events: asyncio.Task[None],
        stopping: asyncio.Task[bool],
    ) -> None:
        """First no new work, then the running passes, then the Lease, then the rest; without the Lease no pass may end what it began."""
        self.queue.close()
        if self._busy and stopping.done() and not leading.done():
            await asyncio.wait(self._busy, timeout=STOP_GRACE)
        await _cancelled(leading, stopping, *self._busy)
        if self.elector is not None:
            with contextlib.suppress(RegistrarError):
                # An API server that is gone lets the Lease run out by itself; there is nobody to tell.
                await self.elector.release()
        await self.events.flush(deadline=2.0)
        await _cancelled(events, *sources)

    async def _lead(self) -> None:
        """Wait for the caches and the Lease, then work; ends when the Lease is lost."""
        await self.loaded.wait()
        beside: list[asyncio.Task[None]] = []
        try:
            if self.elector is not None:
                await self.elector.acquire()
                beside.append(asyncio.create_task(self.elector.run(), name="lease"))
                if not self.elector.alone:
                    await self._caught_up(lease=beside[0])
            self._work()
            beside.append(asyncio.create_task(self.keeper.run(), name="keeper"))
            beside += [asyncio.create_task(_named(service), name=str(service)) for service in self.services]
            done, _ = await asyncio.wait(beside, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            self.leading = False
            self.metrics.leader(False)
            await _cancelled(*beside)

    async def _caught_up(self, *, lease: asyncio.Task[None]) -> None:
        """Wait until the caches know what the leader before this one did last; raises LeaseLost when the Lease is lost over it."""
        catching_up = asyncio.create_task(_named(self.catch_up), name="catching up")
        try:
            await asyncio.wait({catching_up, lease}, return_when=asyncio.FIRST_COMPLETED)
            await (lease if lease.done() else catching_up)
        finally:
            await _cancelled(catching_up)

    def _work(self) -> None:
        """Start the workers."""
        self.before_leading()
        self.queue.workers_start()
        self.leading = True
        self.metrics.leader(True)
        log.info("leading: %d keys wait", self.queue.depth)
        self._busy.update(asyncio.create_task(self._worker(), name=f"worker-{n}") for n in range(self.workers))

    async def _worker(self) -> None:
        reconciles = self.metrics.reconciles
        while (key := await self.queue.get()) is not None:
            started = self.clock.monotonic()
            try:
                with reconciles.working(key.kind):
                    outcome = await self.reconcilers[key.kind].reconcile(key)
            except asyncio.CancelledError:
                raise
            except RegistrarError as error:
                log.warning("%s %s/%s: %s", key.kind, key.namespace, key.name, error)
                self.queue.retry(key)
                outcome = "error"
            except Exception:
                # A bug must cost one object a backoff, not the fleet its operator; the metric and the trace make it seen.
                log.exception("%s %s/%s: unexpected", key.kind, key.namespace, key.name)
                reconciles.panic(key.kind)
                self.queue.retry(key)
                outcome = "error"
            finally:
                self.queue.done(key)
            reconciles.reconciled(key.kind, outcome, seconds=self.clock.monotonic() - started)
            # A pass with nothing to do waits for nothing: thousands of them in a row would keep the Lease and the probes waiting.
            await asyncio.sleep(0)


async def _named(run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def _cancelled(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    """Cancel the tasks and wait for their end; their errors were reported where they matter."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
