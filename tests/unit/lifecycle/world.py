"""A world in memory that carries decisions out, and can crash after any of them.

It holds what outlives a process (objects, statuses, what the gateway has) apart from what dies with it (readings, changes that no status records yet). What this
module deliberately does not do: any rule; it only does what `decide` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from registrar.lifecycle.case import FINALIZER
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    AddFinalizer,
    AdoptKey,
    Decision,
    DeleteSecret,
    Done,
    Effected,
    EnsureSecret,
    KeyFact,
    KeyState,
    Live,
    LiveContract,
    LiveFact,
    LivePolicy,
    PolicyFact,
    Push,
    ReadLive,
    RecordOwed,
    ReleaseSecret,
    RemoveFinalizer,
    TakeSecret,
    Unregister,
    View,
    Wait,
    WriteContracts,
    WriteStatus,
)
from registrar.resources.objects import (
    ApiRef,
    ClientObject,
    ContractObject,
    GatewayObject,
    GrantObject,
    PolicyObject,
)
from registrar.resources.status import ANNOUNCED, PublishedContract, Snapshot
from tests.unit.lifecycle.build import NOW, blob, client, fault, gateway, view

Wire = tuple[tuple[str, str, str, str, tuple[tuple[str, str], ...]], ...]


class CrashError(Exception):
    """The process is gone."""


@dataclass
class World:
    """What there is. `crash_at` counts effects; -1 never crashes."""

    contracts: list[ContractObject] = field(default_factory=list)
    policies: list[PolicyObject] = field(default_factory=list)
    client: ClientObject | None = field(default_factory=lambda: client(finalizers=()))
    secret: bool = False
    registrations: dict[str, Wire] = field(default_factory=dict)
    gateways: tuple[GatewayObject, ...] = field(default_factory=lambda: (gateway(),))
    pushes: list[Wire | None] = field(default_factory=list)
    live: dict[str, LiveFact] = field(default_factory=dict)
    effected: dict[str, Effected] = field(default_factory=dict)
    crash_at: frozenset[int] = frozenset()
    effects: int = 0
    now: float = NOW
    grants: tuple[GrantObject, ...] = ()
    blocked: bool = False
    drift_mode: str = "Correct"
    facts: dict[tuple[str, str], PolicyFact] = field(default_factory=dict)
    secret_owner: str = ""
    owed: frozenset[str] = frozenset()
    down: bool = False
    foreign: bool = False
    may_adopt: bool = False

    @property
    def registration(self) -> Wire | None:
        """What the default gateway has."""
        return self.registrations.get("default")

    @registration.setter
    def registration(self, wire: Wire | None) -> None:
        self._put("default", wire)

    def _put(self, name: str, wire: Wire | None) -> None:
        if wire is None:
            self.registrations.pop(name, None)
        else:
            self.registrations[name] = wire

    def run(self) -> None:
        """Decide and do until there is nothing left; a crash costs what only the process knew."""
        for _ in range(400):
            try:
                if self._step():
                    return
            except CrashError:
                self.live, self.effected = {}, {}
        raise AssertionError("it never comes to rest")

    def _step(self) -> bool:
        if self.client is None:
            return True
        decision = decide(self.view())
        self.now += 0.01
        match decision.effect:
            case Done():
                return True
            case Wait(until=until, retry=retry):
                assert not retry and until > self.now, "nothing is wrong here, so there is only time to wait for"
                self.now = until
                return False
        self._do(decision)
        self.effects += 1
        if self.effects in self.crash_at:
            raise CrashError
        return False

    def view(self) -> View:
        """The view of the Client as this process has it."""
        assert self.client is not None
        key = KeyFact(KeyState.VALID, "2026-01-01T00:00:00Z") if self.secret else KeyFact(KeyState.MISSING)
        if self.secret and self.secret_owner != self.client.meta.uid:
            key = KeyFact(KeyState.LEFT)
        made = view(
            self.client,
            *self.contracts,
            policies=tuple(self.policies),
            gateways=tuple(replace(row, drift_mode=self.drift_mode) for row in self.gateways),
            live=dict(self.live),
            grants=self.grants,
            now=self.now,
            blocked={"default": "leaked"} if self.blocked else {},
            policy_facts=self.facts,
            unrenderable=self._unrenderable(),
        )
        prints = {(s.gateway, p.id): f"{p.type}{p.config}" for s in made.desired.snapshots for p in s.policies}
        return replace(
            made,
            now=self.now,
            settled_at=NOW + 2,
            key=key,
            effected=dict(self.effected),
            fingerprints=prints,
            owed=self.owed,
            faults={"default": fault()} if self.down else {},
            adopting=frozenset({"default"}) if self.may_adopt else frozenset(),
        )

    def _unrenderable(self) -> frozenset[str]:
        assert self.client is not None
        bad = {f"{namespace}/{name}" for (namespace, name), fact in self.facts.items() if fact.reason}
        snapshots = (*self.client.status.gateways, *(effected.snapshot for effected in self.effected.values()))
        return frozenset(p.id for s in snapshots for p in s.policies if p.id.partition(":")[2] in bad)

    def _do(self, decision: Decision) -> None:
        assert self.client is not None
        match decision.effect:
            case AddFinalizer():
                self.client = replace(self.client, finalizers=(FINALIZER,))
            case EnsureSecret():
                self.secret, self.secret_owner = True, self.client.meta.uid
            case AdoptKey(gateway=name):
                self.secret, self.secret_owner, self.foreign = True, self.client.meta.uid, False
                self.live.pop(name, None)
            case TakeSecret():
                self.secret_owner = self.client.meta.uid
            case ReleaseSecret():
                self.secret_owner = ""
            case RecordOwed(gateways=names):
                self.owed |= set(names)
            case ReadLive(gateway=name):
                self.live[name] = self._read(name)
            case Push(gateway=name, target=target, why=why, detail=detail, quiet=quiet):
                wire = wire_of(target)
                self._can_be_rendered(target)
                self._put(name, wire)
                self.pushes.append(wire)
                snapshot = replace(target, hash=digest(wire), seal="seal")
                self.live[name] = LiveFact(state=Live.OURS, digest=digest(wire), since=self.now)
                if not (quiet and snapshot == self.client.status.snapshot(name)):
                    self.effected[name] = Effected(snapshot, why, detail, self.now)
            case Unregister(gateway=name, why=why, detail=detail, keeps=keeps):
                self._put(name, None)
                self.pushes.append(None)
                self.live[name] = LiveFact(state=Live.ABSENT, since=self.now)
                self.effected[name] = Effected(keeps or Snapshot(gateway=name), why, detail, self.now)
            case WriteStatus():
                self.client = replace(self.client, status_blob=blob(decision.status.to_json()))
                self.effected.clear()
            case WriteContracts(statuses=rows):
                by_uid = {row.meta.uid: status for row, status in rows}
                self.contracts = [replace(c, status=by_uid.get(c.meta.uid, c.status)) for c in self.contracts]
            case DeleteSecret():
                self.secret = False
            case RemoveFinalizer():
                self.client = None

    def _can_be_rendered(self, target: Snapshot) -> None:
        """What can't be rendered is sent only where the gateway has it, and is known to have exactly that."""
        lacking = self._unrenderable()
        sent = [entry for entry in target.contracts if entry.live and not lacking.isdisjoint(entry.policies)]
        assert self.client is not None
        known = (
            self.registration is not None and digest(self.registration) == self.client.status.snapshot("default").hash
        )
        assert not sent or known, f"{sent[0].name} would be open, or refused for ever"

    def _read(self, name: str) -> LiveFact:
        wire = self.registrations.get(name)
        if wire is None:
            return LiveFact(state=Live.ABSENT, since=self.now)
        if self.foreign:
            return LiveFact(state=Live.FOREIGN, since=self.now)
        assert self.client is not None
        recorded = self.client.status.snapshot(name)
        known = not recorded.empty and recorded.hash != ANNOUNCED
        seen = digest(wire)
        rows = () if known and recorded.hash == seen else tuple(_live(row) for row in wire)
        words = ("something else",) if known and seen != recorded.hash else ()
        return LiveFact(state=Live.OURS, digest=seen, contracts=rows, since=self.now, drift=words)


def _live(row: tuple[str, str, str, str, tuple[tuple[str, str], ...]]) -> LiveContract:
    organization, api, version, plan, policies = row
    found = tuple(LivePolicy(f"{type_}{config}", type_, config) for type_, config in policies)
    return LiveContract(ApiRef(organization, api, version), plan, found)


def wire_of(snapshot: Snapshot) -> Wire:
    """What the gateway is sent."""

    def row(entry: PublishedContract) -> tuple[str, str, str, str, tuple[tuple[str, str], ...]]:
        found = [snapshot.policy(key) for key in entry.policies]
        policies = tuple((policy.type, policy.config) for policy in found if policy is not None)
        return (entry.organization, entry.api, entry.version, entry.plan, policies)

    return tuple(sorted(row(entry) for entry in snapshot.contracts if entry.live))


def digest(wire: Wire) -> str:
    """Equal for equal payloads."""
    return f"{hash(wire):x}"
