"""Whom a change of a grant or of a namespace's labels concerns: the Clients to look at again, and the grants whose consumers are to be counted.

Invariant: nobody is left out whose decision may come out otherwise; nobody is looked for by a scan of all Clients.
What this module deliberately does not do: decide, or put anything into the queue (see `source`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from registrar.engine.queue import Key
from registrar.engine.store import Store
from registrar.resources.objects import ContractObject, GatewayObject, GrantObject, NamespaceObject
from registrar.resources.selectors import Selector


def clients_of_grant(store: Store, grant: GrantObject, *, also: frozenset[str] = frozenset()) -> set[Key]:
    """The Clients with a Contract for one of the grant's APIs, in a namespace that the grant is for or that owns the organization.

    `also` are organizations that the grant was about, or may have been.
    """
    found = contracts_of_grant(store, grant, owners=True, also=also)
    return {Key("Client", contract.meta.namespace, contract.client) for contract in found}


def contracts_of_grant(
    store: Store, grant: GrantObject, *, owners: bool = False, also: frozenset[str] = frozenset()
) -> Iterator[ContractObject]:
    """The Contracts for the grant's APIs from the namespaces that it is for, and with `owners` those of the organization's owners."""
    gateways = list(store.gateways().values())
    concerned: dict[tuple[str, str], bool] = {}
    for organization in sorted(organizations_of(grant, gateways) | also):
        for api in grant.apis:
            for contract in store.contracts_naming(organization, api.name):
                key = (organization, contract.meta.namespace)
                if key not in concerned:
                    concerned[key] = grant.covers(key[1], store.labels_of(key[1])) or (
                        owners and any(organization in gateway.owned_organizations(key[1]) for gateway in gateways)
                    )
                if concerned[key]:
                    yield contract


def organizations_of(grant: GrantObject, gateways: Iterable[GatewayObject]) -> set[str]:
    """The organizations that the grant may be about: the one it names, or on each gateway the one of its namespace."""
    if grant.organization:
        return {grant.organization}
    return {found for gateway in gateways if (found := gateway.default_organization(grant.meta.namespace))}


def clients_of_namespace(store: Store, old: NamespaceObject | None, new: NamespaceObject | None) -> set[Key]:
    """The Clients to which other labels of a namespace matter: through the organizations it owns, and through the grants it is under."""
    name = _name(old, new)
    keys: set[Key] = set()
    moved = _organizations_moved(store, old, new)
    if moved:
        keys |= {Key("Client", *client) for client in store.access.clients_in(name)}
        for policy_name in store.access.owner_policies_in(name):
            policy = store.policy(*policy_name)
            if policy is not None:
                keys |= store.clients_affected_by(policy)
        # A grant without an organization was about one that the namespace had: one that moved, one that it still has, or that of its name.
        had = moved.union([name], *(row.owned_organizations(name) for row in store.gateways().values()))
        for grant in grants_named(store, store.access.grants_in(name)):
            keys |= clients_of_grant(store, grant, also=had)
    apis = {api.name for grant in _grants_changed(store, old, new) for api in grant.apis}
    if apis:
        for client in store.access.clients_in(name):
            if any(contract.api.name in apis for contract in store.contracts_of(*client)):
                keys.add(Key("Client", *client))
    return keys


def statuses_of_namespace(store: Store, old: NamespaceObject | None, new: NamespaceObject | None) -> set[Key]:
    """The grants and Policies whose own statuses other labels of a namespace may change."""
    keys = {_grant_key(grant) for grant in _grants_changed(store, old, new)}
    if _organizations_moved(store, old, new):
        name = _name(old, new)
        keys |= {Key("APIGrant", *grant) for grant in store.access.grants_in(name)}
        keys |= {Key("Policy", *policy) for policy in store.access.owner_policies_in(name)}
    return keys


def grants_of_contract(store: Store, contract: ContractObject) -> set[Key]:
    """The grants that the Contract may count in."""
    return {Key("APIGrant", *n) for n in store.access.grants_naming(contract.api.organization, contract.api.name)}


def grants_named(store: Store, names: Iterable[tuple[str, str]]) -> list[GrantObject]:
    """The grants of these names that there are, by name."""
    return [found for name in sorted(names) if (found := store.grant(*name)) is not None]


def _grants_changed(store: Store, old: NamespaceObject | None, new: NamespaceObject | None) -> list[GrantObject]:
    """The grants whose selector matches only one of the two states."""
    return [
        grant
        for grant in grants_named(store, store.access.selecting)
        if grant.selector is not None and _selects(grant.selector, old) != _selects(grant.selector, new)
    ]


def _organizations_moved(store: Store, old: NamespaceObject | None, new: NamespaceObject | None) -> frozenset[str]:
    """The organizations that select only one of the two states; with an entry, the organization of the namespace's own name is gone or back too."""
    return frozenset(
        claim.name
        for gateway in store.gateways().values()
        for claim in gateway.organizations
        if claim.selector is not None and _selects(claim.selector, old) != _selects(claim.selector, new)
    )


def _name(old: NamespaceObject | None, new: NamespaceObject | None) -> str:
    item = new or old
    return item.meta.name if item is not None else ""


def _selects(selector: Selector, item: NamespaceObject | None) -> bool:
    """A namespace that is not there is selected by nothing, not even by an empty selector."""
    return item is not None and selector.matches(item.labels)


def _grant_key(grant: GrantObject) -> Key:
    return Key("APIGrant", grant.meta.namespace, grant.meta.name)
