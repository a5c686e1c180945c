"""From snapshots to what a gateway is sent, and from what it returns to facts.

Invariants: a contract is rendered with its whole chain of policies or `Unrenderable` is raised; only contracts whose API the gateway has
are sent.
What this module deliberately does not do: send anything, or edit what a gateway returned (see `surgery`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from registrar.errors import RegistrarError
from registrar.gateways.apiman.driver import KEY
from registrar.gateways.apiman.wire import parse_policy, render_policy
from registrar.gateways.base import Identity, Registration, WireContract, WirePolicy
from registrar.lifecycle.drift import drift
from registrar.lifecycle.model import Live, LiveContract, LiveFact, LivePolicy
from registrar.resources.objects import ApiRef
from registrar.resources.status import ANNOUNCED, IdentityStatus, PublishedPolicy, Snapshot, canonical

ConfigOf = Callable[[PublishedPolicy], dict[str, Any] | None]
"""Gives a policy's configuration with what its Secrets hold: the snapshot's, or the current one where that keeps a digest only; None when it can't be had."""


class UnrenderableError(RegistrarError):
    """A policy of the snapshot can't be rendered any more: what it belongs to is not pushed."""


def identity_of(identity: IdentityStatus, version: str = "") -> Identity:
    """The gateway's name for a Client; `version` is a snapshot's, where the Client does not stand under its own."""
    return Identity(
        organization=identity.organization, client_id=identity.client_id, version=version or identity.version
    )


def registration(
    snapshot: Snapshot,
    *,
    identity: IdentityStatus,
    api_key: str,
    config_of: ConfigOf,
    kept: Mapping[str, WirePolicy] | None = None,
) -> Registration:
    """The registration that makes the gateway have `snapshot`; raises UnrenderableError and GatewayRefused (a `${` in a policy).

    `kept` are policies as the gateway has them, by id: they are sent back byte for byte, because they can't be rendered now.
    """
    there = kept or {}
    used = {key for contract in snapshot.contracts if contract.live for key in contract.policies}
    rendered = {
        policy.id: there[policy.id] if policy.id in there else wire_policy(policy, config_of)
        for policy in snapshot.policies
        if policy.id in used
    }
    return Registration(
        organization=identity.organization,
        client_id=identity.client_id,
        version=snapshot.version or identity.version,
        api_key=api_key,
        contracts=tuple(
            WireContract(
                organization=contract.organization,
                api=contract.api,
                version=contract.version,
                plan=contract.plan,
                policies=tuple(rendered[key] for key in contract.policies),
            )
            for contract in snapshot.contracts
            if contract.live
        ),
    )


def wire_policy(policy: PublishedPolicy, config_of: ConfigOf) -> WirePolicy:
    """One policy as the gateway takes it."""
    config = config_of(policy)
    if config is None:
        raise UnrenderableError(f"Policy {policy.id} or one of its Secrets no longer exists, and it was not kept.")
    return render_policy(type=policy.type, config=config)


def as_found(found: Registration, recorded: Snapshot) -> dict[str, WirePolicy]:
    """The policies of a snapshot as the gateway has them, by id; `found` has the snapshot's hash, so that the places agree."""
    there = {(contract.organization, contract.api, contract.version): contract for contract in found.contracts}
    return {
        key: wire
        for entry in recorded.contracts
        if entry.live and (contract := there.get((entry.organization, entry.api, entry.version))) is not None
        for key, wire in zip(entry.policies, contract.policies, strict=True)
    }


def fingerprint(policy: WirePolicy) -> str:
    """Equal for equal wire forms; shows nothing of the configuration."""
    return hashlib.sha256(f"{policy.implementation}\0{policy.config}".encode()).hexdigest()


def by_fingerprint(found: Registration | None) -> dict[str, WirePolicy]:
    """The policies that a gateway has, by fingerprint."""
    contracts = found.contracts if found is not None else ()
    return {fingerprint(policy): policy for contract in contracts for policy in contract.policies}


@dataclass(frozen=True, slots=True)
class Seals:
    """The operator's own secret, and what is made with it."""

    secret: bytes

    def seal(self, snapshot: Snapshot, *, uid: str) -> Snapshot:
        """The snapshot with the seal that shows who wrote it, for which Client."""
        return replace(snapshot, seal=self._mac(snapshot, uid)) if snapshot.hash else snapshot

    def genuine(self, snapshot: Snapshot, *, uid: str) -> bool:
        """Whether this operator wrote the snapshot for this Client."""
        return hmac.compare_digest(snapshot.seal, self._mac(snapshot, uid))

    def _mac(self, snapshot: Snapshot, uid: str) -> str:
        content = f"{uid}\0{snapshot.sealed_content()}".encode()
        return hmac.new(self.secret, content, hashlib.sha256).hexdigest()[:32]

    def digest(self, found: Registration) -> str:
        """The digest of a registration, as `Snapshot.hash` has it."""
        return found.digest(self.secret)

    def key_digest(self, key: str) -> str:
        """What two Clients with the same key have in common; shows nothing of the key."""
        return hmac.new(self.secret, b"key\0" + key.encode(), hashlib.sha256).hexdigest()[:32]


def fact(
    found: Registration | None,
    *,
    recorded: Snapshot,
    uid: str,
    api_key: str,
    seals: Seals,
    now: float,
    other_keys: Iterable[str] = (),
) -> LiveFact:
    """What a reading says.

    `recorded` is what this operator last published there. A registration under another key is ours only when a genuine snapshot says that
    something of ours must be there: then somebody changed it, and that is drift, which is said in words. `other_keys` are the keys of a rotation.
    """
    genuine = recorded.empty or seals.genuine(recorded, uid=uid)
    if found is None:
        return LiveFact(state=Live.ABSENT, genuine=genuine, since=now)
    digest = seals.digest(found)
    published = genuine and not recorded.empty and recorded.hash != ANNOUNCED
    if not published and found.api_key not in (api_key, *other_keys):
        adoptable = KEY.fullmatch(found.api_key) is not None
        return LiveFact(state=Live.FOREIGN, genuine=genuine, since=now, adoptable=adoptable)
    seen = LiveFact(state=Live.OURS, digest=digest, genuine=genuine, since=now, key=seals.key_digest(found.api_key))
    if published and digest == recorded.hash:
        return seen
    contracts = tuple(_live(contract) for contract in found.contracts)
    if not published:
        return replace(seen, contracts=contracts)
    differs = drift(recorded, contracts, key_differs=bool(api_key) and found.api_key != api_key)
    return replace(seen, contracts=contracts, drift=differs)


def _live(contract: WireContract) -> LiveContract:
    return LiveContract(
        api=ApiRef(contract.organization, contract.api, contract.version),
        plan=contract.plan,
        policies=tuple(_live_policies(contract.policies)),
    )


def _live_policies(policies: Iterable[WirePolicy]) -> Iterable[LivePolicy]:
    for policy in policies:
        type_, config = parse_policy(policy)
        yield LivePolicy(fingerprint=fingerprint(policy), type=type_, config=canonical(config))
