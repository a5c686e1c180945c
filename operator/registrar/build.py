"""The composition root: makes every part from the settings and hands each what it needs.

A test builds the same operator with another seam, clock or source of randomness. Invariant: nothing is global.
What this module deliberately does not do: run anything but the start's own calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from registrar.clock import Clock, Jitter, SystemClock
from registrar.engine.app import Engine
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
from registrar.errors import KubeError, SettingsError
from registrar.kopf_shell import KopfShell
from registrar.kube.client import KubeClient
from registrar.kube.config import load_access
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
"""Seconds after which the watch begins though the passes of the start are not over; a replica that does not lead has none."""


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

    Raises SettingsError when there is no cluster to talk to, or when rights or watched namespaces are missing in it.
    """
    clock, jitter, metrics = clock or SystemClock(), jitter or Jitter(), Metrics()
    seam = counted(seam, metrics)
    access = load_access(settings.kubeconfig)
    kube = KubeClient(access, seam=seam, max_in_flight=settings.kube_max_in_flight, calls=metrics.api_server)
    # Leases and Events have connections of their own: a queue of status writes must not let the Lease run out.
    aside = KubeClient(access, seam=seam, max_in_flight=4, timeout=10.0, calls=metrics.api_server)
    home, lease = settings.namespace, settings.lease_name if settings.lease else ""
    namespaces = tuple(sorted({*settings.watch_namespaces, home})) if settings.watch_namespaces else ()
    try:
        await check(kube, namespaces=namespaces, home=home, lease=lease, jitter=jitter)
    except SettingsError:
        await asyncio.gather(kube.close(), aside.close())
        raise
    seals = Seals(await _hash_secret(aside, settings, jitter))
    store, memory = Store(), Memory()
    queue = WorkQueue(
        clock=clock,
        jitter=jitter,
        base=settings.backoff_base_seconds,
        maximum=settings.backoff_max_seconds,
        metrics=metrics.queue,
    )
    arrivals = Arrivals(clock=clock, settle=settings.settle_seconds, longest=settings.settle_max_seconds)
    ingest = Ingest(store=store, queue=queue, arrivals=arrivals, memory=memory, clock=clock)
    elector = _elector(aside, settings, clock, jitter) if settings.lease else None
    margin = settings.gateway_timeout_seconds

    def guard() -> None:
        if elector is not None:
            elector.assert_fresh(margin)

    pool = Pool(
        store=store,
        seam=seam,
        clock=clock,
        namespace=settings.namespace,
        timeout=settings.gateway_timeout_seconds,
        guard=guard,
        calls=metrics.gateway_calls,
    )
    facts = PolicyFacts(store=store, home=settings.namespace, secret=seals.secret)
    ledger = Ledger(kube, namespace=settings.namespace)
    gatherer = Gatherer(
        store=store,
        memory=memory,
        pool=pool,
        arrivals=arrivals,
        clock=clock,
        seals=seals,
        facts=facts,
        grace=settings.heal_grace_seconds,
        action_timeout=settings.action_timeout_seconds,
        ledger=ledger,
    )
    events = EventRecorder(aside, clock=clock, metrics=metrics, instance=settings.identity)
    statuses = StatusWriter(kube)
    finalizers, audit = Finalizers(kube), Audit(metrics)
    gateway_finalizer = GatewayFinalizer(
        store=store, memory=memory, ingest=ingest, gatherer=gatherer, finalizers=finalizers
    )
    effects = Effects(
        kube=kube,
        ingest=ingest,
        pool=pool,
        memory=memory,
        gatherer=gatherer,
        seals=seals,
        clock=clock,
        events=events,
        audit=audit,
        status_writer=statuses,
        finalizers=finalizers,
        ledger=ledger,
        gateway_finalizer=gateway_finalizer,
        term=lambda: elector.term if elector is not None else 0,
        metrics=metrics,
    )
    clients = ClientReconciler(
        store=store,
        queue=queue,
        arrivals=arrivals,
        memory=memory,
        pool=pool,
        gatherer=gatherer,
        effects=effects,
        clock=clock,
        hold=settings.gateway_timeout_seconds,
    )
    policies = PolicyReconciler(
        store=store,
        queue=queue,
        pool=pool,
        ingest=ingest,
        status_writer=statuses,
        clock=clock,
        facts=facts,
        counter_interval=settings.counter_interval_seconds,
    )
    grants = GrantReconciler(
        store=store,
        queue=queue,
        ingest=ingest,
        status_writer=statuses,
        clock=clock,
        counter_interval=settings.counter_interval_seconds,
    )
    keeper = GatewayKeeper(
        store=store,
        queue=queue,
        memory=memory,
        pool=pool,
        gatherer=gatherer,
        ingest=ingest,
        status_writer=statuses,
        seals=seals,
        clock=clock,
        jitter=jitter,
        interval=settings.sentinel_interval_seconds,
        drift_interval=settings.drift_interval_seconds,
        counter_interval=settings.counter_interval_seconds,
        namespace=settings.namespace,
        metrics=metrics,
        grace=settings.heal_grace_seconds,
        ledger=ledger,
        gateway_finalizer=gateway_finalizer,
    )
    collector = Collector(
        ledger=ledger,
        store=store,
        pool=pool,
        queue=queue,
        seals=seals,
        audit=audit,
        clock=clock,
        jitter=jitter,
        interval=settings.sentinel_interval_seconds,
    )
    watched = (
        WatchedNamespaces(client=kube, store=store, ingest=ingest, jitter=jitter, names=namespaces)
        if namespaces
        else None
    )
    preload = Preload(client=kube, ingest=ingest, jitter=jitter, watched=watched)
    sweep = Sweep(
        client=kube,
        store=store,
        ingest=ingest,
        preload=preload,
        metrics=metrics,
        jitter=jitter,
        interval=settings.resync_interval_seconds,
    )
    loaded = asyncio.Event()

    def relisted() -> None:
        if loaded.is_set():
            sweep.relisted()

    shell = KopfShell(
        access=access,
        client=kube,
        deliver=ingest.apply,
        relisted=relisted,
        restarted=metrics.watch_restarted,
        jitter=jitter,
        watched=watched,
    )

    async def watch() -> None:
        await shell.wait_for_crds()
        await preload.run()
        check_owners(store.gateways().values(), namespaces)
        # What was loaded stays: the collector need not look through 60,000 objects again and again, which takes as long as a dozen passes.
        gc.collect()
        gc.freeze()
        _enqueue_all(store, queue)
        loaded.set()
        # Kopf lists everything once more, which tells nothing new and takes as long as all first passes: those come first.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.drained(), timeout=WATCH_AFTER)
        await shell.run()

    async def sweeping() -> None:
        await loaded.wait()
        await sweep.run()

    def oldest_age() -> float:
        return queue.oldest_age() if engine.leading else 0.0

    async def looking() -> None:
        await loaded.wait()
        if watched is not None:
            await watched.run()

    if watched is not None:
        watched.changed = shell.renew

    probes = Probes(
        host=settings.probes_host,
        port=settings.probes_port,
        metrics=metrics,
        loaded=loaded,
        oldest_age=oldest_age,
    )

    async def close() -> None:
        await probes.stop()
        await pool.close()
        await kube.close()
        await aside.close()

    engine = Engine(
        queue=queue,
        reconcilers={"Client": clients, "Policy": policies, "APIGrant": grants},
        keeper=keeper,
        elector=elector,
        events=events,
        metrics=metrics,
        clock=clock,
        jitter=jitter,
        workers=settings.workers,
        loaded=loaded,
        sources=[watch, sweeping] if watched is None else [watch, sweeping, looking],
        before_leading=lambda: reserve_all(store=store, seals=seals),
        services=[collector.run],
    )
    metrics.reconciles.workers(settings.workers)
    figures = Figures(store=store, keeper=keeper, pool=pool, ledger=ledger, clock=clock)
    expose(metrics, store=store, queue=queue, figures=figures, oldest_age=oldest_age)
    port = await probes.start()
    return Operator(engine=engine, store=store, queue=queue, metrics=metrics, close=close, port=port)


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
