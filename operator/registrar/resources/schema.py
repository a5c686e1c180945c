"""From the pydantic models to CRDs: structural schemas, printer columns, selectable fields, defaults.

Invariants: what comes out has no `$ref`, `anyOf`, `title`, `examples` or `nullable`, and nothing that the API server
would drop; the order of fields is that of the models, so that generating twice gives the same bytes. What this module
deliberately does not do: read or write files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from registrar.resources.base import CATEGORY, GROUP, VERSION
from registrar.resources.kinds import Json, Kind

_DROPPED = (
    "title",
    "examples",
    "additionalProperties",
    "default",
    "anyOf",
    "allOf",
    "$ref",
    "description",
    "x-unit",
    "x-default",
)
"""What is translated or left out; everything else of pydantic's schema is valid in a CRD as it is."""
_TIME_LENGTH = 64
"""Longest RFC 3339 time, in characters."""


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

    `status` has a default, so that a watcher can tell an object that was never looked at, and `kubectl wait` works
    from birth. `spec` has one where nothing in it is required.
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
            "apiVersion": {
                "type": "string",
                "maxLength": 253,
                "description": f"The version of this form of the object: {GROUP}/{VERSION}.",
            },
            "kind": {"type": "string", "maxLength": 63, "description": f"The kind of the object: {kind.name}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **kind.rules,
    }


def structural(model: type[BaseModel]) -> Json:
    """The model's schema as a CRD takes it; raises ValueError for what has no structural form, such as a union."""
    schema = model.model_json_schema(by_alias=True)
    return _translate(schema, schema.get("$defs", {}))


def _translate(node: Mapping[str, Any], definitions: Mapping[str, Any], *, required: bool = False) -> Json:
    merged = _flatten(node, definitions)
    out: Json = {}
    if description := _describe(merged, required=required):
        out["description"] = description
    if "type" not in merged:
        raise ValueError(f"no structural form: {json.dumps(merged)[:200]}")
    out["type"] = merged["type"]
    out.update(
        (key, value)
        for key, value in merged.items()
        if key not in (*_DROPPED, "type", "properties", "items", "$defs", "required")
    )
    if (default := _given(merged.get("default"))) is not None:
        out["default"] = default
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if out.get("format") == "date-time":
        out["maxLength"] = _TIME_LENGTH
    if "properties" in merged:
        if merged.get("required"):
            out["required"] = merged["required"]
        needed = merged.get("required", ())
        out["properties"] = {
            name: _translate(child, definitions, required=name in needed)
            for name, child in merged["properties"].items()
        }
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


def _describe(node: Mapping[str, Any], *, required: bool) -> str:
    """One text of what a field is for, its unit, its default and an example."""
    text = " ".join(str(node.get("description", "")).split())
    if not text or "examples" not in node:
        return text
    parts = [text]
    if unit := node.get("x-unit"):
        parts.append(f"Unit: {unit}.")
    if default := node.get("x-default"):
        parts.append(f"Default: {default}.")
    elif (given := _given(node.get("default"))) is not None:
        parts.append(f"Default: {_literal(given)}.")
    elif required:
        parts.append("Required.")
    parts.append(f"Example: {_literal(node['examples'][0])}.")
    return " ".join(parts)


def _given(default: Any) -> Any:
    """A default without the fields that it leaves out; rules see it before the defaults of its fields are filled in."""
    return {key: value for key, value in default.items() if value is not None} if isinstance(default, dict) else default


def _literal(value: Any) -> str:
    return f"`{value.strip() if isinstance(value, str) else json.dumps(value)}`"
