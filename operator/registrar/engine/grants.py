"""The statuses of APIGrants: whether each has an effect, and how many Contracts it allows.

Invariants: computed from the store alone; the count is written at most every ten seconds and only when it changed, the conditions at once.
What this module deliberately does not do: apply a grant (the Clients that it concerns do, see `lifecycle.grants`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from registrar.clock import Clock
from registrar.engine.concerned import contracts_of_grant
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import KubeConflict, KubeError, KubeNotFound
from registrar.kube.client import GRANTS
from registrar.kube.status import StatusWriter
from registrar.lifecycle.expiry import expired
from registrar.lifecycle.grants import organization_of
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, Condition, parse_conditions
from registrar.resources.objects import ContractObject, GrantObject
from registrar.resources.reasons import Reason
from registrar.resources.times import timestamp
from registrar.seam import Site

log = logging.getLogger(__name__)

_YIELD_EVERY = 2000
"""After how many Contracts the event loop gets its turn."""


@dataclass(slots=True, kw_only=True)
class GrantReconciler:
    """Writes APIGrants' statuses; `counter_interval` is in seconds."""

    store: Store
    queue: WorkQueue
    ingest: Ingest
    status_writer: StatusWriter
    clock: Clock
    counter_interval: float
    _counted: dict[str, float] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> str:
        """Bring one grant's status up to date; returns the outcome for the metrics."""
        grant = self.store.grant(key.namespace, key.name)
        if grant is None or grant.meta.deleting:
            return "success"
        old = grant.raw_status
        rows = self._conditions(grant, old)
        due = self._counted.get(grant.meta.uid, float("-inf")) + self.counter_interval
        if rows == (old.get("conditions") or []) and self.clock.now() < due:
            # Only the count may be another one, and it is too early to say so: it is not even made.
            self.queue.add_at(key, due)
            return "success"
        self._counted[grant.meta.uid] = self.clock.now()
        new = {
            "observedGeneration": grant.meta.generation,
            "conditions": rows,
            "consumers": await self._consumers(grant),
        }
        if new == old:
            self.queue.forget(key)
            return "success"
        return await self._write(key, grant, old=old, new=new)

    async def _write(self, key: Key, grant: GrantObject, *, old: dict[str, Any], new: dict[str, Any]) -> str:
        try:
            raw = await self.status_writer.write(
                GRANTS,
                namespace=grant.meta.namespace,
                name=grant.meta.name,
                resource_version=grant.meta.resource_version,
                old=old,
                new=new,
                site=Site.GRANT_STATUS,
            )
        except (KubeConflict, KubeNotFound):
            self.queue.retry(key)
            return "requeue"
        except KubeError as error:
            log.warning("grant %s/%s: %s", key.namespace, key.name, error)
            self.queue.retry(key)
            return "error"
        if raw is not None:
            self.ingest.own_write("APIGrant", raw)
        self.queue.forget(key)
        return "success"

    async def _consumers(self, grant: GrantObject) -> int:
        """How many Contracts the grant allows: API, version, plan and namespace fit, and it counts on the Contract's gateway."""
        count, now = 0, self.clock.now()
        for number, contract in enumerate(contracts_of_grant(self.store, grant), start=1):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            fits = grant.names(contract.api) and contract.plan in grant.plans
            if not fits or contract.meta.deleting or expired(contract, now=now):
                continue
            gateway = self.store.gateway(self._gateway_of(contract))
            count += gateway is not None and organization_of(grant, gateway) == contract.api.organization
        return count

    def _gateway_of(self, contract: ContractObject) -> str:
        """The RuntimeGateway of a Contract: its own, its Client's, the one it is live on, or the default."""
        client = self.store.client(contract.meta.namespace, contract.client)
        placed = client.placed if client is not None else ()
        named = contract.gateway or (client.gateway if client is not None else "") or contract.status.gateway
        if named or len(placed) == 1:
            return named or placed[0]
        return next((name for name, row in sorted(self.store.gateways().items()) if row.default), "")

    def _conditions(self, grant: GrantObject, old: dict[str, Any]) -> list[dict[str, Any]]:
        status, reason, message = self._accepted(grant)
        rows = [
            Condition(conditions.READY, status, reason, message),
            Condition(conditions.ACCEPTED, status, reason, message),
        ]
        if status == FALSE:
            rows.append(Condition(conditions.STALLED, TRUE, reason, message))
        merged = conditions.merge(
            parse_conditions(old.get("conditions") or ()),
            rows,
            at=timestamp(self.clock.now()),
            generation=grant.meta.generation,
        )
        return [row.to_json() for row in merged]

    def _accepted(self, grant: GrantObject) -> tuple[str, str, str]:
        """Whether the grant counts on some gateway; status, reason and message."""
        gateways = list(self.store.gateways().values())
        namespace = grant.meta.namespace
        if any(organization_of(grant, gateway) for gateway in gateways):
            return TRUE, Reason.VALID.value, reasons.GRANT_ACCEPTED
        if not grant.organization and any(len(gateway.owned_organizations(namespace)) > 1 for gateway in gateways):
            return FALSE, Reason.AMBIGUOUS_ORGANIZATION.value, reasons.grant_ambiguous(namespace=namespace)
        text = reasons.grant_not_permitted(namespace=namespace, organization=grant.organization or namespace)
        return FALSE, Reason.NOT_PERMITTED.value, text
