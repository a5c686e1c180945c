"""`kubectl registrar`, also `python -m registrar.cli`: runs a command, and turns whatever ends it into one line and an exit code.

Invariants: no traceback reaches a user, unless KUBECTL_REGISTRAR_DEBUG is set. What this module deliberately does not do: know a command.
"""

from __future__ import annotations

import logging
import os
import sys

from registrar.cli.app import COMPLETE_VARIABLE, PROGRAM, app
from registrar.cli.errors import CliError, Exit, Fault


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit code (see `registrar.cli.errors`)."""
    # What libraries log is not for users; each failure gets its one line below.
    logging.disable()
    try:
        return _run(arguments)
    finally:
        logging.disable(logging.NOTSET)


def _run(arguments: list[str] | None) -> int:
    try:
        app(args=arguments, prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
    except SystemExit as end:
        return _code(end)
    except CliError as error:
        return _report(error)
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        return int(Exit.BROKEN_PIPE)
    except Exception as error:
        if os.environ.get("KUBECTL_REGISTRAR_DEBUG"):
            raise
        return _report(
            Fault(
                f"The plugin failed ({type(error).__name__}).",
                step="Run it again with KUBECTL_REGISTRAR_DEBUG=1 and report what it prints.",
            )
        )
    return int(Exit.OK)


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(Exit.OK if end.code is None else Exit.FAULT)


def _report(error: CliError) -> int:
    """Print the one line on standard error."""
    from registrar.cli.output import say

    line = f"error: {error.message} {error.step}".rstrip()
    say(" ".join(line.split()), stream=sys.stderr)
    return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main())
