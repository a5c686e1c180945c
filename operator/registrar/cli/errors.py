"""What a command ends with when it can't do what it was asked: one line, the next step, and an exit code that a script can tell apart.

    CliError
    ├── NoCluster          3   no kubeconfig, no such context, no answer of the API server, or a certificate that is not trusted
    ├── NoRights           4   the API server knows the user and refuses (403), or does not accept the credentials (401)
    ├── NoKinds            5   the cluster has no CRDs of gateway-registrar.dev, or not the version that this plugin speaks
    ├── NotFound           6   an object that was named does not exist
    ├── TimedOut           7   `--timeout` is over; what was asked for may still happen
    ├── GatewayFault       8   a runtime gateway did not answer, or refused
    ├── Refused            9   the API server refused the request itself: invalid, in conflict, or denied by an admission rule
    └── Fault             10   a defect of the plugin

The other exit codes are `Exit`'s: 0, 1 (there is a difference, a problem, or an action that did not succeed), 2 (wrong usage), 130 (interrupted) and 141 (the
reader of the output has gone). `call` alone has three more: 20 (the Contract, the key or the API is not live), 21 (a limit is used up) and 22 (another policy refused
the call).

Invariants: a message names the object and has no byte of a Secret. What this module deliberately does not do: print.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes; they are stable, because pipelines branch on them."""

    OK = 0
    NOT_AS_WANTED = 1
    USAGE = 2
    NO_CLUSTER = 3
    NO_RIGHTS = 4
    NO_KINDS = 5
    NOT_FOUND = 6
    TIMED_OUT = 7
    GATEWAY = 8
    REFUSED = 9
    FAULT = 10
    NOT_LIVE = 20
    LIMITED = 21
    DENIED = 22
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CliError(Exception):
    """Root of what a command ends with; `message` says what is wrong, `step` what to do next."""

    exit_code: ClassVar[Exit] = Exit.FAULT

    def __init__(self, message: str, *, step: str = "") -> None:
        """Both are sentences; the step may be a command."""
        super().__init__(message)
        self.message = message
        self.step = step


class Usage(CliError):
    """The arguments can't be meant that way, in a manner that the parser does not see."""

    exit_code = Exit.USAGE


class NoCluster(CliError):
    """There is no way to the API server."""

    exit_code = Exit.NO_CLUSTER


class NoRights(CliError):
    """The user may not do it."""

    exit_code = Exit.NO_RIGHTS


class NoKinds(CliError):
    """The cluster does not serve our kinds in a version that this plugin speaks."""

    exit_code = Exit.NO_KINDS


class NotFound(CliError):
    """A named object does not exist."""

    exit_code = Exit.NOT_FOUND


class TimedOut(CliError):
    """What was waited for did not happen in time."""

    exit_code = Exit.TIMED_OUT


class GatewayFault(CliError):
    """A runtime gateway can't be used."""

    exit_code = Exit.GATEWAY


class Refused(CliError):
    """The API server does not accept the request."""

    exit_code = Exit.REFUSED


class Fault(CliError):
    """A defect of the plugin, or a failure that nobody foresaw."""

    exit_code = Exit.FAULT
