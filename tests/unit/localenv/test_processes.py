"""Only processes of our own are ended, and the cache is safe when two runs race for it."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from localenv import cache
from localenv.errors import LocalEnvError
from localenv.ports import free_ports, listening
from localenv.processes import Process, Processes, start_time

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_start_find_stop(tmp_path: Path) -> None:
    """Fails when a process is lost, or survives its end."""
    processes = Processes(tmp_path)
    started = processes.start("sleeper", SLEEPER)
    assert Processes(tmp_path).find("sleeper") == started
    processes.stop("sleeper")
    assert not started.alive
    assert processes.names() == []


def test_a_pid_that_is_somebody_elses(tmp_path: Path) -> None:
    """Fails when a process is ended because it has the pid of one of ours that is long gone."""
    processes = Processes(tmp_path)
    other = Processes(tmp_path / "other")
    (tmp_path / "other").mkdir()
    innocent = other.start("innocent", SLEEPER)
    rows = {"ours": {"pid": innocent.pid, "started": "another time"}}
    (tmp_path / "processes.json").write_text(json.dumps(rows))
    assert processes.find("ours") is None
    processes.stop("ours")
    assert innocent.alive
    other.stop("innocent")


def test_what_ends_while_it_starts(tmp_path: Path) -> None:
    """Fails when a component that fails to start is waited for, or its last words are kept back."""
    processes = Processes(tmp_path)
    processes.start("broken", [sys.executable, "-c", "raise SystemExit('the disk is full')"])
    with pytest.raises(LocalEnvError, match=r"(?s)broken ended while it started.*the disk is full.*free it"):
        processes.wait_ready("broken", lambda: False, seconds=20, hint="free it")


def test_start_time_of_nobody() -> None:
    """Fails when a pid without a process looks alive."""
    assert start_time(2**22 + 1) == ""
    assert not Process(pid=os.getpid(), started="never").alive


def _race(root: str, marks: str) -> None:
    def make(folder: Path) -> None:
        with Path(marks).open("a") as file:
            file.write("made\n")
        (folder / "thing").write_text("whole")

    made = cache.entry("entry", make, root=Path(root))
    assert (made / "thing").read_text() == "whole"


def test_two_runs_race_for_an_entry(tmp_path: Path) -> None:
    """Fails when both build, or one sees half of what the other builds."""
    context = multiprocessing.get_context("spawn")
    marks = tmp_path / "marks"
    runs = [context.Process(target=_race, args=(str(tmp_path / "cache"), str(marks))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
        assert run.exitcode == 0
    assert marks.read_text() == "made\n"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """Fails when half of an entry is taken for a whole one the next time."""

    def fails(folder: Path) -> None:
        (folder / "half").write_text("")
        raise LocalEnvError("no network")

    with pytest.raises(LocalEnvError):
        cache.entry("entry", fails, root=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["entry.lock"]


def test_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when two parts get one port, a wanted port is ignored, or nonsense is taken for one."""
    monkeypatch.setenv("WANTED", "12345")
    ports = free_ports("WANTED", "FREE_A", "FREE_B")
    assert ports["WANTED"] == 12345 and ports["FREE_A"] != ports["FREE_B"]
    assert not listening(ports["FREE_A"])
    monkeypatch.setenv("WANTED", "many")
    with pytest.raises(LocalEnvError, match="WANTED is 'many'"):
        free_ports("WANTED")
