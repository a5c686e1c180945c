"""`python -m registrar run`: settings, parts, run.

The exit code is 0 after a graceful stop, 1 after a fault, 2 for wrong settings and for a cluster that the operator can't work on: one that is too old, has other CRDs, or
lacks rights or namespaces.

Invariant: a lost Lease, and so an API server that is away, ends no process: the operator is built anew in it (docs/decisions/0110-a-lost-lease-starts-over.md).
What this module deliberately does not do: know any part of the operator.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys

from registrar import __version__
from registrar.build import build
from registrar.errors import LeaseLost, SettingsError
from registrar.logs import configure
from registrar.seam import Seam, direct
from registrar.settings import Settings, load

log = logging.getLogger(__name__)

USAGE = "usage: python -m registrar run [settings; see `python -m registrar run --help`] | --version"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words == ["--version"]:
        print(__version__)
        return 0
    if not words or words[0] != "run":
        print(USAGE, file=sys.stderr)
        return 2
    try:
        settings = load(words[1:])
        configure(level=settings.log_level, form=settings.log_format, audit_log=settings.audit_log)
        return asyncio.run(run(settings, seam=direct))
    except SettingsError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


async def run(settings: Settings, *, seam: Seam) -> int:
    """Run the operator until a signal asks it to stop, with a new one after each lost Lease; `seam` is where a fault test gets in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    while True:
        try:
            return await _life(settings, seam=seam, stop=stop)
        except LeaseLost as error:
            # Away with all that was known: another replica may have changed it since. A restart by the kubelet does the same, but waits longer each time.
            log.warning("%s Starting over", error)
        # What the last life had loaded was exempt from collection; the next one loads as much again.
        gc.unfreeze()
        gc.collect()


async def _life(settings: Settings, *, seam: Seam, stop: asyncio.Event) -> int:
    """Build an operator and run it; returns the exit code. Raises LeaseLost when it is no longer the leader."""
    building = asyncio.create_task(build(settings, seam=seam))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({building, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not building.done():
            log.info("stopping: asked to, before the API server could be reached")
            return 0
        operator = building.result()
        try:
            return await operator.engine.run(stop)
        finally:
            await operator.close()
    finally:
        building.cancel()
        stopping.cancel()
        await asyncio.gather(building, stopping, return_exceptions=True)


if __name__ == "__main__":
    sys.exit(main())
