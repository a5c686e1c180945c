"""Writes the CRDs to `crds/`, or with `--check` says whether the committed ones are those of the models.

Run as `PYTHONPATH=operator python -m registrar.resources.generate`. What this module deliberately does not do:
install anything anywhere.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from registrar.resources.base import GROUP
from registrar.resources.kinds import KINDS
from registrar.resources.schema import crd

COMMAND = "PYTHONPATH=operator python -m registrar.resources.generate"
DEFAULT_FOLDER = Path(__file__).resolve().parents[3] / "crds"
_HEADER = f"# Generated from the models in operator/registrar/resources by: {COMMAND}\n"


class _Dumper(yaml.SafeDumper):
    """Writes equal values out in full: anchors are no use to a reader of a CRD."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def render() -> dict[str, str]:
    """The text of each file below `crds/`, by its name."""
    return {
        kind.file_name: _HEADER
        + yaml.dump(crd(kind), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True, explicit_start=True)
        for kind in KINDS
    }


def difference(folder: Path, wanted: Mapping[str, str]) -> str:
    """A unified diff from what is in `folder` to `wanted`; empty when they agree; stale files count."""
    present = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"{GROUP}_*.yaml"))}
    lines: list[str] = []
    for name in sorted(present.keys() | wanted.keys()):
        before, after = present.get(name, ""), wanted.get(name, "")
        lines += difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"crds/{name}", f"models/{name}")
    return "".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit code: 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="registrar.resources.generate", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff when the files differ from the models"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="the folder to write or check (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    wanted = render()
    if options.check:
        if diff := difference(options.output, wanted):
            print(diff, end="")
            print(f"The CRDs are not those of the models. Run: {COMMAND}", file=sys.stderr)
            return 1
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in options.output.glob(f"{GROUP}_*.yaml")} - wanted.keys():
        (options.output / stale).unlink()
    for name, text in wanted.items():
        (options.output / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
