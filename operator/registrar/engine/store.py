"""All objects that the operator knows, slim and indexed: every question that a decision asks is answered without a scan.

Invariants: an object is replaced only by a newer one of the same name; an object that was seen deleted does not come back under its UID (a Secret only when it
is seen no older); an index entry exists exactly as long as the object that it stands for.
What this module deliberately does not do: call anybody when something changes (`source` does).
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from registrar.engine.access_index import AccessIndex, with_namespace, with_owners
from registrar.engine.queue import Key
from registrar.resources.objects import (
    AnyObject,
    ApiRef,
    ClientObject,
    ContractObject,
    GatewayObject,
    GrantObject,
    Meta,
    NamespaceObject,
    PolicyObject,
    SecretObject,
    TargetRef,
)
from registrar.resources.status import Snapshot

_TOMBSTONES = 20_000
_WAITING = 1_000

KIND_OF: Mapping[type[AnyObject], str] = {
    ClientObject: "Client",
    ContractObject: "Contract",
    PolicyObject: "Policy",
    GatewayObject: "RuntimeGateway",
    GrantObject: "APIGrant",
    SecretObject: "Secret",
    NamespaceObject: "Namespace",
}

Name = tuple[str, str]
Target = tuple[str, ...]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Change:
    """What an update did: `old` is None for a new object, `new` for one that is gone."""

    kind: str
    old: AnyObject | None
    new: AnyObject | None


class Store:
    """The objects, by kind and name, and the ways to find them."""

    def __init__(self) -> None:
        """Start empty."""
        self._objects: dict[str, dict[Name, AnyObject]] = {kind: {} for kind in KIND_OF.values()}
        self._gone: OrderedDict[str, float] = OrderedDict()
        self._client_uids: dict[str, Name] = {}
        self._contracts_of: dict[Name, set[str]] = defaultdict(set)
        self._by_plan: dict[Name, set[Name]] = defaultdict(set)
        self._by_api: dict[Name, set[Name]] = defaultdict(set)
        self._policies: dict[Target, set[Name]] = defaultdict(set)
        self._by_secret: dict[Name, set[str]] = defaultdict(set)
        self._policies_by_secret: dict[Name, set[str]] = defaultdict(set)
        self._by_gateway: dict[str, set[Name]] = defaultdict(set)
        self._gateways_of: dict[Name, tuple[str, ...]] = {}
        self._standing: dict[str, dict[Name, float]] = defaultdict(dict)
        self._identities: dict[tuple[str, str, str, str], str] = {}
        self._identity_of: dict[str, tuple[str, str, str, str]] = {}
        self._elsewhere: dict[str, set[tuple[str, str, str, str]]] = defaultdict(set)
        self._keys: dict[str, str] = {}
        self._key_of: dict[str, frozenset[str]] = {}
        self.access = AccessIndex()
        self._waiting: dict[str, set[str]] = defaultdict(set)
        self._freed: set[str] = set()
        self.phases: Counter[tuple[str, str]] = Counter()

    def covers(self, kind: str, raw: Mapping[str, Any]) -> bool:
        """Whether the object is known in this version or a later one, told from its metadata alone: an echo is not worth parsing."""
        meta = raw["metadata"]
        known = self._objects[kind].get((meta.get("namespace", ""), meta["name"]))
        if known is None or known.meta.uid != meta.get("uid"):
            return False
        return _number(meta.get("resourceVersion", "")) <= version_of(known.meta)

    # Changing ---------------------------------------------------------------------------------------------------

    def upsert(self, new: AnyObject) -> Change | None:
        """Take an object in; None when it is not newer than what is known, or known to be deleted."""
        kind = KIND_OF[type(new)]
        meta = new.meta
        name = (meta.namespace, meta.name)
        old = self._objects[kind].get(name)
        gone = version_of(meta) < self._gone.get(meta.uid, 0)
        if gone or (old is not None and not _newer(meta, old.meta)):
            return None
        if old is not None:
            self._unindex(kind, name, old)
        if isinstance(new, GatewayObject):
            new = with_owners(new, self._namespaces())
        self._objects[kind][name] = new
        self._index(kind, name, new)
        if isinstance(old, ClientObject) and old.meta.uid != meta.uid:
            self.release(old.meta.uid)
        return Change(kind=kind, old=old, new=new)

    def remove(self, kind: str, namespace: str, name: str, uid: str, *, version: int = 0) -> Change | None:
        """An object is gone; None when it was not known, or another one has its name by now.

        A Secret may only have lost its label: it comes back when it is seen no older than `version`, that of its going.
        """
        self._gone[uid] = version if kind == "Secret" else math.inf
        while len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        old = self._objects[kind].get((namespace, name))
        if old is None or old.meta.uid != uid:
            return None
        self._unindex(kind, (namespace, name), old)
        del self._objects[kind][(namespace, name)]
        if isinstance(old, NamespaceObject):
            self._reselect(name, None)
        if kind == "Client":
            self.release(uid)
        return Change(kind=kind, old=old, new=None)

    def _namespaces(self) -> Iterator[NamespaceObject]:
        return (row for row in self._objects["Namespace"].values() if isinstance(row, NamespaceObject))

    def _reselect(self, namespace: str, labels: Mapping[str, str] | None) -> None:
        """A namespace has other labels, or is gone: keep what the gateways' organizations select true; there are few gateways."""
        for name, gateway in self.gateways().items():
            self._objects["RuntimeGateway"][("", name)] = with_namespace(gateway, namespace, labels)

    def _index(self, kind: str, name: Name, item: AnyObject) -> None:
        self.access.add(name, item)
        match item:
            case ClientObject():
                self._client_uids[item.meta.uid] = name
                self._by_secret[(name[0], item.secret_name)].add(name[1])
                self._place(name, item)
                for gateway, since in item.standing:
                    self._standing[gateway][name] = since
                self.phases[(kind, item.phase)] += 1
            case ContractObject():
                self._contracts_of[(name[0], item.client)].add(name[1])
                for plan in _plans(item):
                    self._by_plan[(item.api.organization, plan)].add(name)
                self._by_api[(item.api.organization, item.api.name)].add(name)
                self.phases[(kind, item.status.phase)] += 1
            case PolicyObject():
                for target in item.targets:
                    self._policies[_target(target, name[0])].add(name)
                for secret in item.secret_names:
                    self._policies_by_secret[(name[0], secret)].add(name[1])
            case NamespaceObject():
                self._reselect(name[1], item.labels)
            case _:
                pass

    def _unindex(self, kind: str, name: Name, item: AnyObject) -> None:
        self.access.discard(name, item)
        match item:
            case ClientObject():
                self._client_uids.pop(item.meta.uid, None)
                _discard(self._by_secret, (name[0], item.secret_name), name[1])
                for gateway in self._gateways_of.pop(name, ()):
                    _discard(self._by_gateway, gateway, name)
                for gateway, _ in item.standing:
                    self._standing[gateway].pop(name, None)
                self.phases[(kind, item.phase)] -= 1
            case ContractObject():
                _discard(self._contracts_of, (name[0], item.client), name[1])
                for plan in _plans(item):
                    _discard(self._by_plan, (item.api.organization, plan), name)
                _discard(self._by_api, (item.api.organization, item.api.name), name)
                self.phases[(kind, item.status.phase)] -= 1
            case PolicyObject():
                for target in item.targets:
                    _discard(self._policies, _target(target, name[0]), name)
                for secret in item.secret_names:
                    _discard(self._policies_by_secret, (name[0], secret), name[1])
            case _:
                pass

    def _place(self, name: Name, client: ClientObject) -> None:
        """Remember the gateways on which the Client is published or will be."""
        gateways = client.placed or ((client.gateway,) if client.gateway else ())
        self._gateways_of[name] = gateways
        for gateway in gateways:
            self._by_gateway[gateway].add(name)

    # Reservations -----------------------------------------------------------------------------------------------

    def reserve_identity(self, *, gateway: str, organization: str, client_id: str, version: str, uid: str) -> str:
        """Claim a gateway identity for the Client with that UID; returns the UID that holds it. A Client holds one."""
        wanted = (gateway, organization, client_id, version)
        owner = self._identities.setdefault(wanted, uid)
        self._wait_for(owner, uid)
        if owner == uid and self._identity_of.get(uid) != wanted:
            self._free(uid)
            self._identities.pop(self._identity_of.get(uid, ("", "", "", "")), None)
            self._identity_of[uid] = wanted
        return owner

    def reserve_elsewhere(self, *, gateway: str, organization: str, client_id: str, version: str, uid: str) -> str:
        """Claim the same identity on another gateway of the Client's besides; returns the UID that holds it there."""
        wanted = (gateway, organization, client_id, version)
        owner = self._identities.setdefault(wanted, uid)
        if owner == uid:
            self._elsewhere[uid].add(wanted)
        return owner

    def reserve_key(self, digest: str, uid: str) -> str:
        """Claim a key, by its digest, for the Client with that UID; returns the UID that holds it. Its other keys are given back."""
        owner = self._keys.get(digest, uid)
        self._wait_for(owner, uid)
        if owner == uid:
            self.reserve_keys((digest,), uid)
        return owner

    def reserve_keys(self, digests: Iterable[str], uid: str) -> frozenset[str]:
        """Claim these keys, by their digests, and give back all others of the Client with that UID; returns those that it holds now."""
        held = set()
        for digest in digests:
            owner = self._keys.setdefault(digest, uid) if digest else ""
            if owner == uid:
                held.add(digest)
            elif owner:
                self._wait_for(owner, uid)
        given_back = self._key_of.get(uid, frozenset()) - held
        for digest in given_back:
            self._keys.pop(digest, None)
        if given_back:
            self._free(uid)
        self._key_of[uid] = frozenset(held)
        return self._key_of[uid]

    def holder_of_key(self, digest: str) -> str:
        """The UID of the Client that holds the key with that digest; empty when none does."""
        return self._keys.get(digest, "")

    def holder_of_identity(self, *, gateway: str, organization: str, client_id: str, version: str) -> str:
        """The UID of the Client that holds that identity there; empty when none does."""
        return self._identities.get((gateway, organization, client_id, version), "")

    def release(self, uid: str) -> None:
        """Give back the identity and the keys of a Client that is gone."""
        self._identities.pop(self._identity_of.pop(uid, ("", "", "", "")), None)
        for identity in self._elsewhere.pop(uid, ()):
            self._identities.pop(identity, None)
        for digest in self._key_of.pop(uid, frozenset()):
            self._keys.pop(digest, None)
        self._free(uid)

    def take_freed(self) -> set[Key]:
        """The Clients for which something that they wanted and another one held is free since this was asked last."""
        names = [self._client_uids[uid] for uid in self._freed if uid in self._client_uids]
        self._freed.clear()
        return {Key("Client", *name) for name in names}

    def _wait_for(self, owner: str, uid: str) -> None:
        if owner == uid:
            return
        waiting = self._waiting[owner]
        waiting.add(uid)
        if len(waiting) > _WAITING:
            # Whoever makes and deletes the same Client again and again leaves only those that are still there.
            waiting.intersection_update(self._client_uids)

    def _free(self, owner: str) -> None:
        self._freed |= self._waiting.pop(owner, set())

    def identity(self, uid: str) -> tuple[str, str, str, str] | None:
        """The gateway, organization, clientId and version that the Client with that UID holds."""
        return self._identity_of.get(uid)

    # Finding ----------------------------------------------------------------------------------------------------

    def find(self, kind: str, namespace: str, name: str) -> AnyObject | None:
        """The object of that kind and name."""
        return self._objects[kind].get((namespace, name))

    def all(self, kind: str) -> Iterable[AnyObject]:
        """Every object of a kind; for start, sweep and metrics, never for an event."""
        return list(self._objects[kind].values())

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._objects[kind])

    def client(self, namespace: str, name: str) -> ClientObject | None:
        """The Client of that name."""
        found = self._objects["Client"].get((namespace, name))
        return found if isinstance(found, ClientObject) else None

    def client_by_uid(self, uid: str) -> ClientObject | None:
        """The Client with that UID."""
        name = self._client_uids.get(uid)
        return self.client(*name) if name is not None else None

    def contract(self, namespace: str, name: str) -> ContractObject | None:
        """The Contract of that name."""
        found = self._objects["Contract"].get((namespace, name))
        return found if isinstance(found, ContractObject) else None

    def policy(self, namespace: str, name: str) -> PolicyObject | None:
        """The Policy of that name."""
        found = self._objects["Policy"].get((namespace, name))
        return found if isinstance(found, PolicyObject) else None

    def gateway(self, name: str) -> GatewayObject | None:
        """The RuntimeGateway of that name."""
        found = self._objects["RuntimeGateway"].get(("", name))
        return found if isinstance(found, GatewayObject) else None

    def gateways(self) -> Mapping[str, GatewayObject]:
        """All RuntimeGateways, by name; there are few."""
        rows = self._objects["RuntimeGateway"].values()
        return {row.meta.name: row for row in rows if isinstance(row, GatewayObject)}

    def grant(self, namespace: str, name: str) -> GrantObject | None:
        """The APIGrant of that name."""
        found = self._objects["APIGrant"].get((namespace, name))
        return found if isinstance(found, GrantObject) else None

    def grants_for(self, contracts: Iterable[ContractObject]) -> tuple[GrantObject, ...]:
        """The APIGrants that may allow one of these Contracts, by name."""
        names: set[Name] = set()
        for contract in contracts:
            names |= self.access.grants_naming(contract.api.organization, contract.api.name)
        return tuple(found for name in sorted(names) if (found := self.grant(*name)) is not None)

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace; none while it is not known."""
        found = self._objects["Namespace"].get(("", namespace))
        return found.labels if isinstance(found, NamespaceObject) else {}

    def contracts_naming(self, organization: str, api: str) -> tuple[ContractObject, ...]:
        """The Contracts for any version of the API, by name."""
        names = sorted(self._by_api.get((organization, api), ()))
        return tuple(found for name in names if (found := self.contract(*name)) is not None)

    def secret(self, namespace: str, name: str) -> SecretObject | None:
        """The labelled Secret of that name."""
        found = self._objects["Secret"].get((namespace, name))
        return found if isinstance(found, SecretObject) else None

    def contracts_of(self, namespace: str, client: str) -> tuple[ContractObject, ...]:
        """The Contracts that name the Client, by name."""
        names = sorted(self._contracts_of.get((namespace, client), ()))
        return tuple(found for name in names if (found := self.contract(namespace, name)) is not None)

    def policies_for(
        self, client: ClientObject, contracts: Iterable[ContractObject], *, published: Iterable[Snapshot] = ()
    ) -> tuple[PolicyObject, ...]:
        """The Policies that may be in the chain of one of these Contracts of the Client, or of what is published of it, by name."""
        namespace = client.meta.namespace
        names = set(self._policies.get(("Client", namespace, client.meta.name), ()))
        for contract in contracts:
            names |= self._policies.get(("Contract", namespace, contract.meta.name), set())
            names |= self._policies.get(("Plan", contract.api.organization, contract.plan), set())
            names |= self._policies.get(("API", contract.api.organization, contract.api.name), set())
        for snapshot in published:
            names |= {_name_in(policy.id) for policy in snapshot.policies}
            for entry in snapshot.contracts:
                names |= self._policies.get(("Plan", entry.organization, entry.plan), set())
        return tuple(found for name in sorted(names) if (found := self.policy(*name)) is not None)

    def clients_affected_by(self, policy: PolicyObject) -> set[Key]:
        """The Clients whose chains the Policy may be part of."""
        keys: set[Key] = set()
        for target in policy.targets:
            match target.kind:
                case "Client":
                    keys.add(Key("Client", policy.meta.namespace, target.name))
                case "Contract":
                    keys |= self._clients_of([(policy.meta.namespace, target.name)])
                case "Plan":
                    keys |= self._clients_of(self._by_plan.get((target.organization, target.name), ()))
                case "API":
                    keys |= self._clients_of(self._by_api.get((target.organization, target.name), ()))
        return keys

    def clients_using_api(self, api: ApiRef) -> set[Key]:
        """The Clients with a Contract for that API, whatever version: another one than the Contract now names may be published."""
        return self._clients_of(self._by_api.get((api.organization, api.name), ()))

    def clients_of_secret(self, namespace: str, name: str) -> set[Key]:
        """The Clients whose key is, or will be, in that Secret."""
        return {Key("Client", namespace, client) for client in self._by_secret.get((namespace, name), ())}

    def policies_of_secret(self, namespace: str, name: str) -> tuple[PolicyObject, ...]:
        """The Policies that refer to that Secret, by name."""
        names = sorted(self._policies_by_secret.get((namespace, name), ()))
        return tuple(found for policy in names if (found := self.policy(namespace, policy)) is not None)

    def clients_on_gateway(self, gateway: str) -> Iterator[Key]:
        """The Clients that are published on the gateway, or whose identity is there."""
        for namespace, name in sorted(self._by_gateway.get(gateway, ())):
            yield Key("Client", namespace, name)

    def published_count(self, gateway: str) -> int:
        """How many Clients are published on the gateway."""
        return len(self._standing.get(gateway, ()))

    def published_on(self, gateway: str) -> list[Key]:
        """The Clients that are published on the gateway, by name: for a walk over all of them, never for an event."""
        return [Key("Client", *name) for name in sorted(self._standing.get(gateway, ()))]

    def published_since(self, gateway: str, key: Key) -> float | None:
        """Since when the Client is published on the gateway, in seconds since the epoch; None when it is not."""
        return self._standing.get(gateway, {}).get((key.namespace, key.name))

    def oldest_key(self, gateway: str) -> float | None:
        """When the oldest key that is published on the gateway was made, in seconds since the epoch; None without one. Looks at all of its Clients."""
        found = (self.client(*name) for name in self._standing.get(gateway, ()))
        return min((row.key_since for row in found if row is not None and row.key_since), default=None)

    def all_clients(self) -> Iterator[Key]:
        """Every Client, and every one that a Contract names though it does not exist."""
        names = set(self._objects["Client"]) | set(self._contracts_of)
        for namespace, name in sorted(names):
            yield Key("Client", namespace, name)

    def _clients_of(self, contracts: Iterable[Name]) -> set[Key]:
        return {
            Key("Client", name[0], found.client) for name in contracts if (found := self.contract(*name)) is not None
        }


def _plans(contract: ContractObject) -> set[str]:
    """The plan that the Contract names and the one that is published, where a change in place waits."""
    return {contract.plan, contract.status.live_plan or contract.plan}


def _name_in(identifier: str) -> Name:
    """The Policy's name in a published policy's id (see `lifecycle.chain.policy_id`)."""
    namespace, _, name = identifier.partition(":")[2].partition("/")
    return namespace, name


def _newer(new: Meta, old: Meta) -> bool:
    """Whether `new` may replace `old`: another object of the same name always, the same one only with a later resourceVersion."""
    if new.uid != old.uid:
        return new.created_at >= old.created_at
    return version_of(new) > version_of(old)


def version_of(meta: Meta) -> int:
    """The resourceVersion as a number; Kubernetes guarantees that order since 1.35 and etcd always gave it."""
    return _number(meta.resource_version)


def _number(resource_version: str) -> int:
    return int(resource_version) if resource_version.isdigit() else 0


def _target(target: TargetRef, namespace: str) -> Target:
    if target.kind in ("Plan", "API"):
        return (target.kind, target.organization, target.name)
    return (target.kind, namespace, target.name)


def _discard(index: dict[_K, set[_V]], key: _K, value: _V) -> None:
    """Take a value out of an index and the entry with it when it is the last."""
    values = index.get(key)
    if values is not None:
        values.discard(value)
        if not values:
            del index[key]
