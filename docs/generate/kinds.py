"""The pages of the custom resources, from the CRDs as the models make them: every field with type, default, bounds and description.

Invariants: a page shows what the API server enforces, the CEL rules included; fields stand in the order of the model.
What this module deliberately does not do: explain how the kinds work together (see docs/concepts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docs.generate.markdown import code, page, table
from registrar.resources.base import GROUP
from registrar.resources.kinds import KINDS, Kind
from registrar.resources.schema import crd

_BOUNDS = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("minProperties", "at least {} entries"),
    ("maxProperties", "at most {} entries"),
)


def render() -> dict[str, str]:
    """Each kind's page, by its name below `docs/reference/`."""
    return {f"kinds/{kind.name.lower()}.md": _page(kind) for kind in KINDS}


def _page(kind: Kind) -> str:
    definition = crd(kind)["spec"]
    version = definition["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    scope = "The whole cluster's" if kind.cluster_scoped else "In a namespace"
    intro = (
        f"{kind.about} {scope}; `apiVersion: {GROUP}/{version['name']}`, `kind: {kind.name}`; "
        f"`kubectl get {kind.plural}`, short {code(kind.short_names[0])}."
    )
    columns = table(
        ("column", "shows", "only with `-o wide`"),
        (
            (row["name"], row.get("description") or code(row["jsonPath"]), "yes" if row.get("priority") else "")
            for row in version["additionalPrinterColumns"]
        ),
    )
    selectable = ", ".join(code(row["jsonPath"].removeprefix(".")) for row in version.get("selectableFields", ()))
    body = [
        "## spec\n\n" + _fields(schema["properties"]["spec"], path="spec"),
        "## status\n\nThe operator writes it; nobody else should have the right to.\n\n"
        + _fields(schema["properties"]["status"], path="status"),
        "## Rules\n\nWhat the API server refuses besides, with the message that it gives.\n\n" + _rules(schema),
        f"## Columns\n\n{columns}" + (f"\nFields for `--field-selector`: {selectable}.\n" if selectable else ""),
    ]
    return page(kind.name, source="operator/registrar/resources", intro=intro, body="\n".join(body))


def _fields(schema: Mapping[str, Any], *, path: str) -> str:
    rows = (
        (code(name), _type(field), _default(field), _limits(field), _about(field))
        for name, field in _walk(schema, path)
    )
    return table(("field", "type", "default", "allowed", "what it is"), rows)


def _walk(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field below `schema` with its path, depth first; a list's items follow with `[]`, a map's values with `.*`."""
    for name, field in schema.get("properties", {}).items():
        below = f"{path}.{name}"
        yield below, field
        yield from _walk(field, below)
        if "items" in field:
            yield from _walk(field["items"], f"{below}[]")
        if isinstance(field.get("additionalProperties"), Mapping):
            yield from _walk(field["additionalProperties"], f"{below}.*")


def _type(field: Mapping[str, Any]) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if field.get("x-kubernetes-preserve-unknown-fields") and "properties" not in field:
        return "any object"
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"map to {_type(field['additionalProperties'])}"
    return kind


def _default(field: Mapping[str, Any]) -> str:
    return code(field["default"]) if "default" in field else ""


def _limits(field: Mapping[str, Any]) -> str:
    words = []
    if "enum" in field:
        words.append(", ".join(code(value) for value in field["enum"]))
    words += [text.format(field[key]) for key, text in _BOUNDS if key in field]
    if "pattern" in field:
        words.append(f"matches {code(field['pattern'])}")
    if "format" in field:
        words.append(f"format {field['format']}")
    if "items" in field:
        items = _limits(field["items"])
        words += [f"each: {items}"] if items else []
    return "; ".join(words)


def _about(field: Mapping[str, Any]) -> str:
    return str(field.get("description", ""))


def _rules(schema: Mapping[str, Any]) -> str:
    rows = []
    for path, field in _with_nested(schema):
        rows += [(code(path), rule["message"]) for rule in field.get("x-kubernetes-validations", ())]
    return table(("where", "message"), rows) or "None.\n"


def _with_nested(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The object itself and every field, list items and map values included, with its path."""
    yield "the object", schema
    for name in ("spec", "status"):
        top = schema["properties"][name]
        yield name, top
        for path, field in _walk(top, name):
            yield path, field
            if "items" in field:
                yield f"{path}[]", field["items"]
            if isinstance(field.get("additionalProperties"), Mapping):
                yield f"{path}.*", field["additionalProperties"]
