"""Builds the operator's image with docker, podman or buildah, whichever can: `make image`.

Invariants: the version is that of the checkout that is built; what this machine's pip and proxies are told serves the build and is not in the image.
What this module deliberately does not do: push, or run what was built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localenv import cache, pip_settings
from localenv.errors import LocalEnvError

ROOT = Path(__file__).parent.parent
NAME = "gateway-registrar"
BUILDERS = ("docker", "podman", "buildah")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ASK_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout of this repository, this one or another."""

    folder: Path = ROOT

    @property
    def version(self) -> str:
        """The package's version; raises LocalEnvError when the folder has none."""
        file = self.folder / "operator" / "registrar" / "__init__.py"
        match = re.search(r'^__version__ = "([^"]+)"$', file.read_text() if file.is_file() else "", re.MULTILINE)
        if match is None:
            raise LocalEnvError(f"{file} has no __version__: {self.folder} is no checkout of gateway-registrar.")
        return match[1]

    @property
    def revision(self) -> str:
        """The commit that is built, marked where the tree has changes; empty outside a repository."""
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=self.folder,
            # A folder that is unpacked inside another repository is not that one's commit.
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(self.folder.resolve().parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout.strip() if asked.returncode == 0 else ""

    @property
    def base(self) -> str:
        """The image with Python that its Dockerfile names; raises LocalEnvError when it names none."""
        match = re.search(r"^ARG BASE_IMAGE=(\S+)$", (self.folder / "Dockerfile").read_text(), re.MULTILINE)
        if match is None:
            raise LocalEnvError(f"{self.folder / 'Dockerfile'} names no image: its line `ARG BASE_IMAGE=...` is gone.")
        return match[1]

    def digest(self) -> str:
        """A short digest of all that is sent to the builder, its Dockerfile included."""
        ignore = self.folder / ".dockerignore"
        names = [line[1:] for line in ignore.read_text().splitlines() if line.startswith("!")]
        given = [self.folder / name for name in names] + [ignore, self.folder / "Dockerfile"]
        files = {file for path in given for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
        rows = sorted(file.relative_to(self.folder) for file in files if "__pycache__" not in file.parts)
        return cache.digest(*(part for row in rows for part in (bytes(row), (self.folder / row).read_bytes())))


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


def build(
    source: Source,
    *,
    tag: str,
    base: str,
    runtime: str,
    run: Callable[[list[str]], None],
    environment: Mapping[str, str],
) -> None:
    """Build the image on `base`, to run on `runtime`; `run` gives a builder its arguments and raises when it fails.

    Where this machine's pip has settings, it works in an image of its own that has them too, and of which nothing is left but the wheels.
    """
    settings = pip_settings.read(environment=environment)
    if settings:
        named = f"{NAME}/build:{cache.digest(base.encode(), repr(sorted(settings.items())).encode())}"
        with tempfile.TemporaryDirectory(prefix="pip-settings-") as folder:
            pip_settings.write(Path(folder), base, settings)
            run(["build", f"--tag={named}", folder])
        base = named
    run(arguments(source, tag=tag, base=base, runtime=runtime, environment=environment))


def arguments(source: Source, *, tag: str, base: str, runtime: str, environment: Mapping[str, str]) -> list[str]:
    """What a builder is told."""
    given = {"VERSION": source.version, "REVISION": source.revision, "BASE_IMAGE": base, "RUNTIME_IMAGE": runtime}
    options = [f"--build-arg={name}={value}" for name, value in given.items()]
    # Without a value: every builder knows these, takes them from its own environment and keeps them out of the image's history.
    options += [f"--build-arg={name}" for name in _PROXIES if environment.get(name)]
    return ["build", f"--file={source.folder / 'Dockerfile'}", f"--tag={tag}", *options, str(source.folder)]


def names(source: Source, environment: Mapping[str, str]) -> dict[str, str]:
    """The images' names as the environment chooses them: IMAGE, BASE_IMAGE and RUNTIME_IMAGE."""
    base = environment.get("BASE_IMAGE") or source.base
    return {
        "tag": f"{environment.get('IMAGE') or NAME}:{source.version}",
        "base": base,
        "runtime": environment.get("RUNTIME_IMAGE") or base,
    }


def main() -> int:
    """Build; returns the builder's exit code, or 1 with one line when there is no builder."""
    source = Source()
    try:
        builder = find_builder()
        build(
            source,
            **names(source, os.environ),
            run=lambda words: _shown([builder, *words]),
            environment=os.environ,
        )
    except LocalEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _shown(words: list[str]) -> None:
    """Run with the builder's output where the user sees it."""
    subprocess.run(words, check=True)


if __name__ == "__main__":
    sys.exit(main())
