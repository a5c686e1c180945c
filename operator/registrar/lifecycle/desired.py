"""What the objects ask for: the Client's identity, a verdict on each Contract, and one snapshot for each gateway.

Invariants: a pure function of the objects, in whatever order they arrived; a contract is in a snapshot with its whole chain of
policies or not at all. What this module deliberately does not do: compare with what is published (see `diff`) or decide what to do (see `decide`).
"""

from __future__ import annotations

from dataclasses import dataclass

from registrar.lifecycle.chain import chain
from registrar.lifecycle.model import Desired, Objects, Problem, Verdict, VerdictState
from registrar.lifecycle.several import refused_there
from registrar.resources import reasons
from registrar.resources.conditions import ACCEPTED, RESOLVED_REFS
from registrar.resources.objects import ContractObject, GatewayObject
from registrar.resources.reasons import Reason
from registrar.resources.status import IdentityStatus, PublishedContract, PublishedPolicy, Snapshot


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
    verdict: Verdict
    policies: tuple[PublishedPolicy, ...] = ()


def _by_age(contracts: tuple[ContractObject, ...]) -> list[ContractObject]:
    """Living Contracts, the oldest first; a Contract that is being deleted is as good as gone."""
    living = (contract for contract in contracts if not contract.meta.deleting)
    return sorted(living, key=lambda c: (c.meta.created_at, c.meta.name))


def _judge(objects: Objects, identity: IdentityStatus) -> tuple[_Judged, ...]:
    """One judgement for each living Contract, the oldest first."""
    taken: dict[tuple[str, object], str] = {}
    result = []
    for contract in _by_age(objects.contracts):
        gateway_name = contract.gateway or identity.gateway
        judged = _judge_one(objects, contract, gateway_name)
        home, there = objects.gateways.get(identity.gateway), objects.gateways.get(gateway_name)
        if home is not None and there is not None:
            refusal = refused_there(
                contract, identity, home=home, gateway=there, taken=gateway_name in objects.taken_on
            )
            judged = _rejected(contract, gateway_name, *refusal) if refusal is not None else judged
        if judged.verdict.state is VerdictState.VALID:
            other = taken.setdefault((gateway_name, contract.api), contract.meta.name)
            if other != contract.meta.name:
                judged = _rejected(contract, gateway_name, Reason.DUPLICATE, reasons.duplicate(other))
        result.append(judged)
    return tuple(result)


def _judge_one(objects: Objects, contract: ContractObject, gateway_name: str) -> _Judged:
    """The first thing that speaks against the Contract, if there is one."""
    gateway = objects.gateways.get(gateway_name)
    if gateway is None:
        text = reasons.gateway_not_found(gateway_name)
        return _Judged(Verdict(contract, gateway_name, VerdictState.PENDING, Reason.GATEWAY_NOT_FOUND, text))
    owned = gateway.owned_organizations(contract.meta.namespace)
    if gateway.contracts != "Any" and contract.api.organization not in owned:
        return _rejected(contract, gateway_name, Reason.NOT_GRANTED, reasons.not_granted(str(contract.api)))
    published = objects.client.status.snapshot(gateway_name)
    known = any(
        entry.uid == contract.meta.uid and (entry.organization, entry.api, entry.version) == _api(contract)
        for entry in published.contracts
    )
    if not known and contract.api in objects.missing_apis.get(gateway_name, frozenset()):
        text = reasons.api_not_published(api=str(contract.api), gateway=gateway_name)
        return _rejected(contract, gateway_name, Reason.API_NOT_PUBLISHED, text)
    policies = chain(contract, objects.policies, gateway)
    renderable = objects.renderable.get(gateway_name, frozenset())
    for policy in policies:
        if policy.type not in renderable:
            text = reasons.policy_unresolved(policy.id.partition(":")[2])
            return _Judged(Verdict(contract, gateway_name, VerdictState.PENDING, Reason.POLICY_UNRESOLVED, text))
    return _Judged(Verdict(contract, gateway_name, VerdictState.VALID), policies)


def _rejected(contract: ContractObject, gateway: str, reason: Reason, text: str) -> _Judged:
    return _Judged(Verdict(contract, gateway, VerdictState.REJECTED, reason, text))


def _api(contract: ContractObject) -> tuple[str, str, str]:
    return (contract.api.organization, contract.api.name, contract.api.version)


def _snapshots(judged: tuple[_Judged, ...]) -> tuple[Snapshot, ...]:
    """The valid Contracts, by gateway; contracts by name, each policy stored once, by id."""
    by_gateway: dict[str, list[_Judged]] = {}
    for judgement in judged:
        if judgement.verdict.state is VerdictState.VALID:
            by_gateway.setdefault(judgement.verdict.gateway, []).append(judgement)
    snapshots = []
    for gateway in sorted(by_gateway):
        rows = sorted(by_gateway[gateway], key=lambda row: row.verdict.contract.meta.name)
        policies = {policy.id: policy for row in rows for policy in row.policies}
        snapshots.append(
            Snapshot(
                gateway=gateway,
                policies=tuple(policies[key] for key in sorted(policies)),
                contracts=tuple(_entry(row) for row in rows),
            )
        )
    return tuple(snapshots)


def _entry(judged: _Judged) -> PublishedContract:
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
