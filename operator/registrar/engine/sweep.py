"""Finds what the watch has lost: Kopf does not report objects that vanished while a stream was down.

A list of metadata alone is compared with the store. What the store has and the list has not is asked for by name before it counts as deleted; what the list
has in a newer version is fetched.

Invariants: nothing counts as deleted on the word of a list alone; an object newer than the list is left alone; the GETs are paced.
What this module deliberately does not do: run while nothing is loaded.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from registrar.clock import Jitter
from registrar.engine.preload import KINDS, Preload, selector
from registrar.engine.source import Ingest
from registrar.engine.store import Store, version_of
from registrar.errors import KubeError, KubeNotFound
from registrar.kube.client import KubeClient, Resource
from registrar.metrics import Metrics
from registrar.resources.objects import AnyObject

log = logging.getLogger(__name__)

AFTER_RELIST = 2.0
"""Seconds of quiet after a listing by Kopf until the sweep: what it lists has arrived by then."""
LONGEST_LISTING = 120.0
"""Seconds after which the sweep begins though Kopf still lists: of 60,000 objects it needs less than half of that."""
_RETRY = 1.0
_PACE = 0.01
_YIELD_EVERY = 500


@dataclass(slots=True, kw_only=True)
class Sweep:
    """Sweeps every `interval` seconds (give or take a tenth), and soon after each relist."""

    client: KubeClient
    store: Store
    ingest: Ingest
    preload: Preload
    metrics: Metrics
    jitter: Jitter
    interval: float
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def relisted(self) -> None:
        """Kopf has listed again, so its stream had a gap."""
        self._wanted.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._wanted.wait(), timeout=self.jitter.around(self.interval))
                await self._listed()
            except TimeoutError:
                pass  # no relist in all that time: the sweep is due anyway
            self._wanted.clear()
            await self.once()

    async def _listed(self) -> None:
        """Wait for the end of the listing: a sweep in the middle of it would have to be made again, and each reads every object's metadata."""
        for _ in range(int(LONGEST_LISTING / AFTER_RELIST)):
            self._wanted.clear()
            await asyncio.sleep(AFTER_RELIST)
            if not self._wanted.is_set():
                return

    async def once(self) -> None:
        """Sweep all kinds; a kind that can't be listed is swept the next time."""
        for resource in KINDS:
            for namespace in self.preload.scopes(resource):
                await self._try(resource, namespace)

    async def catch_up(self) -> None:
        """Return when the store has everything as it was at the call, or newer; faults of the API server are waited out."""
        left = [(resource, namespace) for resource in KINDS for namespace in self.preload.scopes(resource)]
        while True:
            left = [row for row in left if not await self._try(*row)]
            if not left:
                return
            await asyncio.sleep(self.jitter.around(_RETRY))

    async def _try(self, resource: Resource, namespace: str) -> bool:
        """Sweep one kind; False when the API server did not let it come to its end."""
        try:
            await self._sweep(resource, namespace)
        except KubeError as error:
            log.warning("%s can't be swept now: %s", resource.plural, error)
            return False
        return True

    async def _sweep(self, resource: Resource, namespace: str) -> None:
        seen: set[str] = set()
        late: list[tuple[str, str, str, int]] = []
        horizon = 0
        async for page in self.client.list_pages(
            resource, namespace=namespace, label_selector=selector(resource), metadata_only=True
        ):
            horizon = max(horizon, int(page.resource_version or 0))
            for item in page.items:
                meta = item["metadata"]
                listed = (meta.get("namespace", ""), meta["name"], meta["uid"], int(meta.get("resourceVersion") or 0))
                known = self.store.find(resource.kind, *listed[:2])
                # The store's own text of the UID, where it has one: that of the page would live as long as the sweep.
                seen.add(known.meta.uid if known is not None and known.meta.uid == meta["uid"] else meta["uid"])
                if self._misses(resource, *listed):
                    late.append(listed)
        for number, stored in enumerate(self.store.all(resource.kind), start=1):
            await _turn(number)
            in_scope = not namespace or stored.meta.namespace == namespace
            if in_scope and stored.meta.uid not in seen and version_of(stored.meta) <= horizon:
                await self._confirm_gone(resource, stored)
        for listed in late:
            # The watch may have brought it meanwhile.
            if self._misses(resource, *listed):
                await self._fetch(resource, *listed[:2])

    def _misses(self, resource: Resource, namespace: str, name: str, uid: str, version: int) -> bool:
        """Whether the store has not that object, or only an older version of it."""
        known = self.store.find(resource.kind, namespace, name)
        return known is None or known.meta.uid != uid or version_of(known.meta) < version

    async def _confirm_gone(self, resource: Resource, item: AnyObject) -> None:
        meta = item.meta
        try:
            # Metadata only: what lost its label may be a Secret that nobody allowed to be read.
            found = await self.client.get(resource, namespace=meta.namespace, name=meta.name, metadata_only=True)
            gone = found["metadata"]["uid"] != meta.uid or not _selected(resource, found)
        except KubeNotFound:
            gone, found = True, None
        if gone:
            log.info("the sweep found %s %s/%s deleted", resource.kind, meta.namespace, meta.name)
            self.metrics.sweep_finding(resource.kind, "deleted")
            self.ingest.deleted(resource.kind, meta)
        await asyncio.sleep(_PACE)
        if found is not None and found["metadata"]["uid"] != meta.uid and _selected(resource, found):
            await self._fetch(resource, meta.namespace, meta.name)

    async def _fetch(self, resource: Resource, namespace: str, name: str) -> None:
        """An object that the store has not, or has in an older version: the watch is late, or has lost it."""
        try:
            found = await self.client.get(resource, namespace=namespace, name=name)
        except KubeNotFound:
            return
        before = self.store.find(resource.kind, namespace, name)
        self.ingest.apply(resource.kind, None, found)
        if self.store.find(resource.kind, namespace, name) is not before:
            self.metrics.sweep_finding(resource.kind, "missed")
        await asyncio.sleep(_PACE)


async def _turn(number: int) -> None:
    """Let others have theirs every few hundred rows: comparing 50,000 in one go would hold up every change that arrives meanwhile."""
    if number % _YIELD_EVERY == 0:
        await asyncio.sleep(0)


def _selected(resource: Resource, found: dict[str, object]) -> bool:
    """Whether the object still carries the label that its kind is selected by."""
    wanted = selector(resource)
    if not wanted:
        return True
    key, _, value = wanted.partition("=")
    metadata = found["metadata"]
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and labels.get(key) == value
