"""From facts to what the import comes to: a pure function.

Invariants: the outcome does not depend on the order of the facts; a registration is imported exactly or not at all; whatever the RuntimeGateway or an API's owner must
allow first is part of the outcome. What this module deliberately does not do: read anything, or write manifests (see `manifests`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from registrar.cli.importing.chains import chain_of
from registrar.cli.importing.granting import missing_grants, without_owner
from registrar.cli.importing.levels import levels_of
from registrar.cli.importing.model import (
    Facts,
    ImportedClient,
    ImportedContract,
    ImportedPolicy,
    Outcome,
    Refusal,
    Skipped,
    Wishes,
    shown,
)
from registrar.cli.importing.names import LONGEST_NAME, names_for
from registrar.cli.importing.placing import already_ours, check, keys_in_two, namespace_for, owners_of
from registrar.gateways.base import Registration, WireContract
from registrar.resources.base import CLIENT_OBJECT_NAME_LENGTH
from registrar.resources.objects import ApiRef, GatewayObject, OrganizationClaim

_FIRST_VERSION = "1.0"
"""The version that a Client has when it names none; it is left out of the object's name."""


@dataclass(frozen=True, slots=True)
class _Placed:
    registration: Registration
    namespace: str


def outcome_of(facts: Facts, wishes: Wishes) -> Outcome:
    """What becomes of each registration."""
    placed, skipped = _placed(facts, wishes)
    gateway = _allowing(facts, placed)
    names = _client_names(placed, facts)
    rows = []
    for row in placed:
        try:
            rows.append(_client(row, names[_key(row.registration)], replace(facts, gateway=gateway)))
        except Refusal as error:
            skipped.append(Skipped(shown(row.registration.identity), error.why))
    refused = {_key(row.registration): why for row in rows if (why := without_owner(row, facts, gateway))}
    clients = [row for row in rows if _key(row.registration) not in refused]
    skipped += [Skipped("/".join(key), why) for key, why in refused.items()]
    unusable = [
        Skipped(name, "its id can't go into a URL, so the operator could not ask for it") for name in facts.unusable
    ]
    return Outcome(
        clients=tuple(sorted(clients, key=lambda c: (c.namespace, c.name))),
        grants=missing_grants(clients, facts, gateway),
        skipped=tuple(sorted([*skipped, *unusable], key=lambda row: row.identity)),
        patch=_patch(facts, clients, wishes),
        notes=_notes(facts, clients),
    )


def _placed(facts: Facts, wishes: Wishes) -> tuple[list[_Placed], list[Skipped]]:
    """Where each registration goes, and those that go nowhere."""
    wanted = [
        row for row in facts.registrations if not wishes.organizations or row.organization in wishes.organizations
    ]
    shared = keys_in_two(facts.registrations)
    placed, skipped = [], []
    for row in sorted(wanted, key=_key):
        ours = already_ours(row, facts)
        if ours is not None:
            skipped.append(ours)
            continue
        try:
            check(row, facts, shared_keys=shared)
            placed.append(_Placed(row, namespace_for(row.organization, facts.gateway, wishes)))
        except Refusal as refused:
            skipped.append(Skipped(shown(row.identity), refused.why))
    return placed, skipped


def _key(registration: Registration) -> tuple[str, str, str]:
    return (registration.organization, registration.client_id, registration.version)


def _allowing(facts: Facts, placed: Iterable[_Placed]) -> GatewayObject:
    """The RuntimeGateway with what it must say of organizations so that each client may be where it goes."""
    gateway = facts.gateway
    for row in placed:
        organization, namespace = row.registration.organization, row.namespace
        if organization in gateway.owned_organizations(namespace):
            continue
        owners = [*owners_of(organization, gateway), namespace]
        # Without an entry the namespace of the organization's name owns it; it must not lose it by the entry, if there is such a namespace.
        if facts.labels is not None:
            owners = [name for name in owners if name in facts.labels or name == namespace]
        before = next((claim for claim in gateway.organizations if claim.name == organization), None)
        claim = (
            replace(before, namespaces=(*before.namespaces, namespace))
            if before is not None
            else OrganizationClaim(name=organization, namespaces=tuple(dict.fromkeys(owners)))
        )
        others = tuple(c for c in gateway.organizations if c.name != organization)
        gateway = replace(gateway, organizations=(*others, claim))
    return gateway


def _client_names(placed: Iterable[_Placed], facts: Facts) -> dict[tuple[str, str, str], str]:
    """The name of each Client, unique in its namespace."""
    by_namespace: dict[str, dict[tuple[str, ...], str]] = {}
    for row in placed:
        found = row.registration
        text = found.client_id if found.version == _FIRST_VERSION else f"{found.client_id}-{found.version}"
        by_namespace.setdefault(row.namespace, {})[_key(found)] = text
    names: dict[tuple[str, str, str], str] = {}
    for namespace, wanted in by_namespace.items():
        taken = facts.names.get(("Client", namespace), frozenset())
        made = names_for(wanted, longest=CLIENT_OBJECT_NAME_LENGTH, taken=taken)
        names |= {(key[0], key[1], key[2]): name for key, name in made.items()}
    return names


def _client(row: _Placed, name: str, facts: Facts) -> ImportedClient:
    contracts = sorted(row.registration.contracts, key=lambda c: (c.organization, c.api, c.version))
    wanted: dict[tuple[str, ...], str] = {_api(wire): f"{name}-{wire.api}-{wire.version}" for wire in contracts}
    taken = facts.names.get(("Contract", row.namespace), frozenset())
    names = names_for(wanted, longest=LONGEST_NAME, taken=taken)
    chains = [
        chain_of(wire, facts, namespace=row.namespace, client=name, contract=names[_api(wire)], others=contracts)
        for wire in contracts
    ]
    cuts = levels_of([chain.found for chain in chains])
    if cuts is None:
        raise Refusal("its policies would not stay as they are beside those of the owners of its plans and APIs")
    made = tuple(
        ImportedContract(name=names[_api(wire)], wire=wire, levels=cut, lacking=chain.lacking)
        for wire, cut, chain in zip(contracts, cuts, chains, strict=True)
    )
    policies = _policies(name, made, taken=facts.names.get(("Policy", row.namespace), frozenset()))
    return ImportedClient(row.namespace, name, row.registration, made, policies)


def _api(wire: WireContract) -> tuple[str, ...]:
    return (wire.organization, wire.api, wire.version)


def _policies(
    client: str, contracts: tuple[ImportedContract, ...], *, taken: frozenset[str]
) -> tuple[ImportedPolicy, ...]:
    """The Policies of a client, those on the Client first."""
    places = [("Client", "", n, found) for n, found in enumerate(contracts[0].levels.client)]
    places += [("Contract", row.name, n, found) for row in contracts for n, found in enumerate(row.levels.contract)]
    seen: Counter[str] = Counter()
    wanted: dict[tuple[str, ...], str] = {}
    for level, contract, position, found in places:
        text = f"{contract or client}-{_words(found.member.type)}" if found.member is not None else client
        seen[text] += 1
        wanted[(client, level, contract, str(position))] = text if seen[text] == 1 else f"{text}-{seen[text]}"
    names = names_for(wanted, longest=LONGEST_NAME, taken=taken)
    return tuple(
        ImportedPolicy(names[(client, level, contract, str(n))], level, contract, n) for level, contract, n, _ in places
    )


def _words(type_: str) -> str:
    """`rateLimit` as `rate-limit`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in type_)


def _patch(facts: Facts, clients: Iterable[ImportedClient], wishes: Wishes) -> dict[str, object]:
    """What the RuntimeGateway's spec must say in addition, as a merge patch; lists are whole, because a merge patch replaces them."""
    rows = list(clients)
    patch: dict[str, object] = {}
    after = _allowing(facts, (_Placed(row.registration, row.namespace) for row in rows))
    if after.organizations != facts.gateway.organizations:
        patch["organizations"] = [_claim(claim) for claim in after.organizations]
    wanted = {
        implementation
        for row in rows
        for contract in row.contracts
        for found in (*contract.levels.client, *contract.levels.contract)
        if found.member is not None
        and found.member.type == "custom"
        and not facts.gateway.allows_custom(implementation := str(found.member.config["implementation"]))
    }
    if wanted:
        patch["customPolicies"] = {"allow": [*facts.gateway.custom_policies, *sorted(wanted)]}
    adopting = sorted({row.namespace for row in rows} - set(facts.gateway.adoption)) if wishes.generated_keys else []
    if adopting:
        patch["adoption"] = {"namespaces": [*facts.gateway.adoption, *adopting]}
    return patch


def _claim(claim: OrganizationClaim) -> dict[str, object]:
    selector = claim.selector
    row: dict[str, object] = {"name": claim.name}
    if claim.namespaces:
        row["namespaces"] = list(claim.namespaces)
    if selector is not None:
        rows = [
            {"key": e.key, "operator": e.operator} | ({"values": list(e.values)} if e.values else {})
            for e in selector.expressions
        ]
        labels = {"matchLabels": dict(selector.labels)} if selector.labels else {}
        row["namespaceSelector"] = labels | ({"matchExpressions": rows} if rows else {})
    return row


def _notes(facts: Facts, clients: Iterable[ImportedClient]) -> tuple[str, ...]:
    """What is worth knowing before the manifests are applied."""
    rows = list(clients)
    notes = []
    if keeping := sum(1 for client in rows if client.kept):
        notes.append(
            f"{keeping} of the Clients keep policies on the gateway as they are, because no set of Policies comes to exactly the same; "
            "they go when adopt is taken out of the Client's spec and that is published."
        )
    for client in rows:
        name = f"{client.namespace}/{client.name}"
        for contract in client.contracts:
            wire = contract.wire
            api = ApiRef(wire.organization, wire.api, wire.version)
            if api not in facts.apis:
                notes.append(f"{name}: the gateway does not have API {api}; its Contract is pending until it does.")
            if contract.lacking:
                shown_names = ", ".join(contract.lacking)
                notes.append(f"{name}: the owners' Policies {shown_names} reach {api} and are not on the gateway yet.")
    missing = {client.namespace for client in rows} - set(facts.labels) if facts.labels is not None else set()
    notes += [f"Namespace {name} does not exist; create it first." for name in sorted(missing)]
    return tuple(notes)
