"""What a gateway has, as far as this operator's own records tell, before it was read for the first time since a start.

The published snapshot is sealed and carries the hash of the very payload that the gateway took. When that payload made anew, with the keys and Secrets of now, has the
same hash, then nothing that the operator knows of has changed, and only somebody else can have changed the gateway. The first drift check finds that; until then a
Client with nothing to do is left alone, which saves a start 10,000 calls. A push whose status was lost leaves something to do (a token, a difference, a Contract
that is gone), and with something to do the gateway is read first.

Invariants: all gateways of the Client, or none; nothing is presumed where a status is missing, forged or only announced.
What this module deliberately does not do: decide what a presumption is good for (see `lifecycle.decide.decide`).
"""

from __future__ import annotations

from registrar.engine.key_secret import Keys
from registrar.engine.rendering import ConfigOf, Seals, UnrenderableError, registration
from registrar.errors import GatewayRefused
from registrar.lifecycle.key_facts import digest_of, main_role
from registrar.lifecycle.model import KeyFact, Live, LiveFact
from registrar.resources.status import ClientStatus, Snapshot


def presumed(
    status: ClientStatus, *, uid: str, key: KeyFact, keys: Keys, seals: Seals, config_of: ConfigOf
) -> dict[str, LiveFact]:
    """The facts to presume, by RuntimeGateway name, for the Client with that UID; none where one of its gateways has to be read."""
    facts = {}
    for snapshot in status.gateways:
        role = main_role(key, snapshot)
        if not _as_sent(snapshot, status, uid=uid, api_key=keys.of(role), seals=seals, config_of=config_of):
            return {}
        facts[snapshot.gateway] = LiveFact(
            state=Live.OURS, digest=snapshot.hash, version=snapshot.version, key=digest_of(key, role)
        )
    return facts


def _as_sent(
    snapshot: Snapshot, status: ClientStatus, *, uid: str, api_key: str, seals: Seals, config_of: ConfigOf
) -> bool:
    """Whether the snapshot is ours and its payload, made now, is the one that was sent."""
    if snapshot.empty or not api_key or status.identity is None or not seals.genuine(snapshot, uid=uid):
        return False
    try:
        payload = registration(snapshot, identity=status.identity, api_key=api_key, config_of=config_of)
    except (UnrenderableError, GatewayRefused):
        return False
    return seals.digest(payload) == snapshot.hash
