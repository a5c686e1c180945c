"""`python -m localenv.kind prepare | with-engine -- COMMAND...`: what `make e2e` and `make e2e-docker` do before the tests.

The exit code of `prepare` is 0, or 1 with one line; that of `with-engine` is the command's.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from localenv.errors import LocalEnvError
from localenv.kind import docker, images, node
from localenv.kind.engine import with_engine

NO_ENGINE = (
    "No Docker engine answers. Install and start Docker (https://docs.docker.com/engine/install/), run `make e2e-docker` as root on Debian,"
    " or set KUBECONFIG_EXTERNAL to the kubeconfig of an empty cluster."
)


def prepare() -> None:
    """Make what the tests need and is not there yet; raises LocalEnvError with one line when there is no engine to make it with."""
    if os.environ.get("KUBECONFIG_EXTERNAL"):
        print("KUBECONFIG_EXTERNAL is set: that cluster is used", flush=True)
        return
    if not docker.answers():
        raise LocalEnvError(NO_ENGINE)
    node.ensure()
    images.prepare()


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m localenv.kind", description=__doc__)
    commands = parser.add_subparsers(dest="wanted", required=True)
    commands.add_parser("prepare", help="make the node image and the images that run in it")
    given = commands.add_parser(
        "with-engine", help="run a command with a Docker engine, started for it where none answers"
    )
    given.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    # Also where they are ignored, as a shell has it for what it runs in the background: what was started must be stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        if options.wanted == "with-engine":
            return with_engine(options.command)
        prepare()
    except LocalEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was started by this command is stopped", file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A request to end from elsewhere is like one from the keyboard."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
