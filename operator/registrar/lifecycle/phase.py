"""The table of phases: the first line that is true wins (design section 2).

Invariants: a pure function of the facts and of what was asked, never of the former phase, but for one line: while it is not known what a
gateway has, a phase already written stays. What this module deliberately does not do: conditions and messages (see `report`).
"""

from __future__ import annotations

from registrar.lifecycle.case import Case
from registrar.lifecycle.model import Live
from registrar.resources.objects import UNREGISTER
from registrar.resources.status import ANNOUNCED

RETIRED = "Retired"
UNPUBLISHED_CHANGES = "UnpublishedChanges"
REGISTERED = "Registered"
READY = "Ready"
CREATED = "Created"


def phase(case: Case) -> str:
    """The Client's phase."""
    if unknown(case) and case.view.status.phase:
        return case.view.status.phase
    if case.retire and nothing_live(case) and (case.verb != UNREGISTER or case.acting):
        return RETIRED
    if case.anything_published and case.pending:
        return UNPUBLISHED_CHANGES
    if case.anything_published and not lost(case):
        return REGISTERED
    if case.any_valid or case.anything_published:
        return READY
    return CREATED


def unknown(case: Case) -> bool:
    """Whether it is not known what some gateway of the Client has."""
    return any(not case.known(gateway) for gateway in case.gateways)


def nothing_live(case: Case) -> bool:
    """Whether no gateway has the Client; a registration that is not ours is not the Client."""
    return all(case.live(gateway).state in (Live.ABSENT, Live.FOREIGN) for gateway in case.gateways)


def deviates(case: Case, gateway: str) -> bool:
    """Whether the gateway is known not to have what is published there."""
    return not case.published[gateway].empty and case.known(gateway) and not case.serves(gateway)


def lost(case: Case) -> tuple[str, ...]:
    """The gateways that should serve the Client, are known not to, and have had the time to be healed, or never did or never will serve it."""
    return tuple(gateway for gateway in case.gateways if deviates(case, gateway) and not _hoped_for(case, gateway))


def _hoped_for(case: Case, gateway: str) -> bool:
    """Whether a gateway that does not serve the Client may do so again before anybody need be told."""
    if gateway in case.view.blocked or not case.heals(gateway) or case.published[gateway].hash == ANNOUNCED:
        return False
    return case.view.now < case.loss_said_at(gateway)
