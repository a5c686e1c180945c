"""The whole local environment: what `make up` starts, and what tests, the demo and the benchmark build on.

Invariants: starting it twice changes nothing; whatever was started before a failure is ended again; ports stay the same for the life of the environment, so that
a gateway that restarts is found where it was. What this module deliberately does not do: run the operator.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from localenv import kubectl
from localenv.binaries import Binaries
from localenv.controlplane import ControlPlane
from localenv.errors import LocalEnvError
from localenv.gateway import APIS, Api, GatewayApi, command, configuration
from localenv.install import install
from localenv.ports import free_ports, listening
from localenv.processes import Processes
from registrar.kube.config import KubeAccess, load_access

ROOT = Path(__file__).parent.parent
NAMESPACE = "gateway-registrar-system"
_PORTS = {
    "apiserver": "LOCALENV_APISERVER_PORT",
    "etcd": "LOCALENV_ETCD_PORT",
    "etcd_peer": "LOCALENV_ETCD_PEER_PORT",
    "controller": "LOCALENV_CONTROLLER_PORT",
    "gateway": "LOCALENV_GATEWAY_PORT",
    "gateway_config": "LOCALENV_GATEWAY_CONFIG_PORT",
    "backend": "LOCALENV_BACKEND_PORT",
}


def default_folder() -> Path:
    """Where the environment keeps its files: LOCALENV_DIR, else `.localenv` in the tree."""
    return Path(os.environ.get("LOCALENV_DIR") or ROOT / ".localenv").resolve()


@dataclass(slots=True)
class Environment:
    """One environment; make it with `up` or find a running one with `at`."""

    folder: Path
    binaries: Binaries
    processes: Processes
    ports: dict[str, int]
    gateway_password: str
    gateway_user: str = "admin"
    gateway_heap: str = "256m"

    # Making and ending ------------------------------------------------------------------------------------------

    @classmethod
    def at(cls, folder: Path) -> Environment:
        """The environment of `folder`, with the ports and passwords that it has or will have; starts nothing."""
        folder.mkdir(parents=True, exist_ok=True)
        state = folder / "state.json"
        if not state.exists():
            by_variable = free_ports(*_PORTS.values())
            state.touch(mode=0o600)
            ports = {name: by_variable[variable] for name, variable in _PORTS.items()}
            state.write_text(json.dumps({"ports": ports, "password": secrets.token_urlsafe(18)}))
        loaded = json.loads(state.read_text())
        return cls(
            folder=folder,
            binaries=Binaries(),
            processes=Processes(folder),
            ports=loaded["ports"],
            gateway_password=loaded["password"],
        )

    @classmethod
    def up(cls, folder: Path | None = None, *, apis: tuple[Api, ...] = APIS, gateway_heap: str = "256m") -> Environment:
        """Start what does not run, install the CRDs and the RuntimeGateway, and write the `env` file; returns when all is ready.

        Raises LocalEnvError when a part can't be started; what was started by then is ended again.
        """
        environment = cls.at(folder or default_folder())
        environment.gateway_heap = gateway_heap
        running = set(environment.processes.names())
        try:
            environment._start(apis)
        except BaseException:
            if not running:
                environment.down()
            raise
        return environment

    def _start(self, apis: tuple[Api, ...]) -> None:
        if self._external is None:
            self.control_plane.start()
        if self.processes.find("backend") is None:
            path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
            backend = [sys.executable, "-m", "localenv.backend", str(self.ports["backend"])]
            self.processes.start("backend", backend, env={"PYTHONPATH": path})
        fresh = self.processes.find("gateway") is None
        if fresh:
            self.start_gateway()
        self.processes.wait_ready(
            "backend",
            lambda: listening(self.ports["backend"]),
            seconds=30,
            hint="Set LOCALENV_BACKEND_PORT to a free port.",
        )
        if fresh:
            self.publish_apis(*apis)
        install(self)
        self._write_env()

    def down(self) -> None:
        """End every process of this environment and remove its files; does nothing when there is none."""
        for name in reversed(self.processes.names()):
            self.processes.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Parts ------------------------------------------------------------------------------------------------------

    @property
    def control_plane(self) -> ControlPlane:
        """Etcd and the Kubernetes processes."""
        return ControlPlane(self.folder, self.binaries, self.processes, self.ports)

    @property
    def gateway_api(self) -> GatewayApi:
        """The gateway's configuration API."""
        return GatewayApi(url=self.gateway_config_url, user=self.gateway_user, password=self.gateway_password)

    def start_gateway(self) -> None:
        """Start the gateway, empty, and wait until it answers."""
        config = self.folder / "gateway.json"
        config.touch(mode=0o600)
        content = configuration(
            config_port=self.ports["gateway_config"],
            traffic_port=self.ports["gateway"],
            user=self.gateway_user,
            password=self.gateway_password,
        )
        config.write_text(json.dumps(content, indent=1))
        line = command(
            java=self.binaries.java,
            jar=self.binaries.gateway_jar,
            config=config,
            heap=self.gateway_heap,
            scratch=self.folder,
        )
        self.processes.start("gateway", line)
        self.processes.wait_ready(
            "gateway",
            lambda: self.gateway_api.up() and listening(self.ports["gateway"]),
            seconds=90,
            hint="If a port is taken, set LOCALENV_GATEWAY_PORT and LOCALENV_GATEWAY_CONFIG_PORT to free ones.",
        )

    def stop_gateway(self) -> None:
        """Stop the gateway; it forgets everything."""
        self.processes.stop("gateway")

    def publish_apis(self, *apis: Api) -> None:
        """Publish APIs in front of the backend; all of `APIS` when none is named."""
        for api in apis or APIS:
            self.gateway_api.publish(api, backend=self.backend_url)

    def reset_gateway(self) -> None:
        """Restart the gateway empty and publish the APIs again: what a real loss looks like."""
        self.stop_gateway()
        self.start_gateway()
        self.publish_apis()

    # Addresses --------------------------------------------------------------------------------------------------

    @property
    def _external(self) -> Path | None:
        value = os.environ.get("KUBECONFIG_EXTERNAL")
        if not value:
            return None
        if not Path(value).is_file():
            raise LocalEnvError(f"KUBECONFIG_EXTERNAL is {value}, which is no file. Correct or unset it.")
        return Path(value)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig: KUBECONFIG_EXTERNAL, else that of the built control plane."""
        return self._external or self.control_plane.kubeconfig()

    @property
    def operator_kubeconfig(self) -> Path:
        """The kubeconfig of the operator's ServiceAccount, with the rights that the chart gives it and no others."""
        return self.folder / "kubeconfig-operator"

    @property
    def kubectl(self) -> Path:
        """The kubectl that belongs to the API server; with an external cluster the one on the path, when there is one."""
        found = shutil.which("kubectl") if self._external is not None else None
        return Path(found) if found else self.binaries.kubectl

    def access(self, user: str = "admin") -> KubeAccess:
        """How to reach the API server as one of `localenv.controlplane.USERS`; an external cluster has only its administrator."""
        external = self._external
        if external is not None and user != "admin":
            raise LocalEnvError(f"KUBECONFIG_EXTERNAL has no user {user}; tests of RBAC need the built control plane.")
        return load_access(str(external or self.control_plane.kubeconfig(user)))

    @property
    def apiserver_url(self) -> str:
        """Where the API server is."""
        return self.access().server

    @property
    def keeps_connections(self) -> bool:
        """No: tests end and stop the API server, and no request is to meet a connection of the one before."""
        return False

    @property
    def gateway_config_url(self) -> str:
        """The gateway's configuration API."""
        return f"http://127.0.0.1:{self.ports['gateway_config']}"

    @property
    def gateway_url(self) -> str:
        """Where APIs are called."""
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def backend_url(self) -> str:
        """The API implementation behind the gateway."""
        return f"http://127.0.0.1:{self.ports['backend']}"

    def run_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator and return what it prints; raises LocalEnvError with its message when it fails."""
        return kubectl.run(self.kubectl, *arguments, kubeconfig=self.kubeconfig, stdin=stdin)

    def _write_env(self) -> None:
        values = {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECTL": str(self.kubectl),
            "GATEWAY_CONFIG_URL": self.gateway_config_url,
            "GATEWAY_URL": self.gateway_url,
            "GATEWAY_USER": self.gateway_user,
            "GATEWAY_PASSWORD": self.gateway_password,
            "BACKEND_URL": self.backend_url,
        }
        file = self.folder / "env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
