"""Which policies a contract carries, and in which order they run.

The chain is Client, Contract, Plan, API; inside a level `order`, then namespace, then name (design section 3). A policy with several
targets in one chain runs once, at the first level that it reaches.

Invariants: the order of arrival of the objects never shows; policies on plans and APIs apply only when their namespace owns the organization.
What this module deliberately does not do: render a policy, or compare chains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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
    contract: ContractObject, policies: Iterable[PolicyObject], gateway: GatewayObject
) -> tuple[PublishedPolicy, ...]:
    """The contract's policies in the order in which they run."""
    placed: list[tuple[int, int, str, str, PolicyObject]] = []
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
            placed.append((min(levels), policy.order, policy.meta.namespace, policy.meta.name, policy))
    placed.sort(key=lambda row: row[:4])
    return tuple(
        published(policy, level=LEVELS[level], namespace=contract.meta.namespace) for level, _, _, _, policy in placed
    )


def rollout(policy: PolicyObject) -> str:
    """The policy's rollout, with the default: the owner's limits (plans and APIs alone) bite at once."""
    if policy.rollout:
        return policy.rollout
    return IMMEDIATE if all(target.kind in ("Plan", "API") for target in policy.targets) else ON_PUBLISH


def published(policy: PolicyObject, *, level: str, namespace: str) -> PublishedPolicy:
    """The policy as a snapshot holds it; one of another namespace by digest only, so that no tenant reads another's configuration."""
    own = policy.meta.namespace == namespace
    return PublishedPolicy(
        id=policy_id(policy, level=level),
        source=level,
        type=policy.type,
        rollout=rollout(policy),
        config=policy.config if own else "",
        digest="" if own else config_digest(policy),
        order=policy.order,
    )


def policy_id(policy: PolicyObject, *, level: str) -> str:
    """The id of the policy in a snapshot: its level and its object."""
    return f"{level}:{policy.meta.namespace}/{policy.meta.name}"


def config_digest(policy: PolicyObject) -> str:
    """A digest of the policy's type and configuration, for what is kept without the configuration itself."""
    return digest_of(f"{policy.type}\0{policy.config}")


def digest_of(text: str) -> str:
    """The digest of a type and a configuration, joined by a zero."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
