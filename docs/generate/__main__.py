"""`python -m docs.generate`: write the generated pages below `docs/reference/`; with `--check` write nothing and exit 1 with a diff when they are not those of the code.

What this module deliberately does not do: build the site (see mkdocs.yml).
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docs.generate import chart, cli, kinds, metrics, reasons, settings

COMMAND = "make docs-reference"
FOLDER = Path(__file__).resolve().parents[1] / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings.render,
    "reasons.md": reasons.render,
    "kubectl-registrar.md": cli.render,
    "metrics.md": metrics.render,
    "chart.md": lambda: chart.render("gateway-registrar"),
    "chart-gateways.md": lambda: chart.render("gateway-registrar-gateways"),
}
"""The pages that are made one by one; each kind of custom resource has a page of its own besides."""


def render() -> dict[str, str]:
    """The text of each generated page, by its name below `docs/reference/`."""
    return {name: make() for name, make in PAGES.items()} | kinds.render()


def difference(folder: Path, wanted: Mapping[str, str]) -> str:
    """A unified diff from what is in `folder` to `wanted`; empty when they agree. A page of a kind that is left over counts."""
    names = wanted.keys() | {f"kinds/{path.name}" for path in folder.glob("kinds/*.md")}
    lines: list[str] = []
    for name in sorted(names):
        path = folder / name
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        after = wanted.get(name, "")
        lines += difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"docs/{name}", f"code/{name}")
    return "".join(lines)


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write all pages and remove those of kinds that there are no more."""
    for stale in folder.glob("kinds/*.md"):
        if f"kinds/{stale.name}" not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Write the generated reference pages.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff when a page has drifted"
    )
    options = parser.parse_args(arguments)
    try:
        wanted = render()
    except reasons.ReasonsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not options.check:
        write(FOLDER, wanted)
        return 0
    if diff := difference(FOLDER, wanted):
        print(diff, end="")
        print(f"The reference is not that of the code. Run: {COMMAND}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
