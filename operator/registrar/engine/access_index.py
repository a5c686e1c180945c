"""Finds grants by the API that they name, and what a namespace's labels can matter to; and keeps the owners that a RuntimeGateway selects by labels.

Invariants: an entry exists exactly as long as the object that it stands for; `matched` of an organization's claim holds the namespaces that its selector matches
as they are now. What this module deliberately does not do: judge a grant (see `lifecycle.grants`), or say who is concerned by a change (see `concerned`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from registrar.resources.objects import (
    AnyObject,
    ClientObject,
    GatewayObject,
    GrantObject,
    NamespaceObject,
    PolicyObject,
)

Name = tuple[str, str]


class AccessIndex:
    """Names, by what they are looked up by; the store holds the objects."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_api: dict[Name, set[Name]] = defaultdict(set)
        self._in: dict[Name, set[Name]] = defaultdict(set)
        self.selecting: set[Name] = set()

    def add(self, name: Name, item: AnyObject) -> None:
        """An object is in the store now."""
        for index, key in self._places(item):
            index[key].add(name)
        if isinstance(item, GrantObject) and item.selector is not None:
            self.selecting.add(name)

    def discard(self, name: Name, item: AnyObject) -> None:
        """It is no longer."""
        for index, key in self._places(item):
            names = index[key]
            names.discard(name)
            if not names:
                del index[key]
        if isinstance(item, GrantObject):
            self.selecting.discard(name)

    def _places(self, item: AnyObject) -> list[tuple[dict[Name, set[Name]], Name]]:
        match item:
            case ClientObject():
                return [(self._in, ("Client", item.meta.namespace))]
            case PolicyObject() if any(target.kind in ("Plan", "API") for target in item.targets):
                return [(self._in, ("Policy", item.meta.namespace))]
            case GrantObject():
                apis = {(item.organization, api.name) for api in item.apis}
                return [
                    (self._in, ("APIGrant", item.meta.namespace)),
                    *((self._by_api, key) for key in apis),
                ]
            case _:
                return []

    def grants_naming(self, organization: str, api: str) -> set[Name]:
        """The grants that name the API; those without an organization of their own may mean it too."""
        none: set[Name] = set()
        return self._by_api.get((organization, api), none) | self._by_api.get(("", api), none)

    def clients_in(self, namespace: str) -> set[Name]:
        """The Clients of a namespace."""
        return self._in.get(("Client", namespace), set())

    def owner_policies_in(self, namespace: str) -> set[Name]:
        """The Policies of a namespace that are on plans or APIs."""
        return self._in.get(("Policy", namespace), set())

    def grants_in(self, namespace: str) -> set[Name]:
        """The grants of a namespace."""
        return self._in.get(("APIGrant", namespace), set())


def with_owners(gateway: GatewayObject, namespaces: Iterable[NamespaceObject]) -> GatewayObject:
    """The gateway with the namespaces that its organizations select."""
    if all(claim.selector is None for claim in gateway.organizations):
        return gateway
    known = list(namespaces)
    claims = tuple(
        replace(claim, matched=frozenset(row.meta.name for row in known if claim.selector.matches(row.labels)))
        if claim.selector is not None
        else claim
        for claim in gateway.organizations
    )
    return replace(gateway, organizations=claims)


def with_namespace(gateway: GatewayObject, name: str, labels: Mapping[str, str] | None) -> GatewayObject:
    """The gateway after a namespace got these labels, or after it went (None)."""
    claims = []
    for claim in gateway.organizations:
        if claim.selector is not None:
            selected = labels is not None and claim.selector.matches(labels)
            if selected != (name in claim.matched):
                claim = replace(claim, matched=claim.matched ^ {name})
        claims.append(claim)
    return replace(gateway, organizations=tuple(claims)) if tuple(claims) != gateway.organizations else gateway
