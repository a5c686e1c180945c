"""A Contract to be: which API and plan can be had, what it is called, and what it would change. Pure.

Invariants: what exists for the same Client and API is changed in place, as the design wants it, never doubled; nothing of it changes that was not asked for.
What this module deliberately does not do: ask anybody, or apply anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from registrar.cli.errors import Usage
from registrar.cli.importing.names import slug
from registrar.cli.reading import Json, name, namespace, rows, seconds, section, word
from registrar.resources.base import GATEWAY_NAME_LENGTH, GATEWAY_NAME_PATTERN, GROUP, VERSION
from registrar.resources.objects import ApiRef

_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks for; empty texts were left out."""

    client: str
    namespace: str
    api: ApiRef
    plan: str
    gateway: str = ""
    name: str = ""
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """What the user can see of what can be had: the grants and the Contracts of the namespaces that he may read."""

    grants: tuple[Json, ...]
    contracts: tuple[Json, ...]
    namespace: str


def parse_api(text: str) -> ApiRef:
    """`organization/name/version`; raises Usage for anything else."""
    parts = text.split("/")
    fine = all(len(part) <= GATEWAY_NAME_LENGTH and re.fullmatch(GATEWAY_NAME_PATTERN, part) for part in parts)
    if len(parts) != 3 or not fine:
        raise Usage("API must be ORGANIZATION/NAME/VERSION.", step="For example: acme/orders/1.0.")
    return ApiRef(*parts)


def check_time(text: str) -> None:
    """Raise Usage for an end that is no time with a zone."""
    if text and (seconds(text) is None or not re.search(r"[Tt ].*([Zz]|[+-]\d\d:\d\d)$", text)):
        raise Usage("--expires-at must be a time in RFC 3339.", step="For example: 2027-01-31T12:00:00Z.")


def apis(offers: Offers) -> tuple[str, ...]:
    """The APIs that can be had, as far as the user can see: those that grants name for the namespace, and those of Contracts."""
    found = {_api(row) for row in offers.contracts}
    for grant in _for(offers):
        organization = word(grant, "spec", "organization") or namespace(grant)
        for row in rows(grant, "spec", "apis"):
            versions = row.get("versions")
            found |= (
                {f"{organization}/{word(row, 'name')}/{v}" for v in versions if isinstance(v, str)}
                if versions
                else set()
            )
    return tuple(sorted(found))


def plans(offers: Offers, api: ApiRef) -> tuple[str, ...]:
    """The plans for an API: those that grants name for the namespace; without such a grant those that Contracts for it are on."""
    granted = {
        plan
        for grant in _for(offers)
        if (word(grant, "spec", "organization") or namespace(grant)) == api.organization
        and any(
            word(row, "name") == api.name and (not row.get("versions") or api.version in row["versions"])
            for row in rows(grant, "spec", "apis")
        )
        for plan in section(grant, "spec").get("plans") or ()
        if isinstance(plan, str)
    }
    used = {word(row, "spec", "plan") for row in offers.contracts if _api(row) == str(api)}
    return tuple(sorted(granted or used))


def _for(offers: Offers) -> Iterable[Json]:
    """The grants that may be for the namespace; whom a selector means can't be told without its labels."""
    for grant in offers.grants:
        source = section(grant, "spec", "from")
        if offers.namespace in (source.get("namespaces") or ()) or source.get("namespaceSelector") is not None:
            yield grant


def _api(contract: Json) -> str:
    api = section(contract, "spec", "api")
    return "/".join(word(api, part) for part in ("organization", "name", "version"))


# The Contract --------------------------------------------------------------------------------------------------------


def existing(wanted: Wanted, contracts: Iterable[Json], *, home: str) -> Json | None:
    """The Contract of that name; without a name the Client's one for the API: of the same version before another one.

    `home` is the Client's gateway, empty where that is not known yet.
    """
    mine = [row for row in contracts if word(row, "spec", "clientRef", "name") == wanted.client]
    if wanted.name:
        return next((row for row in contracts if name(row) == wanted.name), None)
    same = [
        row
        for row in mine
        if (word(row, "spec", "api", "organization"), word(row, "spec", "api", "name"))
        == (wanted.api.organization, wanted.api.name)
        and (word(row, "spec", "gatewayRef", "name") or home) == (wanted.gateway or home)
    ]
    same.sort(key=lambda row: (word(row, "spec", "api", "version") != wanted.api.version, name(row)))
    return same[0] if same else None


def home_of(client: Json | None) -> str:
    """The Client's gateway, as far as it is known."""
    return word(client, "status", "identity", "gateway") or word(client, "spec", "gatewayRef", "name")


def changes(wanted: Wanted, found: Json) -> tuple[str, ...]:
    """What applying would change of the Contract that there is, in words."""
    pairs = [
        ("version", word(found, "spec", "api", "version"), wanted.api.version),
        ("plan", word(found, "spec", "plan"), wanted.plan),
    ]
    if wanted.expires_at:
        pairs.append(("expiresAt", word(found, "spec", "expiresAt") or "never", wanted.expires_at))
    return tuple(f"{what} {before} -> {after}" for what, before, after in pairs if before != after)


def manifest(wanted: Wanted, found: Json | None) -> Json:
    """The Contract; under the name of the one that there is, else under one made of the Client's and the API's."""
    called = wanted.name or (
        name(found) if found is not None else f"{wanted.client}-{slug(wanted.api.name)}"[:_LONGEST_NAME]
    )
    api = {"organization": wanted.api.organization, "name": wanted.api.name, "version": wanted.api.version}
    spec: Json = {"clientRef": {"name": wanted.client}, "api": api, "plan": wanted.plan}
    # What is left out of an apply is taken away if it was applied before.
    if gateway := wanted.gateway or word(found, "spec", "gatewayRef", "name"):
        spec["gatewayRef"] = {"name": gateway}
    if expires_at := wanted.expires_at or word(found, "spec", "expiresAt"):
        spec["expiresAt"] = expires_at
    metadata = {"name": called, "namespace": wanted.namespace}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Contract", "metadata": metadata, "spec": spec}


def to_try(contract: Json, client: Json, *, secret: str, header: str) -> str:
    """The call to try: the key goes from the Secret to curl without being on a command line."""
    where, endpoint = namespace(contract), word(contract, "status", "endpoint")
    entry = word(client, "spec", "apiKey", "secretKey") or "apiKey"
    template = f'{header}: {{{{index .data "{entry}" | base64decode}}}}'
    return (
        f"kubectl registrar call {name(contract)} -n {where}\n"
        f"kubectl get secret {secret} -n {where} -o go-template='{template}' | curl -H @- {endpoint}/"
    )
