"""From the pydantic models to CRDs: structural schemas, printer columns, selectable fields, defaults.

Invariants: what comes out has no `$ref`, `anyOf`, `title`, `examples` or `nullable`, and nothing that the API server would drop; the order
of fields is that of the models, so that generating twice gives the same bytes. What this module deliberately does not do: read or write files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from registrar.resources.base import CATEGORY, GROUP, VERSION
from registrar.resources.client import CLIENT_RULES, ClientSpec
from registrar.resources.client_status import ClientStatusModel
from registrar.resources.contract import ContractSpec, ContractStatusModel
from registrar.resources.gateway import RuntimeGatewaySpec, RuntimeGatewayStatusModel
from registrar.resources.grant import APIGrantSpec, APIGrantStatusModel
from registrar.resources.policy import PolicySpec, PolicyStatusModel

Json = dict[str, Any]

_DROPPED = ("title", "examples", "additionalProperties", "default", "anyOf", "allOf", "$ref", "description", "x-unit", "x-default")
"""What is translated or left out; everything else of pydantic's schema is valid in a CRD as it is."""
_TIME_LENGTH = 64
"""Longest RFC 3339 time, in characters."""


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
            column("Pending", ".status.contracts.pendingChanges", kind="integer", about="Changes that wait to be published."),
            column("Gateway", ".status.identity.gateway", about="The RuntimeGateway."),
            column("Reason", condition("Ready", "reason"), about="Why it is Ready or not."),
            _AGE,
            column("Version", ".spec.version", wide=True),
            column("Organization", ".status.identity.organization", wide=True),
        ),
        selectable=(".spec.organization", ".spec.gatewayRef.name", ".spec.state", ".status.phase", ".status.identity.gateway"),
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
        ),
        selectable=(".spec.clientRef.name", ".spec.api.organization", ".spec.api.name", ".spec.plan", ".spec.gatewayRef.name", ".status.phase"),
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
            column("Live", ".status.contracts.live", kind="integer", about="Contracts that it applies to on the gateway."),
            column("Effective", ".status.contracts.effective", kind="integer", about="Contracts that it shall apply to."),
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


def crd(kind: Kind) -> Json:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name, "labels": {"app.kubernetes.io/part-of": CATEGORY}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster" if kind.cluster_scoped else "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(kind.columns),
                    "selectableFields": [{"jsonPath": path} for path in kind.selectable],
                    "schema": {"openAPIV3Schema": object_schema(kind)},
                }
            ],
        },
    }


def object_schema(kind: Kind) -> Json:
    """The structural schema of a whole object of the kind.

    `status` has a default, so that a watcher can tell an object that was never looked at, and `kubectl wait` works from birth. `spec` has
    one where nothing in it is required.
    """
    spec = structural(kind.spec)
    status = structural(kind.status) | {"default": {"observedGeneration": -1}}
    required = bool(spec.get("required"))
    if not required:
        spec["default"] = {}
    return {
        "type": "object",
        "description": kind.about,
        **({"required": ["spec"]} if required else {}),
        "properties": {
            "apiVersion": {"type": "string", "maxLength": 253, "description": f"The version of this form of the object: {GROUP}/{VERSION}."},
            "kind": {"type": "string", "maxLength": 63, "description": f"The kind of the object: {kind.name}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **kind.rules,
    }


def structural(model: type[BaseModel]) -> Json:
    """The model's schema as a CRD takes it; raises ValueError for what has no structural form, such as a union of types."""
    schema = model.model_json_schema(by_alias=True)
    return _translate(schema, schema.get("$defs", {}))


def _translate(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Json:
    merged = _flatten(node, definitions)
    out: Json = {}
    if description := _describe(merged):
        out["description"] = description
    if "type" not in merged:
        raise ValueError(f"no structural form: {json.dumps(merged)[:200]}")
    out["type"] = merged["type"]
    out.update((key, value) for key, value in merged.items() if key not in (*_DROPPED, "type", "properties", "items", "$defs", "required"))
    if merged.get("default") is not None:
        out["default"] = merged["default"]
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if out.get("format") == "date-time":
        out["maxLength"] = _TIME_LENGTH
    if "properties" in merged:
        if merged.get("required"):
            out["required"] = merged["required"]
        out["properties"] = {name: _translate(child, definitions) for name, child in merged["properties"].items()}
    elif merged["type"] == "object":
        values = merged.get("additionalProperties")
        if isinstance(values, Mapping):
            out["additionalProperties"] = _translate(values, definitions)
        else:
            out["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in merged:
        out["items"] = _translate(merged["items"], definitions)
    return out


def _flatten(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Json:
    """Resolve a reference or an optional, with what stands beside it: a description there wins, rules of both stay."""
    inner: Mapping[str, Any]
    if "$ref" in node:
        inner = definitions[str(node["$ref"]).rsplit("/", 1)[1]]
    elif "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise ValueError(f"no structural form for a union: {json.dumps(node)[:200]}")
        inner = choices[0]
    else:
        return dict(node)
    resolved = _flatten(inner, definitions)
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    rules = [*resolved.get("x-kubernetes-validations", ()), *beside.get("x-kubernetes-validations", ())]
    return resolved | beside | ({"x-kubernetes-validations": rules} if rules else {})


def _describe(node: Mapping[str, Any]) -> str:
    """One text of what a field is for, its unit, its default and an example."""
    text = " ".join(str(node.get("description", "")).split())
    if not text or "examples" not in node:
        return text
    parts = [text]
    if unit := node.get("x-unit"):
        parts.append(f"Unit: {unit}.")
    if default := node.get("x-default"):
        parts.append(f"Default: {default}.")
    elif node.get("default") is not None:
        parts.append(f"Default: {_literal(node['default'])}.")
    else:
        parts.append("Required.")
    parts.append(f"Example: {_literal(node['examples'][0])}.")
    return " ".join(parts)


def _literal(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)
