"""Makes the cluster of the suite and finds the ways into it: KUBECONFIG_EXTERNAL, else kind on the Docker engine that answers.

Invariant: what is made here is removed by `Made.remove`, and nothing else is. What this module deliberately does not do: start an engine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from localenv.binaries import Binaries
from localenv.errors import LocalEnvError
from localenv.kind import images
from localenv.kind.cluster import KindCluster
from localenv.kind.images import Images
from localenv.ports import free_ports
from tests.e2e import preflight
from tests.e2e.site import Site
from tests.e2e.workloads import (
    CONFIG_NODE_PORT,
    CONFIG_PORT,
    GATEWAY,
    GATEWAY_NAMESPACE,
    TRAFFIC_NODE_PORT,
    TRAFFIC_PORT,
)

_PORTS = ("E2E_GATEWAY_PORT", "E2E_GATEWAY_CONFIG_PORT")
_IMAGES = {field: f"E2E_{field.upper()}_IMAGE" for field in Images.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Made:
    """A site, and what ends it."""

    site: Site
    remove: Callable[[], None]


def make(folder: Path) -> Made:
    """The site whose files are in `folder`: the one that is there, else a new one.

    Raises LocalEnvError with one line when there is no cluster to be had, or when it is none for this suite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    external = os.environ.get("KUBECONFIG_EXTERNAL")
    return _external(folder, Path(external)) if external else _kind(folder)


def _kind(folder: Path) -> Made:
    state = _state(folder)
    ports = {TRAFFIC_NODE_PORT: state["traffic"], CONFIG_NODE_PORT: state["config"]}
    made = images.prepare()
    with ExitStack() as stack:
        cluster = KindCluster.create(state["name"], folder=folder, ports=ports)
        stack.callback(cluster.delete)
        cluster.load(made.operator, made.gateway, made.backend, made.prometheus)
        stack.pop_all()
    site = Site(
        folder=folder,
        kubeconfig=cluster.kubeconfig,
        kubectl=Binaries().kubectl,
        images=made,
        traffic_port=state["traffic"],
        config_port=state["config"],
        gateway_password=state["password"],
        node=cluster.node,
    )
    return Made(site, cluster.delete)


def _external(folder: Path, kubeconfig: Path) -> Made:
    preflight.check(kubeconfig)
    state = _state(folder)
    site = Site(
        folder=folder,
        kubeconfig=kubeconfig,
        kubectl=Path(shutil.which("kubectl") or Binaries().kubectl),
        images=_given_images(),
        traffic_port=state["traffic"],
        config_port=state["config"],
        gateway_password=state["password"],
    )
    forwards = [
        Forward(site, local=state["traffic"], port=TRAFFIC_PORT),
        Forward(site, local=state["config"], port=CONFIG_PORT),
    ]

    def remove() -> None:
        for forward in forwards:
            forward.stop()
        site.run_kubectl("delete", "namespace", GATEWAY_NAMESPACE, "--ignore-not-found")

    return Made(site, remove)


def _given_images() -> Images:
    """The images that the cluster can pull, by their variables."""
    missing = [variable for variable in _IMAGES.values() if not os.environ.get(variable)]
    if missing:
        raise LocalEnvError(
            f"With KUBECONFIG_EXTERNAL the cluster pulls the images itself: set {', '.join(missing)} to names that it can pull."
        )
    return Images(**{field: os.environ[variable] for field, variable in _IMAGES.items()})


def _state(folder: Path) -> dict[str, str | int] | dict[str, object]:
    file = folder / "state.json"
    if not file.exists():
        ports = free_ports(*_PORTS)
        file.touch(mode=0o600)
        name = f"registrar-e2e-{secrets.token_hex(3)}"
        traffic, config = (ports[variable] for variable in _PORTS)
        password = secrets.token_urlsafe(18)
        file.write_text(json.dumps({"name": name, "traffic": traffic, "config": config, "password": password}))
    return dict(json.loads(file.read_text()))


class Forward:
    """A port of this machine that leads to the gateway's Service, as long as the suite runs: `kubectl port-forward` ends with the pod that it found."""

    def __init__(self, site: Site, *, local: int, port: int) -> None:
        self._command = [
            str(site.kubectl),
            f"--kubeconfig={site.kubeconfig}",
            f"--namespace={GATEWAY_NAMESPACE}",
            "port-forward",
            f"service/{GATEWAY}",
            f"{local}:{port}",
        ]
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it."""
        self._ended.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._process.wait()
