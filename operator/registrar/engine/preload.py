"""The start: lists every kind with our own client, and opens the barrier only when all are there.

With half of the Contracts in the store a first pass would shrink live grants, so nothing is reconciled before. Kopf lists the same objects again behind it,
which changes nothing.

Invariants: memory is bounded by a page; a list that got too old between two pages starts anew; faults of the API server are waited out.
What this module deliberately does not do: notice deletions (see `sweep`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from registrar.clock import Jitter
from registrar.engine.namespaces import WatchedNamespaces
from registrar.engine.source import Ingest
from registrar.errors import KubeError, KubeGone
from registrar.kube.client import (
    CLIENTS,
    CONTRACTS,
    GATEWAYS,
    GRANTS,
    NAMESPACES,
    POLICIES,
    SECRETS,
    KubeClient,
    Resource,
)
from registrar.resources.parse import ALLOW_USE_LABEL

log = logging.getLogger(__name__)

KINDS: tuple[Resource, ...] = (NAMESPACES, GATEWAYS, GRANTS, POLICIES, SECRETS, CONTRACTS, CLIENTS)
"""Clients last: when the first of them is seen, what belongs to it is there. Namespaces first: what selects them is matched once."""
_RETRY = (1.0, 2.0, 5.0, 10.0, 30.0)


def selector(resource: Resource) -> str:
    """The label selector for a kind: of the Secrets only those that may be used."""
    return f"{ALLOW_USE_LABEL}=true" if resource is SECRETS else ""


@dataclass(slots=True, kw_only=True)
class Preload:
    """Lists everything once; `watched` is None when that is all namespaces."""

    client: KubeClient
    ingest: Ingest
    jitter: Jitter
    watched: WatchedNamespaces | None

    async def run(self) -> None:
        """Return when every kind is in the store."""
        for attempt in range(1_000_000):
            try:
                if self.watched is not None:
                    await self.watched.load()
                for resource in KINDS:
                    for namespace in self.scopes(resource):
                        await self._list(resource, namespace)
                return
            except KubeError as error:
                delay = (
                    0.0 if isinstance(error, KubeGone) else self.jitter.around(_RETRY[min(attempt, len(_RETRY) - 1)])
                )
                log.warning("the objects can't be listed yet: %s; trying again in %.0f s", error, delay)
                await asyncio.sleep(delay)

    def scopes(self, resource: Resource) -> tuple[str, ...]:
        """The namespaces to list a kind in; an empty text stands for all, and nothing for a kind that is not listed."""
        if self.watched is None:
            return ("",)
        if resource is NAMESPACES:
            return ()
        return self.watched.present() if resource.namespaced else ("",)

    async def _list(self, resource: Resource, namespace: str) -> None:
        count = 0
        async for page in self.client.list_pages(resource, namespace=namespace, label_selector=selector(resource)):
            for item in page.items:
                self.ingest.loaded(resource.kind, item)
            count += len(page.items)
            # Parsing a page is long enough for the loop's other tasks to want their turn.
            await asyncio.sleep(0)
        log.info("loaded %d %s", count, resource.plural)
