"""A cluster of one node in a container, made by kind through pytest-kubernetes: created, given images, deleted.

Invariants: kind and kubectl are the ones that are built here; no kubeconfig but the cluster's own is read or written; a cluster that can't be made, and one that is
deleted, leaves neither container, volume nor network; a cluster that was there before is not touched.
What this module deliberately does not do: install anything in the cluster, or wait for more than the node and its API server.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pytest_kubernetes.options import ClusterOptions
from pytest_kubernetes.providers.kind import KindManagerBase

from localenv import kubectl
from localenv.binaries import Binaries
from localenv.errors import LocalEnvError
from localenv.kind import docker, node
from localenv.progress import progress

_NETWORK = "kind"
_MAKE_SECONDS = 600
_READY_SECONDS = 120
_TAIL = 20
_CAP_SYS_RESOURCE = 24
_KUBELET_ON_CGROUP_1 = "kind: KubeletConfiguration\nfailCgroupV1: false\n"
_NO_LOWER_OOM_SCORE = '[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n'


@dataclass(frozen=True, slots=True)
class KindCluster:
    """A cluster that runs; make one with `create`, or find one that was made before with `at`."""

    name: str
    kubeconfig: Path
    _manager: KindManagerBase

    @classmethod
    def create(cls, name: str, *, folder: Path, ports: Mapping[int, int]) -> KindCluster:
        """Make a cluster and return when its node is ready.

        `folder` is where its kubeconfig goes; `ports` says for a NodePort on which port of 127.0.0.1 it answers. Raises LocalEnvError when there is a cluster of
        that name already, which stays as it is, or when it can't be made; what was made by then is removed.
        """
        _check(name, folder)
        image = node.ensure()
        folder.mkdir(parents=True, exist_ok=True)
        config = configuration(name, ports=ports, limits=Limits.of_engine(), own_image=node.is_own(image))
        kubeconfig = folder / f"{name}.kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        with _commands(kubeconfig), _file(folder / f"{name}.kind.yaml", yaml.safe_dump(config)) as file:
            manager = KindManagerBase(provider_config=str(file), kubeconfig=kubeconfig)
            cluster = cls(name=name, kubeconfig=kubeconfig, _manager=manager)
            try:
                with (
                    _told(f"The cluster {name} can't be made"),
                    progress(f"making the cluster {name} (usually takes 20 seconds)"),
                ):
                    cluster._make(image)
                kubeconfig.chmod(0o600)
            except BaseException:
                cluster.delete()
                raise
        return cluster

    def _make(self, image: str) -> None:
        """Create it, and wait for its node: kind itself only warns when that takes too long."""
        bounds = ClusterOptions(cluster_timeout=_MAKE_SECONDS)
        self._manager.create(bounds, timeout=_READY_SECONDS, options=["--image", image, "--wait", f"{_READY_SECONDS}s"])
        self._manager.wait(f"node/{self.node}", "condition=Ready", timeout=_READY_SECONDS)

    @classmethod
    def at(cls, name: str, *, folder: Path) -> KindCluster | None:
        """The cluster of that name whose kubeconfig is in the folder and whose node runs; None when there is none."""
        kubeconfig = folder / f"{name}.kubeconfig"
        if not kubeconfig.is_file() or not docker.containers(f"name=^{node_name(name)}$", "status=running"):
            return None
        # A name that is given as such gets a prefix; one in a configuration is taken as it is.
        with _commands(kubeconfig), _file(folder / f"{name}.kind.yaml", yaml.safe_dump({"name": name})) as file:
            manager = KindManagerBase(provider_config=str(file), kubeconfig=kubeconfig)
        return cls(name=name, kubeconfig=kubeconfig, _manager=manager)

    @property
    def node(self) -> str:
        """The name of the container that is the cluster's one node."""
        return node_name(self.name)

    def load(self, *tags: str) -> None:
        """Copy images from the engine to the node; raises LocalEnvError when the engine has no such image.

        All in one command: layers that they share are copied once.
        """
        named = " ".join(tags)
        with _commands(self.kubeconfig), _told(f"{named} can't be loaded into the cluster {self.name}"):
            self._manager.load_image(named)

    def delete(self) -> None:
        """Remove the cluster with everything that was made for it; nothing happens when it is gone already."""
        with _commands(self.kubeconfig), _told(f"The cluster {self.name} can't be deleted"):
            self._manager.delete()
        self.kubeconfig.unlink(missing_ok=True)
        # kind makes the network for its first cluster, and leaves it. A node that is stopped still belongs to it.
        if docker.has_network(_NETWORK) and not docker.containers(f"network={_NETWORK}"):
            docker.run("network", "rm", _NETWORK)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine withholds from a node."""

    cgroup_1: bool
    """Whether the engine has control groups of version 1 only, with which a kubelet doesn't start unless it is told to."""
    no_sys_resource: bool
    """Whether nobody here may lower an OOM score, as containerd does for each pod unless it is told not to."""

    @classmethod
    def of_engine(cls) -> Limits:
        """What the engine and the kernel say; the engine is taken to run on this machine."""
        version = docker.run("info", "--format", "{{.CgroupVersion}}").strip()
        return cls(cgroup_1=version == "1", no_sys_resource=not has_capability(_status(), _CAP_SYS_RESOURCE))


def _status() -> str:
    file = Path("/proc/self/status")
    return file.read_text() if file.exists() else ""


def has_capability(status: str, number: int) -> bool:
    """Whether a process may have that capability, by its `/proc/…/status`; where the kernel has no such file, an engine in a machine of its own is taken to have all."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def configuration(name: str, *, ports: Mapping[int, int], limits: Limits, own_image: bool) -> dict[str, Any]:
    """What kind is told: one node, its ports on 127.0.0.1 alone, and no more exceptions than the machine needs."""
    mapped = [
        {"containerPort": inside, "hostPort": outside, "listenAddress": "127.0.0.1", "protocol": "TCP"}
        for inside, outside in ports.items()
    ]
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": name,
        "nodes": [{"role": "control-plane", "extraPortMappings": mapped}],
    }
    if own_image:
        # Its pod network is a file in the image.
        config["networking"] = {"disableDefaultCNI": True}
    if limits.cgroup_1:
        config["kubeadmConfigPatches"] = [_KUBELET_ON_CGROUP_1]
    if limits.no_sys_resource:
        config["containerdConfigPatches"] = [_NO_LOWER_OOM_SCORE]
    return config


def node_name(cluster: str) -> str:
    """The name that kind gives to the container of a cluster's one node."""
    return f"{cluster}-control-plane"


def _check(name: str, folder: Path) -> None:
    """Refuse before anything is made."""
    if docker.containers(f"name=^{node_name(name)}$"):
        raise LocalEnvError(
            f"There is a cluster {name} already, of a run that goes on or was killed. "
            f"If nobody uses it, remove it with `docker rm --force --volumes {node_name(name)}` and try again."
        )
    # pytest-kubernetes puts its commands together for a shell, unquoted.
    if shlex.quote(str(folder)) != str(folder):
        raise LocalEnvError(
            f"The folder {folder} has a character that a shell would not take as it is. Choose another."
        )


@contextmanager
def _commands(kubeconfig: Path) -> Iterator[None]:
    """Within it, kind and kubectl are found, in the environment of this process; they know no kubeconfig but this one, and write nothing to the user's home."""
    binaries = Binaries()
    before = dict(os.environ)
    path = [str(binaries.kind.parent), str(binaries.kubectl.parent), before.get("PATH", os.defpath)]
    ours = {
        "PATH": os.pathsep.join(path),
        "KUBECONFIG": str(kubeconfig),
        kubectl.CACHE_VARIABLE: kubectl.cache_folder(),
    }
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def _file(path: Path, content: str) -> Iterator[Path]:
    """A file with that content, gone afterwards."""
    path.write_text(content)
    try:
        yield path
    finally:
        path.unlink()


@contextmanager
def _told(failure: str) -> Iterator[None]:
    """Turn what pytest-kubernetes raises into our exception, with the end of what the command printed."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        tail = "\n".join(error.stderr.decode(errors="replace").strip().splitlines()[-_TAIL:])
        raise LocalEnvError(f"{failure}:\n{tail}") from error
    except (subprocess.TimeoutExpired, RuntimeError) as error:
        raise LocalEnvError(f"{failure}: {error}") from error
