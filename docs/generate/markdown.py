"""Small pieces of Markdown that the generated pages share.

Invariants: what goes into a cell of a table ends no cell and starts no line. What this module deliberately does not do: know what is written about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

_PLAIN = " -.,:/="


def code(value: object) -> str:
    """A value as it would be typed, as inline code; JSON unless it is a text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else '`""`'


def cell(text: str) -> str:
    """A text that fits into one cell of a table; a `<` outside inline code is no tag.

    Code with a `|` becomes HTML: inside backticks some renderers want it escaped and others show the escape.
    """
    parts = re.split(r"(`+[^`]*`+)", " ".join(text.split()))
    return "".join(
        _code(part) if part.startswith("`") else part.replace("|", "\\|").replace("<", "&lt;") for part in parts
    )


def _code(span: str) -> str:
    if "|" not in span:
        return span
    # Every sign that Markdown could make something of is written as its number: it looks into HTML too.
    return f"<code>{''.join(c if c.isalnum() or c in _PLAIN else f'&#{ord(c)};' for c in span.strip('`'))}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with a line break at its end; empty when there are no rows."""
    lines = [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines]) + "\n"


def page(title: str, *, source: str, intro: str, body: str) -> str:
    """A whole page: `source` says which file of the tree it is made from, `intro` is its first paragraph."""
    note = f"<!-- Made from {source} by `make docs-reference`; change that instead. -->"
    return f"{note}\n\n# {title}\n\n{intro.strip()}\n\n{body.strip()}\n"
