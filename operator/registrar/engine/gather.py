"""Puts together the view of one Client: from the store, the memory and the gateways' handles.

Invariants: reads only what is already in memory, so a view costs no call; two Clients never hold one identity or one key at the same
time, because both are reserved here before anything is awaited.
What this module deliberately does not do: decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from registrar.clock import Clock
from registrar.engine.arrivals import Arrivals
from registrar.engine.key_secret import Keys, outdated, read_keys
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.owed import Ledger
from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.pool import Pool
from registrar.engine.presumption import presumed
from registrar.engine.queue import Key
from registrar.engine.rendering import Seals, fingerprint, wire_policy
from registrar.engine.store import Store
from registrar.lifecycle.chain import config_digest
from registrar.lifecycle.desired import desired
from registrar.lifecycle.key_facts import main_role
from registrar.lifecycle.model import (
    Access,
    Desired,
    Fault,
    GatewayFault,
    KeyFact,
    KeyRole,
    KeyState,
    Live,
    LiveFact,
    Objects,
    View,
)
from registrar.resources.objects import ApiRef, ClientObject, ContractObject, GatewayObject, SecretObject
from registrar.resources.parse import REFERRING
from registrar.resources.status import ClientStatus, IdentityStatus, PublishedPolicy, Snapshot


@dataclass(frozen=True, slots=True)
class Gathered:
    """A view, with the keys that must not be part of it."""

    view: View
    api_key: str
    keys: Keys

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Gathered({self.view.client.meta.namespace}/{self.view.client.meta.name})"


class Gatherer:
    """Makes views."""

    def __init__(
        self,
        *,
        store: Store,
        memory: Memory,
        pool: Pool,
        arrivals: Arrivals,
        clock: Clock,
        seals: Seals,
        facts: PolicyFacts,
        grace: float,
        action_timeout: float,
        ledger: Ledger,
    ) -> None:
        """`grace` and `action_timeout` are in seconds: how long a loss stays unsaid, and how long an action is tried."""
        self._store = store
        self._memory = memory
        self._pool = pool
        self._arrivals = arrivals
        self._clock = clock
        self._seals = seals
        self._facts = facts
        self._grace = grace
        self._action_timeout = action_timeout
        self._ledger = ledger

    def view(self, client: ClientObject, faults: Mapping[str, GatewayFault], *, telling: bool = False) -> Gathered:
        """The view of `client`; `faults` are those met in this pass, and `telling` that a loss is to be said before it is mended."""
        contracts = self._store.contracts_of(client.meta.namespace, client.meta.name)
        gateways = self._store.gateways()
        memory = self._memory.of(client.meta.uid)
        status = client.status
        self._verify(client, status, memory)
        key, keys = self._key(client, memory)
        now = self._clock.now()
        effected = dict(memory.effected)
        snapshots = (*status.gateways, *(change.snapshot for change in effected.values()))
        policies = self._store.policies_for(client, contracts, published=snapshots)
        objects = Objects(
            client=client,
            contracts=contracts,
            policies=policies,
            gateways=gateways,
            missing_apis=self._pool.missing_apis(),
            renderable={name: h.renderable for name in gateways if (h := self._pool.handle(name)) is not None},
            policy_facts={(p.meta.namespace, p.meta.name): self._facts.fact(p) for p in policies},
            published=self.written(client) if policies else {},
            access=Access(
                namespace=client.meta.namespace,
                labels=self._store.labels_of(client.meta.namespace),
                grants=self._store.grants_for(contracts),
                gateways=gateways,
            ),
            now=now,
            vanished=self._pool.vanished(),
        )
        wanted = self._desired(client, objects)
        names = {snapshot.gateway for snapshot in (*status.gateways, *wanted.snapshots)} | set(memory.effected)
        if wanted.identity is not None:
            names.add(wanted.identity.gateway)
        client_key = Key("Client", client.meta.namespace, client.meta.name)
        view = View(
            now=now,
            settled_at=self._arrivals.settled_at(client_key),
            client=client,
            status=status,
            desired=wanted,
            contracts=contracts,
            key=replace(key, outdated=self._outdated(client, wanted)),
            live=dict(memory.live),
            faults={**self._standing(names, memory, now=now), **faults},
            effected=effected,
            managed=frozenset(n for n in names if n in gateways and gateways[n].mode == "Manage"),
            correcting=frozenset(n for n in names if n in gateways and gateways[n].drift_mode == "Correct"),
            missing_apis=self._pool.missing_apis(),
            fingerprints=self._fingerprints(wanted, memory),
            endpoints=self._endpoints(names, contracts, snapshots),
            grace=self._grace,
            action_timeout=self._action_timeout,
            access=objects.access,
            objects=objects,
            blocked=_blocks(gateways, names, wanted.identity),
            telling=telling,
            unrenderable=frozenset(key for snapshot in snapshots for key in self.unrenderable(snapshot)),
            failed=dict(memory.failed),
            askers=self._arrivals.askers(client_key),
            adopting=frozenset(n for n in names if n in gateways and client.meta.namespace in gateways[n].adoption),
            owed=self._ledger.gateways_of(client.meta.uid) if client.meta.deleting else frozenset(),
            second=dict(memory.second),
            presumed=self._presumed(client, status, memory, key=key, keys=keys),
        )
        return Gathered(view=view, api_key=keys.of(KeyRole.CURRENT), keys=keys)

    def _verify(self, client: ClientObject, status: ClientStatus, memory: ClientMemory) -> None:
        """A snapshot that is not ours was written by somebody else since: what the gateway has must be read again."""
        if memory.verified is client.status_blob:
            return
        for snapshot in status.gateways:
            if not snapshot.empty and not self._seals.genuine(snapshot, uid=client.meta.uid):
                known = memory.live.get(snapshot.gateway)
                if known is not None and known.genuine:
                    memory.forget_live(snapshot.gateway)
                    memory.forget_second(snapshot.gateway)
        for name, fact in list(memory.live.items()):
            # Read while a status told of it: what exactly is there was of no interest then. Now it is the only witness.
            if fact.state is Live.OURS and not fact.contracts and self.recorded(client, name).empty:
                memory.forget_live(name)
                memory.forget_second(name)
        memory.verified = client.status_blob

    def _presumed(
        self, client: ClientObject, status: ClientStatus, memory: ClientMemory, *, key: KeyFact, keys: Keys
    ) -> dict[str, LiveFact]:
        """What the gateways have if nobody else changed them; judged once, with the first view since the start."""
        if memory.presumed is None:
            memory.presumed = presumed(
                status, uid=client.meta.uid, key=key, keys=keys, seals=self._seals, config_of=self.config_of
            )
        return {name: fact for name, fact in memory.presumed.items() if name not in memory.live}

    def _desired(self, client: ClientObject, objects: Objects) -> Desired:
        """What the objects ask for, with the identity reserved: the first Client that asks has it."""
        wanted = desired(objects)
        identity = wanted.identity
        if identity is None or wanted.problem is not None:
            return wanted
        owner = self._store.reserve_identity(
            gateway=identity.gateway,
            organization=identity.organization,
            client_id=identity.client_id,
            version=identity.version,
            uid=client.meta.uid,
        )
        if owner == client.meta.uid:
            taken = self._taken_elsewhere(client, wanted, identity)
            return desired(replace(objects, taken_on=taken)) if taken else wanted
        return desired(replace(objects, identity_taken=True))

    def _taken_elsewhere(self, client: ClientObject, wanted: Desired, identity: IdentityStatus) -> frozenset[str]:
        """The Client's other gateways on which another Client has its identity."""
        uid = client.meta.uid
        return frozenset(
            name
            for name in (snapshot.gateway for snapshot in wanted.snapshots if snapshot.gateway != identity.gateway)
            if self._store.reserve_elsewhere(
                gateway=name,
                organization=identity.organization,
                client_id=identity.client_id,
                version=identity.version,
                uid=uid,
            )
            != uid
        )

    def _standing(self, names: set[str], memory: ClientMemory, *, now: float) -> dict[str, GatewayFault]:
        """Gateways that can't be called at all now: no object, no credentials, an open breaker, or a call that may still land."""
        faults = {}
        for name in names:
            handle = self._pool.handle(name)
            if handle is None or handle.breaker.is_open or now < memory.hold_until.get(name, 0.0):
                refused = handle is not None and handle.breaker.unauthorized
                faults[name] = memory.fault(name, Fault.UNAUTHORIZED if refused else Fault.UNREACHABLE, now=now)
        return faults

    def _key(self, client: ClientObject, memory: ClientMemory) -> tuple[KeyFact, Keys]:
        """The state of the key Secret, and the keys when they may be used.

        Reserved are all keys of the Secret, and those that a gateway still has for this Client.
        """
        secret = self._store.secret(client.meta.namespace, client.secret_name)
        if secret is None:
            return KeyFact(KeyState.MISSING), Keys()
        if not client.api_key.generated and not secret.allowed:
            # Known by its name only (see `key_effects`): to this Client it is as good as not there.
            return KeyFact(KeyState.MISSING), Keys()
        if client.api_key.generated and secret.owner_uid != client.meta.uid:
            return KeyFact(self._left(client, secret)), Keys()
        found = read_keys(secret, client.api_key)
        digests = {role: self._seals.key_digest(text) for role, text in found.keys.texts.items()}
        live = [fact.key for fact in (*memory.live.values(), *memory.second.values())]
        held = self._store.reserve_keys((*digests.values(), *live), client.meta.uid)
        usable = {role: digest for role, digest in digests.items() if digest in held}
        fact = KeyFact(
            KeyState.VALID,
            created_at=found.created_at,
            current=usable.get(KeyRole.CURRENT, ""),
            next=usable.get(KeyRole.NEXT, ""),
            previous=usable.get(KeyRole.PREVIOUS, ""),
            made_for=found.made_for,
            previous_until=found.previous_until,
        )
        if KeyRole.CURRENT not in digests:
            return replace(fact, state=KeyState.INVALID), found.keys.only(usable)
        if KeyRole.CURRENT not in usable:
            return replace(fact, state=KeyState.IN_USE), found.keys.only(usable)
        return fact, found.keys.only(usable)

    def _outdated(self, client: ClientObject, wanted: Desired) -> bool:
        """Whether the generated Secret is not as the spec wants it."""
        secret = self._store.secret(client.meta.namespace, client.secret_name)
        if secret is None or not client.api_key.generated or wanted.identity is None:
            return False
        return outdated(secret, client, base_url=self.base_url(wanted.identity.gateway))

    def base_url(self, gateway: str) -> str:
        """Where calls go on that gateway; empty when it is not known."""
        found = self._store.gateway(gateway)
        return found.public_endpoint if found is not None else ""

    def _left(self, client: ClientObject, secret: SecretObject) -> KeyState:
        """Whether we made the Secret for an object that is gone: a former one of the same name, or one that was to leave it (`Retain`)."""
        if not secret.managed or self._store.client_by_uid(secret.owner_uid) is not None:
            return KeyState.NOT_OWNED
        ours = secret.owner_name in ("", client.meta.name)
        usable = bool(read_keys(secret, client.api_key).keys.of(KeyRole.CURRENT))
        return KeyState.LEFT if ours and usable else KeyState.NOT_OWNED

    def _fingerprints(self, wanted: Desired, memory: ClientMemory) -> dict[tuple[str, str], str]:
        """The wire forms of what is desired, made only where a registration is to be taken over."""
        result = {}
        for snapshot in wanted.snapshots:
            fact = memory.live.get(snapshot.gateway)
            if fact is None or fact.state is not Live.OURS or not fact.contracts:
                continue
            for policy in snapshot.policies:
                if self.config_of(policy) is not None:
                    result[(snapshot.gateway, policy.id)] = fingerprint(wire_policy(policy, self.config_of))
        return result

    def _endpoints(
        self, names: set[str], contracts: Iterable[ContractObject], snapshots: Iterable[Snapshot]
    ) -> dict[tuple[str, ApiRef], str]:
        """The URLs of the Client's own APIs, wanted or published: a gateway may have thousands of others."""
        apis = {contract.api for contract in contracts}
        apis |= {ApiRef(e.organization, e.api, e.version) for snapshot in snapshots for e in snapshot.contracts}
        handles = [(name, handle) for name in names if (handle := self._pool.handle(name)) is not None]
        return {
            (name, api): url
            for name, handle in handles
            for api in apis
            if (url := handle.endpoints.get(api)) is not None
        }

    def key_of(self, client: ClientObject, published: Snapshot) -> str:
        """The key that the published registration should carry; empty when there is none that may be used."""
        fact, keys = self._key(client, self._memory.of(client.meta.uid))
        return keys.of(main_role(fact, published))

    def written(self, client: ClientObject) -> dict[str, Snapshot]:
        """The snapshots that this operator has written, or is about to: one that somebody else wrote must not keep a contract alive."""
        known = {
            snapshot.gateway: snapshot
            for snapshot in client.status.gateways
            if not snapshot.empty and self._seals.genuine(snapshot, uid=client.meta.uid)
        }
        effected = self._memory.of(client.meta.uid).effected
        return known | {gateway: change.snapshot for gateway, change in effected.items()}

    def unrenderable(self, snapshot: Snapshot) -> frozenset[str]:
        """The ids of the snapshot's policies that can't be rendered now."""
        return frozenset(policy.id for policy in snapshot.policies if not self._can_render(policy))

    def _can_render(self, policy: PublishedPolicy) -> bool:
        if policy.source == "Found":
            return policy.type != "custom"
        namespace, text = self._text_of(policy)
        if policy.type != REFERRING:
            return bool(text)
        return bool(text) and self._facts.resolve(namespace, text, type_=policy.type) is not None

    def config_of(self, policy: PublishedPolicy) -> dict[str, Any] | None:
        """The configuration of a published policy with what its Secrets hold; the current one where the snapshot keeps a digest only."""
        if policy.source == "Found":
            # Taken over from the gateway: of what no typed policy explains only the name of the code was kept.
            return orjson.loads(policy.config) if policy.type != "custom" else None
        namespace, text = self._text_of(policy)
        return self._facts.resolve(namespace, text, type_=policy.type) if text else None

    def as_sent(self, policy: PublishedPolicy) -> PublishedPolicy:
        """The policy with the digest of what was rendered for it just now."""
        namespace, text = self._text_of(policy)
        if not text or policy.source == "Found":
            return policy
        secrets = self._facts.digest(namespace, text, type_=policy.type)
        if policy.config:
            return replace(policy, digest=secrets)
        found = self._store.policy(namespace, policy.id.rpartition("/")[2])
        return replace(policy, digest=config_digest(found, secrets=secrets)) if found is not None else policy

    def _text_of(self, policy: PublishedPolicy) -> tuple[str, str]:
        """The policy's namespace and configuration as text; empty text when it is gone."""
        namespace, _, name = policy.id.partition(":")[2].partition("/")
        if policy.config:
            return namespace, policy.config
        found = self._store.policy(namespace, name)
        return namespace, found.config if found is not None and found.type == policy.type else ""

    def recorded(self, client: ClientObject, gateway: str) -> Snapshot:
        """What was last published there, as far as this process or the status knows."""
        effected = self._memory.of(client.meta.uid).effected.get(gateway)
        return effected.snapshot if effected is not None else client.status.snapshot(gateway)


def _blocks(gateways: Mapping[str, GatewayObject], names: set[str], identity: IdentityStatus | None) -> dict[str, str]:
    """The platform's reason for each gateway that blocks the identity."""
    if identity is None:
        return {}
    return {
        name: block.reason
        for name in names
        if name in gateways
        and (
            block := gateways[name].block(
                organization=identity.organization, client_id=identity.client_id, version=identity.version
            )
        )
        is not None
    }
