"""The operator's own secret, with which it signs what it published; made once, kept in a Secret of its own namespace.

Invariant: the secret is random, 256 bits, and never leaves the process but to that Secret. When the Secret is lost a new one is made, and every registration is
recognised by its key instead. What this module deliberately does not do: rotate it.
"""

from __future__ import annotations

import base64
import binascii
import logging
import secrets

from registrar.errors import KubeConflict, KubeNotFound
from registrar.kube.client import SECRETS, KubeClient
from registrar.seam import Site

log = logging.getLogger(__name__)

_ENTRY = "secret"
_BYTES = 32


async def load_hash_secret(client: KubeClient, *, namespace: str, name: str) -> bytes:
    """The secret of that name, made when it is not there; raises a KubeError when the API server does not help."""
    for _ in range(3):
        try:
            found = await client.get(SECRETS, namespace=namespace, name=name)
            return _decoded(found)
        except KubeNotFound:
            log.info("making the Secret %s/%s, with which published snapshots are signed", namespace, name)
        try:
            await client.create(SECRETS, namespace=namespace, body=_body(namespace, name), site=Site.HASH_SECRET_CREATE)
        except KubeConflict:
            # Another replica was faster; its secret is as good.
            continue
    return _decoded(await client.get(SECRETS, namespace=namespace, name=name))


def _body(namespace: str, name: str) -> dict[str, object]:
    value = base64.b64encode(secrets.token_bytes(_BYTES)).decode()
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "type": "Opaque",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "gateway-registrar"},
        },
        "data": {_ENTRY: value},
    }


def _decoded(found: dict[str, object]) -> bytes:
    data = found.get("data")
    value = data.get(_ENTRY, "") if isinstance(data, dict) else ""
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) < _BYTES:
        raise KubeConflict(
            "The Secret for signing snapshots has no usable entry `secret`; delete it, and a new one is made."
        )
    return decoded
