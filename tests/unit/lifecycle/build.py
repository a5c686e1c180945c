"""Short ways to make objects and views; every default is the plainest that works."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from registrar.lifecycle.case import FINALIZER
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import (
    Access,
    Effected,
    GatewayFault,
    KeyFact,
    KeyState,
    Live,
    LiveFact,
    Objects,
    View,
    Why,
)
from registrar.resources.objects import (
    ApiKeySpec,
    ApiRef,
    ClientObject,
    ContractObject,
    GatewayObject,
    GrantedApi,
    GrantObject,
    Meta,
    OrganizationClaim,
    PolicyObject,
    TargetRef,
)
from registrar.resources.status import ClientStatus, ContractStatus, Snapshot, canonical

NOW = 1_800_000_000.0
NAMESPACE = "team"
RENDERABLE = frozenset({"rateLimit", "quota", "ipAllowList"})


def meta(name: str, *, namespace: str = NAMESPACE, **changes: Any) -> Meta:
    """Metadata; the UID is made from the name."""
    made = Meta(
        namespace=namespace,
        name=name,
        uid=f"uid-{name}",
        resource_version="1",
        generation=1,
        created_at=NOW - 1000,
        deleting=False,
    )
    return replace(made, **changes)


def client(status: ClientStatus | None = None, *, deleting: bool = False, **changes: Any) -> ClientObject:
    """The Client `shop`, with its finalizer; pass finalizers=() for one that is new."""
    made = ClientObject(
        meta=meta("shop", deleting=deleting),
        finalizers=(FINALIZER,),
        tokens=(),
        organization="",
        client_id="shop",
        version="1.0",
        gateway="",
        publish="",
        state="Registered",
        paused=False,
        deletion_policy="",
        api_key=ApiKeySpec(),
        status_blob=blob(status.to_json() if status is not None else {"observedGeneration": -1}),
    )
    return replace(made, **changes)


def blob(status: Mapping[str, Any]) -> bytes:
    """A status as the store keeps it."""
    return zlib.compress(orjson.dumps(status), 1)


def contract(name: str = "orders", *, plan: str = "gold", version: str = "1.0", **changes: Any) -> ContractObject:
    """A Contract of `shop` for the API of the same name."""
    deleting = changes.pop("deleting", False)
    made = ContractObject(
        meta=meta(name, deleting=deleting),
        client="shop",
        api=ApiRef("acme", name, version),
        plan=plan,
        gateway="",
        status=ContractStatus(),
    )
    return replace(made, **changes)


def policy(
    name: str = "limit",
    *,
    limit: int = 100,
    target: TargetRef | None = None,
    namespace: str = NAMESPACE,
    order: int = 0,
    **changes: Any,
) -> PolicyObject:
    """A rate limit on the Client `shop`."""
    deleting = changes.pop("deleting", False)
    made = PolicyObject(
        meta=meta(name, namespace=namespace, deleting=deleting),
        targets=(target or TargetRef("Client", "shop"),),
        order=order,
        rollout="",
        type="rateLimit",
        config=canonical({"limit": limit, "period": "Minute", "granularity": "Client"}),
    )
    return replace(made, **changes)


def gateway(name: str = "default", **changes: Any) -> GatewayObject:
    """A RuntimeGateway that takes everything; the default one."""
    made = GatewayObject(
        meta=meta(name, namespace=""),
        type="Apiman",
        endpoint=f"http://{name}",
        public_endpoint="http://public",
        credentials_secret="credentials",
        ca_bundle="",
        allow_plain_http=True,
        mode="Manage",
        default=True,
        contracts="Any",
        default_publish="Manual",
        default_deletion_policy="Unregister",
        organizations=(),
        max_in_flight=20,
        requests_per_second=0,
        drift_mode="Correct",
        drift_interval=0,
    )
    return replace(made, **changes)


def claim(name: str, *namespaces: str) -> OrganizationClaim:
    """An organization's owners."""
    return OrganizationClaim(name=name, namespaces=namespaces)


def grant(
    name: str = "grant",
    *,
    api: str = "orders",
    versions: tuple[str, ...] = (),
    plans: tuple[str, ...] = ("gold",),
    namespace: str = "acme",
    **changes: Any,
) -> GrantObject:
    """A grant of the API's owner for the namespace of `shop`."""
    deleting = changes.pop("deleting", False)
    made = GrantObject(
        meta=meta(name, namespace=namespace, deleting=deleting),
        apis=(GrantedApi(api, versions),),
        plans=plans,
        namespaces=frozenset({NAMESPACE}),
    )
    return replace(made, **changes)


def objects(
    client_: ClientObject | None = None,
    *contracts: ContractObject,
    policies: tuple[PolicyObject, ...] = (),
    gateways: tuple[GatewayObject, ...] | None = None,
    **changes: Any,
) -> Objects:
    """What `desired` judges."""
    found = gateways if gateways is not None else (gateway(),)
    grants, labels = changes.pop("grants", ()), changes.pop("labels", {})
    made = Objects(
        client=client_ or client(),
        contracts=contracts,
        policies=policies,
        gateways={row.meta.name: row for row in found},
        renderable={row.meta.name: RENDERABLE for row in found},
        access=Access(
            namespace=NAMESPACE, labels=labels, grants=grants, gateways={row.meta.name: row for row in found}
        ),
        now=NOW,
    )
    return replace(made, **changes)


def view(
    client_: ClientObject | None = None,
    *contracts: ContractObject,
    policies: tuple[PolicyObject, ...] = (),
    gateways: tuple[GatewayObject, ...] | None = None,
    live: Mapping[str, LiveFact] | None = None,
    **changes: Any,
) -> View:
    """A settled view with a valid key; by default the gateway is known to have nothing."""
    client_ = client_ or client()
    found = gateways if gateways is not None else (gateway(),)
    missing = changes.get("missing_apis", {})
    known = objects(
        client_,
        *contracts,
        policies=policies,
        gateways=found,
        missing_apis=missing,
        now=changes.get("now", NOW),
        grants=changes.pop("grants", ()),
        labels=changes.pop("labels", {}),
        vanished=changes.pop("vanished", frozenset()),
        policy_facts=changes.pop("policy_facts", {}),
        published={snapshot.gateway: snapshot for snapshot in client_.status.gateways},
    )
    judged = desired(known)
    names = {row.meta.name for row in found}
    made = View(
        now=NOW,
        settled_at=NOW - 1,
        client=client_,
        status=client_.status,
        desired=judged,
        contracts=contracts,
        key=KeyFact(KeyState.VALID, created_at="2026-01-01T00:00:00Z"),
        live={name: absent() for name in names} if live is None else live,
        managed=frozenset(row.meta.name for row in found if row.mode == "Manage"),
        correcting=frozenset(row.meta.name for row in found if row.drift_mode == "Correct"),
        access=known.access,
        objects=known,
        second={name: absent() for name in names},
    )
    return replace(made, **changes)


def absent(*, since: float = NOW - 1) -> LiveFact:
    """The gateway has nothing."""
    return LiveFact(state=Live.ABSENT, since=since)


def ours(digest: str = "hash", *, since: float = NOW - 1, **changes: Any) -> LiveFact:
    """The gateway has a registration of ours with that digest."""
    return replace(LiveFact(state=Live.OURS, digest=digest, since=since), **changes)


def foreign() -> LiveFact:
    """The gateway has somebody else's registration."""
    return LiveFact(state=Live.FOREIGN, since=NOW - 1)


def published(view_: View, gateway_: str = "default", *, digest: str = "hash") -> Snapshot:
    """What a view desires, as if it had been published."""
    snapshot = view_.desired.snapshot(gateway_)
    return replace(snapshot, hash=digest, seal="seal", registered_at="2026-01-01T00:00:00Z")


def status(view_: View, **changes: Any) -> ClientStatus:
    """The status of a Client on which everything that the view desires is published."""
    made = ClientStatus(
        observed_generation=1,
        phase="Registered",
        identity=view_.desired.identity,
        secret_name="shop-api-key",
        key_created_at="2026-01-01T00:00:00Z",
        gateways=tuple(published(view_, snapshot.gateway) for snapshot in view_.desired.snapshots),
    )
    return replace(made, **changes)


def registered(
    *contracts: ContractObject,
    policies: tuple[PolicyObject, ...] = (),
    now_contracts: tuple[ContractObject, ...] | None = None,
    now_policies: tuple[PolicyObject, ...] | None = None,
    changes_to_status: Mapping[str, Any] | None = None,
    changes_to_client: Mapping[str, Any] | None = None,
    **changes: Any,
) -> View:
    """A Client on which `contracts` and `policies` are published and live, seen with what there is now."""
    before = view(None, *contracts, policies=policies)
    recorded = status(before, **(changes_to_status or {}))
    deleting = (changes_to_client or {}).get("deleting", False)
    rest = {key: value for key, value in (changes_to_client or {}).items() if key != "deleting"}
    seen = client(recorded, deleting=deleting, **rest)
    live = changes.pop("live", {"default": ours()})
    wanted = contracts if now_contracts is None else now_contracts
    rules = policies if now_policies is None else now_policies
    return view(seen, *wanted, policies=rules, live=live, **changes)


def effected(snapshot: Snapshot, why: Why = Why.REGISTERED) -> Effected:
    """A change of a gateway that no status records yet."""
    return Effected(snapshot=snapshot, why=why, detail="", at=NOW)


def fault(*, since: float = NOW - 60, kind: str = "GatewayUnreachable") -> GatewayFault:
    """A fault that has stood for a while."""
    from registrar.lifecycle.model import Fault

    return GatewayFault(Fault(kind), since=since)
