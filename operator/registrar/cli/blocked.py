"""What a command says when what it waits for, or wants to use, is blocked: the finding of `why`, with the command that mends it.

Invariants: it goes to standard error. What this module deliberately does not do: find anything out (see `diagnosis`).
"""

from __future__ import annotations

import sys

from registrar.cli.cluster import Session
from registrar.cli.diagnosis.walk import Finding, diagnose
from registrar.cli.gather import facts
from registrar.cli.options import OPERATOR_NAMESPACE
from registrar.cli.output import say


async def finding(session: Session, subject: str, *, operator_namespace: str = OPERATOR_NAMESPACE) -> Finding | None:
    """What blocks the subject (`contract/NAME` or `client/NAME`) first; None when nothing does."""
    return diagnose(await facts(session, subject, operator_namespace=operator_namespace))


async def say_why(session: Session, subject: str, *, instead: str) -> None:
    """Say `instead`, and why it is so."""
    found = await finding(session, subject)
    say(instead, "bold yellow", stream=sys.stderr)
    if found is None:
        say("Nothing blocks it; try again in a moment.", stream=sys.stderr)
        return
    say(f"{found.where}: {found.reason}: {found.message}", stream=sys.stderr)
    for mend in found.mends:
        say(f"{mend.who[0].upper()}{mend.who[1:]}: {mend.what}", stream=sys.stderr)
        if mend.command:
            say(mend.command, "cyan", stream=sys.stderr)
