"""Puts together the view of one Client: from the store, the memory and the gateways' handles.

Invariants: reads only what is already in memory, so a view costs no call; two Clients never hold one identity or one key at the same
time, because both are reserved here before anything is awaited.
What this module deliberately does not do: decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from registrar.clock import Clock
from registrar.engine.arrivals import Arrivals
from registrar.engine.key_secret import Keys, outdated, read_keys
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.pool import Pool
from registrar.engine.queue import Key
from registrar.engine.rendering import Seals, fingerprint, wire_policy
from registrar.engine.store import Store
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import Desired, Fault, GatewayFault, KeyFact, KeyRole, KeyState, Live, Objects, View
from registrar.resources.objects import ApiRef, ClientObject
from registrar.resources.status import ClientStatus, PublishedPolicy, Snapshot


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
        grace: float,
        action_timeout: float,
    ) -> None:
        """`grace` and `action_timeout` are in seconds: how long a loss stays unsaid, and how long an action is tried."""
        self._store = store
        self._memory = memory
        self._pool = pool
        self._arrivals = arrivals
        self._clock = clock
        self._seals = seals
        self._grace = grace
        self._action_timeout = action_timeout

    def view(self, client: ClientObject, faults: Mapping[str, GatewayFault]) -> Gathered:
        """The view of `client`; `faults` are those met in this pass."""
        contracts = self._store.contracts_of(client.meta.namespace, client.meta.name)
        gateways = self._store.gateways()
        memory = self._memory.of(client.meta.uid)
        status = client.status
        self._verify(client, status, memory)
        key, keys = self._key(client, memory)
        wanted = self._desired(
            client,
            Objects(
                client=client,
                contracts=contracts,
                policies=self._store.policies_for(client, contracts),
                gateways=gateways,
                missing_apis=self._pool.missing_apis(),
                renderable={name: h.renderable for name in gateways if (h := self._pool.handle(name)) is not None},
            ),
        )
        names = {snapshot.gateway for snapshot in (*status.gateways, *wanted.snapshots)} | set(memory.effected)
        if wanted.identity is not None:
            names.add(wanted.identity.gateway)
        now = self._clock.now()
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
            effected=dict(memory.effected),
            managed=frozenset(n for n in names if n in gateways and gateways[n].mode == "Manage"),
            correcting=frozenset(n for n in names if n in gateways and gateways[n].drift_mode == "Correct"),
            missing_apis=self._pool.missing_apis(),
            fingerprints=self._fingerprints(wanted, memory),
            endpoints=self._endpoints(names),
            grace=self._grace,
            action_timeout=self._action_timeout,
            second=dict(memory.second),
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
        for gateway, known in list(memory.live.items()):
            if known.state is Live.OURS and not known.contracts and self.recorded(client, gateway).empty:
                # It was read beside a snapshot that is not there any more, so it can't say what is published, nor under which identity.
                memory.forget_live(gateway)
                memory.forget_second(gateway)
        memory.verified = client.status_blob

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
            return wanted
        return desired(
            Objects(
                client=client,
                contracts=objects.contracts,
                policies=objects.policies,
                gateways=objects.gateways,
                missing_apis=objects.missing_apis,
                renderable=objects.renderable,
                identity_taken=True,
            )
        )

    def _standing(self, names: set[str], memory: ClientMemory, *, now: float) -> dict[str, GatewayFault]:
        """Gateways that can't be called at all now: no object, no credentials, an open breaker, or a call that may still land."""
        faults = {}
        for name in names:
            handle = self._pool.handle(name)
            if handle is None or handle.breaker.is_open or now < memory.hold_until.get(name, 0.0):
                faults[name] = memory.fault(name, Fault.UNREACHABLE, now=now)
        return faults

    def _key(self, client: ClientObject, memory: ClientMemory) -> tuple[KeyFact, Keys]:
        """The state of the key Secret, and the keys when they may be used.

        Reserved are all keys of the Secret, and those that a gateway still has for this Client.
        """
        secret = self._store.secret(client.meta.namespace, client.secret_name)
        if secret is None:
            return KeyFact(KeyState.MISSING), Keys()
        if client.api_key.generated and secret.owner_uid != client.meta.uid:
            return KeyFact(KeyState.NOT_OWNED), Keys()
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

    def _fingerprints(self, wanted: Desired, memory: ClientMemory) -> dict[tuple[str, str], str]:
        """The wire forms of what is desired, made only where a registration is to be taken over."""
        result = {}
        for snapshot in wanted.snapshots:
            fact = memory.live.get(snapshot.gateway)
            if fact is None or fact.state is not Live.OURS or not fact.contracts:
                continue
            for policy in snapshot.policies:
                result[(snapshot.gateway, policy.id)] = fingerprint(wire_policy(policy, self.config_of))
        return result

    def _endpoints(self, names: set[str]) -> dict[tuple[str, ApiRef], str]:
        return {
            (name, api): url
            for name in names
            if (handle := self._pool.handle(name)) is not None
            for api, url in handle.endpoints.items()
        }

    def config_of(self, policy: PublishedPolicy) -> str | None:
        """The current configuration of a policy that a snapshot keeps by digest only."""
        namespace, _, name = policy.id.partition(":")[2].partition("/")
        found = self._store.policy(namespace, name)
        return found.config if found is not None and found.type == policy.type else None

    def recorded(self, client: ClientObject, gateway: str) -> Snapshot:
        """What was last published there, as far as this process or the status knows."""
        effected = self._memory.of(client.meta.uid).effected.get(gateway)
        return effected.snapshot if effected is not None else client.status.snapshot(gateway)
