"""The Secret that holds a Client's generated key.

Invariants: a key never appears in a repr; the Secret is owned by its Client, carries the label that lets one selector see it, and is deleted only
if it still is the very one that is meant. What this module deliberately does not do: read Secrets (the watch does, by label).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.errors import KubeConflict, KubeNotFound
from registrar.kube.client import CLIENTS, SECRETS, KubeClient
from registrar.seam import Site

ALLOW_USE = "gateway-registrar.dev/allow-use"
HEADER_NAME = "X-API-Key"
"""The header in which the Apiman gateway expects the key."""
HEADER_ENTRY = "headerName"
BASE_URL_ENTRY = "baseURL"
NEXT_ENTRY = "nextApiKey"
"""The key of a rotation that no gateway, or not every one, has yet."""
PREVIOUS_ENTRY = "previousApiKey"
"""The former key, as long as a gateway may still have it."""
OWN_LABELS = {ALLOW_USE: "true", "app.kubernetes.io/managed-by": "gateway-registrar"}
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeySecret:
    """All of a key Secret but the key; `entry` is the name under which the key is stored, `base_url` where calls go, `previous` a key that still works."""

    name: str
    namespace: str
    client_name: str
    client_uid: str
    entry: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    base_url: str
    previous: str = field(default="", repr=False)


def new_key() -> str:
    """A fresh key: 256 random bits, url-safe, 43 characters."""
    return secrets.token_urlsafe(_KEY_BYTES)


def key_secret_body(secret: KeySecret, *, key: str) -> dict[str, Any]:
    """The manifest; labels and annotations of the template never replace ours."""
    data = {secret.entry: key, HEADER_ENTRY: HEADER_NAME}
    data |= {BASE_URL_ENTRY: secret.base_url} if secret.base_url else {}
    data |= {PREVIOUS_ENTRY: secret.previous} if secret.previous else {}
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "type": "Opaque",
        "metadata": {
            "name": secret.name,
            "namespace": secret.namespace,
            "labels": {
                **secret.labels,
                **OWN_LABELS,
            },
            "annotations": dict(secret.annotations),
            "ownerReferences": [_owner(name=secret.client_name, uid=secret.client_uid)],
        },
        "data": {entry: base64.b64encode(value.encode()).decode() for entry, value in data.items()},
    }


def _owner(*, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": CLIENTS.api_version,
        "kind": CLIENTS.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


async def own_key_secret(
    client: KubeClient, *, namespace: str, name: str, resource_version: str, owner: tuple[str, str] | None
) -> dict[str, Any]:
    """Make the Client `owner` (name, UID) the Secret's only owner, or leave it without any; returns the Secret.

    Raises KubeConflict when the Secret has changed since `resource_version`, KubeNotFound when it is gone.
    """
    references = [_owner(name=owner[0], uid=owner[1])] if owner is not None else None
    body = {"metadata": {"resourceVersion": resource_version, "ownerReferences": references}}
    return await client.patch(SECRETS, namespace=namespace, name=name, body=body, site=Site.SECRET_UPDATE)


async def replace_key(
    client: KubeClient, *, namespace: str, name: str, resource_version: str, entry: str, key: str
) -> dict[str, Any]:
    """Put another key into the Secret and return it; raises KubeConflict when the Secret has changed since `resource_version`."""
    data = {entry: base64.b64encode(key.encode()).decode()}
    body = {"metadata": {"resourceVersion": resource_version}, "data": data}
    return await client.patch(SECRETS, namespace=namespace, name=name, body=body, site=Site.SECRET_UPDATE)


async def delete_key_secret(client: KubeClient, *, namespace: str, name: str, uid: str) -> None:
    """Delete the Secret if it still is the one with that UID; one that is gone, or is another one, is left as it is."""
    try:
        await client.delete(SECRETS, namespace=namespace, name=name, site=Site.SECRET_DELETE, uid=uid)
    except (KubeNotFound, KubeConflict):
        return
