"""Clients that change all the time: each round makes a new one, and takes the others a step further in the life of a Client.

Invariants: what is asked for is told to the board before it is asked for; a round ends when the statuses say that all of it is done; a life knows what its steps
are to have changed on the gateway. What this module deliberately does not do: call, or judge.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from localenv.cluster import Cluster, Json, client, contract, policy, until
from tests.e2e.callers import Board
from tests.e2e.promises import published

APIS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}
ELSEWHERE, EVERYWHERE = "/internal/.*", "/.*"
"""What a Policy hides of an API: nothing that is called here, or all of it."""
_SECONDS = 60.0

Pushes = Counter[tuple[str, str]]
"""How often each (Client, verb of the audit lines) is to have changed something."""


@dataclass(slots=True)
class Life:
    """One Client and how many steps of its life it has taken. `overlap` is that of its rotation; the default of the product when it is empty."""

    name: str
    overlap: str = ""
    steps: int = 0

    def token(self, verb: str) -> str:
        """The token with which it asks for an action; each is asked for once."""
        return f"{self.name}-{verb}"


@dataclass(slots=True)
class Lives:
    """The Clients of one namespace, changed by somebody who may edit it."""

    namespace: str
    cluster: Cluster
    board: Board
    pushes: Pushes = field(default_factory=Counter)
    applied: dict[tuple[str, str], Json] = field(default_factory=dict)
    """The manifests as they were applied last, by kind and name."""
    moving: list[Life] = field(default_factory=list)
    rounds: int = 0

    def begin(self) -> list[Life]:
        """One Client for each number of steps, which stays as it is from then on."""
        staying = [Life(f"stays-{number}") for number in range(1, len(STEPS) + 1)]
        for number in range(1, len(STEPS) + 1):
            self._step([life for life in staying if life.steps < int(life.name.rpartition("-")[2])], round_=number)
        return staying

    def go_on(self, ended: threading.Event) -> None:
        """Rounds until `ended` is set, and then the one that is under way; raises LocalEnvError when one does not come to its end."""
        while not ended.is_set():
            self.round()

    def round(self) -> None:
        """One step of each Client that is not at the end of its life, and a new Client."""
        self.rounds += 1
        self.moving.append(Life(f"moves-{self.rounds}", overlap="3s"))
        self._step([life for life in self.moving if life.steps < len(STEPS)], round_=self.rounds)

    def _step(self, lives: list[Life], *, round_: int) -> None:
        for life in lives:
            STEPS[life.steps].ask(self, life)
        for life in lives:
            step = STEPS[life.steps]
            until(
                lambda life=life, step=step: step.reached(self, life),  # type: ignore[misc]
                what=f"round {round_}: {life.name} {step.name} (its status: {self.status(life).get('conditions')})",
                seconds=_SECONDS,
            )
            self.pushes.update((life.name, verb) for verb in step.verbs if life.overlap or not step.with_overlap)
            life.steps += 1

    # What the steps use ------------------------------------------------------------------------------------------

    def apply(self, *manifests: Json) -> None:
        """Apply, and remember."""
        self.cluster.apply(*manifests)
        self.applied |= {(row["kind"], row["metadata"]["name"]): row for row in manifests}

    def act(self, life: Life, verb: str) -> None:
        """Ask for an action by annotation."""
        token = life.token(verb)
        self.board.asked(life.name, verb, token)
        self.cluster.annotate("Client", self.namespace, life.name, verb, token)

    def status(self, life: Life) -> Json:
        """The Client's status as the watch told it last."""
        status: Json = self.board.client(life.name).get("status", {})
        return status

    def done(self, life: Life, verb: str) -> bool:
        """Whether the status says that the action has succeeded."""
        return any(
            (action["name"], action.get("lastHandledToken"), action.get("outcome"))
            == (verb, life.token(verb), "Succeeded")
            for action in self.status(life).get("actions") or ()
        )

    def hide(self, life: Life, pattern: str) -> Json:
        """The manifest of the Client's Policy."""
        target = {"kind": "Contract", "name": f"{life.name}-orders"}
        rules = {"rules": [{"verb": "*", "pathPattern": pattern}]}
        return policy(self.namespace, life.name, target, ignoredResources=rules)


def _born(lives: Lives, life: Life) -> None:
    spec = {"apiKey": {"rotation": {"interval": "24h", "overlap": life.overlap}}} if life.overlap else {}
    lives.apply(
        client(lives.namespace, life.name, **spec),
        *(
            contract(lives.namespace, f"{life.name}-{api}", client=life.name, api=api, version=version)
            for api, version in APIS.items()
        ),
        lives.hide(life, ELSEWHERE),
    )


def _is_born(lives: Lives, life: Life) -> bool:
    active = [lives.board.contract(f"{life.name}-{api}").get("status", {}).get("phase") == "Active" for api in APIS]
    return lives.status(life).get("phase") == "Registered" and all(active)


def _revoke(lives: Lives, life: Life) -> None:
    name = f"{life.name}-billing"
    lives.board.deleted(life.name, name)
    lives.cluster.delete("Contract", lives.namespace, name)
    del lives.applied["Contract", name]


def _is_over(lives: Lives, life: Life) -> bool:
    key = lives.status(life).get("apiKey", {})
    return not (life.overlap and key.get("overlapEndsAt")) and lives.board.overlaps(life.name) == (not life.overlap)


def _is_retired(lives: Lives, life: Life) -> bool:
    """Its Contracts and its Policy say so a moment after the Client."""
    phases = {lives.board.contract(f"{life.name}-{api}").get("status", {}).get("phase") for api in APIS}
    policy = lives.cluster.get("Policy", lives.namespace, life.name) or {}
    return (
        lives.done(life, "unregister")
        and lives.status(life).get("phase") == "Retired"
        and "Active" not in phases
        and policy.get("status", {}).get("contracts", {}).get("live") == 0
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A step: how it is asked for, how a status says that it is done, and the verbs of the changes that it is to make on the gateway and to the key.

    `with_overlap`: a step that changes something only for a life with an overlap of its own.
    """

    name: str
    ask: Callable[[Lives, Life], None]
    reached: Callable[[Lives, Life], bool]
    verbs: tuple[str, ...] = ()
    with_overlap: bool = False


STEPS = (
    Step("registered", _born, _is_born, ("KeyCreated", "Registered")),
    Step(
        "without one of its Contracts",
        _revoke,
        lambda lives, life: published(lives.status(life), f"{life.name}-billing") is None,
        ("Revoked",),
    ),
    Step(
        "with changes that wait",
        lambda lives, life: lives.apply(lives.hide(life, EVERYWHERE)),
        lambda lives, life: lives.status(life).get("phase") == "UnpublishedChanges",
    ),
    Step(
        "published",
        lambda lives, life: lives.act(life, "reregister"),
        lambda lives, life: lives.done(life, "reregister") and lives.status(life).get("phase") == "Registered",
        ("Reregistered",),
    ),
    Step(
        "with another key",
        lambda lives, life: lives.act(life, "rotate-key"),
        lambda lives, life: lives.done(life, "rotate-key"),
        ("KeyRotated",),
    ),
    Step("at the end of a short overlap", lambda lives, life: None, _is_over, ("KeyOverlapEnded",), with_overlap=True),
    Step(
        "retired",
        lambda lives, life: lives.act(life, "unregister"),
        _is_retired,
        ("Unregistered",),
    ),
)
