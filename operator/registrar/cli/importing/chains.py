"""The policies of one contract as they were found, with those at the end that the owners' Policies put there already.

Invariants: an end is the owners' only if it is what their Policies come to, all of them and in their order. What this module deliberately does not do: cut what is
left into levels (see `levels`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from registrar.cli.importing.levels import FoundChain, FoundPolicy
from registrar.cli.importing.model import Facts
from registrar.errors import GatewayRefused
from registrar.gateways.apiman.policy_forms import FORMS
from registrar.gateways.apiman.policy_specs import PolicyMember, member_of
from registrar.gateways.apiman.wire import parse_policy, render_policy
from registrar.gateways.base import WireContract, WirePolicy
from registrar.lifecycle.buckets import API, Placed, bucket
from registrar.lifecycle.chain import effective
from registrar.resources.objects import ApiRef, ContractObject, Meta
from registrar.resources.status import ContractStatus

_OWNERS_LEVELS = ("Plan", "API")


@dataclass(frozen=True, slots=True)
class ChainFound:
    """One contract's chain; `lacking` are the owners' Policies that reach it, if they are not at its end."""

    found: FoundChain
    lacking: tuple[str, ...] = ()


def chain_of(
    wire: WireContract, facts: Facts, *, namespace: str, client: str, contract: str, others: Iterable[WireContract] = ()
) -> ChainFound:
    """The chain of the contract that will have that name; `others` are the contracts of the client."""
    policies = tuple(FoundPolicy(row, parse_policy(row)[0], member_of(row)) for row in wire.policies)
    owners = _owners(wire, facts, namespace=namespace, client=client, contract=contract)
    beside = frozenset(
        where
        for other in others
        if (other.organization, other.api) == (wire.organization, wire.api) and other.version != wire.version
        for row in _owners(other, facts, namespace=namespace, client=client, contract=contract)
        if (where := bucket(row.policy)) is not None and where[1] == API
    )
    if not owners:
        return ChainFound(FoundChain(policies, beside=beside))
    end = policies[len(policies) - len(owners) :]
    if len(owners) <= len(policies) and all(map(_stands_for, owners, end)):
        typed = tuple(_as_placed(row, found) for row, found in zip(owners, end, strict=True))
        return ChainFound(
            FoundChain((*policies[: len(policies) - len(owners)], *typed), owned=len(owners), beside=beside)
        )
    lacking = tuple(f"{row.policy.meta.namespace}/{row.policy.meta.name}" for row in owners)
    return ChainFound(FoundChain(policies, beside=beside), lacking)


def _owners(wire: WireContract, facts: Facts, *, namespace: str, client: str, contract: str) -> tuple[Placed, ...]:
    """The owners' Policies that will reach the contract, in the order in which they run."""
    future = ContractObject(
        meta=Meta(namespace, contract, uid="", resource_version="", generation=1, created_at=0.0, deleting=False),
        client=client,
        api=ApiRef(wire.organization, wire.api, wire.version),
        plan=wire.plan,
        gateway=facts.gateway.meta.name,
        status=ContractStatus(),
    )
    kept = effective(future, facts.policies, facts.gateway).kept
    return tuple(row for row in kept if row.level in _OWNERS_LEVELS)


def _stands_for(row: Placed, found: FoundPolicy) -> bool:
    """Whether the Policy comes to what was found; one with passwords, which only the operator may read, is known by its type."""
    if row.policy.secret_names:
        form = FORMS.get(row.policy.type)
        return form is not None and form.implementation == found.wire.implementation
    return _rendered(row) == found.wire


def _rendered(row: Placed) -> WirePolicy | None:
    try:
        return render_policy(type=row.policy.type, config=orjson.loads(row.policy.config))
    except GatewayRefused:
        # A Policy that can't be rendered reaches nothing; its own condition says so.
        return None


def _as_placed(row: Placed, found: FoundPolicy) -> FoundPolicy:
    """What was found, as the owner's Policy has it: its type and limit decide about the rest of the chain."""
    return FoundPolicy(found.wire, found.type, PolicyMember(row.policy.type, orjson.loads(row.policy.config)))
