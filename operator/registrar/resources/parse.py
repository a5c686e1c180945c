"""From JSON of the API server to the slim objects that the operator keeps.

Invariants: repeated texts (namespaces, plans, organizations, statuses of contracts) are shared between objects; nothing of `managedFields`
or of other tools' annotations survives. The schema has been enforced by the API server; what is still missing here is treated as absent.
What this module deliberately does not do: fill defaults that depend on other objects (see `lifecycle.desired`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any

import orjson

from registrar.resources.objects import (
    VERBS,
    AnyObject,
    ApiKeySpec,
    ApiRef,
    Block,
    ClientObject,
    ContractObject,
    GatewayObject,
    GrantedApi,
    GrantObject,
    Meta,
    NamespaceObject,
    OrganizationClaim,
    PolicyObject,
    SecretObject,
    TargetRef,
)
from registrar.resources.selectors import parse_selector
from registrar.resources.status import ContractStatus, canonical
from registrar.resources.times import parse_timestamp, timestamp

GROUP = "gateway-registrar.dev"
ALLOW_USE_LABEL = f"{GROUP}/allow-use"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
POLICY_TYPES = (
    "rateLimit",
    "quota",
    "transferQuota",
    "ipAllowList",
    "ipBlockList",
    "basicAuthentication",
    "authorization",
    "caching",
    "ignoredResources",
    "timeRestrictedAccess",
    "urlRewriting",
    "custom",
)
SECRET_REF = "passwordSecretRef"  # noqa: S105 - the name of a field, not a secret
"""The field of a Policy's configuration that refers to an entry of a Secret."""
REFERRING = "basicAuthentication"
"""The one type of Policy whose configuration refers to Secrets."""
TOKEN_LENGTH = 256
"""Longest token that is recorded as it is, in characters: the bound that the schema of `status.actions` has."""
_SHARED_STATUSES = 65_536
_LAST_INSTANT = 253_402_300_799.0
"""The last second of the year 9999, in seconds since the epoch: no later one can be written as RFC 3339."""
_LONGEST_UID = 64
LARGEST_SECRET = 65_536
"""Characters of base64 of one Secret's entries that are kept, in the order in which they come."""


@lru_cache(maxsize=4096)
def _epoch(text: str) -> float:
    return parse_timestamp(text) if text else 0.0


def _token(text: str) -> str:
    """A token as a status can hold it: an annotation may be longer than a status field, so a long one is digested."""
    return text if len(text) <= TOKEN_LENGTH else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@lru_cache(maxsize=_SHARED_STATUSES)
def _shared(status: ContractStatus) -> ContractStatus:
    return status


@lru_cache(maxsize=_SHARED_STATUSES)
def _api(organization: str, name: str, version: str) -> ApiRef:
    return ApiRef(organization, name, version)


def parse_meta(raw: Mapping[str, Any]) -> Meta:
    """`metadata` of any object."""
    meta = raw["metadata"]
    return Meta(
        namespace=intern(meta.get("namespace", "")),
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        generation=meta.get("generation", 0),
        created_at=_epoch(meta.get("creationTimestamp") or ""),
        deleting=bool(meta.get("deletionTimestamp")),
    )


def parse_client(raw: Mapping[str, Any]) -> ClientObject:
    """A Client."""
    spec = raw.get("spec") or {}
    status = raw.get("status") or {}
    metadata = raw["metadata"]
    annotations = metadata.get("annotations") or {}
    key = spec.get("apiKey") or {}
    template = key.get("secretTemplate") or {}
    return ClientObject(
        meta=parse_meta(raw),
        finalizers=tuple(intern(name) for name in metadata.get("finalizers") or ()),
        tokens=tuple((verb, _token(text)) for verb in VERBS if (text := annotations.get(f"{GROUP}/{verb}"))),
        organization=intern(spec.get("organization", "")),
        client_id=spec.get("clientId", "") or metadata["name"],
        version=intern(spec.get("version", "1.0")),
        gateway=intern((spec.get("gatewayRef") or {}).get("name", "")),
        publish=intern(spec.get("publish", "")),
        state=intern(spec.get("state", "Registered")),
        paused=bool(spec.get("paused")),
        deletion_policy=intern(spec.get("deletionPolicy", "")),
        api_key=_api_key(
            key.get("source", "Generated"),
            key.get("secretName", ""),
            key.get("secretKey", "apiKey"),
            tuple(sorted((template.get("labels") or {}).items())),
            tuple(sorted((template.get("annotations") or {}).items())),
            _seconds((key.get("rotation") or {}).get("interval")),
            _seconds((key.get("rotation") or {}).get("overlap")),
        ),
        status_blob=zlib.compress(orjson.dumps(status), 1) if status else b"",
        phase=intern(str(status.get("phase", ""))),
        # A UID has 36 characters; a text of 200 KiB would stay in memory.
        force_delete=annotations.get(f"{GROUP}/force-delete", "")[:_LONGEST_UID],
        placed=_placed(status),
        standing=_standing(status),
        adopt=bool(spec.get("adopt")),
        key_since=_since((status.get("apiKey") or {}).get("createdAt")),
    )


def _placed(status: Mapping[str, Any]) -> tuple[str, ...]:
    """The gateways that a Client's status mentions; equal ones are shared."""
    rows = status.get("gateways")
    names = {row.get("name", "") for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else set()
    identity = status.get("identity")
    if isinstance(identity, Mapping):
        names.add(identity.get("gateway", ""))
    return _names(tuple(sorted(name for name in names if isinstance(name, str) and name)))


def _standing(status: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """The gateways on which a Client's status says that it is published, each with the time since when."""
    rows = status.get("gateways")
    return tuple(
        (intern(row["name"]), _since(row.get("registeredAt")))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, Mapping) and isinstance(row.get("name"), str) and row.get("contracts")
    )


def _since(text: object) -> float:
    """A time that a status holds; 0 for what is none, so that it comes first where the oldest does."""
    try:
        return _epoch(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0


@lru_cache(maxsize=1024)
def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


@lru_cache(maxsize=4096)
def _api_key(
    source: str,
    secret_name: str,
    secret_key: str,
    labels: tuple[tuple[str, str], ...],
    annotations: tuple[tuple[str, str], ...],
    interval: float,
    overlap: float,
) -> ApiKeySpec:
    return ApiKeySpec(source, secret_name, secret_key, labels, annotations, interval, overlap)


def parse_contract(raw: Mapping[str, Any]) -> ContractObject:
    """A Contract."""
    spec = raw["spec"]
    api = spec["api"]
    return ContractObject(
        meta=parse_meta(raw),
        client=spec["clientRef"]["name"],
        api=_api(api["organization"], api["name"], api["version"]),
        plan=intern(spec.get("plan", "")),
        gateway=intern((spec.get("gatewayRef") or {}).get("name", "")),
        status=_shared(ContractStatus.parse(raw.get("status") or {})),
        expires_at=_instant(spec.get("expiresAt")),
    )


def _instant(text: str | None) -> float | None:
    """A time of a spec in seconds since the epoch; None when there is none. One that can't be read counts as long past: it fails closed."""
    if not text:
        return None
    try:
        return min(max(0.0, parse_timestamp(text.upper())), _LAST_INSTANT)
    except (ValueError, OverflowError):
        return 0.0


def parse_policy(raw: Mapping[str, Any]) -> PolicyObject:
    """A Policy; its one typed member becomes `type` and `config`."""
    spec = raw["spec"]
    type_ = next((name for name in POLICY_TYPES if name in spec), "")
    status = raw.get("status") or {}
    return PolicyObject(
        meta=parse_meta(raw),
        targets=tuple(
            TargetRef(
                kind=target["kind"],
                name=target["name"],
                organization=target.get("organization", ""),
                version=target.get("version", ""),
            )
            for target in spec.get("targetRefs") or ()
        ),
        order=spec.get("order", 0),
        rollout=spec.get("rollout", ""),
        type=type_,
        config=canonical(spec.get(type_) or {}),
        status_blob=orjson.dumps(status) if status else b"",
        secret_names=secret_names(spec.get(type_) or {}) if type_ == REFERRING else (),
    )


def secret_names(value: object) -> tuple[str, ...]:
    """The Secrets that a configuration refers to, wherever in it, sorted."""
    names: set[str] = set()
    _find_secrets(value, names)
    return tuple(sorted(names))


def _find_secrets(value: object, names: set[str]) -> None:
    if isinstance(value, list):
        for row in value:
            _find_secrets(row, names)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key == SECRET_REF and isinstance(inner, Mapping):
                names.add(str(inner.get("name", "")))
            else:
                _find_secrets(inner, names)


def parse_gateway(raw: Mapping[str, Any]) -> GatewayObject:
    """A RuntimeGateway."""
    spec = raw["spec"]
    apiman = spec.get("apiman") or {}
    defaults = spec.get("defaults") or {}
    limits = spec.get("limits") or {}
    drift = spec.get("drift") or {}
    status = raw.get("status") or {}
    return GatewayObject(
        meta=parse_meta(raw),
        type=spec.get("type", ""),
        endpoint=apiman.get("endpoint", ""),
        public_endpoint=apiman.get("publicEndpoint", ""),
        credentials_secret=(apiman.get("credentialsSecretRef") or {}).get("name", ""),
        ca_bundle=apiman.get("caBundle", ""),
        allow_plain_http=bool(apiman.get("allowPlainHttp")),
        mode=spec.get("mode", "Manage"),
        default=bool(spec.get("default")),
        contracts=spec.get("contracts", "Granted"),
        default_publish=defaults.get("publish", "Manual"),
        default_deletion_policy=defaults.get("deletionPolicy", "Unregister"),
        organizations=tuple(
            OrganizationClaim(
                name=row["name"],
                namespaces=tuple(row.get("namespaces") or ()),
                selector=parse_selector(row.get("namespaceSelector")),
            )
            for row in spec.get("organizations") or ()
        ),
        max_in_flight=int(limits.get("maxInFlight", 20)),
        requests_per_second=float(limits.get("requestsPerSecond", 0)),
        drift_mode=drift.get("mode", "Correct"),
        drift_interval=_seconds(drift.get("interval")),
        finalizers=tuple(raw["metadata"].get("finalizers") or ()),
        status_blob=orjson.dumps(status) if status else b"",
        blocked=tuple(
            Block(
                organization=row["organization"],
                client_id=row["clientId"],
                version=row.get("version", ""),
                reason=row.get("reason", ""),
            )
            for row in spec.get("blocked") or ()
        ),
        custom_policies=tuple((spec.get("customPolicies") or {}).get("allow") or ()),
        adoption=tuple((spec.get("adoption") or {}).get("namespaces") or ()),
    )


def _seconds(text: str | int | None) -> float:
    """A duration such as `10m` or `90s` in seconds; 0 when absent. The schema admits only this form."""
    if not text:
        return 0.0
    if isinstance(text, int):
        return float(text)
    total, digits = 0.0, ""
    for letter in text:
        if letter.isdigit():
            digits += letter
        else:
            total += int(digits or 0) * {"h": 3600, "m": 60, "s": 1}.get(letter, 0)
            digits = ""
    return total


def parse_grant(raw: Mapping[str, Any]) -> GrantObject:
    """An APIGrant."""
    spec = raw["spec"]
    source = spec.get("from") or {}
    deprecated = spec.get("deprecated") or {}
    sunset = _instant(deprecated.get("sunset"))
    status = raw.get("status") or {}
    return GrantObject(
        meta=parse_meta(raw),
        organization=intern(spec.get("organization", "")),
        apis=tuple(GrantedApi(row["name"], tuple(row.get("versions") or ())) for row in spec["apis"]),
        plans=tuple(spec["plans"]),
        namespaces=frozenset(source.get("namespaces") or ()),
        selector=parse_selector(source.get("namespaceSelector")),
        sunset=timestamp(sunset) if sunset is not None else "",
        replaced_by=deprecated.get("replacedBy", ""),
        status_blob=orjson.dumps(status) if status else b"",
    )


def parse_namespace(raw: Mapping[str, Any]) -> NamespaceObject:
    """A Namespace."""
    labels = raw["metadata"].get("labels") or {}
    return NamespaceObject(meta=parse_meta(raw), labels={intern(key): intern(value) for key, value in labels.items()})


def may_be_read(raw: Mapping[str, Any], *, owner_uid: str) -> bool:
    """Whether a Secret of that metadata may be read: it carries the label, or the Client with that UID controls it."""
    metadata = raw["metadata"]
    return _labelled(metadata) or _owner_uid(metadata) == owner_uid


def _labelled(metadata: Mapping[str, Any]) -> bool:
    return (metadata.get("labels") or {}).get(ALLOW_USE_LABEL) == "true"


def _owner_uid(metadata: Mapping[str, Any]) -> str:
    """The UID of the Client that controls the object; empty when none does."""
    owner = _controller(metadata)
    return str(owner.get("uid", "")) if _is_client(owner) else ""


def _controller(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference of what controls the object; empty when nothing does."""
    return next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), {})


def _is_client(owner: Mapping[str, Any]) -> bool:
    return owner.get("kind") == "Client" and str(owner.get("apiVersion", "")).startswith(f"{GROUP}/")


def parse_secret(raw: Mapping[str, Any]) -> SecretObject:
    """A Secret, from the labelled ones that the operator may see; entries that are no base64 are dropped."""
    metadata = raw["metadata"]
    data = {}
    room = LARGEST_SECRET
    for key, value in (raw.get("data") or {}).items():
        # Anybody may put the label on a megabyte; what is not kept counts as absent.
        room -= len(value)
        if room < 0:
            continue
        try:
            data[intern(key)] = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            continue
    owner, owner_uid = _controller(metadata), _owner_uid(metadata)
    return SecretObject(
        meta=parse_meta(raw),
        owner_uid=owner_uid,
        allowed=_labelled(metadata),
        data=data,
        owner_name=str(owner.get("name", "")) if _is_client(owner) else "",
        managed=(metadata.get("labels") or {}).get(MANAGED_BY_LABEL) == "gateway-registrar"
        and (not owner or _is_client(owner)),
        labels=_pairs(metadata.get("labels")) if owner_uid else (),
        annotations=_pairs(metadata.get("annotations")) if owner_uid else (),
    )


def _pairs(entries: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Labels or annotations, sorted; what kubectl keeps a whole manifest in is left out, because it would hold the key."""
    rows = (entries or {}).items()
    return _shared_pairs(tuple(sorted((k, v) for k, v in rows if k != LAST_APPLIED and isinstance(v, str))))


@lru_cache(maxsize=4096)
def _shared_pairs(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return pairs


PARSERS: Mapping[str, Callable[[Mapping[str, Any]], AnyObject]] = {
    "Client": parse_client,
    "Contract": parse_contract,
    "Policy": parse_policy,
    "RuntimeGateway": parse_gateway,
    "APIGrant": parse_grant,
    "Secret": parse_secret,
    "Namespace": parse_namespace,
}
"""The parser of each kind that the operator watches."""

__all__ = ["ALLOW_USE_LABEL", "GROUP", "PARSERS", "POLICY_TYPES"]
