"""An operator that crashes, or loses an answer, at a call site that a file names: `python -m tests.faults.operator run`.

The path of the file is in FAULT_FILE; `tests.faults.plan` writes and reads it.
"""

from __future__ import annotations

import asyncio
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
from tests.faults.plan import planned

T = TypeVar("T")
FAULT_FILE = "FAULT_FILE"


def _crash() -> None:
    """What the kernel does to a process that is out of memory: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


async def faulty(site: Site, call: Callable[[], Awaitable[T]], *, subject: str) -> T:
    """The seam with at most one fault."""
    mode = planned(Path(os.environ[FAULT_FILE]), site=site, subject=subject)
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
