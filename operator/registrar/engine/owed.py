"""What is owed: registrations whose Client was let go before they could be taken off, and the task that takes them off when the gateway is back.

Each RuntimeGateway's debts are in a ConfigMap of the operator's own namespace, one entry for each registration: identities and keyed digests, never a key. So a
debt outlives the object, the operator and the RuntimeGateway itself.

Invariants: a debt is written before the finalizer goes; a registration is taken off only if it still is the one that is owed (its key, or its whole payload, has
the remembered digest), so what somebody else has put there since is left alone, and so is one that a new Client holds with the same key; a debt ends when the
gateway has nothing of it any more. What this module deliberately does not do: decide that a Client may go (see `lifecycle.deletion`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from registrar.clock import Clock, Jitter
from registrar.engine.audit import Audit
from registrar.engine.pool import Handle, Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.rendering import Seals
from registrar.engine.store import Store
from registrar.errors import GatewayError, KubeConflict, KubeError, KubeNotFound, KubeRefused
from registrar.gateways.base import Identity, Registration
from registrar.kube.client import CONFIG_MAPS, KubeClient
from registrar.lifecycle.model import Why
from registrar.seam import Site

log = logging.getLogger(__name__)

LABEL = "gateway-registrar.dev/owed"
MOST = 2000
"""How many debts one gateway may have: what fits into a ConfigMap. Past it a forced deletion waits too."""
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Debt:
    """One registration that is still to be taken off; `client` is namespace/name, `key_digest` and `hash` are empty where they were not known."""

    uid: str
    client: str
    identity: Identity
    key_digest: str = ""
    hash: str = ""

    @property
    def id(self) -> str:
        """The entry's name in the ConfigMap."""
        return f"{self.uid}.{self.identity.version}"

    def to_json(self) -> str:
        """The entry's value."""
        return orjson.dumps(
            {
                "client": self.client,
                "organization": self.identity.organization,
                "clientId": self.identity.client_id,
                "version": self.identity.version,
                "keyDigest": self.key_digest,
                "hash": self.hash,
            }
        ).decode()

    @classmethod
    def parse(cls, name: str, text: str) -> Debt | None:
        """An entry read back; None for one that somebody has spoilt."""
        try:
            raw = orjson.loads(text)
            fields = {
                key: str(raw[key]) for key in ("client", "organization", "clientId", "version", "keyDigest", "hash")
            }
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        identity = Identity(fields["organization"], fields["clientId"], fields["version"])
        uid = name.removesuffix(f".{identity.version}")
        return cls(uid, fields["client"], identity, fields["keyDigest"], fields["hash"])


class Ledger:
    """The debts of all gateways, in memory and in ConfigMaps."""

    def __init__(self, client: KubeClient, *, namespace: str) -> None:
        """`namespace` is the operator's own."""
        self._client = client
        self._namespace = namespace
        self.loaded = False
        self._debts: dict[str, dict[str, Debt]] = {}
        self._gateways_of: dict[str, set[str]] = {}

    async def load(self) -> None:
        """Read all debts; raises a KubeError when the API server does not help."""
        async for page in self._client.list_pages(
            CONFIG_MAPS, namespace=self._namespace, label_selector=f"{LABEL}=true"
        ):
            for raw in page.items:
                gateway = (raw["metadata"].get("annotations") or {}).get(LABEL, "")
                for name, text in (raw.get("data") or {}).items():
                    debt = Debt.parse(name, text)
                    if debt is None:
                        log.warning(
                            "ConfigMap %s: entry %s can't be read; it is left alone", raw["metadata"]["name"], name
                        )
                        continue
                    self._keep(gateway, debt)
        self.loaded = True
        for gateway, debts in self._debts.items():
            log.info("gateway %s: %d registrations are owed", gateway, len(debts))

    async def record(self, gateway: str, debt: Debt) -> None:
        """Write a debt down; writing it again changes nothing. Raises KubeRefused when the gateway has too many."""
        if self.count(gateway) >= MOST and debt.id not in self._debts[gateway]:
            raise KubeRefused(
                f"gateway {gateway} is owed {MOST} registrations already; no more Clients are let go by force",
                status=413,
            )
        name = config_map_name(gateway)
        body: dict[str, Any] = {"data": {debt.id: debt.to_json()}}
        try:
            await self._patch(name, body)
        except KubeNotFound:
            try:
                await self._client.create(
                    CONFIG_MAPS,
                    namespace=self._namespace,
                    body=_config_map(name, self._namespace, gateway) | body,
                    site=Site.OWED_WRITE,
                )
            except KubeConflict:
                await self._patch(name, body)
        self._keep(gateway, debt)

    async def settle(self, gateway: str, debt: Debt) -> None:
        """A debt is paid, or is none any more."""
        try:
            await self._patch(config_map_name(gateway), {"data": {debt.id: None}})
        except KubeNotFound:
            # Somebody has forgiven all of them by deleting the ConfigMap.
            log.info("gateway %s: the list of what is owed is gone", gateway)
        self._debts.get(gateway, {}).pop(debt.id, None)
        self._gateways_of.get(debt.uid, set()).discard(gateway)

    async def _patch(self, name: str, body: dict[str, Any]) -> None:
        await self._client.patch(CONFIG_MAPS, namespace=self._namespace, name=name, body=body, site=Site.OWED_WRITE)

    def _keep(self, gateway: str, debt: Debt) -> None:
        self._debts.setdefault(gateway, {})[debt.id] = debt
        self._gateways_of.setdefault(debt.uid, set()).add(gateway)

    def count(self, gateway: str) -> int:
        """How many registrations that gateway is owed."""
        return len(self._debts.get(gateway, ()))

    def gateways_of(self, uid: str) -> frozenset[str]:
        """The gateways for which a debt of that Client is written down."""
        return frozenset(self._gateways_of.get(uid, ()))

    def open(self) -> Mapping[str, tuple[Debt, ...]]:
        """All debts, by gateway."""
        return {gateway: tuple(debts.values()) for gateway, debts in self._debts.items() if debts}


@dataclass(slots=True)
class _Patience:
    """When a gateway that did not help is asked again; monotonic seconds."""

    failures: int = 0
    until: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class Collector:
    """Pays what is owed; `interval` is in seconds."""

    ledger: Ledger
    store: Store
    pool: Pool
    queue: WorkQueue
    seals: Seals
    audit: Audit
    clock: Clock
    jitter: Jitter
    interval: float
    _patience: dict[str, _Patience] = field(default_factory=dict)

    async def run(self) -> None:
        """Load the debts, then pay what can be paid, until cancelled."""
        while True:
            try:
                await self.ledger.load()
                break
            except KubeError as error:
                log.warning("what is owed can't be read yet: %s", error)
            await asyncio.sleep(self.jitter.around(2.0))
        while True:
            for gateway, debts in self.ledger.open().items():
                await self.collect(gateway, debts)
            await asyncio.sleep(self.jitter.around(self.interval))

    async def collect(self, gateway: str, debts: tuple[Debt, ...]) -> None:
        """Pay the debts of one gateway as far as it helps."""
        handle, found = self.pool.handle(gateway), self.store.gateway(gateway)
        patience = self._patience.setdefault(gateway, _Patience())
        if handle is None or found is None or found.mode != "Manage" or handle.breaker.is_open:
            # Whoever sees the gateway answer again closes the breaker; there is nothing to wait out then.
            self._patience.pop(gateway, None)
            return
        if self.clock.monotonic() < patience.until:
            return
        try:
            for debt in debts:
                await self._pay(gateway, handle, debt)
            self._patience.pop(gateway, None)
        except (GatewayError, KubeError) as error:
            patience.failures += 1
            patience.until = self.clock.monotonic() + min(_LONGEST_WAIT, 2.0**patience.failures)
            log.warning("gateway %s: what is owed can't be taken off yet: %s", gateway, error)

    async def _pay(self, gateway: str, handle: Handle, debt: Debt) -> None:
        registration = await handle.driver.read(debt.identity, urgent=True)
        outcome = "Absent"
        if registration is not None and not self._owed(registration, debt):
            outcome = "NotOurs"
        elif registration is not None and self._held(debt):
            outcome = "TakenOver"
        elif registration is not None:
            await handle.driver.unregister(debt.identity, urgent=True)
            outcome = "Succeeded"
        await self.ledger.settle(gateway, debt)
        self.audit.effect(
            now=self.clock.now(), client=debt.client, uid=debt.uid, gateway=gateway,
            verb=Why.DELETED, outcome=outcome, before=debt.hash,
        )  # fmt: skip
        log.info("gateway %s: %s of %s is no longer owed (%s)", gateway, debt.identity, debt.client, outcome)
        self._wake(gateway, debt)

    def _owed(self, found: Registration, debt: Debt) -> bool:
        """Whether what the gateway has is still the registration that is owed."""
        return self.seals.key_digest(found.api_key) == debt.key_digest or self.seals.digest(found) == debt.hash

    def _held(self, debt: Debt) -> bool:
        """Whether a new Client has come up with the same key: the registration is that Client's now."""
        return bool(debt.key_digest) and self.store.holder_of_key(debt.key_digest) not in ("", debt.uid)

    def _wake(self, gateway: str, debt: Debt) -> None:
        """A new Client under the same identity may have been waiting for it to become free."""
        identity = debt.identity
        uid = self.store.holder_of_identity(
            gateway=gateway, organization=identity.organization, client_id=identity.client_id, version=identity.version
        )
        client = self.store.client_by_uid(uid)
        if client is not None:
            key = Key("Client", client.meta.namespace, client.meta.name)
            self.queue.forget(key)
            self.queue.add(key)


def config_map_name(gateway: str) -> str:
    """The ConfigMap of a gateway's debts; readable, and different for different gateways however long their names are."""
    return f"gateway-registrar-owed-{gateway[:100].rstrip('.-')}-{hashlib.sha256(gateway.encode()).hexdigest()[:8]}"


def _config_map(name: str, namespace: str, gateway: str) -> dict[str, Any]:
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL: "true", "app.kubernetes.io/managed-by": "gateway-registrar"},
            "annotations": {LABEL: gateway},
        },
    }
