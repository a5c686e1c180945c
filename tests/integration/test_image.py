"""The image's build steps, run as the Dockerfile has them in a plain directory: no container engine is needed, so what it adds is not seen here.

What the steps install is then started as another user who may write nowhere but to a directory of its own, as in the container.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar import __version__
from tests.unit.image.dockerfile import ROOT, instructions

USER = 65532


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """What the last stage copies, below a directory that everybody may read; nobody may write to it."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    try:
        _build(folder)
        subprocess.run(["chmod", "-R", "a-w", str(folder / "opt")], check=True)
        yield folder / "opt" / "registrar"
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        shutil.rmtree(folder)


def _build(folder: Path) -> None:
    """Run the COPY and RUN steps of the first stage, with every absolute path of theirs below `folder`."""
    source = folder / "src"
    source.mkdir()
    (folder / "bin").mkdir()
    # The base image's `python` and `pip` are those of this Python.
    for name, line in (("python", '"$@"'), ("pip", '-m pip "$@"')):
        command = folder / "bin" / name
        command.write_text(f"#!/bin/sh\nexec {sys.executable} {line}\n")
        command.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    # Bytecode is left out, which would take half of the time, and what was downloaded before is used again.
    variables = {**os.environ, "PATH": path, "PIP_NO_CACHE_DIR": "0", "PIP_NO_COMPILE": "1"}
    for row in instructions():
        if row.name == "COPY" and not row.text.startswith("--from"):
            *names, target = row.text.split()
            for name in names:
                _copy(ROOT / name, source / target / ("" if (ROOT / name).is_dir() else Path(name).name))
        elif row.name == "RUN":
            script = row.text
            for path in ("/wheels", "/builder", "/package", "/opt/registrar"):
                script = script.replace(f"={path}", f"={folder}{path}").replace(f" {path}", f" {folder}{path}")
            done = subprocess.run(
                ["/bin/sh", "-ec", script], cwd=source, env=variables, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, target)


def _run(installed: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start the installed package with the image's environment alone, as who can't write to it."""
    pairs = [pair for row in instructions() if row.name == "ENV" and "PYTHON" in row.text for pair in row.text.split()]
    environment = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    python = str(installed / "bin" / "python")
    return subprocess.run(
        [*_powerless(python), python, "-m", "registrar", *arguments],
        env=environment | variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _powerless(python: str) -> list[str]:
    """What goes in front of a command so that file modes bind it: for root the container's user, or where that can't reach this Python, no capability."""
    if os.geteuid() != 0:
        return []
    nobody = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    reached = subprocess.run([*nobody, python, "-c", ""], capture_output=True, check=False)
    return nobody if reached.returncode == 0 else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def test_the_version_is_the_packages(installed: Path) -> None:
    done = _run(installed, "--version")
    assert (done.stdout.strip(), done.stderr, done.returncode) == (__version__, "", 0)


def test_it_starts_and_takes_the_settings(installed: Path) -> None:
    done = _run(installed, "run", REGISTRAR_WORKERS="none")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --workers (REGISTRAR_WORKERS) is 'none'")


def test_what_is_installed_is_the_runtime_and_nothing_else(installed: Path) -> None:
    folder = Path(sysconfig.get_path("purelib", vars={"base": str(installed), "platbase": str(installed)}))
    names = {path.name.partition("-")[0].lower().replace("_", "-") for path in folder.glob("*.dist-info")}
    locked = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert "gateway-registrar" in names
    assert names - {"gateway-registrar"} <= {name.replace(".", "-") for name in locked}
    assert not {"pip", "setuptools", "pytest"} & names
    assert {path.name for path in folder.iterdir()} & {"tests", "localenv"} == set()


def test_nothing_is_written_beside_the_package(installed: Path) -> None:
    python = str(installed / "bin" / "python")
    touch = subprocess.run([*_powerless(python), "touch", str(installed / "x")], capture_output=True, check=False)
    assert touch.returncode != 0
    before = sorted(installed.rglob("*"))
    _run(installed, "--version")
    assert sorted(installed.rglob("*")) == before
