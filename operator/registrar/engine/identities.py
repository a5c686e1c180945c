"""The Client's two identities on a gateway: which have to be read, and what a reading of them says.

Invariants: a status that is not ours decides neither what is read nor what is taken off; without a snapshot of ours the registration that has the Secret's
current key is the published one. What this module deliberately does not do: change anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from registrar.engine.gather import Gathered
from registrar.engine.memory import ClientMemory
from registrar.engine.pool import Handle
from registrar.engine.rendering import Seals, identity_of
from registrar.gateways.base import Identity, Registration
from registrar.lifecycle.key_facts import other_version, suspected
from registrar.lifecycle.model import KeyRole, Live, LiveFact, View
from registrar.resources.status import Snapshot

if TYPE_CHECKING:
    from registrar.engine.effects import Effects


@dataclass(frozen=True, slots=True)
class Identities:
    """The part of the engine's hands that reads both identities."""

    hands: Effects

    def both(self, view: View, recorded: Snapshot) -> bool:
        """Whether both identities have to be read: what is recorded is not ours, or something may stand under the other one."""
        genuine = recorded.empty or self.hands.seals.genuine(recorded, uid=view.client.meta.uid)
        return not genuine or suspected(view, recorded.gateway)

    def standing(self, view: View, gateway: str) -> Snapshot:
        """What is published there by our own word; else an empty snapshot under the identity that was found, whatever a status claims."""
        hands, uid = self.hands, view.client.meta.uid
        recorded = hands.gatherer.recorded(view.client, gateway)
        if not recorded.empty and hands.seals.genuine(recorded, uid=uid):
            return recorded
        found = hands.memory.of(uid).live.get(gateway, LiveFact())
        return Snapshot(gateway=gateway, version=found.version)

    async def read_both(self, gathered: Gathered, gateway: str) -> None:
        """Read both identities. Without a snapshot of ours the one that has the current key is the published one."""
        hands, view = self.hands, gathered.view
        identity, recorded = view.desired.identity, hands.gatherer.recorded(view.client, gateway)
        if identity is None:
            return
        driver, urgent = hands.handle(gateway).driver, view.client.meta.deleting
        known = hands.seals.genuine(recorded, uid=view.client.meta.uid) and not recorded.empty
        version = recorded.version if known else ""
        other = other_version(version, identity.version)
        main = await driver.read(identity_of(identity, version), urgent=urgent)
        second = await driver.read(identity_of(identity, other), urgent=urgent)
        if not known and second is not None and self._moved(gathered, main, second):
            main, second, version = second, main, other
        seen = replace(hands.fact_of(gathered, gateway, main), version=version)
        memory = hands.memory.of(view.client.meta.uid)
        memory.saw(gateway, seen)
        memory.saw_second(gateway, self._second(gathered, recorded if known else Snapshot(gateway), second))

    def _moved(self, gathered: Gathered, main: Registration | None, second: Registration) -> bool:
        """Whether the registration under the suffixed identity is the published one."""
        current = gathered.keys.of(KeyRole.CURRENT)
        if second.api_key == current:
            return True
        ours = tuple(gathered.keys.texts.values())
        return second.api_key in ours and (main is None or main.api_key not in ours)

    def _second(self, gathered: Gathered, recorded: Snapshot, found: Registration | None) -> LiveFact:
        """What a reading of the other identity says: ours when a snapshot of ours has one there, or when it has a key of ours."""
        hands = self.hands
        return second_fact(
            found, recorded=recorded, keys=gathered.keys.texts.values(), seals=hands.seals, now=hands.clock.now()
        )


def second_fact(
    found: Registration | None, *, recorded: Snapshot, keys: Iterable[str], seals: Seals, now: float
) -> LiveFact:
    """What a reading of the other identity says; `keys` are the Client's, `recorded` is a snapshot of ours or an empty one."""
    if found is None:
        return LiveFact(state=Live.ABSENT, since=now)
    if not recorded.second_hash and found.api_key not in tuple(keys):
        return LiveFact(state=Live.FOREIGN, since=now)
    return LiveFact(state=Live.OURS, digest=seals.digest(found), since=now, key=seals.key_digest(found.api_key))


async def second_changed(
    memory: ClientMemory, *, identity: Identity, recorded: Snapshot, handle: Handle, seals: Seals, now: float
) -> bool:
    """Read the second registration of an overlap back for the drift check; True when it is not what was known of it. `identity` has the Client's own version."""
    gateway = recorded.gateway
    before = memory.second.get(gateway)
    if before is None:
        return False
    other = other_version(recorded.version, identity.version)
    found = await handle.driver.read(replace(identity, version=other or identity.version))
    seen = second_fact(found, recorded=recorded, keys=(), seals=seals, now=now)
    # A pass over the Client that changed it while we read knows better.
    if memory.second.get(gateway) is not before or (seen.state, seen.digest) == (before.state, before.digest):
        return False
    memory.saw_second(gateway, seen)
    return True
