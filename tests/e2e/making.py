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
from dataclasses import asdict, dataclass
from pathlib import Path

from localenv.binaries import Binaries
from localenv.errors import LocalEnvError
from localenv.install import remove_crds
from localenv.kind import images
from localenv.kind.cluster import KindCluster
from localenv.kind.images import Images
from localenv.ports import free_ports
from tests.e2e import preflight
from tests.e2e.release import Release
from tests.e2e.site import Site
from tests.e2e.workloads import (
    CONFIG_NODE_PORT,
    CONFIG_PORT,
    GATEWAY,
    GATEWAY_NAMESPACE,
    OURS,
    TRAFFIC_NODE_PORT,
    TRAFFIC_PORT,
)

_STATE = "state.json"
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


def end(folder: Path) -> None:
    """Remove the cluster of kind that a run has kept in the folder; nothing happens when there is none, or it is gone already."""
    if not _State.is_in(folder):
        return
    found = KindCluster.at(_State.of(folder).name, folder=folder)
    if found is not None:
        found.delete()


def _kind(folder: Path) -> Made:
    state = _State.of(folder)
    ports = {TRAFFIC_NODE_PORT: state.traffic_port, CONFIG_NODE_PORT: state.config_port}
    made = images.prepare()
    with ExitStack() as stack:
        found = KindCluster.at(state.name, folder=folder)
        cluster = found or KindCluster.create(state.name, folder=folder, ports=ports)
        if found is None:
            stack.callback(cluster.delete)
        cluster.load(made.operator, made.gateway, made.backend, made.prometheus)
        stack.pop_all()
    site = state.site(folder, cluster.kubeconfig, Binaries().kubectl, made, node=cluster.node)
    return Made(site, cluster.delete)


def _external(folder: Path, kubeconfig: Path) -> Made:
    if not _State.is_in(folder):
        preflight.check(kubeconfig)
    state = _State.of(folder)
    kubectl = Path(shutil.which("kubectl") or Binaries().kubectl)
    site = state.site(folder, kubeconfig, kubectl, _given_images())
    forwards = [
        Forward(site, local=state.traffic_port, port=TRAFFIC_PORT),
        Forward(site, local=state.config_port, port=CONFIG_PORT),
    ]

    def remove() -> None:
        """What the suite has brought, and no more: `preflight` has seen that nothing of ours was there before."""
        _remove_release(site)
        for forward in forwards:
            forward.stop()
        site.run_kubectl("delete", "namespace", "--selector=" + ",".join("=".join(label) for label in OURS.items()))

    return Made(site, remove)


def _remove_release(site: Site) -> None:
    release = Release(site)
    try:
        if release.installed():
            site.run_kubectl("delete", "clients.gateway-registrar.dev", "--all", "--all-namespaces", "--timeout=120s")
            release.uninstall_gateways()
            # The operator must see them go: nobody else takes their finalizer off.
            site.run_kubectl("delete", "runtimegateways.gateway-registrar.dev", "--all", "--timeout=120s")
            release.uninstall()
            remove_crds(release.cluster)
    finally:
        release.close()


def _given_images() -> Images:
    """The images that the cluster can pull, by their variables."""
    missing = [variable for variable in _IMAGES.values() if not os.environ.get(variable)]
    if missing:
        raise LocalEnvError(
            f"With KUBECONFIG_EXTERNAL the cluster pulls the images itself: set {', '.join(missing)} to names that it can pull."
        )
    return Images(**{field: os.environ[variable] for field, variable in _IMAGES.items()})


@dataclass(frozen=True, slots=True)
class _State:
    """What must be the same when a kept cluster is found again."""

    name: str
    traffic_port: int
    config_port: int
    password: str

    @classmethod
    def is_in(cls, folder: Path) -> bool:
        """Whether a run has kept its own there."""
        return (folder / _STATE).exists()

    @classmethod
    def of(cls, folder: Path) -> _State:
        """That of the folder, made when there is none."""
        file = folder / _STATE
        if not file.exists():
            traffic_port, config_port = free_ports(*_PORTS).values()
            made = cls(f"registrar-e2e-{secrets.token_hex(3)}", traffic_port, config_port, secrets.token_urlsafe(18))
            file.touch(mode=0o600)
            file.write_text(json.dumps(asdict(made)))
        return cls(**json.loads(file.read_text()))

    def site(self, folder: Path, kubeconfig: Path, kubectl: Path, made: Images, *, node: str = "") -> Site:
        """The site with these ports and this password."""
        return Site(
            folder=folder,
            kubeconfig=kubeconfig,
            kubectl=kubectl,
            images=made,
            traffic_port=self.traffic_port,
            config_port=self.config_port,
            gateway_password=self.password,
            node=node,
        )


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
