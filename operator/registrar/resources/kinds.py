"""The five kinds as `kubectl` meets them: names, columns, selectable fields, and the models behind them.

What this module deliberately does not do: translate a model (see `schema`) or write a file (see `generate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from registrar.resources.base import GROUP
from registrar.resources.client import CLIENT_RULES, ClientSpec
from registrar.resources.client_status import ClientStatusModel
from registrar.resources.contract import ContractSpec, ContractStatusModel
from registrar.resources.gateway import RuntimeGatewaySpec
from registrar.resources.gateway_status import RuntimeGatewayStatusModel
from registrar.resources.grant import APIGrantSpec, APIGrantStatusModel
from registrar.resources.policy import PolicySpec, PolicyStatusModel

Json = dict[str, Any]


def column(name: str, path: str, *, kind: str = "string", wide: bool = False, about: str = "") -> Json:
    """One column of `kubectl get`; `kind` is an OpenAPI type or `date`, `wide` ones need `-o wide`."""
    base = {"name": name, "type": kind, "jsonPath": path}
    return base | ({"description": about} if about else {}) | ({"priority": 1} if wide else {})


def condition(type_: str, member: str) -> str:
    """The JSON path of a member of one condition."""
    return f'.status.conditions[?(@.type=="{type_}")].{member}'


_AGE = column("Age", ".metadata.creationTimestamp", kind="date")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CRD says of a kind besides its schema; `rules` stand on the whole object."""

    name: str
    plural: str
    short_names: tuple[str, ...]
    about: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Json, ...]
    selectable: tuple[str, ...]
    cluster_scoped: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def crd_name(self) -> str:
        """The CRD's `metadata.name`."""
        return f"{self.plural}.{GROUP}"

    @property
    def file_name(self) -> str:
        """The CRD's file below `crds/`."""
        return f"{GROUP}_{self.plural}.yaml"


KINDS = (
    Kind(
        name="Client",
        plural="clients",
        short_names=("apicl",),
        about="One version of one application that calls APIs, with one API key for all of its Contracts.",
        spec=ClientSpec,
        status=ClientStatusModel,
        columns=(
            column("Phase", ".status.phase", about="Where the Client is in its lifecycle."),
            column("Live", ".status.contracts.summary", about="Live of desired Contracts."),
            column(
                "Pending",
                ".status.contracts.pendingChanges",
                kind="integer",
                about="Changes that wait to be published.",
            ),
            column("Gateway", ".status.identity.gateway", about="The RuntimeGateway."),
            column("Reason", condition("Ready", "reason"), about="Why it is Ready or not."),
            _AGE,
            column("Version", ".spec.version", wide=True),
            column("Organization", ".status.identity.organization", wide=True),
        ),
        selectable=(
            ".spec.organization",
            ".spec.gatewayRef.name",
            ".spec.state",
            ".status.phase",
            ".status.identity.gateway",
        ),
        rules=CLIENT_RULES,
    ),
    Kind(
        name="Contract",
        plural="contracts",
        short_names=("apict",),
        about="A Client may call one version of one API on one plan.",
        spec=ContractSpec,
        status=ContractStatusModel,
        columns=(
            column("Phase", ".status.phase", about="Whether the Contract is live."),
            column("Client", ".spec.clientRef.name"),
            column("API", ".spec.api.name"),
            column("Version", ".spec.api.version"),
            column("Plan", ".spec.plan"),
            column("Reason", condition("Ready", "reason"), about="Why it is Ready or not."),
            _AGE,
            column("Organization", ".spec.api.organization", wide=True),
            column("Endpoint", ".status.endpoint", wide=True, about="The URL to call."),
            column("Expires", ".spec.expiresAt", wide=True, about="When it ends by itself."),
        ),
        selectable=(
            ".spec.clientRef.name",
            ".spec.api.organization",
            ".spec.api.name",
            ".spec.plan",
            ".spec.gatewayRef.name",
            ".status.phase",
        ),
    ),
    Kind(
        name="Policy",
        plural="policies",
        short_names=("apipol",),
        about="One limit or rule on the calls of Clients, Contracts, plans or APIs.",
        spec=PolicySpec,
        status=PolicyStatusModel,
        columns=(
            column("Accepted", condition("Accepted", "status"), about="Whether the Policy can be applied."),
            column("Programmed", condition("Programmed", "status"), about="Whether it is live wherever it applies."),
            column(
                "Live", ".status.contracts.live", kind="integer", about="Contracts that it applies to on the gateway."
            ),
            column(
                "Effective", ".status.contracts.effective", kind="integer", about="Contracts that it shall apply to."
            ),
            column("Reason", condition("Accepted", "reason"), about="Why it is accepted or not."),
            _AGE,
            column("Order", ".spec.order", kind="integer", wide=True),
            column("Rollout", ".spec.rollout", wide=True),
        ),
        selectable=(".spec.rollout",),
    ),
    Kind(
        name="RuntimeGateway",
        plural="runtimegateways",
        short_names=("rtgw",),
        about="Where a gateway's configuration API is, and who may use which organization on it.",
        spec=RuntimeGatewaySpec,
        status=RuntimeGatewayStatusModel,
        columns=(
            column("Ready", condition("Ready", "status"), about="Whether the gateway can be used."),
            column("Type", ".spec.type"),
            column("Default", ".spec.default", kind="boolean", about="Whether Clients without a gatewayRef go here."),
            column("Clients", ".status.clients.ours", kind="integer", about="Registrations that this operator made."),
            column("Owed", ".status.owed.count", kind="integer", about="Registrations that are still to be taken off."),
            column("Reason", condition("Ready", "reason"), about="Why it is Ready or not."),
            _AGE,
            column("Version", ".status.version", wide=True),
            column("Mode", ".spec.mode", wide=True),
            column("Endpoint", ".spec.apiman.endpoint", wide=True),
        ),
        selectable=(".spec.type", ".spec.default"),
        cluster_scoped=True,
    ),
    Kind(
        name="APIGrant",
        plural="apigrants",
        short_names=("apig",),
        about="Which namespaces may make Contracts for which APIs, on which plans.",
        spec=APIGrantSpec,
        status=APIGrantStatusModel,
        columns=(
            column("Consumers", ".status.consumers", kind="integer", about="Contracts that this grant allows."),
            column("Plans", ".spec.plans"),
            column("Sunset", ".spec.deprecated.sunset", about="When these APIs will stop."),
            column("Reason", condition("Ready", "reason"), about="Why it is Ready or not."),
            _AGE,
            column("Organization", ".spec.organization", wide=True),
        ),
        selectable=(".spec.organization",),
    ),
)
"""The five kinds, in the order in which they are documented."""
