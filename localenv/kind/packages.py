"""The Debian packages that an engine of our own needs: installed by `make e2e-docker`, and by nothing else.

Invariants: nothing is installed that is there already; installing starts no service. What this module deliberately does not do: remove a package again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from localenv.errors import LocalEnvError
from localenv.progress import progress

_PACKAGES = {
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
}
"""The package of each command."""
_CLIENT = "docker-cli"
"""Debian 13 and newer have the command `docker` in a package of its own."""
_MAY_START = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask whether they may start their service; 101 means no."""
_TAIL = 10


def missing(*, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The packages whose command is not on the path."""
    return [package for command, package in _PACKAGES.items() if which(command) is None]


def install_missing() -> None:
    """Install what is not there; raises LocalEnvError where that is not possible or goes wrong."""
    wanted = missing()
    if sys.platform != "linux" or os.geteuid() != 0 or (wanted and shutil.which("apt-get") is None):
        raise LocalEnvError(
            "No Docker engine answers, and only on Debian and as root one can be installed and started here."
            " Install Docker (https://docs.docker.com/engine/install/) and run `make e2e`, or run `make e2e-docker` as root."
        )
    if not wanted and shutil.which("docker"):
        return
    with _no_service_starts():
        if wanted:
            _install(*wanted)
        if shutil.which("docker") is None:
            _install(_CLIENT)


def _install(*packages: str) -> None:
    names = " ".join(packages)
    with progress(f"installing {names} with apt-get; they stay installed (usually takes less than a minute)"):
        _apt("update", "--quiet")
        _apt("install", "--yes", "--quiet", "--no-install-recommends", *packages)


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL:])
        raise LocalEnvError(f"`apt-get {' '.join(arguments)}` failed:\n{tail}\nMend that, then try again.")


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep the packages from starting an engine that nobody would stop; a policy of the machine's own is respected."""
    if _MAY_START.exists():
        yield
        return
    _MAY_START.write_text("#!/bin/sh\nexit 101\n")
    _MAY_START.chmod(0o755)
    try:
        yield
    finally:
        _MAY_START.unlink()
