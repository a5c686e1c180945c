"""The operator as a process of its own, beside the local environment: for the demo, the tests and the benchmark.

Invariant: it is to the API server what the chart makes it, a ServiceAccount with the chart's roles; it never has an administrator's rights.
What this module deliberately does not do: look into the operator; what it does is seen on the API server, on the gateway and in its log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from localenv.environment import ROOT, Environment
from localenv.errors import LocalEnvError
from localenv.ports import free_ports


class Operator:
    """One operator process against one environment; `settings` are REGISTRAR_ variables without the prefix, in lower case."""

    def __init__(
        self,
        environment: Environment,
        *,
        name: str = "operator",
        module: str = "registrar",
        settings: Mapping[str, str | float] | None = None,
        kubeconfig: Path | None = None,
    ) -> None:
        """`module` is what is run, so that a test can run one that injects faults; `kubeconfig` is that of another account than the usual one."""
        self._module = module
        self._settings = dict(settings or {})
        self._kubeconfig = kubeconfig or environment.operator_kubeconfig
        self.log = environment.folder / "logs" / f"{name}.log"
        self.audit = environment.folder / "logs" / f"{name}-audit.log"
        self.port = free_ports("REGISTRAR_DEMO_PORT")["REGISTRAR_DEMO_PORT"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True, extra: dict[str, str] | None = None) -> Operator:
        """Start it and, unless told otherwise, wait until it is ready; raises LocalEnvError with the end of its log when it is not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REGISTRAR_")},
            "KUBECONFIG": str(self._kubeconfig),
            "PYTHONPATH": path,
            "REGISTRAR_PROBES_HOST": "127.0.0.1",
            "REGISTRAR_PROBES_PORT": str(self.port),
            "REGISTRAR_AUDIT_LOG": str(self.audit),
            **{f"REGISTRAR_{key.upper()}": str(value) for key, value in self._settings.items()},
            **(extra or {}),
        }
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "run"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, *, seconds: float = 60.0) -> None:
        """Wait for /readyz."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ended:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.05)  # between two probes
        raise LocalEnvError(f"The operator is not ready. The end of {self.log}:\n{self.tail()}")

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise LocalEnvError("The operator was not started.")
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    def wait_ended(self, *, seconds: float = 60.0) -> int:
        """Wait until it has ended; returns the exit code (negative for a signal)."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LocalEnvError(f"The operator did not end. The end of {self.log}:\n{self.tail()}") from None

    def stop(self) -> int:
        """Ask it to stop and wait; returns the exit code."""
        if self._process is None or self.ended:
            return self._process.returncode if self._process else 0
        self._process.send_signal(signal.SIGTERM)
        return self.wait_ended(seconds=30)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None and not self.ended:
            self._process.kill()
            self._process.wait()

    def metrics(self) -> str:
        """What /metrics says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def changing_calls(self) -> int:
        """How many effects on a gateway the audit log has, from all lives of this operator."""
        return len(self.audit.read_text().splitlines())

    def tail(self, lines: int = 30) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    @property
    def files(self) -> tuple[Path, ...]:
        """What it writes to disk."""
        return (self.log, self.audit)
