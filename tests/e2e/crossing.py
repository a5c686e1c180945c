"""One version of the operator takes another's place, while its Clients change and their APIs are called; what was seen is kept for the tests.

What this module deliberately does not do: say what of it is right.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from localenv.cluster import Cluster, Json, until
from tests.e2e.callers import Board, Callers, Judged
from tests.e2e.handover import Handover
from tests.e2e.lives import Life, Lives, Pushes
from tests.e2e.release import Release
from tests.e2e.site import Site
from tests.e2e.watching import CLIENTS, CONTRACTS, SECRETS, Watching

KINDS = ("Client", "Contract", "Policy")
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_LOG_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Crossing:
    """What was seen while one version took the other's place."""

    seconds: float
    rounds: int
    judged: Judged
    handover: Handover
    wanted: Pushes
    """The changes of gateway and keys that were asked for since the Clients were made, by Client and verb."""
    audited: Pushes
    """Those of which the audit lines tell."""
    untouched: dict[str, tuple[Json, Json]]
    """Each object that nobody changed, before and after."""
    crds: tuple[dict[str, str], dict[str, str]]
    """The uid of each CRD, before and after."""


@dataclass(slots=True)
class Crossings:
    """The Clients of one namespace, over which versions of the operator come and go."""

    site: Site
    release: Release
    namespace: str
    board: Board = field(default_factory=Board)
    lives: Lives = field(init=False)
    staying: list[Life] = field(init=False)

    def __post_init__(self) -> None:
        """See the namespace as its developer."""
        self.lives = Lives(self.namespace, self.site.developer(self.namespace), self.board)

    @contextmanager
    def open(self) -> Iterator[Crossings]:
        """Watch the namespace, and make the Clients that stay as they are."""
        with watched(self.site, self.namespace, self.board):
            self.staying = self.lives.begin()
            yield self

    def cross(self, change: Callable[[], None]) -> Crossing:
        """Have `change` replace the operator; rounds of changes begin before it and end after it."""
        handover, ended = Handover(), threading.Event()
        untouched, crds = self._objects(), self._crds()
        self.board.take()
        began, rounds = time.monotonic(), self.lives.rounds
        with (
            handover.watch(self.site),
            Callers(Cluster(self.site), self.board),
            ThreadPoolExecutor(max_workers=1) as pool,
        ):
            until(lambda: bool(handover.held), what="the Lease being seen", seconds=20)
            changes = pool.submit(self.lives.go_on, ended)
            try:
                change()
                seconds = time.monotonic() - began
            finally:
                ended.set()
            changes.result()
        audited, after = self._audited(), self._objects()
        return Crossing(
            seconds=seconds,
            rounds=self.lives.rounds - rounds,
            judged=self.board.take(),
            handover=handover,
            wanted=Counter(self.lives.pushes),
            audited=audited,
            untouched={name: (found, after[name]) for name, found in untouched.items()},
            crds=(crds, self._crds()),
        )

    def _objects(self) -> dict[str, Json]:
        """Every object of the Clients that stay as they are, by kind and name."""
        names = tuple(life.name for life in self.staying)
        return {
            f"{kind}/{row['metadata']['name']}": row
            for kind in (*KINDS, "Secret")
            for row in self.lives.cluster.list(kind, self.namespace)
            if row["metadata"]["name"].startswith(names)
        }

    def _crds(self) -> dict[str, str]:
        rows = self.release.cluster.request("GET", _CRDS).body["items"]
        return {row["metadata"]["name"]: row["metadata"]["uid"] for row in rows}

    def _audited(self) -> Pushes:
        """What the audit lines tell, once they tell all that was asked for; what is missing after a while is for a test to say."""
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            found = Counter(
                (line["client"].partition("/")[2], line["verb"])
                for line in self.release.audit_lines()
                if line["client"].startswith(f"{self.namespace}/") and line["outcome"] != "Failed"
            )
            if found >= self.lives.pushes or time.monotonic() > deadline:
                return found
            time.sleep(0.2)  # between two looks


@contextmanager
def watched(site: Site, namespace: str, board: Board) -> Iterator[None]:
    """Tell the board of the namespace's objects."""
    kinds = {CLIENTS: "Client", CONTRACTS: "Contract", SECRETS: "Secret"}
    tell = {kind: _telling(board, name) for kind, name in kinds.items()}
    with Watching(site.kubeconfig, namespace, tell):
        yield


def _telling(board: Board, kind: str) -> Callable[[Json, bool], None]:
    return lambda found, gone: board.update(kind, found, gone=gone)
