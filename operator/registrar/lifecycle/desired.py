"""What the objects ask for: the Client's identity, a verdict on each Contract, and one snapshot for each gateway.

Invariants: a pure function of the objects, in whatever order they arrived; a contract is in a snapshot with its whole chain of
policies or not at all. What this module deliberately does not do: compare with what is published (see `diff`) or decide what to do (see `decide`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registrar.lifecycle.buckets import Bucket, Placed, owned_periods
from registrar.lifecycle.chain import effective, publication, siblings
from registrar.lifecycle.expiry import expired
from registrar.lifecycle.grants import refusal
from registrar.lifecycle.model import Desired, Objects, Problem, Verdict, VerdictState
from registrar.lifecycle.several import refused_there
from registrar.resources import reasons
from registrar.resources.conditions import ACCEPTED, RESOLVED_REFS
from registrar.resources.objects import ContractObject, GatewayObject, PolicyObject
from registrar.resources.reasons import Reason
from registrar.resources.status import IdentityStatus, PublishedContract, PublishedPolicy, Snapshot
from registrar.resources.times import timestamp


def desired(objects: Objects) -> Desired:
    """Judge all objects of one Client."""
    client = objects.client
    recorded = client.status.identity
    gateway_name, problem = _gateway_name(objects, recorded)
    gateway = objects.gateways.get(gateway_name)
    if problem is None and gateway is None:
        problem = Problem(RESOLVED_REFS, Reason.GATEWAY_NOT_FOUND, reasons.gateway_not_found(gateway_name))
    if problem is not None or gateway is None:
        return _refused(objects, recorded, problem)
    organization, problem = _organization(objects, gateway, recorded)
    if problem is not None:
        return _refused(objects, recorded, problem)
    identity = recorded or IdentityStatus(
        organization=organization, client_id=client.client_id, version=client.version, gateway=gateway_name
    )
    if objects.identity_taken:
        name = f"{identity.organization}/{identity.client_id}/{identity.version}"
        text = reasons.identity_taken(identity=name, gateway=gateway_name)
        return _refused(objects, recorded, Problem(ACCEPTED, Reason.IDENTITY_TAKEN, text))
    judged = _judge(objects, identity)
    return Desired(
        identity=identity,
        publish=client.publish or gateway.default_publish,
        deletion_policy=client.deletion_policy or gateway.default_deletion_policy,
        problem=None,
        verdicts=tuple(judgement.verdict for judgement in judged),
        snapshots=_snapshots(judged),
    )


def _gateway_name(objects: Objects, recorded: IdentityStatus | None) -> tuple[str, Problem | None]:
    """The Client's gateway: the recorded one, the one it names, or the default."""
    if recorded is not None and recorded.gateway:
        return recorded.gateway, None
    if objects.client.gateway:
        return objects.client.gateway, None
    defaults = sorted(name for name, gateway in objects.gateways.items() if gateway.default)
    if not defaults:
        return "", Problem(RESOLVED_REFS, Reason.NO_DEFAULT_GATEWAY, reasons.DEFAULTS_MISSING)
    if len(defaults) > 1:
        text = reasons.ambiguous_default(", ".join(defaults))
        return "", Problem(RESOLVED_REFS, Reason.AMBIGUOUS_DEFAULT, text)
    return defaults[0], None


def _organization(
    objects: Objects, gateway: GatewayObject, recorded: IdentityStatus | None
) -> tuple[str, Problem | None]:
    """The Client's organization, checked again each time: ownership may have moved since it was recorded."""
    client = objects.client
    namespace = client.meta.namespace
    wanted = recorded.organization if recorded is not None else client.organization
    organization = wanted or gateway.default_organization(namespace)
    if organization is None:
        text = reasons.ambiguous_organization(namespace=namespace, gateway=gateway.meta.name)
        return "", Problem(ACCEPTED, Reason.AMBIGUOUS_ORGANIZATION, text)
    if organization not in gateway.owned_organizations(namespace):
        text = reasons.organization_not_owned(organization=organization, namespace=namespace, gateway=gateway.meta.name)
        return "", Problem(ACCEPTED, Reason.ORGANIZATION_NOT_OWNED, text)
    return organization, None


def _refused(objects: Objects, recorded: IdentityStatus | None, problem: Problem | None) -> Desired:
    """A Client that can't be served: its Contracts wait for it."""
    reason = problem.reason if problem is not None else ""
    text = reasons.client_not_accepted(client=objects.client.meta.name, reason=reason)
    return Desired(
        identity=recorded,
        publish=objects.client.publish or "Manual",
        deletion_policy=objects.client.deletion_policy or "Unregister",
        problem=problem,
        verdicts=tuple(
            Verdict(contract, contract.gateway, VerdictState.PENDING, Reason.CLIENT_NOT_ACCEPTED, text)
            for contract in _by_age(objects.contracts)
        ),
        snapshots=(),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict with its chain; `held` is the published entry that stays as it is because a Policy of the chain can't be resolved."""

    verdict: Verdict
    policies: tuple[PublishedPolicy, ...] = ()
    held: PublishedContract | None = None
    periods: Mapping[Bucket, str] = field(default_factory=dict)


def _by_age(contracts: tuple[ContractObject, ...]) -> list[ContractObject]:
    """Living Contracts, the oldest first; a Contract that is being deleted is as good as gone."""
    living = (contract for contract in contracts if not contract.meta.deleting)
    return sorted(living, key=lambda c: (c.meta.created_at, c.meta.name))


def _judge(objects: Objects, identity: IdentityStatus) -> tuple[_Judged, ...]:
    """One judgement for each living Contract, the oldest first."""
    taken: dict[tuple[str, object], str] = {}
    counted: dict[tuple[str, str, str], list[_Judged]] = {}
    result = []
    for contract in _by_age(objects.contracts):
        gateway_name = contract.gateway or identity.gateway
        judged = _judge_one(objects, contract, gateway_name, identity)
        home, there = objects.gateways.get(identity.gateway), objects.gateways.get(gateway_name)
        if home is not None and there is not None:
            elsewhere = refused_there(
                contract, identity, home=home, gateway=there, taken=gateway_name in objects.taken_on
            )
            judged = _rejected(contract, gateway_name, *elsewhere) if elsewhere is not None else judged
        if judged.verdict.state is VerdictState.VALID:
            other = taken.setdefault((gateway_name, contract.api), contract.meta.name)
            if other != contract.meta.name:
                judged = _rejected(contract, gateway_name, Reason.DUPLICATE, reasons.duplicate(other))
            else:
                others = counted.setdefault((gateway_name, contract.api.organization, contract.api.name), [])
                judged = _counted_apart(judged, others)
                others.append(judged)
        elif judged.held is not None:
            counted.setdefault((gateway_name, contract.api.organization, contract.api.name), []).append(judged)
        result.append(judged)
    return tuple(result)


def _counted_apart(judged: _Judged, others: list[_Judged]) -> _Judged:
    """Rejected when an older Contract for another version of the API has an owner's limit whose count this one would start anew."""
    verdict = judged.verdict
    for other in others:
        if any(period != judged.periods.get(bucket, period) for bucket, period in other.periods.items()):
            text = reasons.contract_bucket_conflict(other.verdict.contract.meta.name)
            return _rejected(verdict.contract, verdict.gateway, Reason.CONFLICTED, text)
    return judged


def _judge_one(objects: Objects, contract: ContractObject, gateway_name: str, identity: IdentityStatus) -> _Judged:
    """The first thing that speaks against the Contract, if there is one."""
    gateway = objects.gateways.get(gateway_name)
    if gateway is None:
        text = reasons.gateway_not_found(gateway_name)
        return _Judged(Verdict(contract, gateway_name, VerdictState.PENDING, Reason.GATEWAY_NOT_FOUND, text))
    if contract.expires_at is not None and expired(contract, now=objects.now):
        text = reasons.contract_expired(timestamp(contract.expires_at))
        return _rejected(contract, gateway_name, Reason.EXPIRED, text)
    refused = refusal(objects.access, gateway, contract.api, contract.plan)
    if refused is not None:
        return _rejected(contract, gateway_name, refused.reason, refused.message)
    published = objects.client.status.snapshot(gateway_name)
    known = any(
        entry.uid == contract.meta.uid and (entry.organization, entry.api, entry.version) == _api(contract)
        for entry in published.contracts
    )
    if not known and contract.api in objects.missing_apis.get(gateway_name, frozenset()):
        if gateway_name in objects.vanished:
            text = reasons.apis_vanished(api=str(contract.api), gateway=gateway_name)
            return _Judged(Verdict(contract, gateway_name, VerdictState.PENDING, Reason.APIS_MISSING, text))
        text = reasons.api_not_published(api=str(contract.api), gateway=gateway_name)
        return _rejected(contract, gateway_name, Reason.API_NOT_PUBLISHED, text)
    beside = siblings(contract, objects.contracts, home=identity.gateway)
    rows = effective(contract, objects.policies, gateway, siblings=beside).kept
    for row in rows:
        why = unresolved(row, gateway, objects)
        if why:
            return _unresolved(objects, contract, gateway_name, rows, policy=row.policy, why=why)
    facts = objects.policy_facts
    policies = tuple(publication(row, namespace=contract.meta.namespace, facts=facts) for row in rows)
    return _Judged(Verdict(contract, gateway_name, VerdictState.VALID), policies, periods=owned_periods(rows))


def unresolved(row: Placed, gateway: GatewayObject, objects: Objects) -> str:
    """Why the policy can't be put on the gateway, in a reason's word; empty when it can."""
    policy = row.policy
    known = objects.renderable.get(gateway.meta.name)
    if known is not None and policy.type not in known:
        # Of a gateway that can't be called now (no credentials) it is not known, and nothing is sent to it either.
        return Reason.UNSUPPORTED.value
    if policy.type == "custom" and not gateway.allows_custom(policy.custom_implementation):
        return Reason.NOT_PERMITTED.value
    fact = objects.policy_facts.get((policy.meta.namespace, policy.meta.name))
    if fact is None:
        return Reason.SECRET_MISSING.value if policy.secret_names else ""
    return fact.reason


def _unresolved(
    objects: Objects,
    contract: ContractObject,
    gateway: str,
    rows: tuple[Placed, ...],
    *,
    policy: PolicyObject,
    why: str,
) -> _Judged:
    """A new contract waits; a published one stays exactly as it is."""
    text = reasons.policy_unresolved(f"{policy.meta.namespace}/{policy.meta.name}", why)
    verdict = Verdict(contract, gateway, VerdictState.PENDING, Reason.POLICY_UNRESOLVED, text)
    snapshot = objects.published.get(gateway)
    if snapshot is None:
        return _Judged(verdict)
    entry = next((entry for entry in snapshot.contracts if entry.uid == contract.meta.uid), None)
    if entry is None:
        return _Judged(verdict)
    policies = tuple(policy for policy in snapshot.policies if policy.id in entry.policies)
    return _Judged(verdict, policies, held=entry, periods=owned_periods(rows))


def _rejected(contract: ContractObject, gateway: str, reason: Reason, text: str) -> _Judged:
    return _Judged(Verdict(contract, gateway, VerdictState.REJECTED, reason, text))


def _api(contract: ContractObject) -> tuple[str, str, str]:
    return (contract.api.organization, contract.api.name, contract.api.version)


def _snapshots(judged: tuple[_Judged, ...]) -> tuple[Snapshot, ...]:
    """The valid Contracts, by gateway; contracts by name, each policy stored once, by id."""
    by_gateway: dict[str, list[_Judged]] = {}
    for judgement in judged:
        if judgement.verdict.state is VerdictState.VALID or judgement.held is not None:
            by_gateway.setdefault(judgement.verdict.gateway, []).append(judgement)
    snapshots = []
    for gateway in sorted(by_gateway):
        rows = sorted(by_gateway[gateway], key=lambda row: row.verdict.contract.meta.name)
        # A policy is stored once: where a contract is held, what others have of the same policy is the newer one.
        by_age = sorted(rows, key=lambda row: row.held is None)
        policies = {policy.id: policy for row in by_age for policy in row.policies}
        snapshots.append(
            Snapshot(
                gateway=gateway,
                policies=tuple(policies[key] for key in sorted(policies)),
                contracts=tuple(_entry(row) for row in rows),
            )
        )
    return tuple(snapshots)


def _entry(judged: _Judged) -> PublishedContract:
    if judged.held is not None:
        return judged.held
    contract = judged.verdict.contract
    return PublishedContract(
        name=contract.meta.name,
        uid=contract.meta.uid,
        organization=contract.api.organization,
        api=contract.api.name,
        version=contract.api.version,
        plan=contract.plan,
        policies=tuple(policy.id for policy in judged.policies),
    )
