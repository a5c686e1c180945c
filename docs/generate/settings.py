"""The page of the operator's settings, from `registrar.settings.Settings`.

What this module deliberately does not do: describe a setting in words of its own; the field's description is what `--help` prints too.
"""

from __future__ import annotations

from typing import Any

from docs.generate.markdown import code, page, table
from registrar.settings import Settings

_INTRO = """
The operator reads its settings from flags of `python -m registrar run` and from environment variables; a flag wins. A wrong value, or a variable `REGISTRAR_…` that
is no setting, ends the start with exit code 2 and one line for each mistake. The chart passes what is in its value `settings` as these variables. Times are in seconds.
"""


def render() -> str:
    """The whole page."""
    properties: dict[str, Any] = Settings.model_json_schema(by_alias=False)["properties"]
    rows = [
        (
            code(f"--{name.replace('_', '-')}"),
            code(f"REGISTRAR_{name.upper()}"),
            _default(name),
            _bounds(properties[name]),
            str(field.description),
        )
        for name, field in Settings.model_fields.items()
    ]
    body = table(("flag", "variable", "default", "allowed", "what it is"), rows) + _TOGETHER
    return page("Settings", source="operator/registrar/settings.py", intro=_INTRO, body=body)


_TOGETHER = """
## What must hold between them

- `lease_retry_seconds` < `lease_renew_seconds` < `lease_duration_seconds`
- `gateway_timeout_seconds` < `lease_duration_seconds` - `lease_renew_seconds`, or a call could outlive the Lease
- `settle_seconds` is not more than `settle_max_seconds`, `backoff_base_seconds` not more than `backoff_max_seconds`
"""


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "made at the start"
    return code("") if field.default == () else code(field.default)


def _bounds(schema: dict[str, Any]) -> str:
    """What the field's JSON schema allows, in words."""
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    words = []
    for key, word in (("exclusiveMinimum", "more than"), ("minimum", "at least"), ("maximum", "at most")):
        if key in schema:
            words.append(f"{word} {schema[key]:g}")
    if schema.get("pattern"):
        words.append("a Kubernetes name")
    if "maxLength" in schema:
        words.append(f"at most {schema['maxLength']} characters")
    return ", ".join(words) or {"boolean": "`true`, `false`", "array": "names, separated by commas"}.get(
        schema["type"], "any text"
    )
