"""The Namespaces of an operator that watches only some of them: read one by one, because a right to list them would be one on all.

Their labels matter to selectors of grants and of organizations; that one of them is gone matters to the watch streams.

Invariants: a Namespace is read by name only; what is in the store of one that is gone is gone too, because the API server lets a Namespace go when it is empty.
What this module deliberately does not do: run at all when every namespace is watched (Kopf's stream brings Namespaces then).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from registrar.clock import Jitter
from registrar.engine.source import Ingest
from registrar.engine.startup import unwatched
from registrar.engine.store import Store
from registrar.errors import KubeError, KubeNotFound
from registrar.kube.client import NAMESPACES, KubeClient

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two looks at the Namespaces: how late a label that withdraws a grant may be seen."""
_INSIDE = ("Contract", "Policy", "APIGrant", "Secret", "Client")


@dataclass(slots=True, kw_only=True)
class WatchedNamespaces:
    """The Namespaces with these `names`; `changed` is called when one has come or gone since the last look."""

    client: KubeClient
    store: Store
    ingest: Ingest
    jitter: Jitter
    names: tuple[str, ...]
    changed: Callable[[], None] = lambda: None
    _gone: set[str] = field(default_factory=set)
    _said: frozenset[str] = frozenset()

    def present(self) -> tuple[str, ...]:
        """Those that exist, as of the last look."""
        return tuple(name for name in self.names if name not in self._gone)

    async def load(self) -> None:
        """Read them all; raises a KubeError when the API server does not help."""
        before = self.present()
        for name in self.names:
            await self._read(name)
        if self.present() != before:
            self.changed()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.jitter.around(INTERVAL))
            try:
                await self.load()
            except KubeError as error:
                log.warning("the watched namespaces can't be read now: %s", error)
            self._owners()

    async def _read(self, name: str) -> None:
        try:
            raw = await self.client.get(NAMESPACES, namespace="", name=name)
        except KubeNotFound:
            self._lost(name)
            return
        if name in self._gone:
            log.info("namespace %s is there again and is watched", name)
            self._gone.discard(name)
        self.ingest.apply("Namespace", None, raw)

    def _lost(self, name: str) -> None:
        if name in self._gone:
            return
        self._gone.add(name)
        log.warning(
            "namespace %s is gone; take it out of the chart's watchNamespaces, or the next start will stop", name
        )
        for kind in _INSIDE:
            for item in [row for row in self.store.all(kind) if row.meta.namespace == name]:
                self.ingest.deleted(kind, item.meta)
        known = self.store.find("Namespace", "", name)
        if known is not None:
            self.ingest.deleted("Namespace", known.meta)

    def _owners(self) -> None:
        """Say once of each RuntimeGateway that has changed meanwhile what would stop the next start."""
        problems = frozenset(unwatched(self.store.gateways().values(), self.names))
        for problem in sorted(problems - self._said):
            log.warning("%s The next start will stop for it.", problem)
        self._said = problems
