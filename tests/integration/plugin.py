"""The kubectl plugin as a user runs it: in this process where only the answer counts, and through kubectl and a shell where that is the point."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from localenv.environment import ROOT
from registrar.cli.__main__ import main

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The answer of `-o json`."""
        return json.loads(self.out)

    @property
    def problem(self) -> str:
        """The one line on standard error; fails when there are more, or a traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), self.err
        return lines[0]


class HasKubectl(Protocol):
    """What knows where the real kubectl is."""

    @property
    def kubectl(self) -> Path:
        """The program."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One user of the plugin. `folder` gets the programs that the user has on the path."""

    env: HasKubectl
    kubeconfig: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str) -> Said:
        """Run a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with _variables(KUBECONFIG=str(self.kubeconfig)), redirect_stdout(out), redirect_stderr(err):
            code = main(list(words))
        return Said(code, out.getvalue(), err.getvalue())

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a process of its own, which Ctrl-C reaches: one that was started in the background would ignore it, and so would its children."""
        command = [sys.executable, "-m", "registrar.cli", *words]
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        options |= {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
        return subprocess.Popen(command, env=environment, text=True, **options)

    def shell(self, script: str) -> Said:
        """Run a script as the user would type it, with kubectl and the plugin on the path."""
        self._install()
        environment = os.environ | self.variables
        environment |= {"KUBECONFIG": str(self.kubeconfig), "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def follow_why(self, *subject: str, seconds: float = 60.0) -> list[str]:
        """Do what `why` says, and nothing else, until it finds nothing; returns the reasons that it gave on the way."""
        given: list[str] = []
        deadline = time.monotonic() + seconds
        while (said := self("why", *subject, "-o", "json")).code != 0:
            assert said.code == 1, said.err
            finding = said.data["finding"]
            assert time.monotonic() < deadline, f"{finding} after {given}"
            if finding["waits"] or finding["reason"] in given:
                time.sleep(0.2)  # between two looks: what was done takes effect in its time
                continue
            given.append(finding["reason"])
            command = next(mend["command"] for mend in finding["mends"] if mend["command"])
            done = self.shell(command)
            assert done.code == 0, (command, done.err)
        return given

    def _install(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, module in (
            ("kubectl-registrar", "registrar.cli"),
            ("kubectl_complete-registrar", "registrar.cli.completion"),
        ):
            file = self.folder / name
            if not file.exists():
                file.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "operator"} exec {sys.executable} -m {module} "$@"\n')
                file.chmod(0o755)
        if not (self.folder / "kubectl").exists():
            (self.folder / "kubectl").symlink_to(self.env.kubectl)


def kubeconfig(file: Path, *, server: str, ca: Path | None, token: str, namespace: str = "default") -> Path:
    """Write a kubeconfig for one user; without `ca` the system's are trusted."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": server} | ({"certificate-authority": str(ca)} if ca else {})}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
    }
    file.write_text(json.dumps(content))
    return file


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """The environment with some variables set."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
