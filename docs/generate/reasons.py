"""The page of the condition reasons: one section for each word of `registrar.resources.reasons.Reason`.

What a reason means and what to do is written by people, in `reasons.yaml` beside this module. Invariants: every reason of the code has an entry and every entry is
a reason of the code, or `load` raises. What this module deliberately does not do: repeat the messages; they are on the object, with its names in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from docs.generate.markdown import page
from registrar.resources.reasons import Reason

SOURCE = Path(__file__).with_name("reasons.yaml")
_FIELDS = {"where", "means", "do"}
_INTRO = """
A condition has a `reason` for scripts and alerts and a `message` for people; Events use the same words. A reason never changes its meaning. The
message names what is concerned and the next step; this page says what is behind it. `kubectl registrar why CLIENT` finds the reason that matters and prints the
command that mends it.

A status that is in brackets, as in `Ready` (False), is the one that the condition has with this reason.
"""


class ReasonsError(Exception):
    """`reasons.yaml` and the code do not name the same reasons; the text says which."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One reason: `where` says on which conditions of which kinds or on which Events it is, `do` what a reader does next."""

    reason: str
    where: str
    means: str
    do: str


def load(source: Path = SOURCE) -> dict[str, tuple[Explained, ...]]:
    """The reasons by the title of their group, in the order of the file.

    Raises ReasonsError when a reason of the code is missing, one is explained twice or unknown, or an entry lacks a part.
    """
    groups: dict[str, dict[str, Mapping[str, Any]]] = yaml.safe_load(source.read_text(encoding="utf-8"))
    result = {title: tuple(_explained(name, entry) for name, entry in rows.items()) for title, rows in groups.items()}
    found = [row.reason for rows in result.values() for row in rows]
    known = {reason.value for reason in Reason}
    problems = [f"{name} is no reason of the code" for name in sorted(set(found) - known)]
    problems += [f"{name} has no entry" for name in sorted(known - set(found))]
    problems += [f"{name} has several entries" for name in sorted({n for n in found if found.count(n) > 1})]
    if problems:
        raise ReasonsError(f"{source.name}: {'; '.join(problems)}")
    return result


def _explained(name: str, entry: Mapping[str, Any]) -> Explained:
    if set(entry) != _FIELDS or not all(isinstance(value, str) and value.strip() for value in entry.values()):
        raise ReasonsError(f"{SOURCE.name}: {name} must have exactly the texts {', '.join(sorted(_FIELDS))}")
    return Explained(name, **{key: " ".join(entry[key].split()) for key in _FIELDS})


def render() -> str:
    """The whole page."""
    parts = []
    for title, rows in load().items():
        parts.append(f"## {title}")
        for row in rows:
            parts.append(f"### {row.reason}\n\nOn {row.where}.\n\n{row.means}\n\n**What to do.** {row.do}")
    return page(
        "Reasons",
        source="docs/generate/reasons.yaml and operator/registrar/resources/reasons.py",
        intro=_INTRO,
        body="\n\n".join(parts),
    )
