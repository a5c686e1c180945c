"""`python -m registrar run`: settings, parts, run.

The exit code is 0 after a graceful stop, 1 after a fault, 2 for wrong settings and for a cluster that the operator can't work on: one that is too old, has other CRDs, or
lacks rights or namespaces.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from registrar import __version__
from registrar.build import build
from registrar.errors import SettingsError
from registrar.logs import configure
from registrar.seam import Seam, direct
from registrar.settings import Settings, load

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
    """Run the operator until a signal asks it to stop; `seam` is where a fault test gets in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    operator = await build(settings, seam=seam)
    try:
        return await operator.engine.run(stop)
    finally:
        await operator.close()


if __name__ == "__main__":
    sys.exit(main())
