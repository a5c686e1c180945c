"""Who may use which API on which plan: the rules of APIGrants (design section 3).

Where a RuntimeGateway says `contracts: Granted`, a namespace may use an API of an organization that it does not own only under a grant from a namespace that
owns it. A grant counts when it stands in such a namespace, names the API and its version, and is for the consuming namespace; one of those that count must
name the plan. The owner itself needs no grant, but once grants name its API, its own plan must be one that some grant names: a misspelled plan would be an
unlimited one.

Invariants: judged on the facts alone, for what is asked and for what is published alike; a grant of a namespace that does not own the organization has no
effect whatever. What this module deliberately does not do: take anything off (see `decide.revoke`), or say how a Contract stands (see `desired`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from registrar.lifecycle.model import Access
from registrar.resources import reasons
from registrar.resources.objects import ApiRef, GatewayObject, GrantObject
from registrar.resources.reasons import Reason
from registrar.resources.status import PublishedContract


class Standing(StrEnum):
    """How a namespace stands to an API and a plan."""

    GRANTED = "Granted"
    NOT_GRANTED = "NotGranted"
    UNKNOWN_PLAN = "UnknownPlan"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a Contract must not be published as it is."""

    reason: Reason
    message: str


def organization_of(grant: GrantObject, gateway: GatewayObject) -> str:
    """The organization whose APIs the grant is about on that gateway; empty when its namespace does not own it, or has several."""
    namespace = grant.meta.namespace
    named = grant.organization or gateway.default_organization(namespace) or ""
    return named if named in gateway.owned_organizations(namespace) else ""


def effective(grants: Iterable[GrantObject], gateway: GatewayObject, api: ApiRef) -> tuple[GrantObject, ...]:
    """The grants about that API version that count on that gateway, whoever they are for."""
    return tuple(
        grant
        for grant in grants
        if not grant.meta.deleting and grant.names(api) and organization_of(grant, gateway) == api.organization
    )


def covering(access: Access, gateway: GatewayObject, api: ApiRef) -> tuple[GrantObject, ...]:
    """Those of them that are for the namespace of `access`."""
    found = effective(access.grants, gateway, api)
    return tuple(grant for grant in found if grant.covers(access.namespace, access.labels))


def standing(access: Access, gateway: GatewayObject, api: ApiRef, plan: str) -> Standing:
    """How the namespace of `access` stands to the API and the plan on that gateway."""
    if gateway.contracts == "Any":
        return Standing.GRANTED
    if api.organization in gateway.owned_organizations(access.namespace):
        named = _plans(effective(access.grants, gateway, api))
        return Standing.GRANTED if not named or plan in named else Standing.UNKNOWN_PLAN
    grants = covering(access, gateway, api)
    if not grants:
        return Standing.NOT_GRANTED
    return Standing.GRANTED if plan in _plans(grants) else Standing.UNKNOWN_PLAN


def refusal(access: Access, gateway: GatewayObject, api: ApiRef, plan: str) -> Refusal | None:
    """What the grants have against a Contract; None when nothing."""
    match standing(access, gateway, api, plan):
        case Standing.NOT_GRANTED:
            return Refusal(Reason.NOT_GRANTED, reasons.not_granted(str(api)))
        case Standing.UNKNOWN_PLAN:
            owner = api.organization in gateway.owned_organizations(access.namespace)
            known = _plans(effective(access.grants, gateway, api) if owner else covering(access, gateway, api))
            return Refusal(Reason.UNKNOWN_PLAN, reasons.unknown_plan(api=str(api), plan=plan, known=sorted(known)))
        case _:
            return None


def withdrawn(access: Access, gateway_name: str, entry: PublishedContract) -> bool:
    """Whether what is published has lost its grant, judged on the published API version and plan.

    An owner never loses its own: a plan of its that no grant names is flagged, not revoked. A gateway that is not there says nothing.
    """
    gateway = access.gateways.get(gateway_name)
    if gateway is None or gateway.contracts == "Any":
        return False
    if entry.organization in gateway.owned_organizations(access.namespace):
        return False
    api = ApiRef(entry.organization, entry.api, entry.version)
    return standing(access, gateway, api, entry.plan) is not Standing.GRANTED


def deprecation(access: Access, gateway_name: str, api: ApiRef, plan: str) -> GrantObject | None:
    """The grant that announces the end of the API to this namespace: of several the one with the earliest sunset."""
    gateway = access.gateways.get(gateway_name)
    if gateway is None:
        return None
    notices = [grant for grant in covering(access, gateway, api) if grant.sunset and plan in grant.plans]
    return min(notices, key=lambda grant: (grant.sunset, grant.meta.namespace, grant.meta.name), default=None)


def _plans(grants: Iterable[GrantObject]) -> set[str]:
    return {plan for grant in grants for plan in grant.plans}
