"""The pods of a release while they are replaced: who held the Lease and when, and how each pod ended.

What this module deliberately does not do: replace them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise

from localenv.cluster import Json
from tests.e2e.release import NAME, NAMESPACE
from tests.e2e.site import Site
from tests.e2e.watching import LEASES, PODS, Watching


@dataclass(frozen=True, slots=True)
class Held:
    """Who has the Lease from a moment on (monotonic); nobody when `by` is empty."""

    at: float
    by: str


@dataclass(slots=True)
class Handover:
    """What was seen of one replacement of the pods."""

    held: list[Held] = field(default_factory=list)
    exit_codes: dict[str, int] = field(default_factory=dict)
    """How the container of each pod ended that has ended."""
    gone: set[str] = field(default_factory=set)
    restarts: int = 0

    def watch(self, site: Site) -> Watching:
        """The context in which it is seen."""
        return Watching(site.kubeconfig, NAMESPACE, {LEASES: self._lease, PODS: self._pod})

    @property
    def gaps(self) -> list[float]:
        """For how many seconds nobody held the Lease, each time that it went from one pod to another.

        A holder that does not give it up counts as gone since it was last seen to renew it.
        """
        found, last = [], ""
        for before, now in pairwise(self.held):
            last = before.by or last
            if now.by and last and now.by != last:
                found.append(now.at - before.at)
        return found

    def _lease(self, lease: Json, gone: bool) -> None:
        if lease["metadata"]["name"] == NAME and not gone:
            holder = str(lease["spec"].get("holderIdentity") or "").partition("_")[0]
            self.held.append(Held(time.monotonic(), holder))

    def _pod(self, pod: Json, gone: bool) -> None:
        name = pod["metadata"]["name"]
        for container in pod["status"].get("containerStatuses") or ():
            self.restarts += container["restartCount"]
            ended = container["state"].get("terminated")
            if ended:
                self.exit_codes[name] = ended["exitCode"]
        if gone:
            self.gone.add(name)
