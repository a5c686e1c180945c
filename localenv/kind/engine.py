"""A Docker engine of our own, for a Debian machine that has none: installed and started for one command, and taken away after it.

Invariants: only `make e2e-docker` uses this, and only where no engine answers; data, sockets and state are in the cache, below one folder; the engine has a PID and a
mount namespace of its own, so however it ends, no process and no mount of it stay; a run that was killed is cleaned up after by the next one. Images stay in the
cache, and the packages stay installed. What this module deliberately does not do: use or change an engine or a configuration of the user's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from localenv import cache
from localenv.errors import LocalEnvError
from localenv.kind import docker, lesser_runtime
from localenv.kind.packages import install_missing
from localenv.kind.traces import Traces, put_back
from localenv.processes import Processes

_NAME = "dockerd"
_CGROUP_PREFIX = "gateway-registrar-engine"
_CGROUPS = Path("/sys/fs/cgroup")
_FOREIGN_FOLDERS = ("/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker")
"""Where an engine and its containerd write whatever they are told; in their mount namespace these are empty folders in memory."""
_LONGEST_PATH = 64
"""Characters of the folder; the path of a socket has at most 107, and containerd's are deep below it."""
_START_SECONDS = 60
_STOP_SECONDS = 40.0
_COMMAND_SECONDS = 120
_HINT = "This machine may not be allowed to run containers: see the log, or use a machine on which Docker runs."


class Engine:
    """One engine in one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is below the cache unless it is given; raises LocalEnvError when its path is too long for sockets."""
        self._folder = folder or cache.cache_root() / "engine"
        if len(str(self._folder)) > _LONGEST_PATH:
            raise LocalEnvError(
                f"{self._folder} is too long a path for the engine's sockets. Set XDG_CACHE_HOME to a shorter one."
            )
        self._state = self._folder / "state"
        self._socket = self._folder / "docker.sock"
        self._before = self._folder / "before.json"
        self._mounted = self._folder / "made-folders"
        # Of this folder's own: an engine may run beside another one, whose containers' groups are not to be touched.
        self._cgroup = f"{_CGROUP_PREFIX}-{cache.digest(str(self._folder).encode())}"
        self._processes = Processes(self._folder)

    @property
    def host(self) -> str:
        """As DOCKER_HOST has it."""
        return f"unix://{self._socket}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start it, have DOCKER_HOST name it, and stop it whatever happens; raises LocalEnvError when it can't be started."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            _lock(lock)
            former = os.environ.get("DOCKER_HOST")
            os.environ["DOCKER_HOST"] = self.host
            try:
                self._start()
                yield
            finally:
                with _uninterrupted():
                    self._stop()
                os.environ.pop("DOCKER_HOST")
                if former is not None:
                    os.environ["DOCKER_HOST"] = former

    def _start(self) -> None:
        # What a run that was killed has left: its engine, and what the machine was like before it.
        self._processes.stop(_NAME, patience=1.0)
        shutil.rmtree(self._state, ignore_errors=True)
        if not self._before.is_file():
            Traces.now().write(self._before)
        self._make_folders()
        print("starting a Docker engine of our own; it is stopped at the end", flush=True)
        self._processes.start(_NAME, self._command())
        self._processes.wait_ready(_NAME, docker.answers, seconds=_START_SECONDS, hint=_HINT)
        _clear()

    def _stop(self) -> None:
        """Empty the engine but for its images, end it, and take away its traces: one after the other, and each also when one before it has failed."""
        print("stopping the Docker engine", flush=True)
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._socket.unlink, missing_ok=True)
            last_first.callback(shutil.rmtree, self._state, ignore_errors=True)
            last_first.callback(self._remove_folders)
            last_first.callback(self._remove_cgroups)
            last_first.callback(self._take_traces_away)
            last_first.callback(self._end)
            if self._processes.find(_NAME) is not None and docker.answers():
                last_first.callback(_clear)

    def _take_traces_away(self) -> None:
        if self._before.is_file():
            put_back(Traces.read(self._before))
            self._before.unlink()

    def _end(self) -> None:
        """Ask dockerd to end; it is killed, and all that it has started with it, when it takes too long."""
        process = self._processes.find(_NAME)
        if process is None:
            return
        # `unshare` itself does not react to SIGTERM; its one child is dockerd.
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
        self._processes.stop(_NAME, patience=_STOP_SECONDS)

    def _command(self) -> list[str]:
        """`--kill-child` is what makes sure: when `unshare` ends, dockerd is killed, and with the first process of a PID namespace all others."""
        mounts = "".join(f"mount -t tmpfs -o mode=700 tmpfs {folder}; " for folder in _FOREIGN_FOLDERS)
        return [
            *("unshare", "--mount", "--propagation=slave", "--pid", "--mount-proc", "--fork", "--kill-child"),
            *("sh", "-c", f'set -e; {mounts}exec "$@"', "sh"),
            "dockerd",
            f"--data-root={self._folder / 'data'}",
            f"--exec-root={self._state}",
            f"--pidfile={self._state / 'pid'}",
            f"--host={self.host}",
            # systemd would be told process ids of another namespace.
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{self._cgroup}",
            *self._runtime(),
        ]

    def _runtime(self) -> list[str]:
        """The options for a machine that withholds capabilities; none on others."""
        names = lesser_runtime.here()
        if not names:
            return []
        print(f"this machine withholds {', '.join(sorted(names))}: containers do without", flush=True)
        program = self._folder / "lesser-runtime"
        program.write_text(f"#!{sys.executable} -IS\n{Path(lesser_runtime.__file__).read_text()}")
        program.chmod(0o755)
        return [f"--add-runtime=lesser={program}", "--default-runtime=lesser"]

    def _make_folders(self) -> None:
        """Make the folders that something is mounted on, and remember those that were not there."""
        self._state.mkdir(exist_ok=True)
        made = set(self._mounted.read_text().splitlines()) if self._mounted.is_file() else set()
        made |= {folder for folder in _FOREIGN_FOLDERS if not Path(folder).exists()}
        self._mounted.write_text("\n".join(sorted(made)))
        for folder in _FOREIGN_FOLDERS:
            Path(folder).mkdir(exist_ok=True)

    def _remove_folders(self) -> None:
        """Remove those folders again, unless somebody else has put something there meanwhile."""
        if not self._mounted.is_file():
            return
        for folder in self._mounted.read_text().splitlines():
            path = Path(folder)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        self._mounted.unlink()

    def _remove_cgroups(self) -> None:
        """Remove the empty groups that stay behind, in every hierarchy; the innermost first."""
        for top in (_CGROUPS / self._cgroup, *_CGROUPS.glob(f"*/{self._cgroup}")):
            for folder, _, _ in os.walk(top, topdown=False):
                Path(folder).rmdir()


def with_engine(command: Sequence[str]) -> int:
    """Run the command with an engine: the one that answers, else one of our own; returns the command's exit code.

    Raises LocalEnvError when no engine can be started.
    """
    if docker.answers():
        print("a Docker engine answers and is used; it is left as it is", flush=True)
        return _run(command)
    install_missing()
    with Engine().running():
        return _run(command)


def _run(command: Sequence[str]) -> int:
    """Run it in a session of its own, so that an interrupt reaches it once; it gets the time to clean up."""
    with subprocess.Popen(list(command), start_new_session=True) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            os.killpg(child.pid, signal.SIGINT)
            try:
                child.wait(_COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
            raise


def _clear() -> None:
    """Remove the containers, networks and volumes of our own engine: before and after the command all of them are left over."""
    if containers := docker.run("ps", "--all", "--quiet").split():
        docker.run("rm", "--force", "--volumes", *containers)
    docker.run("network", "prune", "--force")
    docker.run("volume", "prune", "--force")


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LocalEnvError("Another `make e2e-docker` runs on this machine. Wait until it has ended.") from None


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Clean up to the end, whoever is impatient; every step of it ends by itself."""

    def say(number: int, frame: FrameType | None) -> None:
        print("  the engine is being stopped; this takes a few seconds", flush=True)

    former = {name: signal.signal(name, say) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)
