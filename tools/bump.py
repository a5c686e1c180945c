"""The version in one command: `python -m tools.bump X.Y.Z` sets it, `--check X.Y.Z` says whether the tree has it, `--notes X.Y.Z` prints its section of the changelog.

The version is written in `operator/registrar/__init__.py`. The charts repeat it, because Helm reads no Python, and the changelog has a section for it.
Invariants: all files are read and checked before the first one is written; a version never goes back.
What this module deliberately does not do: commit, tag, or render what the charts' version is part of (`make bump` does that).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_NUMBERS = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_PYTHON = re.compile(r'(?m)^__version__ = "(?P<version>[^"]*)"$')
_CHART = re.compile(r'(?m)^(?P<key>version|appVersion): "?(?P<version>[^"\s]*)"?$')
_UNRELEASED = "## [Unreleased]"


class BumpError(Exception):
    """The tree or the wanted version is not as it must be; the text says what, where and what to do."""


def current(root: Path) -> str:
    """The version that the tree has. Raises BumpError when the line that says so is not there."""
    return _found(_PYTHON, _source(root))["version"]


def bump(root: Path, version: str, *, on: date) -> list[Path]:
    """Set the version in every file that has it; `on` is the date of the changelog's section. Returns the files, none of them written when it raises BumpError."""
    if _numbers(version) <= _numbers(current(root)) and _section(root, version) is not None:
        raise BumpError(f"{version} is released already: CHANGELOG.md has a section for it. Choose a later version.")
    if _numbers(version) < _numbers(current(root)):
        raise BumpError(f"{version} is before {current(root)}, which the tree has. Choose a later version.")
    changed = {_source(root): _PYTHON.sub(f'__version__ = "{version}"', _source(root).read_text(encoding="utf-8"))}
    for chart in _charts(root):
        _found(_CHART, chart)
        changed[chart] = _CHART.sub(rf"\g<key>: {version}", chart.read_text(encoding="utf-8"))
    log = root / "CHANGELOG.md"
    text = log.read_text(encoding="utf-8")
    if not (_section(root, "Unreleased") or "").strip():
        raise BumpError(f"{log.name} has nothing below {_UNRELEASED}. Write there what the version brings.")
    changed[log] = text.replace(_UNRELEASED, f"{_UNRELEASED}\n\n## [{version}] - {on.isoformat()}", 1)
    for path, content in changed.items():
        path.write_text(content, encoding="utf-8")
    return list(changed)


def check(root: Path, version: str) -> None:
    """Raises BumpError when some file of the tree has another version, or the changelog has no notes for it."""
    _numbers(version)
    if current(root) != version:
        raise BumpError(
            f"{_source(root).name} has version {current(root)}, not {version}. Run: make bump VERSION={version}"
        )
    for chart in _charts(root):
        wrong = {found["version"] for found in _CHART.finditer(chart.read_text(encoding="utf-8"))} - {version}
        if wrong:
            raise BumpError(
                f"{chart.relative_to(root)} has version {', '.join(sorted(wrong))}, not {version}. Run: make bump VERSION={version}"
            )
    notes(root, version)


def notes(root: Path, version: str) -> str:
    """What the changelog says of a version. Raises BumpError when it says nothing."""
    text = (_section(root, version) or "").strip()
    if not text:
        raise BumpError(f"CHANGELOG.md has no notes for {version}. Write a section ## [{version}] - <date>.")
    return text


def _numbers(version: str) -> tuple[int, ...]:
    if _NUMBERS.fullmatch(version) is None:
        raise BumpError(f"{version!r} is no version. It must be three numbers with dots, such as 0.2.0.")
    return tuple(int(number) for number in version.split("."))


def _source(root: Path) -> Path:
    return root / "operator" / "registrar" / "__init__.py"


def _charts(root: Path) -> list[Path]:
    return sorted(root.glob("charts/*/Chart.yaml"))


def _found(pattern: re.Pattern[str], path: Path) -> re.Match[str]:
    match = pattern.search(path.read_text(encoding="utf-8"))
    if match is None:
        raise BumpError(f"{path} has no line with the version. Put it back.")
    return match


def _section(root: Path, version: str) -> str | None:
    """The text of one section of the changelog; None when there is none."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^## \[{re.escape(version)}\][^\n]*\n(?P<text>.*?)(?=^## \[|\Z)", text)
    return found["text"] if found is not None else None


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Do what the command line says; returns 1 with one line when it can't."""
    parser = argparse.ArgumentParser(prog="python -m tools.bump", description="Set or check the version of the tree.")
    parser.add_argument("version", help="three numbers with dots, such as 0.2.0")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing; exit 1 when the tree has another version")
    what.add_argument("--notes", action="store_true", help="print the version's section of the changelog")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check(root, options.version)
        elif options.notes:
            print(notes(root, options.version))
        else:
            for path in bump(root, options.version, on=datetime.now(UTC).date()):
                print(path.relative_to(root))
    except BumpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
