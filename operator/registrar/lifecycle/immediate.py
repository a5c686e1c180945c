"""What does not wait: Policies with `rollout: Immediate`, computed anew for what is published.

Every published contract keeps its API version, its plan and its policies that wait for a publish; all Immediate ones are computed from the objects as they are now,
against the *published* plan and version. So adding, changing, retargeting and deleting one all work, and a change of the Contract itself stays pending.

Invariants: an entry whose Immediate policies can't all be rendered stays exactly as it is published (it is neither opened further nor taken down); a policy that
waits keeps its published configuration and its place, unless it is a consumer's limit in the bucket of an owner's Immediate one; a snapshot never holds two
configurations of one policy.
What this module deliberately does not do: decide when it is pushed (see `decide.roll_out`), or touch the wire form (see `engine.surgery`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from registrar.lifecycle.buckets import Bucket, bucket, bucket_of
from registrar.lifecycle.chain import IMMEDIATE, LEVELS, effective, publication, rollout, siblings
from registrar.lifecycle.desired import unresolved
from registrar.lifecycle.diff import difference
from registrar.lifecycle.model import Objects
from registrar.resources.objects import ApiRef, ContractObject, GatewayObject, PolicyObject
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot

Named = Mapping[tuple[str, str], PolicyObject]
Chains = dict[str, tuple[PublishedPolicy, ...]]
"""The policies of each published entry, in order, by the Contract's UID."""


def with_immediate(published: Snapshot, objects: Objects) -> Snapshot:
    """The published snapshot with its Immediate policies as they should be now; the same snapshot when nothing differs."""
    gateway = objects.gateways.get(published.gateway)
    if gateway is None or published.empty or not _concerned(published, objects):
        return published
    before: Chains = {entry.uid: _resolved(published, entry) for entry in published.contracts}
    after = _settled(before, _anew(published, objects, gateway, before))
    if all(_content(after[uid]) == _content(rows) for uid, rows in before.items()):
        return published
    policies = {policy.id: policy for rows in after.values() for policy in rows}
    return replace(
        published,
        policies=tuple(policies[key] for key in sorted(policies)),
        contracts=tuple(
            replace(entry, policies=tuple(policy.id for policy in after[entry.uid])) for entry in published.contracts
        ),
    )


def _concerned(published: Snapshot, objects: Objects) -> bool:
    """Whether anything Immediate is there or wanted: most passes end here."""
    there = any(policy.rollout == IMMEDIATE for policy in published.policies)
    return there or any(rollout(policy) == IMMEDIATE for policy in objects.policies)


def words(published: Snapshot, target: Snapshot) -> str:
    """What the surgery changes, for the change log and the Event."""
    changes = difference(published, target)
    shown = "; ".join(change.message for change in changes[:8])
    more = f"; and {len(changes) - 8} more" if len(changes) > 8 else ""
    return f"{shown}{more}" if changes else "the rollout of a Policy changed"


def _resolved(snapshot: Snapshot, entry: PublishedContract) -> tuple[PublishedPolicy, ...]:
    table = {policy.id: policy for policy in snapshot.policies}
    return tuple(table[key] for key in entry.policies if key in table)


def _anew(published: Snapshot, objects: Objects, gateway: GatewayObject, before: Chains) -> Chains:
    """The new chains of the entries that can have one: a living Contract stands behind them, and every Immediate policy can be rendered."""
    named = {(p.meta.namespace, p.meta.name): p for p in objects.policies if not p.meta.deleting}
    living = _as_published(published, objects)
    result: Chains = {}
    for entry in published.contracts:
        contract = living.get(entry.uid)
        if contract is None:
            continue
        beside = siblings(contract, tuple(living.values()), home=published.gateway)
        rows = effective(contract, objects.policies, gateway, siblings=beside).kept
        now = [row for row in rows if rollout(row.policy) == IMMEDIATE]
        if any(unresolved(row, gateway, objects) for row in now):
            continue
        owned = {bucket(row.policy) for row in now if row.owned}
        kept = [p for p in before[entry.uid] if _waits(p, named) and not _gives_way(p, owned)]
        facts = objects.policy_facts
        new = [publication(row, namespace=contract.meta.namespace, facts=facts) for row in now]
        result[entry.uid] = _merged(kept, new)
    return result


def _as_published(published: Snapshot, objects: Objects) -> dict[str, ContractObject]:
    """The living Contracts behind the published entries, by UID, with the API version and the plan that are published."""
    living = {contract.meta.uid: contract for contract in objects.contracts if not contract.meta.deleting}
    return {
        entry.uid: replace(
            living[entry.uid],
            api=ApiRef(entry.organization, entry.api, entry.version),
            plan=entry.plan,
            gateway=published.gateway,
        )
        for entry in published.contracts
        if entry.uid in living
    }


def _gives_way(policy: PublishedPolicy, owned: Set[Bucket | None]) -> bool:
    """Whether a consumer's limit that is published counts where an owner's Immediate limit does now: it would lift that."""
    where = bucket_of(type=policy.type, config=policy.config) if policy.config else None
    return where is not None and where in owned and policy.source in ("Client", "Contract")


def _waits(policy: PublishedPolicy, named: Named) -> bool:
    """Whether a published policy stays as it is: what counts is its rollout now, and where it is gone the one it was published with."""
    if policy.source not in LEVELS:
        return True
    namespace, _, name = policy.id.partition(":")[2].partition("/")
    found = named.get((namespace, name))
    return (policy.rollout if found is None else rollout(found)) != IMMEDIATE


def _merged(kept: Iterable[PublishedPolicy], now: Iterable[PublishedPolicy]) -> tuple[PublishedPolicy, ...]:
    """Both in the order of the chain; what is kept stays in its published order, and what no object explains beside its neighbour."""
    result: list[PublishedPolicy] = []
    waiting = sorted(now, key=_place)
    place = _FIRST
    for policy in kept:
        place = max(place, _place(policy))
        while waiting and _place(waiting[0]) < place:
            result.append(waiting.pop(0))
        result.append(policy)
    return (*result, *waiting)


_FIRST = (-1, 0, "")


def _place(policy: PublishedPolicy) -> tuple[int, int, str]:
    if policy.source not in LEVELS:
        return _FIRST
    return (LEVELS.index(policy.source), policy.order, policy.id)


def _settled(before: Chains, anew: Chains) -> Chains:
    """The new chains where they can stand beside those that stay: one policy never has two configurations in a snapshot."""
    result = dict(anew)
    while True:
        stale = {policy.id: policy for uid, rows in before.items() if uid not in result for policy in rows}
        clashing = [
            uid
            for uid, rows in result.items()
            if any(p.id in stale and _content((p,)) != _content((stale[p.id],)) for p in rows)
        ]
        if not clashing:
            return {uid: result.get(uid, rows) for uid, rows in before.items()}
        for uid in clashing:
            del result[uid]


def _content(rows: tuple[PublishedPolicy, ...]) -> tuple[tuple[str, str, str, str], ...]:
    """What two chains are compared by: a place that changed without changing the order is no change."""
    return tuple((p.id, f"{p.type} {p.rollout}", p.config, p.digest) for p in rows)
