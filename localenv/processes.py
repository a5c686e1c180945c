"""Background processes of our own: started, found again by pid and start time, and ended.

Invariants: a process is ended only if its start time is the recorded one, so that a pid that now belongs to somebody else is left alone; each is a session of
its own, so Ctrl-C in the terminal reaches the tool first, which then ends them in order.
What this module deliberately does not do: restart anything by itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localenv.errors import LocalEnvError

_POLL = 0.05
_TAIL = 25


@dataclass(frozen=True, slots=True)
class Process:
    """A process by pid and start time, as the kernel tells it."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return start_time(self.pid) == self.started


def start_time(pid: int) -> str:
    """When the process began, as an opaque text; empty when there is none or only its exit status is left."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if sys.platform == "linux":
            return ""
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return "" if fields[0] == "Z" else fields[19]


class Processes:
    """The processes of one environment, remembered in a file of its folder."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the environment's; logs go to `folder/logs`."""
        self._folder = folder
        self._file = folder / "processes.json"

    def log(self, name: str) -> Path:
        """Where the process writes."""
        return self._folder / "logs" / f"{name}.log"

    def find(self, name: str) -> Process | None:
        """The process of that name, if it runs."""
        row = self._read().get(name)
        process = Process(pid=int(row["pid"]), started=str(row["started"])) if row else None
        return process if process is not None and process.alive else None

    def start(self, name: str, command: list[str], *, env: dict[str, str] | None = None) -> Process:
        """Start `command` in the background; its output goes to its log."""
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        process = Process(pid=child.pid, started=start_time(child.pid))
        _CHILDREN[child.pid] = child
        rows = self._read()
        rows[name] = {"pid": process.pid, "started": process.started}
        self._write(rows)
        return process

    def stop(self, name: str, *, patience: float = 10.0) -> None:
        """End the process, politely first; returns when it is gone."""
        process = self.find(name)
        if process is not None:
            for signal_, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
                try:
                    os.kill(process.pid, signal_)
                except ProcessLookupError:
                    break
                if _until(lambda: not _running(process), seconds):
                    break
        _collect()
        rows = self._read()
        if rows.pop(name, None) is not None:
            self._write(rows)

    def names(self) -> list[str]:
        """All processes that were started and not stopped."""
        return list(self._read())

    def wait_ready(self, name: str, ready: Callable[[], bool], *, seconds: float, hint: str) -> None:
        """Wait until `ready` says so; raises LocalEnvError with the end of the log when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ready():
                return
            _collect()
            if self.find(name) is None:
                raise LocalEnvError(f"{name} ended while it started.\n{self._tail(name)}\n{hint}")
            time.sleep(_POLL)  # between two probes of a process that has no way to call back
        raise LocalEnvError(f"{name} was not ready after {seconds:.0f} s.\n{self._tail(name)}\n{hint}")

    def _tail(self, name: str) -> str:
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()[-_TAIL:]
        except OSError:
            lines = []
        return "\n".join([f"The end of {self.log(name)}:", *(f"  {line}" for line in lines)])

    def _read(self) -> dict[str, dict[str, str | int]]:
        try:
            loaded: dict[str, dict[str, str | int]] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return loaded

    def _write(self, rows: dict[str, dict[str, str | int]]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(rows))
        fresh.replace(self._file)


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def _collect() -> None:
    """Take the exit status of those of our own children that ended, which else stay as zombies."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            del _CHILDREN[pid]


def _running(process: Process) -> bool:
    _collect()
    return process.alive


def _until(check: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(_POLL)  # between two looks at a process that is ending
    return check()
