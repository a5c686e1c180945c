"""kubectl as a program, for what the local environment and the end-to-end tests do with it.

What this module deliberately does not do: find or build it; see `binaries`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from localenv.errors import LocalEnvError


def run(kubectl: Path, *arguments: str, kubeconfig: Path, stdin: str | None = None, seconds: float = 120.0) -> str:
    """Run it with that kubeconfig and return what it prints.

    Raises LocalEnvError with its message when it fails, subprocess.TimeoutExpired when it takes longer than `seconds`.
    """
    done = subprocess.run(
        [str(kubectl), f"--kubeconfig={kubeconfig}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise LocalEnvError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout
