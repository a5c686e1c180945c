"""The pages of the charts' values, from `values.yaml` with its comments and `values.schema.json`.

Invariants: every value has a row, in the order of the file; what a value may be is what the schema enforces at `helm install`.
What this module deliberately does not do: render the chart, or describe a value in words of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from docs.generate.markdown import code, page, table

CHARTS = Path(__file__).resolve().parents[2] / "charts"
_TITLES = {"gateway-registrar": "Chart values", "gateway-registrar-gateways": "Chart values: gateways"}
_BOUNDS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("exclusiveMinimum", "more than {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
)


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its path, its default, the comment that is about it alone, and the one about the group that it is in."""

    path: tuple[str, ...]
    default: object
    comment: str
    group: str


def render(chart: str) -> str:
    """The page of one chart, by the name of its folder."""
    folder = CHARTS / chart
    text = (folder / "values.yaml").read_text(encoding="utf-8")
    schema = json.loads((folder / "values.schema.json").read_text(encoding="utf-8"))
    about = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))["description"]
    rows = (
        (code(".".join(v.path)), code(v.default), _allowed(_at(schema, v.path), schema), _about(schema, v))
        for v in values(text)
    )
    return page(
        _TITLES[chart],
        source=f"charts/{chart}/values.yaml and values.schema.json",
        intro=f"{about}. Values of the chart `charts/{chart}`; a key that is not here is refused.",
        body=table(("value", "default", "allowed", "what it is"), rows),
    )


def values(text: str) -> list[Value]:
    """The values of a `values.yaml` that are no groups of others, with the comment lines right above each."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("values.yaml is no mapping")
    return list(_walk(root, (), lines=text.splitlines(), data=yaml.safe_load(text)))


def _walk(
    node: yaml.MappingNode, path: tuple[str, ...], *, lines: list[str], data: Mapping[str, Any], group: str = ""
) -> Iterator[Value]:
    comments = [_comment(lines, key.start_mark.line) for key, _ in node.value]
    for number, (key, value) in enumerate(node.value):
        below, default, comment = (*path, key.value), data[key.value], comments[number]
        if isinstance(value, yaml.MappingNode) and default and not _is_leaf(below):
            yield from _walk(value, below, lines=lines, data=default, group=comment or group)
        else:
            # A key without a comment of its own shares the one above: that one is then about both.
            shared = number + 1 < len(comments) and not comments[number + 1]
            yield Value(below, default, "" if shared else comment, comment or group)


def _is_leaf(path: tuple[str, ...]) -> bool:
    """Maps whose keys are the user's own, though a default has some."""
    return path[-1] in ("labels", "annotations")


def _comment(lines: list[str], line: int) -> str:
    """The comment lines that end right above a line, without an example in them (indented lines) and what announces it."""
    found: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        text = lines[line].lstrip().removeprefix("#")
        if not text.startswith("  "):
            found.insert(0, text.strip())
    return " ".join(text for text in found if text).removesuffix("For example:").strip()


def _at(schema: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """The part of the schema about one value."""
    found = schema
    for name in path:
        found = _resolved(_resolved(found, schema)["properties"][name], schema)
    return found


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part with its `$ref` followed; what stands beside the reference stays."""
    reference = part.get("$ref")
    if reference is None:
        return part
    target: Any = schema
    for name in str(reference).removeprefix("#/").split("/"):
        target = target[name]
    return {**_resolved(target, schema), **{key: value for key, value in part.items() if key != "$ref"}}


def _allowed(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    options = part.get("oneOf") or part.get("anyOf")
    if options:
        return " or ".join(_allowed(_resolved(option, schema), schema) for option in options)
    kind = part.get("type", "any")
    words = [" or ".join(kind) if isinstance(kind, list) else str(kind)]
    words += [text.format(part[key]) for key, text in _BOUNDS if key in part]
    if "pattern" in part:
        words.append(f"matches {code(part['pattern'])}")
    return "; ".join(words)


def _about(schema: Mapping[str, Any], value: Value) -> str:
    return value.comment or str(_at(schema, value.path).get("description", "")) or value.group
