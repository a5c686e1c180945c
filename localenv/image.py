"""Builds the operator's image with docker, podman or buildah, whichever can: `make image`.

Invariant: the version is the package's. What this module deliberately does not do: push, or run what was built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from localenv.errors import LocalEnvError
from registrar import __version__

ROOT = Path(__file__).parent.parent
NAME = "gateway-registrar"
BUILDERS = ("docker", "podman", "buildah")
_ASK_SECONDS = 20


def find_builder(*, which: Callable[[str], str | None] = shutil.which) -> str:
    """The first builder that answers (docker without an engine does not); raises LocalEnvError when there is none."""
    silent = []
    for name in BUILDERS:
        path = which(name)
        if path is None:
            continue
        if _answers(path):
            return path
        silent.append(name)
    if silent:
        raise LocalEnvError(
            f"{' and '.join(silent)} can't build: no engine answers `{silent[0]} info`. Start it, or install podman or buildah, which need none."
        )
    raise LocalEnvError(
        "No image can be built: none of docker, podman and buildah is on the path. Install one of them."
    )


def _answers(path: str) -> bool:
    try:
        asked = subprocess.run([path, "info"], capture_output=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def command(builder: str, *, environment: Mapping[str, str], revision: str) -> list[str]:
    """The builder's command line; IMAGE, BASE_IMAGE and RUNTIME_IMAGE of the environment choose the names."""
    arguments = {"VERSION": __version__, "REVISION": revision}
    arguments |= {name: environment[name] for name in ("BASE_IMAGE", "RUNTIME_IMAGE") if environment.get(name)}
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    tag = f"{environment.get('IMAGE') or NAME}:{__version__}"
    return [builder, "build", "--file=Dockerfile", f"--tag={tag}", *options, "."]


def revision() -> str:
    """The commit that is built, marked where the tree has changes; empty outside a repository."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def main() -> int:
    """Build; returns the builder's exit code, or 1 with one line when there is no builder."""
    try:
        builder = find_builder()
    except LocalEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return subprocess.run(
        command(builder, environment=os.environ, revision=revision()), cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
