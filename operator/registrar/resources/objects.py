"""The slim, typed form in which the operator keeps objects in memory.

A custom resource as JSON in Python costs 10 to 15 KiB; 60,000 of them would cost more memory than the operator may use.
What is kept is what decisions need, in frozen slotted dataclasses whose repeated strings are shared. `parse.py` makes them.

Invariants: an object here is never changed, only replaced; no field holds a Secret byte but `SecretObject.data`, which
is left out of every repr. What this module deliberately does not do: validate (the API server did, by the CRDs' schemas) or decide.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from registrar.resources.selectors import Selector
from registrar.resources.status import ClientStatus, ContractStatus

REREGISTER = "reregister"
UNREGISTER = "unregister"
ROTATE_KEY = "rotate-key"
REVOKE_KEY = "revoke-key"
KEY_VERBS = (REVOKE_KEY, ROTATE_KEY)
"""The verbs about the key; of two new ones the first wins, because both end in a new key and only revoking can't wait."""
VERBS = (UNREGISTER, REREGISTER, *KEY_VERBS)
"""The verbs that an annotation can ask for today; the first of several new ones wins."""


@dataclass(frozen=True, slots=True, order=True)
class ApiRef:
    """One version of one API in an organization of a gateway."""

    organization: str
    name: str
    version: str

    def __str__(self) -> str:
        """The form that messages use."""
        return f"{self.organization}/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Meta:
    """What every kind shares of `metadata`; `created_at` is in seconds since the epoch, `resource_version` is opaque but to the store."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created_at: float
    deleting: bool


@dataclass(frozen=True, slots=True)
class ApiKeySpec:
    """`Client.spec.apiKey`: where the key is, and what the generated Secret carries.

    `interval` and `overlap` are `rotation`'s, in seconds; both are 0 where there is none.
    """

    source: str = "Generated"
    secret_name: str = ""
    secret_key: str = "apiKey"  # noqa: S105 - the name of an entry, not a secret
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    interval: float = 0.0
    overlap: float = 0.0

    @property
    def generated(self) -> bool:
        """Whether the operator makes the key and owns its Secret."""
        return self.source == "Generated"


@dataclass(frozen=True, slots=True)
class ClientObject:
    """A Client; `organization`, `gateway`, `publish` and `deletion_policy` are empty where the spec leaves them to defaults.

    `placed` names the gateways that its status mentions; `standing` those on which it is published, with the time (seconds since the epoch) since when.
    `key_since` is when its key was made, in seconds since the epoch; 0 while the status does not say.
    """

    meta: Meta
    finalizers: tuple[str, ...]
    tokens: tuple[tuple[str, str], ...]
    organization: str
    client_id: str
    version: str
    gateway: str
    publish: str
    state: str
    paused: bool
    deletion_policy: str
    api_key: ApiKeySpec
    status_blob: bytes = field(repr=False)
    phase: str = ""
    force_delete: str = ""
    placed: tuple[str, ...] = ()
    standing: tuple[tuple[str, float], ...] = ()
    adopt: bool = False
    key_since: float = 0.0

    @property
    def secret_name(self) -> str:
        """The key Secret's name, with the default applied."""
        return self.api_key.secret_name or f"{self.meta.name}-api-key"

    @property
    def raw_status(self) -> dict[str, Any]:
        """The status as it is on the API server."""
        loaded: dict[str, Any] = orjson.loads(zlib.decompress(self.status_blob)) if self.status_blob else {}
        return loaded

    @property
    def status(self) -> ClientStatus:
        """The status, parsed. Parsing again is cheaper than keeping 10,000 of them; the last few are kept, for the steps of one pass."""
        return _parsed(self.status_blob)


@lru_cache(maxsize=64)
def _parsed(blob: bytes) -> ClientStatus:
    return ClientStatus.parse(orjson.loads(zlib.decompress(blob)) if blob else {})


@dataclass(frozen=True, slots=True)
class ContractObject:
    """A Contract; `gateway` is empty where the spec leaves it to the Client, `expires_at` (seconds since the epoch) None for never."""

    meta: Meta
    client: str
    api: ApiRef
    plan: str
    gateway: str
    status: ContractStatus
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class TargetRef:
    """What a Policy is attached to; `organization` and `version` are empty where the kind has none."""

    kind: str
    name: str
    organization: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class PolicyObject:
    """A Policy; `config` is canonical JSON (sorted keys) of the one typed member that `type` names.

    `secret_names` are the Secrets of its namespace that the configuration refers to, sorted.
    """

    meta: Meta
    targets: tuple[TargetRef, ...]
    order: int
    rollout: str
    type: str
    config: str
    status_blob: bytes = field(repr=False, default=b"")
    secret_names: tuple[str, ...] = ()

    @property
    def custom_implementation(self) -> str:
        """The code that a Policy of type custom names."""
        return str(orjson.loads(self.config).get("implementation", ""))

    @property
    def raw_status(self) -> dict[str, Any]:
        """The status as it is on the API server."""
        loaded: dict[str, Any] = orjson.loads(self.status_blob) if self.status_blob else {}
        return loaded


@dataclass(frozen=True, slots=True)
class OrganizationClaim:
    """One entry of `RuntimeGateway.spec.organizations`: the namespaces that own the organization.

    `matched` are the namespaces that `selector` matches as the store knows them now.
    """

    name: str
    namespaces: tuple[str, ...]
    selector: Selector | None = None
    matched: frozenset[str] = frozenset()

    def owned_by(self, namespace: str) -> bool:
        """Whether `namespace` owns the organization, by name or by its labels."""
        return namespace in self.namespaces or namespace in self.matched


@dataclass(frozen=True, slots=True)
class Block:
    """One entry of `RuntimeGateway.spec.blocked`; an empty `version` means every version."""

    organization: str
    client_id: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class GatewayObject:
    """A RuntimeGateway; `requests_per_second` is 0 where no limit is set, `drift_interval` is in seconds, 0 for the setting's."""

    meta: Meta
    type: str
    endpoint: str
    public_endpoint: str
    credentials_secret: str
    ca_bundle: str
    allow_plain_http: bool
    mode: str
    default: bool
    contracts: str
    default_publish: str
    default_deletion_policy: str
    organizations: tuple[OrganizationClaim, ...]
    max_in_flight: int
    requests_per_second: float
    drift_mode: str
    drift_interval: float
    finalizers: tuple[str, ...] = ()
    status_blob: bytes = field(repr=False, default=b"")
    blocked: tuple[Block, ...] = ()
    custom_policies: tuple[str, ...] = ()
    adoption: tuple[str, ...] = ()

    @property
    def raw_status(self) -> dict[str, Any]:
        """The status as it is on the API server."""
        loaded: dict[str, Any] = orjson.loads(self.status_blob) if self.status_blob else {}
        return loaded

    def block(self, *, organization: str, client_id: str, version: str) -> Block | None:
        """The first entry of the block list that is about that identity."""
        return next(
            (
                entry
                for entry in self.blocked
                if (entry.organization, entry.client_id) == (organization, client_id) and entry.version in ("", version)
            ),
            None,
        )

    def allows_custom(self, implementation: str) -> bool:
        """Whether Policies of type custom may name it: by its exact name, or by a beginning that ends in `*`."""
        return any(
            implementation.startswith(entry[:-1]) if entry.endswith("*") else implementation == entry
            for entry in self.custom_policies
        )

    def owned_organizations(self, namespace: str) -> tuple[str, ...]:
        """The organizations that `namespace` may use here: those whose entry names or selects it, else the one of its own name."""
        listed = tuple(claim.name for claim in self.organizations if claim.owned_by(namespace))
        if any(claim.name == namespace for claim in self.organizations):
            return listed
        return (*listed, namespace)

    def default_organization(self, namespace: str) -> str | None:
        """The one organization that a Client of `namespace` gets without naming one; None when several could be meant."""
        listed = tuple(claim.name for claim in self.organizations if claim.owned_by(namespace))
        candidates = listed or self.owned_organizations(namespace)
        return candidates[0] if len(candidates) == 1 else None


@dataclass(frozen=True, slots=True)
class GrantedApi:
    """One API of an APIGrant; no versions stand for every one."""

    name: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantObject:
    """An APIGrant; `organization` is empty where the spec leaves it to the namespace's one organization.

    `sunset` (RFC 3339) and `replaced_by` are empty unless the APIs are deprecated.
    """

    meta: Meta
    organization: str = ""
    apis: tuple[GrantedApi, ...] = ()
    plans: tuple[str, ...] = ()
    namespaces: frozenset[str] = frozenset()
    selector: Selector | None = None
    sunset: str = ""
    replaced_by: str = ""
    status_blob: bytes = field(repr=False, default=b"")

    @property
    def raw_status(self) -> dict[str, Any]:
        """The status as it is on the API server."""
        loaded: dict[str, Any] = orjson.loads(self.status_blob) if self.status_blob else {}
        return loaded

    def covers(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether `namespace`, which carries `labels`, is one that the grant is for."""
        return namespace in self.namespaces or (self.selector is not None and self.selector.matches(labels))

    def names(self, api: ApiRef) -> bool:
        """Whether the grant is for that API version, its organization apart."""
        return any(row.name == api.name and (not row.versions or api.version in row.versions) for row in self.apis)


@dataclass(frozen=True, slots=True)
class NamespaceObject:
    """A Namespace, for its labels alone: selectors of grants and of organizations match them."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretObject:
    """A labelled Secret; `owner_uid` and `owner_name` are those of the Client that controls it, or empty; `managed` says that we made it.

    Labels and annotations are kept only of a Secret that a Client owns: there they are the operator's business.
    """

    meta: Meta
    owner_uid: str
    allowed: bool
    data: Mapping[str, bytes] = field(repr=False)
    owner_name: str = ""
    managed: bool = False
    labels: tuple[tuple[str, str], ...] = field(repr=False, default=())
    annotations: tuple[tuple[str, str], ...] = field(repr=False, default=())


AnyObject = ClientObject | ContractObject | PolicyObject | GatewayObject | GrantObject | SecretObject | NamespaceObject
