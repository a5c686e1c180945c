"""An OCI runtime that asks for less: it takes the capabilities that this machine withholds out of a container's spec, and then is runc.

`docker run --privileged` asks for every capability that the kernel knows. Where the machine is itself confined, its bounding set has fewer, and runc fails with
"unable to apply caps". Docker starts this file, copied into the cache by `engine`, in the place of runc.

Invariants: a capability that the machine has stays; nothing else of the spec is changed; the standard library is all that is imported, and no module of ours.
What this module deliberately does not do: decide whether it is needed; `engine` asks `withheld`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK"
    " IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE"
    " AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
"""The names without `CAP_`, in the order of their numbers (linux/capability.h)."""
RUNC = "runc"


def withheld(status: str, *, last: int) -> frozenset[str]:
    """The names of the capabilities that are not in the bounding set; `status` is the text of /proc/PID/status, `last` the kernel's newest capability."""
    bounding = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    known = CAPABILITIES[: last + 1]
    return frozenset(f"CAP_{name}" for number, name in enumerate(known) if not bounding >> number & 1)


def here() -> frozenset[str]:
    """What this machine withholds from this process and its children."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return withheld(Path("/proc/self/status").read_text(), last=last)


def lessen(process: dict[str, Any], names: frozenset[str]) -> None:
    """Take the names out of each set of a process in the form of the OCI runtime specification."""
    sets = process.get("capabilities") or {}
    for kind, held in sets.items():
        sets[kind] = [name for name in held if name not in names]


def specs(arguments: list[str]) -> list[tuple[Path, str]]:
    """The files in runc's command line that hold a process, each with the member that it is in; empty when the file is the process itself."""
    found = []
    for position, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        value = value or "".join(arguments[position + 1 : position + 2])
        if option in ("--bundle", "-b"):
            found.append((Path(value) / "config.json", "process"))
        elif option in ("--process", "-p"):
            found.append((Path(value), ""))
    return found


def main() -> None:
    """Change the specs that the command line names, and become runc."""
    names = here()
    for file, member in specs(sys.argv[1:]):
        if file.is_file():
            spec = json.loads(file.read_text())
            lessen(spec.get(member) or {} if member else spec, names)
            file.write_text(json.dumps(spec))
    os.execvp(RUNC, [RUNC, *sys.argv[1:]])  # noqa: S606 - to be another runtime is its purpose


if __name__ == "__main__":
    main()
