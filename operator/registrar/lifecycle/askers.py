"""Who asked for a change of a gateway: the token of an action, and the field managers of what was changed.

Known from the burst of events that led to the change, and only as long as that burst is not worked off; after a restart it may be unknown.

Invariants: what cannot be known is left out, never guessed: a deletion has no field manager. What this module deliberately does not do: name persons (the API
server's audit log does).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registrar.lifecycle import actions
from registrar.lifecycle.model import View, Why
from registrar.resources.managers import printable
from registrar.resources.objects import KEY_VERBS, VERBS

OPERATOR = "gateway-registrar"
"""Who asks when the operator acts of itself: healing, drift, taking over what it finds."""
_TOKEN_SHOWN = 64
_MANAGERS_SHOWN = 4
_OF_ITSELF = frozenset({Why.HEALED, Why.CORRECTED, Why.TAKEN_OVER, Why.OVERLAP_ENDED})
_BY_DELETION = frozenset({Why.REVOKED, Why.DELETED})
_BY_A_SECRET = frozenset({Why.KEY_CHANGED})
_BY_ACTION = frozenset({Why.REREGISTERED, Why.RETIRED})
_BY_KEY_ACTION = frozenset({Why.KEY_ROTATED, Why.KEY_REVOKED})


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked: `action` and `token` are empty unless an annotation did, `managers` where nobody is known."""

    action: str = ""
    token: str = ""
    managers: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The token as the audit line and `handledTokens` have it; empty without one."""
        return actions.token_digest(self.token) if self.token else ""

    @property
    def words(self) -> str:
        """As `changeLog[].by` has it, such as `reregister release-42 by kubectl-annotate`."""
        who = ", ".join(self.managers)
        if not self.action:
            return who
        what = f"{self.action} {printable(self.token, longest=_TOKEN_SHOWN)}"
        return f"{what} by {who}" if who else what


def asked_by(view: View, why: Why) -> Asked:
    """Who asked for a change that is made because of `why`."""
    if why in _OF_ITSELF:
        return Asked(managers=(OPERATOR,))
    if why in _BY_ACTION:
        verb, token = actions.wanted(view.client, view.status)
        if verb:
            return asked_by_action(view, verb, token)
    if why in _BY_KEY_ACTION:
        begun = ((verb, view.status.action(verb).in_progress) for verb in KEY_VERBS)
        asked = next((asked_by_action(view, verb, token) for verb, token in begun if token), None)
        # Without a token it was the schedule.
        return asked or Asked(managers=(OPERATOR,))
    if why in _BY_DELETION or why in _BY_A_SECRET:
        return Asked()
    return Asked(managers=_managers(view, lambda subject: subject not in VERBS))


def asked_by_action(view: View, verb: str, token: str) -> Asked:
    """Who set the token of an action."""
    return Asked(action=verb, token=token, managers=_managers(view, lambda subject: subject == verb))


def _managers(view: View, meant: Callable[[str], bool]) -> tuple[str, ...]:
    """The managers of the subjects that are meant, each once, by name; of very many the first."""
    return tuple(sorted({asker.manager for asker in view.askers if meant(asker.subject)}))[:_MANAGERS_SHOWN]
