"""Surgery on the wire: what the gateway returned, with only that changed which the snapshot changes.

What a gateway holds was rendered once, with Secrets and policies of other namespaces as they were then. Rendering it again would publish what has
changed in them since; so what stays in the snapshot stays on the wire byte for byte, and only what is new in it is rendered.

Invariants: made only on what was verified to be what was last sent; the key stays the live one; a contract has its whole chain of policies.
What this module deliberately does not do: verify, render (it is handed how), or send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from registrar.gateways.base import Registration, WireContract, WirePolicy
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot

Render = Callable[[PublishedPolicy], WirePolicy]
Name = tuple[str, str, str]


def edited(found: Registration, *, before: Snapshot, target: Snapshot, render: Render) -> Registration:
    """`found`, which is what `before` describes, made into what `target` describes; raises what `render` raises."""
    wire = {_name(contract): contract for contract in found.contracts}
    entries = {_name(entry): entry for entry in before.contracts}
    return replace(
        found,
        contracts=tuple(
            _contract(entry, wire.get(_name(entry)), _kept(before, entries.get(_name(entry)), target), target, render)
            for entry in target.contracts
            if entry.live
        ),
    )


def _name(contract: WireContract | PublishedContract) -> Name:
    return (contract.organization, contract.api, contract.version)


def _kept(before: Snapshot, entry: PublishedContract | None, target: Snapshot) -> tuple[str, ...]:
    """The ids of the entry's former policies in their order on the wire; an empty one where the policy is another one now."""
    if entry is None:
        return ()
    old, new = ({policy.id: _content(policy) for policy in s.policies} for s in (before, target))
    return tuple(key if old.get(key) == new.get(key) else "" for key in entry.policies)


def _content(policy: PublishedPolicy) -> tuple[str, str, str]:
    return (policy.type, policy.config, policy.digest)


def _contract(
    entry: PublishedContract, wire: WireContract | None, kept: tuple[str, ...], target: Snapshot, render: Render
) -> WireContract:
    policies = wire.policies if wire is not None else ()
    bytes_of = dict(zip(kept, policies, strict=True)) if len(kept) == len(policies) else {}
    table = {policy.id: policy for policy in target.policies}
    return WireContract(
        organization=entry.organization,
        api=entry.api,
        version=entry.version,
        plan=entry.plan,
        policies=tuple(bytes_of.get(key) or render(table[key]) for key in entry.policies),
    )
