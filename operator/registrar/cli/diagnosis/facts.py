"""What `why` knows when it judges: the objects that a Client or Contract depends on, as far as the user may read them.

Invariants: no value of a Secret is part of it, only whether one exists and carries the label; what the user may not read is None and never an empty list, so that
"there is none" and "you may not look" are told apart. What this module deliberately does not do: read (see `gather`) or judge (see `diagnosis.walk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from registrar.cli.reading import Json, name, rows, section, word

CLIENT, CONTRACT = "Client", "Contract"


class SecretState(StrEnum):
    """How a Secret stands, by its metadata alone."""

    USABLE = "Usable"
    UNLABELLED = "Unlabelled"
    ABSENT = "Absent"
    HIDDEN = "Hidden"


@dataclass(frozen=True, slots=True)
class LeaseFact:
    """The operator's Lease; `age` is in seconds since it was renewed, None when nobody holds it."""

    age: float | None
    duration: float = 15.0

    @property
    def held(self) -> bool:
        """Whether an operator renews it; a clock that is half a minute wrong changes nothing."""
        return self.age is not None and self.age < self.duration + 30.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one subject. `now` is in seconds since the epoch; `contracts` are all of the namespace's.

    `stopped` are the operator's Deployments that are scaled to nothing; they are looked for only where nobody holds the Lease.
    """

    kind: str
    name: str
    namespace: str
    now: float
    operator_namespace: str
    client: Json | None = None
    contract: Json | None = None
    contracts: tuple[Json, ...] = ()
    policies: tuple[Json, ...] = ()
    gateways: Mapping[str, Json] | None = None
    grants: tuple[Json, ...] | None = None
    secrets: Mapping[tuple[str, str], SecretState] = field(default_factory=dict)
    lease: LeaseFact | None = None
    stopped: tuple[str, ...] = ()

    @property
    def client_name(self) -> str:
        """The Client's name, also when it does not exist."""
        return self.name if self.kind == CLIENT else word(self.contract, "spec", "clientRef", "name")

    @property
    def own_contracts(self) -> tuple[Json, ...]:
        """The Contracts to look at: the subject itself, or all of the Client's."""
        if self.contract is not None:
            return (self.contract,)
        return tuple(row for row in self.contracts if word(row, "spec", "clientRef", "name") == self.client_name)

    @property
    def gateway_names(self) -> tuple[str, ...]:
        """The RuntimeGateways that the subject depends on; the default ones when nothing names any."""
        client_wide = word(self.client, "status", "identity", "gateway") or word(
            self.client, "spec", "gatewayRef", "name"
        )
        named = [
            word(row, "spec", "gatewayRef", "name") or word(row, "status", "gateway") or client_wide
            for row in self.own_contracts
        ]
        if self.contract is None or not any(named):
            named.insert(0, client_wide)
        found = tuple(dict.fromkeys(filter(None, named)))
        if found or self.gateways is None:
            return found
        return tuple(sorted(key for key, row in self.gateways.items() if section(row, "spec").get("default") is True))

    def gateway(self, wanted: str) -> Json | None:
        """A RuntimeGateway; None when it does not exist or may not be read."""
        return (self.gateways or {}).get(wanted)

    def secret(self, namespace: str, wanted: str) -> SecretState:
        """How a Secret stands; hidden when nobody looked or the user may not."""
        return self.secrets.get((namespace, wanted), SecretState.HIDDEN)

    def targeting(self) -> tuple[Json, ...]:
        """The Policies of the namespace that target the Client or a Contract that is looked at."""
        contracts = {name(row) for row in self.own_contracts}
        return tuple(
            row
            for row in self.policies
            if any(
                (word(ref, "kind"), word(ref, "name")) == (CLIENT, self.client_name)
                or (word(ref, "kind") == CONTRACT and word(ref, "name") in contracts)
                for ref in rows(row, "spec", "targetRefs")
            )
        )


def secret_refs(value: object) -> tuple[tuple[str, str], ...]:
    """The Secrets that a Policy's spec refers to, each with the entry that is read, sorted."""
    found: set[tuple[str, str]] = set()
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).lower().endswith("secretref") and isinstance(inner, Mapping):
                found.add((str(inner.get("name", "")), str(inner.get("key") or "password")))
            else:
                found |= set(secret_refs(inner))
    elif isinstance(value, list):
        for inner in value:
            found |= set(secret_refs(inner))
    return tuple(sorted(found))
