"""The APIGrants without which an imported Contract would be taken off: `lifecycle.grants` judges them, as the operator does.

Invariants: a grant opens exactly the version and the plan that work today, for the namespaces that use them. What this module deliberately does not do: ask the owner
of an API, who must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from registrar.cli.importing.model import Facts, GrantNeeded, ImportedClient
from registrar.cli.importing.names import LONGEST_NAME, names_for
from registrar.cli.importing.placing import owners_of
from registrar.lifecycle.grants import refusal
from registrar.lifecycle.model import Access
from registrar.resources.objects import ApiRef, GatewayObject


def without_owner(client: ImportedClient, facts: Facts, gateway: GatewayObject) -> str:
    """Why the client can't be imported for want of a grant that nobody could make; empty when it can."""
    for api, _ in _refused(client, facts, gateway):
        if not _owner(api, facts, gateway):
            return f"its contract for {api} needs an APIGrant, and no namespace owns organization {api.organization}"
    return ""


def missing_grants(clients: Iterable[ImportedClient], facts: Facts, gateway: GatewayObject) -> tuple[GrantNeeded, ...]:
    """The grants that the clients need in addition to those that there are."""
    missing: dict[tuple[str, ApiRef, str], set[str]] = {}
    for client in clients:
        for api, plan in _refused(client, facts, gateway):
            missing.setdefault((_owner(api, facts, gateway), api, plan), set()).add(client.namespace)
    wanted: dict[tuple[str, ...], str] = {
        (owner, str(api), plan): f"imported-{api.name}-{api.version}-{plan}" for owner, api, plan in missing
    }
    names = names_for(wanted, longest=LONGEST_NAME)
    return tuple(
        GrantNeeded(owner, api, plan, tuple(sorted(consumers)), names[(owner, str(api), plan)])
        for (owner, api, plan), consumers in sorted(missing.items())
    )


def _refused(client: ImportedClient, facts: Facts, gateway: GatewayObject) -> Iterator[tuple[ApiRef, str]]:
    """The APIs and plans of the client that no grant opens."""
    labels = (facts.labels or {}).get(client.namespace, {})
    access = Access(client.namespace, labels, facts.grants, {gateway.meta.name: gateway})
    for contract in client.contracts:
        wire = contract.wire
        api = ApiRef(wire.organization, wire.api, wire.version)
        if refusal(access, gateway, api, wire.plan) is not None:
            yield api, wire.plan


def _owner(api: ApiRef, facts: Facts, gateway: GatewayObject) -> str:
    """A namespace that owns the API's organization; empty when none does."""
    owners = owners_of(api.organization, gateway)
    return next((name for name in owners if facts.labels is None or name in facts.labels), "")
