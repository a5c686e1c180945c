"""The statuses of Policies: whether each is accepted, and in how many contracts it is live.

Invariants: computed from the store alone; counters are written at most every ten seconds and only when they changed.
What this module deliberately does not do: apply a Policy (the Clients that it reaches do, see `lifecycle.chain`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from registrar.clock import Clock
from registrar.engine.pool import Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import KubeConflict, KubeError, KubeNotFound
from registrar.kube.client import POLICIES
from registrar.kube.status import StatusWriter
from registrar.lifecycle.chain import permitted, targets_contract
from registrar.lifecycle.reach import within_reach
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, Condition, parse_conditions
from registrar.resources.objects import PolicyObject
from registrar.resources.reasons import Reason
from registrar.resources.times import timestamp
from registrar.seam import Site

log = logging.getLogger(__name__)

_YIELD_EVERY = 200
"""After how many Clients the event loop gets its turn: a plan's policy may reach thousands."""


@dataclass(slots=True, kw_only=True)
class PolicyReconciler:
    """Writes Policies' statuses; `counter_interval` is in seconds."""

    store: Store
    queue: WorkQueue
    pool: Pool
    ingest: Ingest
    status_writer: StatusWriter
    clock: Clock
    counter_interval: float
    _written: dict[str, float] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> str:
        """Bring one Policy's status up to date; returns the outcome for the metrics."""
        policy = self.store.policy(key.namespace, key.name)
        if policy is None or policy.meta.deleting:
            return "success"
        if self._early(key, policy):
            return "success"
        effective, live = await self._counts(within_reach(policy, self.store.gateways().values()))
        new = self._status(policy, effective=effective, live=live)
        old = policy.raw_status
        if new == old:
            self.queue.forget(key)
            return "success"
        due = self._written.get(policy.meta.uid, float("-inf")) + self.counter_interval
        if old.get("conditions") and _accepted(new) == _accepted(old) and self.clock.now() < due:
            self.queue.add_at(key, due)
            return "success"
        return await self._write(key, policy, old=old, new=new)

    def _early(self, key: Key, policy: PolicyObject) -> bool:
        """Whether only counters could be new, and those were written a moment ago: a fan-out to thousands must not count them all again and again."""
        due = self._written.get(policy.meta.uid, float("-inf")) + self.counter_interval
        accepted = self._accepted(policy)
        if self.clock.now() >= due or (accepted.status, accepted.reason) != _accepted(policy.raw_status):
            return False
        self.queue.add_at(key, due)
        return True

    async def _write(self, key: Key, policy: PolicyObject, *, old: dict[str, Any], new: dict[str, Any]) -> str:
        try:
            raw = await self.status_writer.write(
                POLICIES,
                namespace=policy.meta.namespace,
                name=policy.meta.name,
                resource_version=policy.meta.resource_version,
                old=old,
                new=new,
                site=Site.POLICY_STATUS,
            )
        except (KubeConflict, KubeNotFound):
            self.queue.retry(key)
            return "requeue"
        except KubeError as error:
            log.warning("policy %s/%s: %s", key.namespace, key.name, error)
            self.queue.retry(key)
            return "error"
        if raw is not None:
            self.ingest.own_write("Policy", raw)
        self._written[policy.meta.uid] = self.clock.now()
        self.queue.forget(key)
        return "success"

    async def _counts(self, policy: PolicyObject) -> tuple[int, int]:
        """In how many contracts the Policy should be, and in how many it is published and live."""
        effective = live = 0
        for number, key in enumerate(sorted(self.store.clients_affected_by(policy)), start=1):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            client = self.store.client(key.namespace, key.name)
            if client is None:
                continue
            reached = {
                contract.meta.uid
                for contract in self.store.contracts_of(key.namespace, key.name)
                if any(targets_contract(target, policy, contract) for target in policy.targets)
            }
            effective += len(reached)
            if client.phase not in ("Registered", "UnpublishedChanges"):
                continue
            suffix = f":{policy.meta.namespace}/{policy.meta.name}"
            for snapshot in client.status.gateways:
                same = {
                    published.id
                    for published in snapshot.policies
                    if published.id.endswith(suffix) and published.config in ("", policy.config)
                }
                live += sum(
                    1 for c in snapshot.contracts if c.uid in reached and c.live and not same.isdisjoint(c.policies)
                )
        return effective, live

    def _status(self, policy: PolicyObject, *, effective: int, live: int) -> dict[str, Any]:
        accepted = self._accepted(policy)
        rows = [accepted]
        if accepted.status == TRUE:
            whole = live == effective
            rows.append(
                Condition(
                    type=conditions.PROGRAMMED,
                    status=TRUE if whole else FALSE,
                    reason=Reason.PROGRAMMED.value if whole else Reason.PARTIALLY_PROGRAMMED.value,
                    message=reasons.policy_programmed(live=live, total=effective),
                )
            )
        merged = conditions.merge(
            parse_conditions(policy.raw_status.get("conditions") or ()),
            rows,
            at=timestamp(self.clock.now()),
            generation=policy.meta.generation,
        )
        return {
            "observedGeneration": policy.meta.generation,
            "conditions": [condition.to_json() for condition in merged],
            "contracts": {"effective": effective, "live": live},
        }

    def _accepted(self, policy: PolicyObject) -> Condition:
        """The first thing that speaks against the Policy."""
        gateways = self.store.gateways().values()
        for target in policy.targets:
            if target.kind in ("Plan", "API"):
                if not any(permitted(target, policy, gateway) for gateway in gateways):
                    text = reasons.policy_not_permitted(
                        namespace=policy.meta.namespace, organization=target.organization
                    )
                    return _condition(FALSE, Reason.NOT_PERMITTED, text)
            elif not self._exists(policy.meta.namespace, target.kind, target.name):
                text = reasons.policy_target_not_found(f"{target.kind} {target.name}")
                return _condition(FALSE, Reason.TARGET_NOT_FOUND, text)
        handles = [handle for g in gateways if (handle := self.pool.handle(g.meta.name)) is not None]
        if handles and not any(policy.type in handle.renderable for handle in handles):
            return _condition(FALSE, Reason.UNSUPPORTED, reasons.policy_unsupported(type_=policy.type))
        return _condition(TRUE, Reason.VALID, reasons.POLICY_ACCEPTED)

    def _exists(self, namespace: str, kind: str, name: str) -> bool:
        if kind == "Client":
            return self.store.client(namespace, name) is not None
        return self.store.contract(namespace, name) is not None


def _condition(status: str, reason: Reason, message: str) -> Condition:
    return Condition(type=conditions.ACCEPTED, status=status, reason=reason.value, message=message)


def _accepted(status: dict[str, Any]) -> object:
    rows = status.get("conditions") or []
    return next(((row["status"], row["reason"]) for row in rows if row["type"] == conditions.ACCEPTED), None)
