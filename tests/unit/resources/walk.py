"""Walks an OpenAPI schema, for tests that say something of every node or every field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]


def schemas(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every node with its path; items of lists end with `[]`, values of maps with `{}`."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from schemas(child, f"{path}.{name}")
    if "items" in schema:
        yield from schemas(schema["items"], f"{path}[]")
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        yield from schemas(dict(values), f"{path}{{}}")


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Every named field below the node, and whether it is required there."""
    for parent, node in schemas(schema, path):
        for name, child in node.get("properties", {}).items():
            if parent or name not in {"apiVersion", "kind", "metadata", "spec", "status"}:
                yield f"{parent}.{name}", child, name in node.get("required", ())
