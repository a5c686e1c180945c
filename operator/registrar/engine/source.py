"""From events to the store and from the store's changes to the queue: what has to be looked at again, and how soon.

Invariants: an echo of our own write changes nothing, because the answer to the write was taken in first; a Contract that moves to another Client wakes
both; the order and the number of events do not matter, only what they end in.
What this module deliberately does not do: decide anything about a Client.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from registrar.clock import Clock
from registrar.engine import concerned
from registrar.engine.arrivals import Arrivals
from registrar.engine.askers import askers_of, unhandled_askers
from registrar.engine.memory import Memory
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.store import Change, Store, version_of
from registrar.lifecycle.buckets import LIMITS
from registrar.lifecycle.reach import within_reach
from registrar.resources.objects import (
    Block,
    ClientObject,
    ContractObject,
    GatewayObject,
    GrantObject,
    Meta,
    NamespaceObject,
    PolicyObject,
    SecretObject,
)
from registrar.resources.parse import PARSERS, parse_meta

log = logging.getLogger(__name__)

_FAN_OUT = 100
"""From how many Clients on a Policy's change waits behind everything else."""


class Ingest:
    """Takes objects in."""

    def __init__(
        self, *, store: Store, queue: WorkQueue, arrivals: Arrivals, memory: Memory, clock: Clock, home: str
    ) -> None:
        """Feed that store and that queue; `home` is the operator's own namespace, where the credentials of gateways are."""
        self.store = store
        self._queue = queue
        self._arrivals = arrivals
        self._memory = memory
        self._clock = clock
        self._home = home

    def apply(self, kind: str, type_: str | None, raw: Mapping[str, Any]) -> None:
        """Take in a watch event: ADDED, MODIFIED, DELETED, or None for an object of a listing."""
        if type_ == "DELETED":
            self.deleted(kind, parse_meta(raw))
            return
        change = self._upsert(kind, raw)
        if change is not None:
            self._react(change, raw)

    def loaded(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Take in an object of the preload: it arrived when it was created, and is queued when all kinds are there."""
        change = self._upsert(kind, raw)
        if change is not None and change.new is not None:
            for key in self._keys(change):
                self._arrivals.note(key, at=change.new.meta.created_at)
                for asker in unhandled_askers(change.new, raw):
                    self._arrivals.asked(key, asker)

    def own_write(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Take in the answer to a write of ours, so that its echo is nothing new; a deletion that the write completed is one."""
        if raw["metadata"].get("deletionTimestamp") and not raw["metadata"].get("finalizers"):
            self.deleted(kind, parse_meta(raw))
            return
        before = self.store.find(kind, raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
        change = self._upsert(kind, raw)
        if change is None or before is None or change.new is None:
            return
        if before.meta.generation != change.new.meta.generation or before.meta.deleting != change.new.meta.deleting:
            # Somebody else's change came back with ours: it is an arrival like any other.
            self._react(change, raw)

    def deleted(self, kind: str, meta: Meta) -> None:
        """An object is known to be gone."""
        change = self.store.remove(kind, meta.namespace, meta.name, meta.uid, version=version_of(meta))
        if change is None:
            return
        if kind == "Client":
            self._memory.drop(meta.uid)
        self._react(change)

    def _upsert(self, kind: str, raw: Mapping[str, Any]) -> Change | None:
        try:
            if self.store.covers(kind, raw):
                return None
            parsed = PARSERS[kind](raw)
        except (KeyError, TypeError, ValueError) as error:
            # The schema does not admit it, so it is older than the schema: one object that can't be read must not stop the rest.
            log.error("%s %s can't be read: %s", kind, (raw.get("metadata") or {}).get("name"), type(error).__name__)
            return None
        return self.store.upsert(parsed)

    # What a change wakes ----------------------------------------------------------------------------------------

    def _react(self, change: Change, raw: Mapping[str, Any] | None = None) -> None:
        keys = self._keys(change)
        substantial = _substantial(change)
        if substantial and raw is not None:
            self._ask(change, keys, raw)
        low = len(keys) > _FAN_OUT
        urgent = not low and (change.new is None or change.new.meta.deleting or _may_withdraw(change))
        stopped = _stopped(change)
        for key in keys:
            if substantial:
                if change.kind != "Secret":
                    self._arrivals.note(key)
                self._queue.forget(key)
            self._queue.add(key, urgent=urgent or bool(stopped and self._stops(stopped, key)), low=low)
        if substantial:
            self._statuses(change)
        self.wake_freed()

    def _ask(self, change: Change, keys: set[Key], raw: Mapping[str, Any]) -> None:
        """Note who made the change, for the Clients of the same namespace: who works elsewhere is nobody's business."""
        for asker in askers_of(change, raw):
            for key in keys:
                if change.new is not None and key.namespace == change.new.meta.namespace:
                    self._arrivals.asked(key, asker)

    def _stops(self, stopped: frozenset[Block], key: Key) -> bool:
        """Whether the emergency stop may be about that Client: it must not wait behind the rest."""
        client = self.store.client(key.namespace, key.name)
        return client is not None and any(
            block.client_id == client.client_id and block.version in ("", client.version) for block in stopped
        )

    def _keys(self, change: Change) -> set[Key]:
        """The Clients that the change matters to; none for what only a status of ours or a label of theirs has changed."""
        keys: set[Key] = set()
        for item in (change.old, change.new):
            match item:
                case ClientObject():
                    keys.add(Key("Client", item.meta.namespace, item.meta.name))
                case ContractObject():
                    keys.add(Key("Client", item.meta.namespace, item.client))
                case PolicyObject() if _substantial(change):
                    keys |= self.store.clients_affected_by(within_reach(item, self.store.gateways().values()))
                case SecretObject() if _substantial(change):
                    keys |= self.store.clients_of_secret(item.meta.namespace, item.meta.name)
                    for policy in self.store.policies_of_secret(item.meta.namespace, item.meta.name):
                        keys |= self.store.clients_affected_by(within_reach(policy, self.store.gateways().values()))
                case GatewayObject() if _substantial(change):
                    keys |= set(self.store.all_clients())
                case GrantObject() if _substantial(change):
                    keys |= concerned.clients_of_grant(self.store, item)
                case NamespaceObject() if item is (change.new or change.old) and _substantial(change):
                    keys |= concerned.clients_of_namespace(self.store, *_states(change))
                case _:
                    pass
        return keys

    def _statuses(self, change: Change) -> None:
        """Have the statuses of Policies, APIGrants and RuntimeGateways looked at that the change may matter to."""
        for item in (change.old, change.new):
            match item:
                case PolicyObject():
                    self._queue.add(Key("Policy", item.meta.namespace, item.meta.name))
                    if item.type in LIMITS:
                        self._rivals(item)
                case SecretObject():
                    for policy in self.store.policies_of_secret(item.meta.namespace, item.meta.name):
                        self._queue.add(Key("Policy", policy.meta.namespace, policy.meta.name))
                    if item.meta.namespace == self._home:
                        self._gateways_of_secret(item.meta.name)
                case GatewayObject():
                    self._queue.add(Key("RuntimeGateway", "", item.meta.name))
                    for kind in ("Policy", "APIGrant"):
                        for found in self.store.all(kind):
                            self._queue.add(Key(kind, found.meta.namespace, found.meta.name), low=True)
                case ClientObject() | ContractObject():
                    client = self.store.client(
                        item.meta.namespace, item.meta.name if isinstance(item, ClientObject) else item.client
                    )
                    if client is not None:
                        self.wake_policies(client)
                    if isinstance(item, ContractObject):
                        self.wake_grants(item)
                case GrantObject():
                    self._queue.add(Key("APIGrant", item.meta.namespace, item.meta.name))
                case NamespaceObject() if item is (change.new or change.old):
                    for key in concerned.statuses_of_namespace(self.store, *_states(change)):
                        self._queue.add(key, low=True)
                case _:
                    pass

    def _gateways_of_secret(self, name: str) -> None:
        """Have the RuntimeGateways looked at whose credentials are in that Secret."""
        for gateway in self.store.gateways().values():
            if gateway.credentials_secret == name:
                self._queue.add(Key("RuntimeGateway", "", gateway.meta.name))

    def wake_freed(self) -> None:
        """Have the Clients looked at that were refused an identity or a key which nobody holds any more."""
        for key in self.store.take_freed():
            self._queue.forget(key)
            self._queue.add(key)

    def _rivals(self, policy: PolicyObject) -> None:
        """Have the other Policies in the same chains looked at: one of their limits may give way now, or no longer."""
        for key in self.store.clients_affected_by(within_reach(policy, self.store.gateways().values())):
            client = self.store.client(key.namespace, key.name)
            if client is not None:
                self.wake_policies(client)

    def wake_policies(self, client: ClientObject) -> None:
        """Have the Policies in the Client's chains count again."""
        contracts = self.store.contracts_of(client.meta.namespace, client.meta.name)
        for policy in self.store.policies_for(client, contracts):
            self._queue.add(Key("Policy", policy.meta.namespace, policy.meta.name), low=True)

    def wake_grants(self, contract: ContractObject) -> None:
        """Have the APIGrants count again that the Contract may be a consumer of."""
        for key in concerned.grants_of_contract(self.store, contract):
            self._queue.add(key, low=True)


def _may_withdraw(change: Change) -> bool:
    """Whether the change may take a grant away, which goes before other work."""
    return change.kind in ("APIGrant", "Namespace") and change.old is not None


def _states(change: Change) -> tuple[NamespaceObject | None, NamespaceObject | None]:
    """A namespace before and after a change."""
    old, new = change.old, change.new
    return old if isinstance(old, NamespaceObject) else None, new if isinstance(new, NamespaceObject) else None


def _stopped(change: Change) -> frozenset[Block]:
    """The entries that are new on a RuntimeGateway's block list."""
    if not isinstance(change.new, GatewayObject):
        return frozenset()
    before = change.old.blocked if isinstance(change.old, GatewayObject) else ()
    return frozenset(change.new.blocked) - frozenset(before)


def _substantial(change: Change) -> bool:
    """Whether more than a status or foreign metadata has changed."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    if (old.meta.uid, old.meta.generation, old.meta.deleting) != (new.meta.uid, new.meta.generation, new.meta.deleting):
        return True
    match old, new:
        case ClientObject(), ClientObject():
            return (old.tokens, old.force_delete, old.finalizers) != (new.tokens, new.force_delete, new.finalizers)
        case SecretObject(), SecretObject():
            before, after = (old.data, old.labels, old.annotations), (new.data, new.labels, new.annotations)
            return before != after or (old.owner_uid, old.allowed) != (new.owner_uid, new.allowed)
        case NamespaceObject(), NamespaceObject():
            return old.labels != new.labels
        case _:
            return False
