"""Free TCP ports on loopback.

Invariant: the ports of one call differ from each other. What this module deliberately does not do: reserve a port; whoever starts to listen first has it.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

from localenv.errors import LocalEnvError


def free_ports(*names: str) -> dict[str, int]:
    """A port for each environment variable in `names`: its value when it is set, else a free one."""
    result: dict[str, int] = {}
    with ExitStack() as stack:
        for name in names:
            wanted = os.environ.get(name)
            if wanted:
                if not wanted.isdigit() or not 0 < int(wanted) < 65536:
                    raise LocalEnvError(f"{name} is {wanted!r}; it must be a port number from 1 to 65535.")
                result[name] = int(wanted)
                continue
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            result[name] = int(listener.getsockname()[1])
    return result


def listening(port: int) -> bool:
    """Whether something accepts connections on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
