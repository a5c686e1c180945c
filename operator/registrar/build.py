"""The composition root: makes every part from the settings and hands each what it needs.

In steps, each from what the ones before it made: the ground (the cluster and what is injected), the state (what is known), the hands (what changes something), the
reconcilers, the sources of events. A test builds the same operator with another seam, clock or source of randomness. Invariant: nothing is global.
What this module deliberately does not do: run anything but the start's own calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from registrar.clock import Clock, Jitter, SystemClock
from registrar.engine.app import Engine, Reconciler
from registrar.engine.arrivals import Arrivals
from registrar.engine.audit import Audit
from registrar.engine.claims import reserve_all
from registrar.engine.effects import Effects
from registrar.engine.figures import Figures, expose
from registrar.engine.gateway_finalizer import GatewayFinalizer
from registrar.engine.gather import Gatherer
from registrar.engine.grants import GrantReconciler
from registrar.engine.hash_secret import load_hash_secret
from registrar.engine.keeper import GatewayKeeper
from registrar.engine.memory import Memory
from registrar.engine.namespaces import WatchedNamespaces
from registrar.engine.owed import Collector, Ledger
from registrar.engine.policies import PolicyReconciler
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.pool import Pool
from registrar.engine.preload import Preload
from registrar.engine.probes import Probes
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.reconciler import ClientReconciler
from registrar.engine.rendering import Seals
from registrar.engine.source import Ingest
from registrar.engine.startup import check, check_owners
from registrar.engine.store import Store
from registrar.engine.sweep import Sweep
from registrar.errors import KubeError
from registrar.kopf_shell import KopfShell
from registrar.kube.client import KubeClient
from registrar.kube.config import KubeAccess, load_access
from registrar.kube.events import EventRecorder
from registrar.kube.finalizers import Finalizers
from registrar.kube.lease import LeaseElector
from registrar.kube.status import StatusWriter
from registrar.metrics import Metrics
from registrar.seam import Seam, Site
from registrar.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")
WATCH_AFTER = 15.0
"""Seconds after which the watch begins though the passes of the start are not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What everything stands on; `aside` is for Leases and Events, `namespaces` is empty when all are watched."""

    settings: Settings
    seam: Seam
    clock: Clock
    jitter: Jitter
    metrics: Metrics
    access: KubeAccess
    kube: KubeClient
    aside: KubeClient
    namespaces: tuple[str, ...]
    seals: Seals
    elector: LeaseElector | None

    def guard(self) -> None:
        """Raise LeaseLost when the Lease could run out during a call of a gateway."""
        if self.elector is not None:
            self.elector.assert_fresh(self.settings.gateway_timeout_seconds)

    def term(self) -> int:
        """The Lease's term; always the same without one."""
        return self.elector.term if self.elector is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is known, and what follows from it."""

    store: Store
    memory: Memory
    queue: WorkQueue
    arrivals: Arrivals
    ingest: Ingest
    pool: Pool
    facts: PolicyFacts
    ledger: Ledger
    gatherer: Gatherer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hands:
    """What changes something outside."""

    statuses: StatusWriter
    finalizers: Finalizers
    gateway_finalizer: GatewayFinalizer
    events: EventRecorder
    audit: Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A whole operator; `port` is where the probes listen."""

    engine: Engine
    store: Store
    queue: WorkQueue
    metrics: Metrics
    close: Callable[[], Awaitable[None]]
    port: int


def counted(seam: Seam, metrics: Metrics) -> Seam:
    """The seam with every call counted by site and outcome."""

    async def counting(site: Site, call: Callable[[], Awaitable[T]], *, subject: str) -> T:
        try:
            result = await seam(site, call, subject=subject)
        except Exception as error:
            metrics.call(site, type(error).__name__)
            raise
        metrics.call(site, "ok")
        return result

    return counting


async def build(
    settings: Settings, *, seam: Seam, clock: Clock | None = None, jitter: Jitter | None = None
) -> Operator:
    """Make the operator; OSError when the probes' port is taken.

    The probes answer from the first moment on: who waits for an API server must not be taken for stuck. When this raises or is cancelled, nothing is left open.
    Raises SettingsError when there is no cluster to talk to, or none that the operator can work on (see `startup`).
    """
    metrics = Metrics()
    probes = Probes(host=settings.probes_host, port=settings.probes_port, metrics=metrics)
    async with contextlib.AsyncExitStack() as opened:
        port = await probes.start()
        opened.push_async_callback(probes.stop)
        clock, jitter = clock or SystemClock(), jitter or Jitter()
        ground = await _ground(settings, opened, seam=seam, clock=clock, jitter=jitter, metrics=metrics)
        state = _state(ground)
        opened.push_async_callback(state.pool.close)
        loaded = asyncio.Event()
        shell, sweep, sources = _sources(ground, state, loaded=loaded)
        engine, figures = _engine(ground, state, sources, catch_up=sweep.catch_up, loaded=loaded)

        def not_ready() -> str:
            if not loaded.is_set():
                return "the caches are not loaded yet"
            return "the watch streams can't be started; see the log" if shell.failing else ""

        def oldest_age() -> float:
            return state.queue.oldest_age() if engine.leading else 0.0

        probes.not_ready, probes.oldest_age = not_ready, oldest_age
        expose(metrics, store=state.store, queue=state.queue, figures=figures, oldest_age=oldest_age)
        close = opened.pop_all().aclose
    return Operator(engine=engine, store=state.store, queue=state.queue, metrics=metrics, close=close, port=port)


async def _ground(
    settings: Settings, opened: contextlib.AsyncExitStack, *, seam: Seam, clock: Clock, jitter: Jitter, metrics: Metrics
) -> _Ground:
    """Reach the cluster, and see that the operator may do there what it has to; its connections are closed with `opened`."""
    seam = counted(seam, metrics)
    access = load_access(settings.kubeconfig)
    kube = KubeClient(access, seam=seam, max_in_flight=settings.kube_max_in_flight, calls=metrics.api_server)
    opened.push_async_callback(kube.close)
    # Leases and Events have connections of their own: a queue of status writes must not let the Lease run out.
    aside = KubeClient(access, seam=seam, max_in_flight=4, timeout=10.0, calls=metrics.api_server)
    opened.push_async_callback(aside.close)
    home, lease = settings.namespace, settings.lease_name if settings.lease else ""
    namespaces = tuple(sorted({*settings.watch_namespaces, home})) if settings.watch_namespaces else ()
    await check(kube, namespaces=namespaces, home=home, lease=lease, jitter=jitter)
    return _Ground(
        settings=settings,
        seam=seam,
        clock=clock,
        jitter=jitter,
        metrics=metrics,
        access=access,
        kube=kube,
        aside=aside,
        namespaces=namespaces,
        seals=Seals(await _hash_secret(aside, settings, jitter)),
        elector=_elector(aside, settings, clock, jitter) if settings.lease else None,
    )


def _engine(
    ground: _Ground,
    state: _State,
    sources: list[Callable[[], Awaitable[None]]],
    *,
    catch_up: Callable[[], Awaitable[None]],
    loaded: asyncio.Event,
) -> tuple[Engine, Figures]:
    """What runs, and what it tells of the gateways."""
    settings, hands = ground.settings, _hands(ground, state)
    keeper = _keeper(ground, state, hands)
    engine = Engine(
        queue=state.queue,
        reconcilers={**_reconcilers(ground, state, hands), "RuntimeGateway": keeper},
        keeper=keeper,
        elector=ground.elector,
        events=hands.events,
        metrics=ground.metrics,
        clock=ground.clock,
        jitter=ground.jitter,
        workers=settings.workers,
        loaded=loaded,
        sources=sources,
        catch_up=catch_up,
        before_leading=lambda: reserve_all(store=state.store, seals=ground.seals),
        services=[_collector(ground, state, hands).run],
    )
    ground.metrics.reconciles.workers(settings.workers)
    return engine, Figures(store=state.store, keeper=keeper, pool=state.pool, ledger=state.ledger, clock=ground.clock)


def _state(ground: _Ground) -> _State:
    settings, clock = ground.settings, ground.clock
    store, memory = Store(), Memory()
    queue = WorkQueue(
        clock=clock,
        jitter=ground.jitter,
        base=settings.backoff_base_seconds,
        maximum=settings.backoff_max_seconds,
        metrics=ground.metrics.queue,
    )
    arrivals = Arrivals(clock=clock, settle=settings.settle_seconds, longest=settings.settle_max_seconds)
    pool = Pool(
        store=store,
        seam=ground.seam,
        clock=clock,
        namespace=settings.namespace,
        timeout=settings.gateway_timeout_seconds,
        guard=ground.guard,
        calls=ground.metrics.gateway_calls,
    )
    facts = PolicyFacts(store=store, home=settings.namespace, secret=ground.seals.secret)
    ledger = Ledger(ground.kube, namespace=settings.namespace)
    gatherer = Gatherer(
        store=store,
        memory=memory,
        pool=pool,
        arrivals=arrivals,
        clock=clock,
        seals=ground.seals,
        facts=facts,
        grace=settings.heal_grace_seconds,
        action_timeout=settings.action_timeout_seconds,
        ledger=ledger,
    )
    return _State(
        store=store,
        memory=memory,
        queue=queue,
        arrivals=arrivals,
        ingest=Ingest(store=store, queue=queue, arrivals=arrivals, memory=memory, clock=clock, home=settings.namespace),
        pool=pool,
        facts=facts,
        ledger=ledger,
        gatherer=gatherer,
    )


def _hands(ground: _Ground, state: _State) -> _Hands:
    finalizers = Finalizers(ground.kube)
    return _Hands(
        statuses=StatusWriter(ground.kube),
        finalizers=finalizers,
        gateway_finalizer=GatewayFinalizer(
            store=state.store,
            memory=state.memory,
            ingest=state.ingest,
            gatherer=state.gatherer,
            finalizers=finalizers,
        ),
        events=EventRecorder(
            ground.aside, clock=ground.clock, metrics=ground.metrics, instance=ground.settings.identity
        ),
        audit=Audit(ground.metrics),
    )


def _reconcilers(ground: _Ground, state: _State, hands: _Hands) -> dict[str, Reconciler]:
    """The reconcilers of what lies in namespaces, by the kind of their keys."""
    settings = ground.settings
    clients = ClientReconciler(
        store=state.store,
        queue=state.queue,
        arrivals=state.arrivals,
        memory=state.memory,
        pool=state.pool,
        gatherer=state.gatherer,
        effects=_effects(ground, state, hands),
        clock=ground.clock,
        hold=settings.gateway_timeout_seconds,
    )
    policies = PolicyReconciler(
        store=state.store,
        queue=state.queue,
        pool=state.pool,
        ingest=state.ingest,
        status_writer=hands.statuses,
        clock=ground.clock,
        facts=state.facts,
        counter_interval=settings.counter_interval_seconds,
    )
    grants = GrantReconciler(
        store=state.store,
        queue=state.queue,
        ingest=state.ingest,
        status_writer=hands.statuses,
        clock=ground.clock,
        counter_interval=settings.counter_interval_seconds,
    )
    return {"Client": clients, "Policy": policies, "APIGrant": grants}


def _effects(ground: _Ground, state: _State, hands: _Hands) -> Effects:
    return Effects(
        kube=ground.kube,
        ingest=state.ingest,
        pool=state.pool,
        memory=state.memory,
        gatherer=state.gatherer,
        seals=ground.seals,
        clock=ground.clock,
        events=hands.events,
        audit=hands.audit,
        status_writer=hands.statuses,
        finalizers=hands.finalizers,
        ledger=state.ledger,
        gateway_finalizer=hands.gateway_finalizer,
        term=ground.term,
        metrics=ground.metrics,
    )


def _keeper(ground: _Ground, state: _State, hands: _Hands) -> GatewayKeeper:
    settings = ground.settings
    return GatewayKeeper(
        store=state.store,
        queue=state.queue,
        memory=state.memory,
        pool=state.pool,
        gatherer=state.gatherer,
        ingest=state.ingest,
        status_writer=hands.statuses,
        seals=ground.seals,
        clock=ground.clock,
        jitter=ground.jitter,
        interval=settings.sentinel_interval_seconds,
        drift_interval=settings.drift_interval_seconds,
        counter_interval=settings.counter_interval_seconds,
        namespace=settings.namespace,
        metrics=ground.metrics,
        grace=settings.heal_grace_seconds,
        ledger=state.ledger,
        gateway_finalizer=hands.gateway_finalizer,
    )


def _collector(ground: _Ground, state: _State, hands: _Hands) -> Collector:
    return Collector(
        ledger=state.ledger,
        store=state.store,
        pool=state.pool,
        queue=state.queue,
        seals=ground.seals,
        audit=hands.audit,
        clock=ground.clock,
        jitter=ground.jitter,
        interval=ground.settings.sentinel_interval_seconds,
    )


def _sources(
    ground: _Ground, state: _State, *, loaded: asyncio.Event
) -> tuple[KopfShell, Sweep, list[Callable[[], Awaitable[None]]]]:
    """What brings events: the watch with the listing before it, the sweep, and the look at the watched namespaces; `loaded` is set in between."""
    kube, jitter, store, queue, elector = ground.kube, ground.jitter, state.store, state.queue, ground.elector
    watched = (
        WatchedNamespaces(client=kube, store=store, ingest=state.ingest, jitter=jitter, names=ground.namespaces)
        if ground.namespaces
        else None
    )
    preload = Preload(client=kube, ingest=state.ingest, jitter=jitter, watched=watched)
    sweep = Sweep(
        client=kube,
        store=store,
        ingest=state.ingest,
        preload=preload,
        metrics=ground.metrics,
        jitter=jitter,
        interval=ground.settings.resync_interval_seconds,
    )
    shell = KopfShell(
        access=ground.access,
        client=kube,
        deliver=state.ingest.apply,
        relisted=lambda: sweep.relisted() if loaded.is_set() else None,
        restarted=ground.metrics.watch_restarted,
        jitter=jitter,
        watched=watched,
    )

    async def watch() -> None:
        await shell.wait_for_crds()
        if elector is not None:
            await elector.look()
        await preload.run()
        check_owners(store.gateways().values(), ground.namespaces)
        # What was loaded stays: the collector need not look through 60,000 objects again and again, which takes as long as a dozen passes.
        gc.collect()
        gc.freeze()
        _enqueue_all(store, queue)
        loaded.set()
        # Kopf lists everything once more, which tells nothing new and takes as long as all first passes: those come first. A replica that stands by has none.
        await _any(
            queue.drained(), *((elector.standing_by.wait(),) if elector is not None else ()), seconds=WATCH_AFTER
        )
        await shell.run()

    async def sweeping() -> None:
        await loaded.wait()
        await sweep.run()

    if watched is None:
        return shell, sweep, [watch, sweeping]
    watched.changed = shell.renew

    async def looking() -> None:
        await loaded.wait()
        await watched.run()

    return shell, sweep, [watch, sweeping, looking]


async def _any(*waits: Coroutine[Any, Any, object], seconds: float) -> None:
    """Return when the first of them has come to its end, or after that time."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _hash_secret(client: KubeClient, settings: Settings, jitter: Jitter) -> bytes:
    """The signing secret; waits for an API server that is not there yet."""
    said = False
    while True:
        try:
            return await load_hash_secret(client, namespace=settings.namespace, name=settings.hash_secret_name)
        except KubeError as error:
            if not said:
                log.warning("the signing secret can't be had yet: %s; trying again", error)
                said = True
        await asyncio.sleep(jitter.around(2.0))


def _elector(client: KubeClient, settings: Settings, clock: Clock, jitter: Jitter) -> LeaseElector:
    return LeaseElector(
        client,
        clock=clock,
        jitter=jitter,
        identity=settings.identity,
        namespace=settings.namespace,
        name=settings.lease_name,
        duration=settings.lease_duration_seconds,
        renew_deadline=settings.lease_renew_seconds,
        retry=settings.lease_retry_seconds,
    )


def _enqueue_all(store: Store, queue: WorkQueue) -> None:
    """Everything is looked at once after a start: what happened while no operator ran is found here."""
    for key in store.all_clients():
        queue.add(key)
    for policy in store.all("Policy"):
        queue.add(Key("Policy", policy.meta.namespace, policy.meta.name), low=True)
    for grant in store.all("APIGrant"):
        queue.add(Key("APIGrant", grant.meta.namespace, grant.meta.name), low=True)
