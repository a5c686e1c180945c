"""An operator that crashes, or loses an answer, at a call site that a file names: `python -m tests.faults.operator run`.

The file (its path is in FAULT_FILE) holds JSON: `site`, `mode` (before, after, lose) and `subject`, the beginning of the objects meant. It is looked for at every
call, so that a test can let the operator do the preparations undisturbed, and is removed when the fault happens, so that it happens once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from registrar.__main__ import run
from registrar.errors import GatewayAmbiguous, KubeUnavailable
from registrar.logs import configure
from registrar.seam import Site
from registrar.settings import load

T = TypeVar("T")
FAULT_FILE = "FAULT_FILE"


def _planned(site: Site, subject: str) -> str:
    """The fault for this call; empty when there is none. A fault that is taken is used up; `skip` lets so many calls pass before it."""
    file = Path(os.environ[FAULT_FILE])
    if not file.exists():
        return ""
    plan = json.loads(file.read_text())
    if plan["site"] != site or not subject.startswith(plan["subject"]):
        return ""
    if plan.get("skip", 0) > 0:
        file.write_text(json.dumps({**plan, "skip": plan["skip"] - 1}))
        return ""
    file.unlink()
    return str(plan["mode"])


def _crash() -> None:
    """What the kernel does to a process that is out of memory: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


async def faulty(site: Site, call: Callable[[], Awaitable[T]], *, subject: str) -> T:
    """The seam with at most one fault."""
    mode = _planned(site, subject)
    if mode == "before":
        _crash()
    result = await call()
    if mode == "after":
        _crash()
    if mode == "lose":
        lost = GatewayAmbiguous if site.value.startswith("gateway.") else KubeUnavailable
        raise lost("the answer was lost on purpose")
    return result


def main() -> int:
    """The same operator, with the faulty seam."""
    settings = load(sys.argv[2:])
    configure(level=settings.log_level, form=settings.log_format, audit_log=settings.audit_log)
    return asyncio.run(run(settings, seam=faulty))


if __name__ == "__main__":
    sys.exit(main())
