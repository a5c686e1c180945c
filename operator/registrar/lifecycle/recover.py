"""Taking a registration that is ours over from the gateway, when the status that should describe it is lost.

After a crash between a push and its status patch, after a restore or a wipe, the gateway is the only witness of what is published. What it
has under our key is matched with the Contracts and Policies that exist; what matches nothing becomes an entry without a UID, which
the revocation rule then takes off, because no Contract stands behind it.

Invariants: never invents a contract that the gateway does not have. What this module deliberately does not do: decide whose the registration is.
"""

from __future__ import annotations

from dataclasses import replace

from registrar.lifecycle.chain import IMMEDIATE, digest_of
from registrar.lifecycle.model import Live, LiveContract, LiveFact, LivePolicy, View
from registrar.resources.objects import ApiRef, ContractObject
from registrar.resources.reasons import Reason
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot

FOUND = "Found"
"""The source of what was found on the gateway and no object explains."""


def recovered(view: View, gateway: str, *, registered_at: str) -> Snapshot:
    """The snapshot that describes what the gateway was found to have."""
    fact = view.live[gateway]
    policies: dict[str, PublishedPolicy] = {}
    contracts = tuple(_contract(view, gateway, live, policies) for live in fact.contracts)
    second = view.second.get(gateway, LiveFact())
    overlap = second.state is Live.OURS and bool(second.key) and second.key == view.key.previous
    return Snapshot(
        gateway=gateway,
        version=fact.version,
        second_hash=second.digest if overlap else "",
        policies=tuple(policies[key] for key in sorted(policies)),
        contracts=tuple(sorted(contracts, key=lambda contract: contract.name)),
        hash=fact.digest,
        registered_at=registered_at,
    )


def _contract(view: View, gateway: str, live: LiveContract, policies: dict[str, PublishedPolicy]) -> PublishedContract:
    owner = _owner(view, gateway, live.api)
    wanted = _wanted(view, gateway, owner)
    exact = {view.fingerprints.get((gateway, policy.id)) for policy in wanted} & {p.fingerprint for p in live.policies}
    identifiers: list[str] = []
    for position, policy in enumerate(live.policies):
        match = _match(view, gateway, policy, wanted, taken=identifiers)
        if match is None:
            match = _older(view, gateway, policy, wanted, taken=identifiers, exact=exact)
        if match is None:
            match = _unmatched(live.api, position, policy)
        policies[match.id] = match
        identifiers.append(match.id)
    return PublishedContract(
        name=owner.meta.name if owner is not None else str(live.api),
        uid=owner.meta.uid if owner is not None else f"{FOUND}:{live.api}",
        organization=live.api.organization,
        api=live.api.name,
        version=live.api.version,
        plan=live.plan,
        policies=tuple(identifiers),
    )


def _owner(view: View, gateway: str, api: ApiRef) -> ContractObject | None:
    """The Contract for that API version there: the valid one, else the oldest that is refused for something else than being a duplicate.

    One that turned invalid stays live as it is; what has lost its grant or come to its end is revoked by that rule, not for want of an owner.
    """
    valid = {entry.uid for entry in view.desired.snapshot(gateway).contracts}
    rows = [
        verdict
        for verdict in view.desired.verdicts
        if verdict.contract.api == api
        and (verdict.gateway or gateway) == gateway
        and verdict.reason != Reason.DUPLICATE
    ]
    rows.sort(key=lambda verdict: verdict.contract.meta.uid not in valid)
    return rows[0].contract if rows else None


def _wanted(view: View, gateway: str, owner: ContractObject | None) -> tuple[PublishedPolicy, ...]:
    """The policies that the Contract should have now, in order: the candidates for what was found."""
    snapshot = view.desired.snapshot(gateway)
    entry = next((c for c in snapshot.contracts if owner is not None and c.uid == owner.meta.uid), None)
    if entry is None:
        return ()
    return tuple(policy for key in entry.policies if (policy := snapshot.policy(key)) is not None)


def _match(
    view: View, gateway: str, live: LivePolicy, wanted: tuple[PublishedPolicy, ...], *, taken: list[str]
) -> PublishedPolicy | None:
    return next(
        (
            policy
            for policy in wanted
            if policy.id not in taken and view.fingerprints.get((gateway, policy.id)) == live.fingerprint
        ),
        None,
    )


def _older(
    view: View,
    gateway: str,
    live: LivePolicy,
    wanted: tuple[PublishedPolicy, ...],
    *,
    taken: list[str],
    exact: set[str | None],
) -> PublishedPolicy | None:
    """An Immediate policy in the form that it had before it changed: it must be replaced at once, not kept beside the new one."""
    for policy in wanted:
        known = policy.id in taken or view.fingerprints.get((gateway, policy.id)) in exact
        if known or policy.rollout != IMMEDIATE or policy.type != live.type:
            continue
        text = f"{live.type}\0{live.config}"
        return replace(policy, config=live.config) if policy.config else replace(policy, digest=digest_of(text))
    return None


def _unmatched(api: ApiRef, position: int, policy: LivePolicy) -> PublishedPolicy:
    """A policy that no object explains; one that no type explains either is known by its fingerprint only, and its bytes stay on the gateway."""
    custom = policy.type == "custom"
    return PublishedPolicy(
        id=f"{FOUND}:{api}/{position}",
        source=FOUND,
        type=policy.type,
        rollout="OnPublish",
        config="" if custom else policy.config,
        digest=policy.fingerprint if custom else "",
    )
