"""From snapshots to what a gateway is sent, and from what it returns to facts.

Invariants: a contract is rendered with its whole chain of policies or `Unrenderable` is raised; only contracts whose API the gateway has
are sent; surgery keeps what the gateway returned byte for byte and only leaves contracts out.
What this module deliberately does not do: send anything.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import orjson

from registrar.errors import RegistrarError
from registrar.gateways.apiman.wire import parse_policy, render_policy
from registrar.gateways.base import Identity, Registration, WireContract, WirePolicy
from registrar.lifecycle.model import Live, LiveContract, LiveFact, LivePolicy
from registrar.resources.objects import ApiRef
from registrar.resources.status import IdentityStatus, PublishedPolicy, Snapshot, canonical

ConfigOf = Callable[[PublishedPolicy], str | None]
"""Gives the current configuration (canonical JSON) of a policy that a snapshot keeps by digest only; None when it is gone."""


class UnrenderableError(RegistrarError):
    """A policy of the snapshot can't be rendered any more: what it belongs to is not pushed."""


def identity_of(identity: IdentityStatus, version: str = "") -> Identity:
    """The gateway's name for a Client; `version` is a snapshot's, where the Client does not stand under its own."""
    return Identity(
        organization=identity.organization, client_id=identity.client_id, version=version or identity.version
    )


def registration(snapshot: Snapshot, *, identity: IdentityStatus, api_key: str, config_of: ConfigOf) -> Registration:
    """The registration that makes the gateway have `snapshot`; raises UnrenderableError and GatewayRefused (a `${` in a policy)."""
    rendered = {policy.id: wire_policy(policy, config_of) for policy in snapshot.policies}
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
    config = policy.config or config_of(policy)
    if config is None:
        raise UnrenderableError(f"Policy {policy.id} no longer exists and its configuration was not kept.")
    return render_policy(type=policy.type, config=orjson.loads(config))


def without(found: Registration, target: Snapshot, *, api_key: str) -> Registration:
    """Surgery: what the gateway returned, less the contracts that `target` does not have."""
    kept = {(entry.organization, entry.api, entry.version) for entry in target.contracts if entry.live}
    contracts = tuple(c for c in found.contracts if (c.organization, c.api, c.version) in kept)
    return replace(found, api_key=api_key, contracts=contracts)


def fingerprint(policy: WirePolicy) -> str:
    """Equal for equal wire forms; shows nothing of the configuration."""
    return hashlib.sha256(f"{policy.implementation}\0{policy.config}".encode()).hexdigest()


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
    something of ours must be there: then somebody changed it, and that is drift. `other_keys` are the keys of a rotation.
    """
    genuine = recorded.empty or seals.genuine(recorded, uid=uid)
    if found is None:
        return LiveFact(state=Live.ABSENT, genuine=genuine, since=now)
    digest = seals.digest(found)
    published = genuine and not recorded.empty
    if not published and found.api_key not in (api_key, *other_keys):
        return LiveFact(state=Live.FOREIGN, genuine=genuine, since=now)
    contracts = () if published else tuple(_live(contract) for contract in found.contracts)
    key = seals.key_digest(found.api_key)
    return LiveFact(state=Live.OURS, digest=digest, genuine=genuine, contracts=contracts, since=now, key=key)


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
