"""Manifests as YAML that every reader takes for the same values.

YAML 1.1, 1.2 and the readers of Go do not agree on which plain words are numbers, booleans or dates: PyYAML writes the text `1e3` without quotes, and kubectl reads
a number. So every text is quoted unless it plainly is none of these.

Invariants: what kubectl reads is what was written; control characters are escapes. What this module deliberately does not do: print or write files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


# The same dumper in C, ten times as fast, is there wherever PyYAML came as a wheel.
_Fastest: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fastest):  # type: ignore[valid-type, misc]
    """Quotes texts, and writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def as_yaml(manifests: Iterable[dict[str, Any]]) -> str:
    """The manifests as one stream of documents."""
    return yaml.dump_all(
        manifests, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=False, explicit_start=True
    )
