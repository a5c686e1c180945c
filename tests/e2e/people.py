"""Who asks `kubectl registrar why`, and who does what it prints: a developer, the platform team, an API's owner, each in a shell of their own.

Invariants: what is run is the printed text, by whom it names, with that person's rights, and nothing else is; where a mend is only a look, the next one follows.
What this module deliberately does not do: know a reason or a command.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.integration.plugin import Plugin

YOU, PLATFORM, OWNER = "You", "The platform team", "The API's owner"
_WAIT = "There is nothing to do but wait."
_ASKED_AGAIN = "kubectl registrar why "
_LOOK = re.compile(r"\s*kubectl (-n \S+ )?(get|describe|logs) ")
_POLL = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """What `why` wants done: by whom, and the command as it is printed, empty where there is none."""

    who: str
    command: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What `why` printed. `waits` says that there is nothing to do."""

    reason: str
    steps: tuple[Step, ...]
    waits: bool


def read(printed: str) -> Advice:
    """The advice in what `why` printed for people: a first paragraph with what is wrong, and one for each mend."""
    first, *others = printed.strip().split("\n\n")
    steps = []
    for paragraph in others:
        words, _, command = paragraph.partition("\n")
        steps.append(Step(words.partition(": ")[0], command))
    reason = first.splitlines()[0].rpartition(": ")[2]
    return Advice(reason, tuple(steps), printed.strip().endswith(_WAIT))


class People:
    """Those who take part, by the words with which `why` names them; `YOU` asks."""

    def __init__(self, shells: Mapping[str, Plugin]) -> None:
        self._shells = shells

    def follow(self, subject: str, *, seconds: float = 60.0) -> list[tuple[str, str]]:
        """Do what is printed until nothing is in the way; returns who was told which reason, in this order."""
        told: list[tuple[str, str]] = []
        deadline = time.monotonic() + seconds
        while (said := self._shells[YOU].shell(f"{_ASKED_AGAIN}{subject}")).code:
            assert said.code == 1, said
            advice = read(said.out)
            assert time.monotonic() < deadline, f"{said.out} after {told}"
            if advice.waits or (YOU, advice.reason) in told:
                time.sleep(_POLL)  # between two looks: what was done takes effect in its time
                continue
            self._do(YOU, advice, told)
        return told

    def _do(self, who: str, advice: Advice, told: list[tuple[str, str]]) -> None:
        """Run the commands up to the first that is more than a look; the question of somebody else leads to their advice."""
        told.append((who, advice.reason))
        for step in advice.steps:
            if not step.command:
                continue
            done = self._shells[step.who].shell(step.command)
            if step.command.strip().startswith(_ASKED_AGAIN):
                assert done.code == 1, done
                return self._do(step.who, read(done.out), told)
            assert done.code == 0, (step, done)
            if not _LOOK.match(step.command):
                return None
        raise AssertionError(f"nothing of what {who} was told mends it: {advice}")
