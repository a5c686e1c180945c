"""Which policies a contract carries, and in which order they run.

The chain is Client, Contract, Plan, API; inside a level `order`, then namespace, then name (design section 3). A policy with several
targets in one chain runs once, at the first level that it reaches.

Invariants: the order of arrival of the objects never shows; policies on plans and APIs apply only when their namespace owns the organization.
What this module deliberately does not do: render a policy, or compare chains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from registrar.lifecycle.buckets import Placed, Resolved, resolve
from registrar.lifecycle.model import PolicyFact
from registrar.resources.objects import ContractObject, GatewayObject, PolicyObject, TargetRef
from registrar.resources.status import PublishedPolicy

LEVELS = ("Client", "Contract", "Plan", "API")
IMMEDIATE = "Immediate"
ON_PUBLISH = "OnPublish"


def targets_contract(target: TargetRef, policy: PolicyObject, contract: ContractObject) -> bool:
    """Whether the target reaches that contract, names alone considered."""
    local = policy.meta.namespace == contract.meta.namespace
    match target.kind:
        case "Client":
            return local and target.name == contract.client
        case "Contract":
            return local and target.name == contract.meta.name
        case "Plan":
            return target.organization == contract.api.organization and target.name == contract.plan
        case "API":
            api = contract.api
            return (target.organization, target.name) == (api.organization, api.name) and target.version in (
                "",
                api.version,
            )
        case _:
            return False


def permitted(target: TargetRef, policy: PolicyObject, gateway: GatewayObject) -> bool:
    """Whether the policy's namespace may attach to that target on that gateway."""
    return target.kind in ("Client", "Contract") or target.organization in gateway.owned_organizations(
        policy.meta.namespace
    )


def chain(
    contract: ContractObject,
    policies: Iterable[PolicyObject],
    gateway: GatewayObject,
    *,
    siblings: Iterable[ContractObject] = (),
    facts: Mapping[tuple[str, str], PolicyFact] | None = None,
) -> tuple[PublishedPolicy, ...]:
    """The contract's policies in the order in which they run; `siblings` are the same Client's other Contracts for versions of the same API there."""
    kept = effective(contract, tuple(policies), gateway, siblings=siblings).kept
    return tuple(publication(row, namespace=contract.meta.namespace, facts=facts or {}) for row in kept)


def effective(
    contract: ContractObject,
    policies: tuple[PolicyObject, ...],
    gateway: GatewayObject,
    *,
    siblings: Iterable[ContractObject] = (),
) -> Resolved:
    """The policies that reach the contract, less the limits that give way to another one in their bucket."""
    beside = (row for sibling in siblings for row in placed(sibling, policies, gateway))
    return resolve(placed(contract, policies, gateway), beside)


def siblings(contract: ContractObject, contracts: Iterable[ContractObject], *, home: str) -> tuple[ContractObject, ...]:
    """The other living Contracts among `contracts` (all of one Client) for versions of the same API on the same gateway; `home` is the Client's."""
    api, gateway = contract.api, contract.gateway or home
    return tuple(
        other
        for other in contracts
        if other.meta.uid != contract.meta.uid
        and not other.meta.deleting
        and (other.api.organization, other.api.name) == (api.organization, api.name)
        and (other.gateway or home) == gateway
    )


def placed(contract: ContractObject, policies: Iterable[PolicyObject], gateway: GatewayObject) -> tuple[Placed, ...]:
    """Every policy that reaches the contract, in the order in which they run."""
    rows: list[tuple[tuple[int, int, str, str], Placed]] = []
    for policy in policies:
        if policy.meta.deleting:
            continue
        levels = [
            LEVELS.index(target.kind)
            for target in policy.targets
            if target.kind in LEVELS
            and targets_contract(target, policy, contract)
            and permitted(target, policy, gateway)
        ]
        if levels:
            place = (min(levels), policy.order, policy.meta.namespace, policy.meta.name)
            reached = frozenset(LEVELS[level] for level in levels)
            rows.append((place, Placed(policy=policy, level=LEVELS[min(levels)], reached=reached)))
    rows.sort(key=lambda row: row[0])
    return tuple(row for _, row in rows)


def publication(row: Placed, *, namespace: str, facts: Mapping[tuple[str, str], PolicyFact]) -> PublishedPolicy:
    """The placed policy as a snapshot of a Client in `namespace` holds it."""
    fact = facts.get((row.policy.meta.namespace, row.policy.meta.name), PolicyFact())
    return published(row.policy, level=row.level, namespace=namespace, secrets=fact.digest)


def rollout(policy: PolicyObject) -> str:
    """The policy's rollout, with the default: the owner's limits (plans and APIs alone) bite at once."""
    if policy.rollout:
        return policy.rollout
    return IMMEDIATE if all(target.kind in ("Plan", "API") for target in policy.targets) else ON_PUBLISH


def published(policy: PolicyObject, *, level: str, namespace: str, secrets: str = "") -> PublishedPolicy:
    """The policy as a snapshot holds it; one of another namespace by digest only, so that no tenant reads another's configuration.

    `secrets` is the keyed digest of what its Secrets hold.
    """
    own = policy.meta.namespace == namespace
    return PublishedPolicy(
        id=policy_id(policy, level=level),
        source=level,
        type=policy.type,
        rollout=rollout(policy),
        config=policy.config if own else "",
        digest=secrets if own else config_digest(policy, secrets=secrets),
        order=policy.order,
    )


def policy_id(policy: PolicyObject, *, level: str) -> str:
    """The id of the policy in a snapshot: its level and its object."""
    return f"{level}:{policy.meta.namespace}/{policy.meta.name}"


def config_digest(policy: PolicyObject, *, secrets: str = "") -> str:
    """A digest of the policy's type, configuration and Secrets (by their keyed digest), for what is kept without the configuration itself."""
    return digest_of(f"{policy.type}\0{policy.config}" + (f"\0{secrets}" if secrets else ""))


def digest_of(text: str) -> str:
    """The digest of a type and a configuration, joined by a zero."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
