"""What `make e2e` and `make e2e-docker` do where there is no engine, and how a command's end is passed on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localenv.cluster import until
from localenv.errors import LocalEnvError
from localenv.kind import docker, engine, packages
from localenv.kind.__main__ import NO_ENGINE, main
from localenv.kind.engine import Engine, with_engine

ROOT = Path(__file__).parents[3]
INTERRUPTED = """
import sys
from localenv.kind import docker
from localenv.kind.__main__ import main
docker.answers = lambda: True
sys.exit(main(["with-engine", "--", "sh", "-c", "trap 'echo asked > asked; exit 7' INT; echo up > up; while :; do sleep 0.05; done"]))
"""


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path on which no docker command is, and no cluster of the user's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG_EXTERNAL", raising=False)


@pytest.mark.usefixtures("no_docker")
def test_without_an_engine_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when anything is begun, or said, but what to do."""
    assert main(["prepare"]) == 1
    assert capsys.readouterr() == ("", f"error: {NO_ENGINE}\n")
    assert "make e2e-docker" in NO_ENGINE and "KUBECONFIG_EXTERNAL" in NO_ENGINE and "\n" not in NO_ENGINE


@pytest.mark.usefixtures("no_docker")
def test_a_cluster_that_is_named_needs_no_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG_EXTERNAL", "/somewhere")
    assert main(["prepare"]) == 0
    assert capsys.readouterr().out == "KUBECONFIG_EXTERNAL is set: that cluster is used\n"


@pytest.mark.usefixtures("no_docker")
def test_not_as_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when something is installed by somebody who can't, instead of saying what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["with-engine", "--", "true"]) == 1
    assert "run `make e2e-docker` as root" in capsys.readouterr().err


def test_what_is_missing() -> None:
    """Fails when a package is installed that is there, or one is not that is needed."""
    assert packages.missing(which=lambda name: None if name in ("dockerd", "ip") else f"/bin/{name}") == [
        "docker.io",
        "iproute2",
    ]


def test_packages_start_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails when the package's own engine is started, or the machine's policy is replaced or left changed."""
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_MAY_START", policy)
    with packages._no_service_starts():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()
    policy.write_text("theirs")
    with packages._no_service_starts():
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"


def test_an_engine_that_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when an engine is started beside one, or the command's exit code is lost."""
    monkeypatch.setattr(docker, "answers", lambda: True)
    monkeypatch.setattr(engine, "Engine", None)
    assert with_engine([sys.executable, "-c", "raise SystemExit(3)"]) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_command_once(tmp_path: Path, number: signal.Signals) -> None:
    """Fails when the command is left running, or gets no time to clean up."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'operator'}"}
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env=environment) as running:
        until(lambda: (tmp_path / "up").exists() or running.poll() is not None, what="the command's start")
        running.send_signal(number)
        assert running.wait(60) == 130
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_folder_that_is_too_deep(tmp_path: Path) -> None:
    """Fails when the engine's sockets get paths that the kernel refuses."""
    with pytest.raises(LocalEnvError, match="Set XDG_CACHE_HOME to a shorter one"):
        Engine(tmp_path / ("x" * 64))


def test_one_engine_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a second run starts on the first one's state, or touches it."""
    monkeypatch.chdir(tmp_path)
    with Path("lock").open("w") as held, Path("lock").open("w") as second:
        engine._lock(held)
        with pytest.raises(LocalEnvError, match="Another `make e2e-docker` runs"):
            engine._lock(second)
