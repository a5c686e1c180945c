"""What the engine asks of a runtime gateway, and the values that go in and come out.

Invariants: every value is immutable; an API key and a policy's configuration never appear in a `repr`; two equal
registrations have equal digests, in whatever order their contracts were given. What this module deliberately does not do:
HTTP, pacing (see `limits` and `limited`), or anything that only one type of gateway knows (see `apiman`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Protocol

import orjson


@dataclass(frozen=True, slots=True)
class WirePolicy:
    """One policy as the gateway takes it.

    `implementation` is the gateway's name for the policy's code; `config` is canonical JSON text (see `canonical_json`). The
    configuration may hold a resolved secret, so it is left out of the `repr`.
    """

    implementation: str
    config: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WireContract:
    """Access to one version of one API on one plan, with its policies in the order in which they run."""

    organization: str
    api: str
    version: str
    plan: str
    policies: tuple[WirePolicy, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which client on one gateway: the gateway holds at most one registration for it."""

    organization: str
    client_id: str
    version: str

    def __str__(self) -> str:
        """`organization/client/version`, for messages and traces."""
        return f"{self.organization}/{self.client_id}/{self.version}"


@dataclass(frozen=True, slots=True)
class Registration:
    """All that a gateway knows of one client: its key and its contracts.

    `contracts` is kept sorted by (organization, api, version), because a gateway returns them in any order.
    """

    organization: str
    client_id: str
    version: str
    api_key: str = field(repr=False)
    contracts: tuple[WireContract, ...]

    def __post_init__(self) -> None:
        """Sort the contracts, so that equality does not depend on their order."""
        ordered = tuple(sorted(self.contracts, key=lambda c: (c.organization, c.api, c.version)))
        object.__setattr__(self, "contracts", ordered)

    @property
    def identity(self) -> Identity:
        """Whose registration it is."""
        return Identity(organization=self.organization, client_id=self.client_id, version=self.version)

    def digest(self, secret: bytes) -> str:
        """The HMAC-SHA256 (64 hex digits) over the whole registration, its key included.

        Keyed by `secret` (the operator's own) and the API key, so that neither the key nor a configuration can be guessed
        from a digest in a status. It serves to check what was read back against what was sent.
        """
        key = b"\x00".join((secret, self.api_key.encode()))
        return hmac.new(key, self._canonical(), hashlib.sha256).hexdigest()

    def _canonical(self) -> bytes:
        payload = {
            "organization": self.organization,
            "clientId": self.client_id,
            "version": self.version,
            "apiKey": self.api_key,
            "contracts": [
                {
                    "organization": contract.organization,
                    "api": contract.api,
                    "version": contract.version,
                    "plan": contract.plan,
                    "policies": [[policy.implementation, policy.config] for policy in contract.policies],
                }
                for contract in self.contracts
            ],
        }
        return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """What a gateway says about itself: its version and whether it calls itself up."""

    version: str
    up: bool


class GatewayDriver(Protocol):
    """One runtime gateway.

    Every method raises a `GatewayError` (see `registrar.errors`) and nothing else of its own: `GatewayUnreachable` when nothing
    was sent or a reading call has no usable answer, `GatewayAmbiguous` when a changing call was sent and may have taken effect,
    `GatewayUnauthorized`, `GatewayThrottled`, `GatewayApiNotPublished` (only `register`), `GatewayRefused`. `urgent` calls (revocations
    and what belongs to them) go before others when calls are paced.
    """

    async def register(self, registration: Registration, *, urgent: bool = False) -> None:
        """Create the registration or replace it as a whole, its key included."""
        ...

    async def unregister(self, identity: Identity, *, urgent: bool = False) -> None:
        """Take the registration off; one that is not there is done."""
        ...

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        """What the gateway has for `identity`, or None when it has nothing."""
        ...

    async def list_clients(self, organization: str) -> frozenset[Identity]:
        """Every client version that the gateway has for `organization`; empty for one that it does not know."""
        ...

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        """The versions that the gateway has of one client; empty for an id that could not go into a URL, which can't be ours."""
        ...

    async def client_ids(self, organization: str) -> frozenset[str]:
        """The ids of the clients that the gateway has for `organization`, in one call; empty for one that it does not know."""
        ...

    async def organizations(self) -> tuple[str, ...]:
        """The organizations that the gateway knows, sorted."""
        ...

    async def endpoint(self, *, organization: str, api: str, version: str) -> str:
        """The URL at which a consumer calls the API. It does not say that the API exists."""
        ...

    async def api_published(self, *, organization: str, api: str, version: str) -> bool:
        """Whether the gateway has this version of the API, so that a contract for it can be registered."""
        ...

    async def probe(self) -> GatewayInfo:
        """Check that the gateway can be reached and accepts the credentials; raises when it does not."""
        ...

    async def close(self) -> None:
        """Give back the connections; no call may follow."""
        ...


def canonical_json(text: str) -> str:
    """The same JSON value as `text` with sorted keys and no spaces; text that is no JSON is returned as it is.

    A gateway keeps a policy's configuration as text, so what it returns is compared in this form.
    """
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, UnicodeEncodeError):
        return text
