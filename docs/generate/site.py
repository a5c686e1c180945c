"""A hook of MkDocs: an entry `folder/*` of the navigation becomes the folder's pages, so that a new decision or runbook needs no edit of mkdocs.yml.

Invariants: the pages stand in the order of their names, an index page first; a folder without pages has no entry.
What this module deliberately does not do: change a page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_INDEXES = ("index.md", "README.md")


def on_config(config: Any) -> Any:
    """Called by MkDocs with the configuration that it has read, before the pages are collected."""
    config["nav"] = expand(config["nav"], docs=Path(config["docs_dir"]))
    return config


def expand(nav: list[Any], *, docs: Path) -> list[Any]:
    """The navigation with every `folder/*` replaced by the pages of that folder below `docs`."""
    result: list[Any] = []
    for entry in nav:
        if not isinstance(entry, dict):
            result.append(entry)
            continue
        ((title, value),) = entry.items()
        if isinstance(value, str) and value.endswith("/*"):
            value = _pages(docs, value.removesuffix("/*"))
        elif isinstance(value, list):
            value = expand(value, docs=docs)
        if value:
            result.append({title: value})
    return result


def _pages(docs: Path, folder: str) -> list[str]:
    names = sorted(path.name for path in (docs / folder).glob("*.md"))
    return [f"{folder}/{name}" for name in sorted(names, key=lambda name: (name not in _INDEXES, name))]
