"""The statuses of Policies: whether each is accepted, and in how many contracts it is live.

Invariants: computed from the store alone; counters are written at most every ten seconds and only when they changed.
What this module deliberately does not do: apply a Policy (the Clients that it reaches do, see `lifecycle.chain`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson

from registrar.clock import Clock
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.pool import Pool
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.errors import KubeConflict, KubeError, KubeNotFound
from registrar.kube.client import POLICIES
from registrar.kube.status import StatusWriter
from registrar.lifecycle.buckets import LIMITS
from registrar.lifecycle.chain import effective, permitted, published, siblings, targets_contract
from registrar.lifecycle.model import PolicyFact
from registrar.lifecycle.reach import within_reach
from registrar.resources import conditions, reasons
from registrar.resources.conditions import FALSE, TRUE, Condition, parse_conditions
from registrar.resources.objects import ClientObject, ContractObject, PolicyObject
from registrar.resources.reasons import Reason
from registrar.resources.times import timestamp
from registrar.seam import Site

log = logging.getLogger(__name__)

_AWAITED = frozenset({Reason.TARGET_NOT_FOUND, Reason.SECRET_MISSING})
"""What is not there yet, and is picked up when it comes: order within a rollout must fail nobody."""
_YIELD_EVERY = 200
"""After how many Clients the event loop gets its turn: a plan's policy may reach thousands."""


@dataclass(slots=True)
class _Counts:
    """What was counted; `winner` is the Policy that this one gives way to, and `where` the first Contract where it does."""

    effective: int = 0
    live: int = 0
    winner: str = ""
    where: str = ""


@dataclass(slots=True, kw_only=True)
class PolicyReconciler:
    """Writes Policies' statuses; `counter_interval` is in seconds."""

    store: Store
    queue: WorkQueue
    pool: Pool
    ingest: Ingest
    status_writer: StatusWriter
    clock: Clock
    facts: PolicyFacts
    counter_interval: float
    _written: dict[str, float] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> str:
        """Bring one Policy's status up to date; returns the outcome for the metrics."""
        policy = self.store.policy(key.namespace, key.name)
        if policy is None or policy.meta.deleting:
            return "success"
        fact = self.facts.fact(policy)
        if self._early(key, policy, fact):
            return "success"
        counts = await self._counts(within_reach(policy, self.store.gateways().values()), fact)
        new = self._status(policy, fact, counts)
        old = policy.raw_status
        if new == old:
            self.queue.forget(key)
            return "success"
        due = self._written.get(policy.meta.uid, float("-inf")) + self.counter_interval
        if _settled(new) == _settled(old) and self.clock.now() < due:
            self.queue.add_at(key, due)
            return "success"
        return await self._write(key, policy, old=old, new=new)

    def _early(self, key: Key, policy: PolicyObject, fact: PolicyFact) -> bool:
        """Whether only counters could be new, and those were written a moment ago: a fan-out to thousands must not count them all again and again."""
        due = self._written.get(policy.meta.uid, float("-inf")) + self.counter_interval
        accepted = self._accepted(policy, fact, _Counts())
        # Whether it gives way to another limit is found out by counting.
        same = ((accepted.status, accepted.reason), (FALSE, Reason.CONFLICTED.value))
        generation, verdict = _settled(policy.raw_status)
        if self.clock.now() >= due or generation != policy.meta.generation or verdict not in same:
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

    async def _counts(self, policy: PolicyObject, fact: PolicyFact) -> _Counts:
        """In how many contracts the Policy should be, in how many it is published and live, and where it gives way to another limit."""
        counts = _Counts()
        for number, key in enumerate(sorted(self.store.clients_affected_by(policy)), start=1):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            client = self.store.client(key.namespace, key.name)
            if client is None:
                continue
            contracts = self.store.contracts_of(key.namespace, key.name)
            reached = {
                contract.meta.uid: contract
                for contract in contracts
                if any(targets_contract(target, policy, contract) for target in policy.targets)
            }
            if policy.type in LIMITS:
                for uid, winner in self._overruled(policy, client, contracts).items():
                    where = reached.pop(uid, None)
                    if where is not None and not counts.winner:
                        counts.winner, counts.where = winner, f"{key.namespace}/{where.meta.name}"
            counts.effective += len(reached)
            if client.phase not in ("Registered", "UnpublishedChanges"):
                continue
            suffix = f":{policy.meta.namespace}/{policy.meta.name}"
            now = published(policy, level="", namespace=key.namespace, secrets=fact.digest)
            for snapshot in client.status.gateways:
                same = {
                    entry.id
                    for entry in snapshot.policies
                    if entry.id.endswith(suffix) and (entry.config, entry.digest) == (now.config, now.digest)
                }
                counts.live += sum(
                    1 for c in snapshot.contracts if c.uid in reached and c.live and not same.isdisjoint(c.policies)
                )
        return counts

    def _overruled(
        self, policy: PolicyObject, client: ClientObject, contracts: tuple[ContractObject, ...]
    ) -> dict[str, str]:
        """The contracts of the Client in whose chain the limit gives way, by UID, with the Policy that it gives way to."""
        policies = self.store.policies_for(client, contracts)
        if not any(other.type == policy.type and other.meta.uid != policy.meta.uid for other in policies):
            return {}
        identity = client.status.identity
        default = next((name for name, g in sorted(self.store.gateways().items()) if g.default), "")
        home = identity.gateway if identity is not None else client.gateway or default
        result = {}
        for contract in contracts:
            gateway = self.store.gateway(contract.gateway or home)
            if gateway is None or contract.meta.deleting:
                continue
            beside = siblings(contract, contracts, home=home)
            for loser, winner in effective(contract, policies, gateway, siblings=beside).lost:
                if loser.policy.meta.uid == policy.meta.uid:
                    result[contract.meta.uid] = f"{winner.policy.meta.namespace}/{winner.policy.meta.name}"
        return result

    def _status(self, policy: PolicyObject, fact: PolicyFact, counts: _Counts) -> dict[str, Any]:
        accepted, total, live = self._accepted(policy, fact, counts), counts.effective, counts.live
        rows = [accepted]
        if accepted.status == TRUE:
            whole = live == total
            rows.append(
                Condition(
                    type=conditions.PROGRAMMED,
                    status=TRUE if whole else FALSE,
                    reason=Reason.PROGRAMMED.value if whole else Reason.PARTIALLY_PROGRAMMED.value,
                    message=reasons.policy_programmed(live=live, total=total),
                )
            )
        else:
            type_ = conditions.RECONCILING if accepted.reason in _AWAITED else conditions.STALLED
            rows.append(Condition(type=type_, status=TRUE, reason=accepted.reason, message=accepted.message))
        merged = conditions.merge(
            parse_conditions(policy.raw_status.get("conditions") or ()),
            rows,
            at=timestamp(self.clock.now()),
            generation=policy.meta.generation,
        )
        return {
            "observedGeneration": policy.meta.generation,
            "conditions": [condition.to_json() for condition in merged],
            "contracts": {"effective": total, "live": live},
        }

    def _accepted(self, policy: PolicyObject, fact: PolicyFact, counts: _Counts) -> Condition:
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
        if fact.reason:
            return _condition(FALSE, fact.reason, fact.message)
        if policy.type == "custom" and not any(g.allows_custom(policy.custom_implementation) for g in gateways):
            only = next(iter(gateways)).meta.name if len(gateways) == 1 else ""
            return _condition(FALSE, Reason.NOT_PERMITTED, reasons.policy_custom_not_allowed(gateway=only))
        if counts.winner:
            text = reasons.policy_conflicted(winner=counts.winner, contract=counts.where)
            return _condition(FALSE, Reason.CONFLICTED, text)
        text = reasons.POLICY_PASSWORDS_UNCHECKED if _extracts_roles(policy) else reasons.POLICY_ACCEPTED
        return _condition(TRUE, Reason.VALID, text)

    def _exists(self, namespace: str, kind: str, name: str) -> bool:
        if kind == "Client":
            return self.store.client(namespace, name) is not None
        return self.store.contract(namespace, name) is not None


def _extracts_roles(policy: PolicyObject) -> bool:
    """Whether the Policy takes roles from a directory: then the gateway does not look at the answer to the login (seen on Apiman 2.1.1)."""
    if policy.type != "basicAuthentication":
        return False
    ldap = orjson.loads(policy.config).get("ldapIdentity") or {}
    return bool(ldap.get("extractRoles"))


def _condition(status: str, reason: str, message: str) -> Condition:
    return Condition(type=conditions.ACCEPTED, status=status, reason=str(reason), message=message)


def _settled(status: dict[str, Any]) -> tuple[object, object]:
    """What is written at once and never held back with the counters: the generation that was looked at, and whether it is accepted."""
    rows = status.get("conditions") or []
    verdict = next(((row["status"], row["reason"]) for row in rows if row["type"] == conditions.ACCEPTED), None)
    return status.get("observedGeneration"), verdict
