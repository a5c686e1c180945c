"""What a deletion may leave behind, so that it always ends: debts at a gateway, and a Secret that is to be kept.

A gateway that can't be changed holds a deletion up, unless the deletion is forced or the gateway is only observed: then the Client may go, once it is
remembered outside the object that it is still to be taken off there (see `engine.owed`).

Invariants: nothing is owed of a gateway that is known to have nothing of the Client's; a forced deletion names the very object by its UID and counts only while
that object is being deleted. What this module deliberately does not do: take anything off, or pay a debt.
"""

from __future__ import annotations

from registrar.lifecycle.case import Case
from registrar.lifecycle.key_facts import second
from registrar.lifecycle.model import Effect, KeyState, Live, RecordOwed, ReleaseSecret, RemoveFinalizer
from registrar.resources.objects import ClientObject

_OURS = (KeyState.VALID, KeyState.IN_USE, KeyState.INVALID)
"""The states of a generated Secret that this very object owns."""


def forced(client: ClientObject) -> bool:
    """Whether this very object is to go at once; an annotation with another UID was meant for another object."""
    return client.meta.deleting and bool(client.meta.uid) and client.force_delete == client.meta.uid


def owing(case: Case, gateway: str) -> bool:
    """Whether the Client may go although that gateway still has it, or may have it."""
    states = (case.live(gateway).state, second(case.view, gateway).state)
    if all(state in (Live.ABSENT, Live.FOREIGN) for state in states):
        return False
    if case.usable(gateway):
        return gateway not in case.view.managed and Live.OURS in states and Live.UNKNOWN not in states
    return forced(case.view.client)


def remember(case: Case) -> Effect | None:
    """What is owed is written down before the object that shows it goes; None when it is."""
    debts = tuple(gateway for gateway in case.gateways if owing(case, gateway) and gateway not in case.view.owed)
    return RecordOwed(debts) if debts else None


def retained(case: Case) -> Effect:
    """`deletionPolicy: Retain`: the Secret loses its owner before the owner goes, or it would be collected with it."""
    owned = case.view.client.api_key.source == "Generated" and case.view.key.state in _OURS
    return ReleaseSecret() if owned else RemoveFinalizer()


def usable_first(case: Case) -> list[str]:
    """The gateways in the order in which a Client is taken off: one that is down keeps none of the others waiting."""
    return sorted(case.gateways, key=lambda gateway: not case.usable(gateway))
