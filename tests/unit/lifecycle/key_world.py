"""The world in memory with two identities on the gateway and a Secret of several keys; what must hold at every step is checked after every effect.

What this module deliberately does not do: any rule; it only does what `decide` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from registrar.lifecycle.decide import decide
from registrar.lifecycle.key_facts import created_at, main_role, other_version, suspected
from registrar.lifecycle.model import (
    Decision,
    DeleteSecret,
    Effected,
    EndOverlap,
    EnsureSecret,
    KeyFact,
    KeyRole,
    KeyState,
    Live,
    LiveFact,
    Push,
    PushKey,
    ReadLive,
    SecretChange,
    Slot,
    Unregister,
    UpdateSecret,
    View,
    Wait,
)
from registrar.resources.objects import ApiKeySpec
from registrar.resources.status import Snapshot
from registrar.resources.times import timestamp
from tests.unit.lifecycle.build import NOW, absent, contract, policy
from tests.unit.lifecycle.world import CrashError, Wire, World, _live, wire_of

HOUR = 3600.0
HORIZON = NOW + 3 * HOUR
OWN = "1.0"


@dataclass
class Keys:
    """A key Secret: keys by role, and the operator's notes."""

    texts: dict[KeyRole, str] = field(default_factory=dict)
    made_for: str = ""
    next_for: str = ""
    created_at: str = ""
    until: float = 0.0


@dataclass
class KeyWorld(World):
    """`slots` are the gateway's registrations by version (empty: the Client's own), each with its key; `exempt` lifts what revoke-key may break."""

    slots: dict[str, tuple[Wire, str]] = field(default_factory=dict)
    keys: Keys | None = None
    second: dict[str, LiveFact] = field(default_factory=dict)
    made: int = 0
    exempt: bool = False
    dead: list[str] = field(default_factory=list)
    horizon: float = HORIZON
    done: list[str] = field(default_factory=list)

    def _step(self) -> bool:
        if self.client is not None:
            effect = decide(self.view()).effect
            if isinstance(effect, Wait) and effect.until > self.horizon:
                return True
        try:
            return super()._step()
        except CrashError:
            self.second = {}
            raise

    def view(self) -> View:
        """The view, with the keys and both identities."""
        seen = replace(super().view(), key=self._fact(), second=dict(self.second))
        if not self.second and not suspected(seen, "default"):
            return replace(seen, second={})
        return seen

    def _fact(self) -> KeyFact:
        keys = self.keys
        if keys is None:
            return KeyFact(KeyState.MISSING)
        return KeyFact(
            KeyState.VALID,
            created_at=keys.created_at,
            current=keys.texts.get(KeyRole.CURRENT, ""),
            next=keys.texts.get(KeyRole.NEXT, ""),
            previous=keys.texts.get(KeyRole.PREVIOUS, ""),
            made_for=keys.made_for,
            previous_until=keys.until,
        )

    def fresh_key(self) -> str:
        """A key that never was before."""
        self.made += 1
        return f"key-{self.made}"

    def recorded(self) -> Snapshot:
        """What was last published, as far as this process or the status knows."""
        assert self.client is not None
        effected = self.effected.get("default")
        return effected.snapshot if effected is not None else self.client.status.snapshot("default")

    def _do(self, decision: Decision) -> None:
        assert self.client is not None
        self.done.append(type(decision.effect).__name__)
        match decision.effect:
            case EnsureSecret():
                self._ensure()
            case ReadLive(gateway=name):
                self._look(name)
            case Push(gateway=name, target=target, why=why, detail=detail, quiet=quiet):
                assert self.keys is not None
                self._can_be_rendered(target)
                key = self.keys.texts[main_role(self._fact(), target)]
                self._place(target.version, wire_of(target), key)
                self.live[name] = self._seen(target.version)
                snapshot = replace(target, hash=self._digest(target.version), seal="seal")
                if not (quiet and snapshot == self.client.status.snapshot(name)):
                    self.effected[name] = Effected(snapshot, why, detail, self.now)
            case PushKey() as push:
                self._push_key(push)
            case EndOverlap(gateway=name, snapshot=snapshot, why=why, detail=detail):
                self._off(other_version(snapshot.version, OWN))
                self.second[name] = absent(since=self.now)
                left = replace(snapshot, second_hash="", second_for="")
                self.effected[name] = Effected(left, why, detail, self.now)
            case Unregister(gateway=name, why=why, detail=detail, keeps=keeps):
                self._off("")
                self._off(f"{OWN}.r")
                self.pushes.append(None)
                self.live[name] = self.second[name] = absent(since=self.now)
                self.effected[name] = Effected(keeps or Snapshot(gateway=name), why, detail, self.now)
            case UpdateSecret() as update:
                self._update(update)
            case DeleteSecret():
                self.keys = None
            case _:
                super()._do(decision)
        self.check()

    # The gateway -------------------------------------------------------------------------------------------------

    def _digest(self, version: str) -> str:
        return f"{hash(self.slots[version]):x}"

    def _seen(self, version: str) -> LiveFact:
        if version not in self.slots:
            return absent(since=self.now)
        wire, key = self.slots[version]
        assert self.client is not None
        known = not self.client.status.snapshot("default").empty
        rows = () if known else tuple(_live(row) for row in wire)
        return LiveFact(
            state=Live.OURS, digest=self._digest(version), contracts=rows, since=self.now, version=version, key=key
        )

    def _look(self, name: str) -> None:
        recorded = self.recorded()
        version = recorded.version
        both = suspected(self.view(), name)
        other = other_version(version, OWN)
        if both and recorded.empty and other in self.slots and self.keys is not None:
            if self.slots[other][1] == self.keys.texts.get(KeyRole.CURRENT):
                version, other = other, version
        self.live[name] = self._seen(version)
        if both:
            self.second[name] = self._seen(other)

    def _place(self, version: str, wire: Wire, key: str) -> None:
        if version in self.slots and self.slots[version][1] != key:
            self.dead.append(self.slots[version][1])
        self.slots[version] = (wire, key)
        self.pushes.append(wire)

    def _off(self, version: str) -> None:
        if version in self.slots:
            self.dead.append(self.slots.pop(version)[1])

    def _push_key(self, push: PushKey) -> None:
        assert self.keys is not None
        published = push.target
        other = other_version(published.version, OWN)
        version = published.version if push.slot is Slot.MAIN else other
        before, source = self.live["default"], self.slots[published.version]
        assert f"{hash(source):x}" == published.hash, "what is copied is what is published"
        wire = wire_of(published)
        assert set(wire) <= set(source[0]), "nothing pending is published"
        self._place(version, wire, self.keys.texts[push.role])
        seen = self._seen(version)
        if push.slot is Slot.MAIN:
            follows = seen.digest if published.second_for == published.hash else published.second_for
            snapshot = replace(published, hash=seen.digest, second_for=follows)
            self.live["default"] = seen
        elif push.slot is Slot.SECOND:
            snapshot = replace(published, second_hash=seen.digest, second_for=published.hash)
            self.second["default"] = seen
        else:
            snapshot = replace(
                published, version=version, hash=seen.digest, second_hash=before.digest, second_for=seen.digest
            )
            self.live["default"], self.second["default"] = seen, before
        first = self.effected.get("default")
        if first is not None and push.slot is Slot.SECOND:
            self.effected["default"] = replace(first, snapshot=snapshot)
        else:
            self.effected["default"] = Effected(snapshot, push.why, push.detail, self.now)

    # The Secret --------------------------------------------------------------------------------------------------

    def _ensure(self) -> None:
        assert self.client is not None
        recorded, made = self.client.status.snapshot("default"), created_at(self.view())
        main = self.slots.get(recorded.version) if not recorded.empty else None
        if main is None:
            self.keys = Keys({KeyRole.CURRENT: self.fresh_key()}, created_at=timestamp(self.now))
            return
        texts = {KeyRole.CURRENT: main[1]}
        if recorded.second_hash:
            texts[KeyRole.PREVIOUS] = self.slots[other_version(recorded.version, OWN)][1]
        self.keys = Keys(texts, created_at=made, until=self.now)

    def _update(self, update: UpdateSecret) -> None:
        keys = self.keys
        assert keys is not None
        match update.change:
            case SecretChange.STAGE:
                keys.texts[KeyRole.NEXT] = self.fresh_key()
                keys.texts.pop(KeyRole.PREVIOUS, None)
                keys.next_for = update.request
            case SecretChange.SWAP:
                keys.texts[KeyRole.PREVIOUS] = keys.texts[KeyRole.CURRENT]
                keys.texts[KeyRole.CURRENT] = keys.texts.pop(KeyRole.NEXT)
                keys.made_for, keys.next_for, keys.until = keys.next_for, "", update.until
                keys.created_at = timestamp(self.now)
            case SecretChange.END:
                keys.until = update.until
            case SecretChange.REPLACE:
                held = keys.texts.get(update.keep, "") if update.keep is not None else ""
                texts = {KeyRole.CURRENT: self.fresh_key()} | ({KeyRole.PREVIOUS: held} if held else {})
                self.keys = Keys(texts, made_for=update.request, created_at=timestamp(self.now))
            case SecretChange.DROP_NEXT:
                keys.texts.pop(KeyRole.NEXT)
            case SecretChange.DROP_PREVIOUS:
                keys.texts.pop(KeyRole.PREVIOUS)
                keys.until = 0.0
            case SecretChange.SYNC:
                raise AssertionError("nothing here is outdated")

    # What must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The invariants of every step."""
        live = [key for _, key in self.slots.values()]
        assert len(live) == len(set(live)), "no key is in two registrations"
        assert not set(live) & set(self.dead), "a key that was taken off never works again"
        if self.keys is None or self.exempt or not live:
            return
        assert set(live) <= set(self.keys.texts.values()), "every key that works is in the Secret"
        assert self.keys.texts[KeyRole.CURRENT] in live, "the key that the Secret calls the current one works"


def key_world(*, interval: float = 0.0, overlap: float = 0.0) -> KeyWorld:
    """A registered Client with two Contracts and a limit."""
    world = KeyWorld(contracts=[contract("billing"), contract("orders")], policies=[policy()])
    assert world.client is not None
    world.client = replace(world.client, api_key=ApiKeySpec(interval=interval, overlap=overlap))
    world.horizon = NOW + 60
    world.run()
    world.horizon = HORIZON
    world.effects = 0
    world.pushes.clear()
    world.done.clear()
    return world
