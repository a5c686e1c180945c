"""kubectl as a program, for what the local environment and the end-to-end tests do with it.

What this module deliberately does not do: find or build it; see `binaries`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from localenv import cache
from localenv.errors import LocalEnvError

CACHE_VARIABLE = "KUBECACHEDIR"
"""Where kubectl and Helm keep what an API server said of its kinds; source: `getDefaultCacheDir` in k8s.io/cli-runtime. Unset, it is the user's own ~/.kube/cache."""


def cache_folder() -> str:
    """The value for CACHE_VARIABLE: a folder of our own cache, unless the user has chosen one."""
    return os.environ.get(CACHE_VARIABLE) or str(cache.cache_root() / "kubectl")


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
        env=os.environ | {CACHE_VARIABLE: cache_folder()},
    )
    if done.returncode:
        raise LocalEnvError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout
