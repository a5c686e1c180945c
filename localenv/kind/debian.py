"""Trees of Debian packages, for images where no registry has a base image: debootstrap, cached.

Invariants: a tree is made from its suite and its list of packages and nothing else; nobody changes one, who needs another copies it.
What this module deliberately does not do: make images (`images`, `node`).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from localenv import cache
from localenv.errors import LocalEnvError
from localenv.progress import progress

SUITE = "bookworm"
"""Its Python is 3.11, its Java 17 and its systemd one that still runs on cgroup v1."""
_TAIL = 10


def key(*packages: str) -> str:
    """A digest of all that a tree with these packages is made from, for the tag of an image of it."""
    return cache.digest(SUITE.encode(), platform.machine().encode(), *(row.encode() for row in sorted(packages)))


def tree(name: str, *packages: str) -> Path:
    """The folder of a minimal Debian with these packages; raises LocalEnvError when it can't be made."""
    entry = f"debian-{name}-{key(*packages)}"
    return cache.entry(entry, lambda target: _make(target, name, packages)) / "root"


def _make(target: Path, name: str, packages: tuple[str, ...]) -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise LocalEnvError(
            "No image registry answers, so images are made from Debian's packages; that needs debootstrap and root. "
            "Run `apt-get install debootstrap` and try again as root, or work where a registry can be reached."
        )
    command = ["debootstrap", "--variant=minbase", *([f"--include={','.join(packages)}"] if packages else []), SUITE]
    with progress(f"fetching Debian packages for {name} (usually takes 1 to 2 minutes)"):
        done = subprocess.run([*command, str(target / "root")], capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL:])
        raise LocalEnvError(f"debootstrap failed:\n{tail}\nCheck that a Debian mirror can be reached, then try again.")
    for emptied in ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(target / "root" / emptied, ignore_errors=True)
