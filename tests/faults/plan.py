"""The file by which a test tells an operator that runs where to crash or to lose an answer.

It holds JSON: `site`, `mode` (before, after, lose), `subject`, the beginning of the objects meant, and `skip`, how many calls pass before the fault. The operator looks
at every call, so that a test can let it do the preparations undisturbed, and removes the file when the fault happens, so that it happens once.

Invariant: the operator never sees a file that is half written.
"""

from __future__ import annotations

import json
from pathlib import Path

from registrar.seam import Site


def plan(file: Path, *, site: Site, mode: str, subject: str, skip: int = 0) -> None:
    """Write the fault that is to happen."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"site": site, "mode": mode, "subject": subject, "skip": skip}))
    fresh.replace(file)


def planned(file: Path, *, site: Site, subject: str) -> str:
    """The mode of the fault that is planned for this call, which uses it up; empty when there is none."""
    if not file.exists():
        return ""
    found = json.loads(file.read_text())
    if found["site"] != site or not subject.startswith(found["subject"]):
        return ""
    if found["skip"] > 0:
        plan(file, **{**found, "skip": found["skip"] - 1})
        return ""
    file.unlink()
    return str(found["mode"])
