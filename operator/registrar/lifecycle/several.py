"""A Client on several gateways: what is announced before the first of several registrations, what is still lacking, and what is only observed.

A first registration that concerns several gateways is several pushes. So that a crash, or a gateway that is down, between two of them does not turn the rest into
unpublished changes, all of it is recorded as published first, under the hash `announced`, and then pushed gateway by gateway.

Invariants: a Client on one gateway is never announced, and costs no write for this; an announced registration counts as live nowhere; a registration under
another key is never taken for an announced one. What this module deliberately does not do: push anything (see `decide`).
"""

from __future__ import annotations

from dataclasses import replace

from registrar.lifecycle.case import Case
from registrar.lifecycle.model import KeyState, Live
from registrar.lifecycle.phase import lost
from registrar.resources import reasons
from registrar.resources.objects import ContractObject, GatewayObject
from registrar.resources.reasons import Reason
from registrar.resources.status import ANNOUNCED, IdentityStatus, Snapshot


def announced(case: Case) -> tuple[Snapshot, ...]:
    """What a first registration on several gateways is to publish; nothing when there is one gateway only, or it is no first registration."""
    view = case.view
    if case.retire or case.anything_published or not case.settled or view.client.paused or view.client.meta.deleting:
        return ()
    if view.key.state is not KeyState.VALID or view.desired.problem is not None:
        return ()
    wanted = [snapshot for snapshot in view.desired.snapshots if snapshot.gateway in view.managed]
    if len(wanted) < 2:
        return ()
    return tuple(replace(case.sendable(snapshot), hash=ANNOUNCED) for snapshot in wanted)


def is_announced(case: Case, gateway: str) -> bool:
    """Whether the registration there is announced and was not pushed yet."""
    return case.published[gateway].hash == ANNOUNCED


def lacking(case: Case) -> tuple[str, ...]:
    """The gateways that lack their part of the registration while another one has its own."""
    if not any(not case.published[gateway].empty and case.serves(gateway) for gateway in case.gateways):
        return ()
    gone = lost(case)
    return tuple(
        gateway
        for gateway in case.gateways
        if not case.published[gateway].empty
        and (gateway in gone or is_announced(case, gateway) or case.live(gateway).state is Live.FOREIGN)
    )


def observed(case: Case) -> tuple[str, ...]:
    """The Client's gateways that exist and may only be looked at."""
    return tuple(g for g in case.gateways if case.usable(g) and g not in case.view.managed)


def refused_there(
    contract: ContractObject, identity: IdentityStatus, *, home: GatewayObject, gateway: GatewayObject, taken: bool
) -> tuple[Reason, str] | None:
    """Why a Contract can't sit on another gateway than its Client's; None when it can."""
    if gateway.meta.name == home.meta.name:
        return None
    namespace = contract.meta.namespace
    if identity.organization not in gateway.owned_organizations(namespace):
        text = reasons.organization_not_owned(
            organization=identity.organization, namespace=namespace, gateway=gateway.meta.name
        )
        return Reason.NOT_PERMITTED, text
    if gateway.endpoint.rstrip("/") == home.endpoint.rstrip("/"):
        # The gateway has one place for the Client: each of the two registrations would replace the other, for ever.
        return Reason.SAME_GATEWAY, reasons.same_gateway(gateway=gateway.meta.name, home=home.meta.name)
    if taken:
        name = f"{identity.organization}/{identity.client_id}/{identity.version}"
        return Reason.IDENTITY_TAKEN, reasons.identity_taken(identity=name, gateway=gateway.meta.name)
    return None
