"""The difference between two snapshots, in words: what `status.pendingChanges` says.

Invariants: judged on the typed snapshot, never on the wire form, so a new version of the operator that renders differently is no change; the
order of the result depends on names only; a configuration of another namespace is never shown. `live`, `hash` and times are no difference.
What this module deliberately does not do: decide whether a difference is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from registrar.resources import reasons
from registrar.resources.status import PendingChange, PublishedContract, PublishedPolicy, Snapshot

_LONGEST_VALUE = 64


def difference(published: Snapshot, desired: Snapshot) -> tuple[PendingChange, ...]:
    """What publishing `desired` in place of `published` would change."""
    return (*_contracts(published, desired), *_policies(published, desired), *_orders(published, desired))


def _contracts(published: Snapshot, desired: Snapshot) -> Iterator[PendingChange]:
    old = {contract.uid: contract for contract in published.contracts}
    new = {contract.uid: contract for contract in desired.contracts}
    for uid, contract in sorted(new.items(), key=lambda item: item[1].name):
        before = old.get(uid)
        if before is None:
            yield _change("ContractAdded", contract.name, desired, _what(contract))
        elif detail := _contract_detail(before, contract):
            yield _change("ContractChanged", contract.name, desired, detail)
    for uid, contract in sorted(old.items(), key=lambda item: item[1].name):
        if uid not in new:
            yield _change("ContractRemoved", contract.name, desired, _what(contract))


def _what(contract: PublishedContract) -> str:
    api = f"{contract.organization}/{contract.api}/{contract.version}"
    return f"{api} on plan {contract.plan}" if contract.plan else api


def _contract_detail(before: PublishedContract, after: PublishedContract) -> str:
    parts = [
        f"{word} {_shown(old)} -> {_shown(new)}"
        for word, old, new in (
            ("api", f"{before.organization}/{before.api}", f"{after.organization}/{after.api}"),
            ("version", before.version, after.version),
            ("plan", before.plan, after.plan),
        )
        if old != new
    ]
    return ", ".join(parts)


def _policies(published: Snapshot, desired: Snapshot) -> Iterator[PendingChange]:
    old = {policy.id: policy for policy in published.policies}
    new = {policy.id: policy for policy in desired.policies}
    for identifier in sorted(old.keys() | new.keys()):
        before, after = old.get(identifier), new.get(identifier)
        if before is None and after is not None:
            yield _change("PolicyAdded", _name(after), desired, f"{after.type} on {after.source}")
        elif after is None and before is not None:
            yield _change("PolicyRemoved", _name(before), desired, f"{before.type} on {before.source}")
        elif before is not None and after is not None and _content(before) != _content(after):
            yield _change("PolicyChanged", _name(after), desired, _policy_detail(before, after))


def _content(policy: PublishedPolicy) -> tuple[str, str, str]:
    return (policy.type, policy.config, policy.digest)


def _policy_detail(before: PublishedPolicy, after: PublishedPolicy) -> str:
    if before.type != after.type:
        return f"type {before.type} -> {after.type}"
    if not before.config or not after.config:
        return f"{after.type} (kept by the owner of the plan or API)"
    old, new = dict(_leaves(orjson.loads(before.config))), dict(_leaves(orjson.loads(after.config)))
    details = [
        f"{after.type}.{path} {_shown(old.get(path))} -> {_shown(new.get(path))}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    return ", ".join(details) or reasons.NEW_PASSWORDS


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of a configuration that hold a value; a list counts as one value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _orders(published: Snapshot, desired: Snapshot) -> Iterator[PendingChange]:
    """Contracts whose policies are the same ones in another order, or that some policy newly reaches or no longer reaches."""
    old = {contract.uid: contract for contract in published.contracts}
    known = {policy.id for policy in published.policies}
    wanted = {policy.id for policy in desired.policies}
    for contract in desired.contracts:
        before = old.get(contract.uid)
        if before is None or before.policies == contract.policies:
            continue
        if set(before.policies) == set(contract.policies):
            yield _change("PolicyReordered", contract.name, desired, " then ".join(_names(contract.policies)))
            continue
        # A policy that is new or gone as a whole has its own line; here it is one that reaches other contracts than before.
        gained = [p for p in contract.policies if p not in before.policies and p in known]
        lost = [p for p in before.policies if p not in contract.policies and p in wanted]
        for identifier in gained:
            yield _change("PolicyAdded", _names((identifier,))[0], desired, f"now on contract {contract.name} too")
        for identifier in lost:
            yield _change("PolicyRemoved", _names((identifier,))[0], desired, f"no longer on contract {contract.name}")


def _names(identifiers: tuple[str, ...]) -> list[str]:
    return [_name_of(identifier) for identifier in identifiers]


def _name(policy: PublishedPolicy) -> str:
    return _name_of(policy.id)


def _name_of(identifier: str) -> str:
    """The object's name; a policy that was found on the gateway has none, so it is named by where it was."""
    return identifier if identifier.startswith("Found:") else identifier.rpartition("/")[2]


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "(none)"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _change(type_: str, subject: str, snapshot: Snapshot, detail: str) -> PendingChange:
    return PendingChange(type=type_, subject=subject, gateway=snapshot.gateway, detail=detail)
