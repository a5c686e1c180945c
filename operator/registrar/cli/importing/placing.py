"""Which namespace a registration goes to, and whether it can be imported at all.

Invariants: nothing is placed where the RuntimeGateway would refuse it without that being said; what can't be imported exactly is not imported.
What this module deliberately does not do: make objects (see `outcome` and `manifests`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from registrar.cli.importing.model import Facts, Refusal, Skipped, Wishes, shown
from registrar.gateways.apiman.driver import KEY
from registrar.gateways.base import Registration
from registrar.lifecycle.key_facts import SUFFIX
from registrar.resources.base import (
    DNS_LABEL_PATTERN,
    GATEWAY_NAME_LENGTH,
    GATEWAY_NAME_PATTERN,
    GATEWAY_VERSION_LENGTH,
)
from registrar.resources.objects import ClientObject, GatewayObject

_LONGEST_LABEL = 63


def namespace_for(organization: str, gateway: GatewayObject, wishes: Wishes) -> str:
    """The namespace for an organization's clients; raises Refusal when it can't be told."""
    wished = wishes.namespaces.get(organization) or wishes.into
    if wished:
        return wished
    owners = owners_of(organization, gateway)
    if len(owners) == 1:
        return owners[0]
    how = f"Say which with --map {organization}=NAMESPACE."
    if owners:
        raise Refusal(f"several namespaces own organization {organization} ({', '.join(owners)}). {how}")
    raise Refusal(f"no namespace owns organization {organization}. {how}")


def owners_of(organization: str, gateway: GatewayObject) -> tuple[str, ...]:
    """The namespaces that own the organization there, as far as they are known; without an entry it is the one of its name."""
    for claim in gateway.organizations:
        if claim.name == organization:
            return tuple(sorted({*claim.namespaces, *claim.matched}))
    return (organization,) if is_label(organization) else ()


def is_label(text: str) -> bool:
    """Whether a namespace may have this name."""
    return len(text) <= _LONGEST_LABEL and re.fullmatch(DNS_LABEL_PATTERN, text) is not None


def already_ours(registration: Registration, facts: Facts) -> Skipped | None:
    """What to say of a registration that a Client claims; None when none does."""
    identity = registration.identity
    for client in facts.clients:
        version = identity.version.removesuffix(SUFFIX)
        if not _claims(client, registration, facts.gateway.meta.name, version):
            continue
        name = f"{client.meta.namespace}/{client.meta.name}"
        if not client.status.snapshot(facts.gateway.meta.name).empty:
            return Skipped(shown(identity), f"Client {name} is registered under it", own=True)
        return Skipped(
            shown(identity), f"Client {name} claims this identity and is not registered. Delete it, or adopt with it."
        )
    return None


def _claims(client: ClientObject, registration: Registration, gateway: str, version: str) -> bool:
    recorded = client.status.identity
    if recorded is not None:
        place = gateway in (recorded.gateway, *client.placed)
        mine = (recorded.organization, recorded.client_id, recorded.version)
    else:
        place = client.gateway in ("", gateway)
        mine = (client.organization or registration.organization, client.client_id, client.version)
    return place and mine == (registration.organization, registration.client_id, version)


def keys_in_two(registrations: Sequence[Registration]) -> frozenset[str]:
    """The keys that several registrations have: the gateway lets in only one of them."""
    counted = Counter(row.api_key for row in registrations)
    return frozenset(key for key, times in counted.items() if times > 1)


def check(registration: Registration, facts: Facts, *, shared_keys: frozenset[str]) -> None:
    """Raise Refusal for a registration that can't be imported exactly."""
    if registration.version.endswith(SUFFIX):
        raise Refusal(f"a Client's version can't end in {SUFFIX}, which the operator needs for the rotation of keys")
    if not _is_name(registration.client_id) or not _is_version(registration.version):
        raise Refusal("its id or version is no name that a Client can have")
    if not KEY.fullmatch(registration.api_key):
        raise Refusal("its key is not of the allowed form (20 to 128 characters of A-Z a-z 0-9 _ -); give it a new one")
    if registration.api_key in shared_keys:
        raise Refusal("another registration on this gateway has the same key; give one of them a new one")
    if not registration.contracts:
        raise Refusal("it has no contracts, so its key opens nothing. Take it off, or make a Client by hand.")
    apis = Counter((row.organization, row.api, row.version) for row in registration.contracts)
    if max(apis.values()) > 1:
        raise Refusal("it has two contracts for one version of an API")
    for row in registration.contracts:
        names = (row.organization, row.api, row.plan)
        if not all(_is_name(name) for name in names) or not _is_version(row.version):
            raise Refusal("it has a contract without a plan, or with a name that a Contract can't have")
    block = facts.gateway.block(
        organization=registration.organization, client_id=registration.client_id, version=registration.version
    )
    if block is not None:
        raise Refusal(f"RuntimeGateway {facts.gateway.meta.name} blocks it; it would be taken off at once")


def _is_name(text: str) -> bool:
    return len(text) <= GATEWAY_NAME_LENGTH and re.fullmatch(GATEWAY_NAME_PATTERN, text) is not None


def _is_version(text: str) -> bool:
    return len(text) <= GATEWAY_VERSION_LENGTH and _is_name(text)
