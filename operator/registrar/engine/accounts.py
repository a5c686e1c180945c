"""What an effect leaves behind besides itself: its audit line, and the memory of a change that did not work.

Invariants: every attempt to change a gateway or a key Secret has a line, but one that fails again as it did before has no second one; a call whose
outcome is not known is called so, never failed. What this module deliberately does not do: carry anything out, or swallow an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from registrar.clock import Clock
from registrar.engine.audit import Audit
from registrar.engine.faults import word_of
from registrar.engine.memory import ClientMemory
from registrar.engine.rendering import UnrenderableError
from registrar.errors import GatewayAmbiguous, GatewayError, KubeConflict, KubeError, KubeUnavailable
from registrar.lifecycle.askers import Asked, asked_by
from registrar.lifecycle.model import Failed, Live, LiveFact, View, Why
from registrar.resources.status import Snapshot

SUCCEEDED = "Succeeded"
FAILED = "Failed"
UNKNOWN = "Unknown"
KEY_CREATED = "KeyCreated"
KEY_RESTORED = "KeyRestored"
KEY_ADOPTED = "KeyAdopted"
KEY_DELETED = "KeyDeleted"
RETAINED = "Retained"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Writes lines; all times are the clock's."""

    audit: Audit
    clock: Clock

    @contextmanager
    def attempt(
        self, view: View, memory: ClientMemory, why: Why, target: Snapshot, *, before: str, identity: str = ""
    ) -> Iterator[None]:
        """Around a change that makes a gateway have `target`: what goes wrong in it is accounted for and passes through."""
        try:
            yield
        except (GatewayError, UnrenderableError) as error:
            self._failed(view, memory, why, target, error, before=before, identity=identity)
            raise

    def worked(
        self, view: View, memory: ClientMemory, why: Why, snapshot: Snapshot, *, before: str, identity: str = ""
    ) -> Asked:
        """The gateway has `snapshot` now; returns who asked for it."""
        memory.failed.pop(snapshot.gateway, None)
        asked = asked_by(view, why)
        self._line(view, why, SUCCEEDED, snapshot, asked=asked, before=before, after=snapshot.hash, identity=identity)
        return asked

    def found(self, view: View, snapshot: Snapshot) -> None:
        """A registration that no status recorded was found on the gateway, and is ours."""
        asked = asked_by(view, Why.TAKEN_OVER)
        self._line(view, Why.TAKEN_OVER, SUCCEEDED, snapshot, asked=asked, before=snapshot.hash, after=snapshot.hash)

    def let_go(self, view: View, memory: ClientMemory) -> None:
        """The Client is let go: what was found to be off already has had no line yet, and neither has what stays.

        It stays by `deletionPolicy: Retain`, on a gateway that is only observed, or because nobody knows better.
        """
        for snapshot in view.status.gateways:
            if snapshot.empty or snapshot.gateway in memory.effected or snapshot.gateway in view.owed:
                continue
            off = memory.live.get(snapshot.gateway, LiveFact()).state is Live.ABSENT
            left = Snapshot(gateway=snapshot.gateway) if off else snapshot
            verb = Why.DELETED if off else RETAINED
            self._line(view, verb, SUCCEEDED, left, asked=Asked(), before=snapshot.hash, after=left.hash)

    @contextmanager
    def key(self, view: View, verb: str) -> Iterator[None]:
        """Around a change of the key Secret; a name that is taken is no change."""
        try:
            yield
        except KubeConflict:
            raise
        except KubeError as error:
            self._key_line(view, verb, UNKNOWN if isinstance(error, KubeUnavailable) else FAILED, type(error).__name__)
            raise
        self._key_line(view, verb, SUCCEEDED)

    def _failed(
        self,
        view: View,
        memory: ClientMemory,
        why: Why,
        target: Snapshot,
        error: Exception,
        *,
        before: str,
        identity: str,
    ) -> None:
        word, known = word_of(error), memory.failed.get(target.gateway)
        asked = asked_by(view, why)
        unknown = isinstance(error, GatewayAmbiguous)
        if unknown or known is None or (known.why, known.error) != (why, word):
            outcome = UNKNOWN if unknown else FAILED
            self._line(view, why, outcome, target, asked=asked, before=before, after="", identity=identity, error=word)
        at = known.at if known is not None else self.clock.now()
        memory.failed[target.gateway] = Failed(why=why, error=word, by=asked.words, at=at)

    def _line(
        self,
        view: View,
        verb: str,
        outcome: str,
        snapshot: Snapshot,
        *,
        asked: Asked,
        before: str,
        after: str,
        identity: str = "",
        error: str = "",
    ) -> None:
        meta = view.client.meta
        self.audit.effect(
            now=self.clock.now(),
            client=f"{meta.namespace}/{meta.name}",
            uid=meta.uid,
            verb=verb,
            outcome=outcome,
            gateway=snapshot.gateway,
            identity=identity or _identity(view),
            contracts=((f"{c.organization}/{c.api}/{c.version}", c.plan) for c in snapshot.contracts if c.live),
            before=before,
            after=after,
            action=asked.action,
            token=asked.digest,
            by=asked.managers,
            error=error,
        )

    def _key_line(self, view: View, verb: str, outcome: str, error: str = "") -> None:
        meta = view.client.meta
        self.audit.effect(
            now=self.clock.now(),
            client=f"{meta.namespace}/{meta.name}",
            uid=meta.uid,
            verb=verb,
            outcome=outcome,
            secret=view.client.secret_name,
            error=error,
        )


def _identity(view: View) -> str:
    found = view.desired.identity or view.status.identity
    return f"{found.organization}/{found.client_id}/{found.version}" if found is not None else ""
