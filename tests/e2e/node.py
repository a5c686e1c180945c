"""The node from outside, by its container: what befalls processes without anybody asking the API server.

Invariants: what is stopped or taken away in a `with` is back after it, whatever happens in between. What this module deliberately does not do: wait for what
follows, or look at objects; it is told which pod is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException

from localenv.cluster import Cluster, Json
from localenv.kind import docker

_MANIFESTS, _ASIDE = "/etc/kubernetes/manifests", "/etc/kubernetes/aside"
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_GET = r"""
exec 3<>"/dev/tcp/$1/$2" && printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&3 && head -n 1 <&3
true
"""
"""The first line of an answer, or nothing; a node has no other client that every image of it has."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node that is a container of the Docker engine here."""

    container: str

    def kill(self, pod: Json) -> None:
        """Kill the first process of a pod as the kernel does when memory is out: no handler runs, nothing is handed over."""
        (status,) = pod["status"]["containerStatuses"]
        container = status["containerID"].removeprefix("containerd://")
        self._run("ctr", "--namespace=k8s.io", "task", "kill", "--signal=SIGKILL", container)

    def get(self, pod: Json, *, port: int, path: str) -> int:
        """The status code with which a pod answers the node, as it does to the kubelet's probes; 0 when there is no answer in five seconds."""
        line = self._run("timeout", "5", "bash", "-c", _GET, "get", pod["status"]["podIP"], str(port), path)
        return int(line.split()[1]) if line else 0

    @contextmanager
    def paused_kubelet(self) -> Iterator[None]:
        """Have the kubelet stand still: it starts, probes, kills and reports nothing."""
        self._run("systemctl", "kill", "--signal=SIGSTOP", "kubelet")
        try:
            yield
        finally:
            self._run("systemctl", "kill", "--signal=SIGCONT", "kubelet")

    def kill_api_server(self) -> None:
        """Kill the API server, if one runs; the kubelet starts it again at once."""
        self._run("bash", "-c", "pkill -KILL --exact kube-apiserver || true")

    @contextmanager
    def without_api_server(self) -> Iterator[None]:
        """Have no API server: its manifest is out of the kubelet's sight. The first moments may still have one.

        Those that end with it are taken away too: each of their starts without one would fail, and the kubelet waits longer after each.
        """
        files = [f"{name}.yaml" for name in _CONTROL_PLANE]
        self._run("mkdir", "-p", _ASIDE)
        self._run("mv", *(f"{_MANIFESTS}/{file}" for file in files), _ASIDE)
        try:
            self.kill_api_server()
            yield
        finally:
            self._run("mv", *(f"{_ASIDE}/{file}" for file in files), _MANIFESTS)

    def _run(self, *command: str) -> str:
        return docker.run("exec", self.container, *command)


def answers(cluster: Cluster) -> bool:
    """Whether the API server answers; it may do so before it calls itself ready."""
    try:
        return cluster.request("GET", "/api/v1/namespaces/default").status == 200
    except (OSError, HTTPException):
        return False


def whole(cluster: Cluster, *, since: float) -> bool:
    """Whether the control plane works again, since that time in seconds since the epoch: an API server takes its controllers along, and without them no pod is made."""
    leases = [cluster.get("Lease", "kube-system", name) or {} for name in _CONTROL_PLANE[1:]]
    return all(renewed(lease) > since for lease in leases)


def renewed(lease: Json) -> float:
    """When a Lease was renewed last, in seconds since the epoch; 0 when never."""
    time = lease.get("spec", {}).get("renewTime")
    return datetime.fromisoformat(time).timestamp() if time else 0.0
