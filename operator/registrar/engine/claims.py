"""Who holds an identity or a key when a process begins to lead: whoever held it before, whatever is reconciled first.

Without that the order of a start would decide: a Client that was refused because another one holds its identity, or the key that somebody copied into its
Secret, would only have to be looked at first after a restart to have it.

Invariants: who is published comes before who is not, who was accepted before who was not, the older before the younger; costs no call.
What this module deliberately does not do: refuse anybody (see `gather`, which finds the claims taken).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registrar.engine.key_secret import read_keys
from registrar.engine.rendering import Seals
from registrar.engine.store import Store
from registrar.resources.objects import ClientObject

_PUBLISHED = ("Registered", "UnpublishedChanges")


def reserve_all(*, store: Store, seals: Seals) -> None:
    """Reserve what the statuses say that each Client holds, in the order of their right to it."""
    clients = [client for client in store.all("Client") if isinstance(client, ClientObject)]
    for client in sorted(clients, key=lambda c: (c.phase not in _PUBLISHED, c.meta.created_at, c.meta.uid)):
        status = client.raw_status
        _reserve_identity(store, client, status)
        _reserve_key(store, client, status, seals)


def _reserve_identity(store: Store, client: ClientObject, status: Mapping[str, Any]) -> None:
    identity = status.get("identity")
    if not isinstance(identity, Mapping):
        return
    gateway, organization, client_id, version = (
        str(identity.get(name, "")) for name in ("gateway", "organization", "clientId", "version")
    )
    if gateway and organization:
        store.reserve_identity(
            gateway=gateway, organization=organization, client_id=client_id, version=version, uid=client.meta.uid
        )


def _reserve_key(store: Store, client: ClientObject, status: Mapping[str, Any], seals: Seals) -> None:
    """A status names the key's Secret only while the key was the Client's to use."""
    recorded = status.get("apiKey")
    secret = store.secret(client.meta.namespace, client.secret_name)
    if secret is None or not isinstance(recorded, Mapping) or recorded.get("secretName") != client.secret_name:
        return
    texts = read_keys(secret, client.api_key).keys.texts
    store.reserve_keys((seals.key_digest(key) for key in texts.values()), client.meta.uid)
