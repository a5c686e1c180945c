"""What the import knows, and what it comes to: values that pass between its parts.

Invariants: no key and no password is part of a `repr`. What this module deliberately does not do: read, decide or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registrar.cli.importing.levels import Levels
from registrar.gateways.base import Identity, Registration, WireContract
from registrar.resources.objects import ApiRef, ClientObject, GatewayObject, GrantObject, PolicyObject


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asks for: `into` is the namespace for all, `namespaces` that of single organizations; empty `organizations` are all."""

    organizations: frozenset[str] = frozenset()
    into: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    generated_keys: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cluster and the gateway have.

    `labels` are those of the namespaces that exist, by name; None when the user may not see namespaces. `names` are the names in use, by kind and namespace. `apis`
    are those that the gateway has of the ones that registrations name. `unusable` are ids that can't be asked for, as `organization/id`.
    """

    gateway: GatewayObject
    registrations: tuple[Registration, ...]
    clients: tuple[ClientObject, ...] = ()
    policies: tuple[PolicyObject, ...] = ()
    grants: tuple[GrantObject, ...] = ()
    labels: Mapping[str, Mapping[str, str]] | None = None
    names: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    apis: frozenset[ApiRef] = frozenset()
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedPolicy:
    """One Policy: its name, its level (Client or Contract), its Contract's name where that is its level, and its place in the level."""

    name: str
    level: str
    contract: str
    position: int


@dataclass(frozen=True, slots=True)
class ImportedContract:
    """One Contract with the cut of its chain; `lacking` are the owners' Policies that reach it and are not on the gateway."""

    name: str
    wire: WireContract
    levels: Levels
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedClient:
    """One registration that becomes objects."""

    namespace: str
    name: str
    registration: Registration
    contracts: tuple[ImportedContract, ...]
    policies: tuple[ImportedPolicy, ...]

    @property
    def kept(self) -> int:
        """How many policies stay on the gateway as they are, because no Policy says exactly the same."""
        return len({row.wire for contract in self.contracts for row in contract.levels.kept})


@dataclass(frozen=True, slots=True)
class GrantNeeded:
    """An APIGrant without which a Contract that works today would be taken off."""

    owner: str
    api: ApiRef
    plan: str
    consumers: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A registration that does not become objects, and why; `own` says that it is the operator's already."""

    identity: str
    why: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the import comes to. `patch` is what the RuntimeGateway must allow first, as a merge patch of its spec."""

    clients: tuple[ImportedClient, ...]
    grants: tuple[GrantNeeded, ...]
    skipped: tuple[Skipped, ...]
    patch: Mapping[str, object]
    notes: tuple[str, ...]


class Refusal(Exception):
    """Why one registration can't be imported; caught where the others go on."""

    def __init__(self, why: str) -> None:
        """Keep what follows the registration's name and a colon."""
        super().__init__(why)
        self.why = why


def shown(identity: Identity) -> str:
    """The identity as messages have it."""
    return f"{identity.organization}/{identity.client_id}/{identity.version}"
