"""A Docker engine of our own on this machine, in a network namespace of its own, beside whatever engine there is: what it leaves when it has ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localenv.cluster import until
from localenv.environment import ROOT

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "docker", "iptables", "ip", "unshare"))),
        reason="only root can start an engine, and only where its packages are installed",
    ),
]

PROGRAM = """
import json, subprocess, sys, time
from dataclasses import asdict
from pathlib import Path
from localenv.kind import docker
from localenv.kind.engine import Engine
from localenv.kind.traces import Traces

def look():
    links = subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout
    return asdict(Traces.now()) | {"links": sorted(row["ifname"] for row in json.loads(links))}

folder, how = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["iptables", "--append", "FORWARD", "--protocol", "tcp", "--dport", "22", "--jump", "ACCEPT"], check=True)
before, groups = look(), [str(group) for group in Path("/sys/fs/cgroup").glob("**/gateway-registrar-engine-*")]
with Engine(folder).running():
    docker.run("network", "create", "left-behind")
    docker.run("volume", "create", "left-behind")
    during = look()
    (folder / "up").touch()
    if how == "wait":
        time.sleep(600)
(folder / "report.json").write_text(json.dumps({"before": before, "during": during, "after": look(), "groups": groups}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: the engine's sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="engine-") as made:
        yield Path(made)


def command(folder: Path, how: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(folder), how]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'operator'}"}


def rules(state: dict[str, Any]) -> list[str]:
    """The rules and chains, without the empty tables that iptables makes when it is asked."""
    lines = (line for text in state["firewalls"].values() for line in text.splitlines())
    return [line for line in lines if line.startswith("-A") or (line.startswith(":") and "ACCEPT" not in line)]


def processes(folder: Path) -> list[str]:
    """The command lines of processes that name the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_text(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in line:
            found.append(line)
    return found


def groups() -> list[str]:
    """The control groups of engines of our own; another one may run these tests."""
    return [str(group) for group in Path("/sys/fs/cgroup").glob("**/gateway-registrar-engine-*")]


def expect_nothing_left(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    before, during, after = (report[name] for name in ("before", "during", "after"))
    assert len(rules(during)) > 10 and "docker0" in during["links"] and during["links"] != before["links"]
    assert rules(after) == rules(before) and len(rules(after)) == 1
    assert after["links"] == before["links"]
    assert after["settings"] == before["settings"]
    assert processes(folder) == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert groups() == report["groups"]
    assert {file.name for file in folder.iterdir()} <= {
        *("data", "lesser-runtime", "lock", "logs", "processes.json"),
        *("up", "report.json"),
    }


def test_nothing_is_left(folder: Path) -> None:
    """Fails when a rule, a bridge, a kernel setting, a mount, a process or a control group of the engine stays."""
    subprocess.run(["unshare", "--net", *command(folder, "end")], env=environment(), check=True, timeout=120)
    expect_nothing_left(folder)


def test_after_a_run_that_was_killed(folder: Path) -> None:
    """Fails when the next run does not clean up after one that could not."""
    holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
    try:
        inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), what="a network")
        with subprocess.Popen([*inside, *command(folder, "wait")], env=environment()) as killed:
            until(lambda: (folder / "up").exists() or killed.poll() is not None, what="the engine", seconds=60)
            os.kill(killed.pid, signal.SIGKILL)
        assert len(processes(folder)) > 1
        subprocess.run([*inside, *command(folder, "end")], env=environment(), check=True, timeout=120)
        report = json.loads((folder / "report.json").read_text())
        assert "docker0" in report["before"]["links"] and any("DOCKER" in rule for rule in rules(report["before"]))
        assert "docker0" not in report["after"]["links"] and not any(
            "DOCKER" in rule for rule in rules(report["after"])
        )
        assert processes(folder) == [] and not (folder / "before.json").exists()
    finally:
        holder.communicate()
