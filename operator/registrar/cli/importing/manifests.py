"""The manifests of what is imported: what each Client needs in the order in which it must arrive, its secrets apart.

Invariants: a key and a password stand in Secrets and nowhere else; the Client comes last, so that the operator finds its Contracts and Policies when it reads the
gateway for it. What this module deliberately does not do: decide anything, or write files.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from registrar.cli.importing.levels import FoundPolicy
from registrar.cli.importing.model import GrantNeeded, ImportedClient, ImportedPolicy
from registrar.resources.base import GROUP, VERSION
from registrar.resources.parse import ALLOW_USE_LABEL

Json = dict[str, Any]
KEY_ENTRY = "apiKey"
ORDER_STEP = 10
"""Between two Policies of one level, so that another one can be put between them."""


def key_secret_name(client: str) -> str:
    """The Secret for a Client's key; not the name of a generated one, so that `source` can be changed later."""
    return f"{client}-imported-key"


def secrets_of(client: ImportedClient, *, generated_keys: bool) -> list[Json]:
    """The Secrets: the key, unless the operator is to take it from the gateway itself, and the passwords of each Policy."""
    rows = []
    if not generated_keys:
        rows.append(_secret(client.namespace, key_secret_name(client.name), {KEY_ENTRY: client.registration.api_key}))
    for policy in client.policies:
        member = _found(client, policy).member
        if member is not None and member.passwords:
            rows.append(_secret(client.namespace, _passwords(policy), member.passwords))
    return rows


def objects_of(client: ImportedClient, *, gateway: str, generated_keys: bool) -> list[Json]:
    """The Policies, the Contracts and the Client, in this order."""
    return [
        *(_policy(client, policy) for policy in client.policies),
        *_contracts(client, gateway),
        _client(client, gateway=gateway, generated_keys=generated_keys),
    ]


def grants_of(grants: Iterable[GrantNeeded]) -> list[Json]:
    """The APIGrants that are missing."""
    return [
        _object(
            "APIGrant",
            grant.owner,
            grant.name,
            {
                "organization": grant.api.organization,
                "apis": [{"name": grant.api.name, "versions": [grant.api.version]}],
                "plans": [grant.plan],
                "from": {"namespaces": list(grant.consumers)},
            },
        )
        for grant in grants
    ]


def _client(client: ImportedClient, *, gateway: str, generated_keys: bool) -> Json:
    found = client.registration
    key = (
        {"source": "Generated"}
        if generated_keys
        else {"source": "Existing", "secretName": key_secret_name(client.name), "secretKey": KEY_ENTRY}
    )
    return _object(
        "Client",
        client.namespace,
        client.name,
        {
            "organization": found.organization,
            "clientId": found.client_id,
            "version": found.version,
            "gatewayRef": {"name": gateway},
            "adopt": True,
            "apiKey": key,
        },
    )


def _contracts(client: ImportedClient, gateway: str) -> Iterator[Json]:
    for row in client.contracts:
        api = {"organization": row.wire.organization, "name": row.wire.api, "version": row.wire.version}
        spec = {"clientRef": {"name": client.name}, "api": api, "plan": row.wire.plan, "gatewayRef": {"name": gateway}}
        yield _object("Contract", client.namespace, row.name, spec)


def _policy(client: ImportedClient, policy: ImportedPolicy) -> Json:
    member = _found(client, policy).member
    target = {"kind": policy.level, "name": policy.contract or client.name}
    spec: Json = {"targetRefs": [target], "order": policy.position * ORDER_STEP}
    if member is not None:
        spec[member.type] = member.referring_to(_passwords(policy))
    return _object("Policy", client.namespace, policy.name, spec)


def _found(client: ImportedClient, policy: ImportedPolicy) -> FoundPolicy:
    """What the Policy was made of."""
    if policy.level == "Client":
        return client.contracts[0].levels.client[policy.position]
    levels = next(row.levels for row in client.contracts if row.name == policy.contract)
    return levels.contract[policy.position]


def _passwords(policy: ImportedPolicy) -> str:
    return f"{policy.name}-passwords"


def _object(kind: str, namespace: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata, "spec": spec}


def _secret(namespace: str, name: str, entries: Mapping[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {ALLOW_USE_LABEL: "true"}},
        "type": "Opaque",
        "data": {entry: base64.b64encode(value.encode()).decode() for entry, value in entries.items()},
    }
