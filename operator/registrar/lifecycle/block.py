"""The platform's emergency stop: `RuntimeGateway.spec.blocked`.

A blocked Client is taken off at once, paused or not, and nothing of its owner's brings it back. What was published stays in the snapshot, so that lifting the block
is a heal: the published state comes back by itself, less what was revoked meanwhile.

Invariants: nothing is pushed to a gateway that blocks the Client (see `decide._ours_to_change`); deletion and retirement go on as ever.
What this module deliberately does not do: match identities with the list (`GatewayObject.block` does).
"""

from __future__ import annotations

from registrar.lifecycle.case import Case
from registrar.lifecycle.model import Live
from registrar.resources import conditions, reasons
from registrar.resources.conditions import TRUE, Condition
from registrar.resources.reasons import Reason


def blocked_gateways(case: Case) -> tuple[str, ...]:
    """The gateways of the Client that block it."""
    return tuple(gateway for gateway in case.gateways if gateway in case.view.blocked)


def blocked_condition(case: Case) -> Condition | None:
    """What the Client's owner reads; None when no gateway blocks it."""
    names = blocked_gateways(case)
    if not names:
        return None
    off = case.live(names[0]).state in (Live.ABSENT, Live.FOREIGN)
    text = reasons.blocked(gateway=names[0], reason=case.view.blocked[names[0]], off=off)
    return Condition(type=conditions.BLOCKED, status=TRUE, reason=Reason.BLOCKED.value, message=text)


def was_blocked(case: Case, gateway: str) -> bool:
    """Whether the status still says that the Client is blocked: the block was lifted and what it took off is not back."""
    found = conditions.find(case.view.status.conditions, conditions.BLOCKED)
    return found is not None and gateway not in case.view.blocked
