"""Everything that is run: the binaries of Kubernetes and promtool, built once from their Go modules, and the gateway's jar, fetched once.

Sources: the modules and versions are in `go/*/go.mod`; the jar's coordinates and checksum are below. Invariant: whoever asks for a binary gets the same file.
What this module deliberately does not do: start anything.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

from localenv import cache, gomodule, toolchain
from localenv.errors import LocalEnvError
from localenv.progress import progress

KUBERNETES = "kubernetes"
"""The folder of the Go module with everything of Kubernetes; its go.mod says which versions."""
GATEWAY_GROUP = "io.apiman"
GATEWAY_ARTIFACT = "apiman-gateway-platforms-vertx3"
GATEWAY_VERSION = "2.1.1.Final"
GATEWAY_SHA256 = "8c05935f3ca300ce765dc4cd84ba023162e94b5cb7ebe858ad287ebebb8fa448"


class Binaries:
    """Paths of everything that is run; each is made when it is first asked for, so an external cluster costs no build."""

    # The control plane: what `make up` runs, and what a node of kind runs too ---------------------------------------

    @cached_property
    def etcd(self) -> Path:
        """The store of the control plane."""
        return _kubernetes("etcd", "go.etcd.io/etcd/server/v3", usually="about half a minute")

    @cached_property
    def kube_apiserver(self) -> Path:
        """The API server."""
        return _kubernetes("kube-apiserver", usually="about 5 minutes on two cores")

    @cached_property
    def kube_controller_manager(self) -> Path:
        """What collects garbage and empties namespaces."""
        return _kubernetes("kube-controller-manager", usually="about a minute on two cores")

    @cached_property
    def kubectl(self) -> Path:
        """The kubectl that belongs to the API server."""
        return _kubernetes("kubectl", usually="about half a minute on two cores")

    # What a cluster of kind needs besides: built only for `make e2e` ------------------------------------------------

    @cached_property
    def kind(self) -> Path:
        """What makes a cluster of containers."""
        return _kubernetes("kind", "sigs.k8s.io/kind", usually="about 10 seconds")

    @cached_property
    def kubeadm(self) -> Path:
        """What makes a control plane of a node."""
        return _kubernetes("kubeadm", usually="about half a minute on two cores")

    @cached_property
    def kubelet(self) -> Path:
        """What runs pods on a node."""
        return _kubernetes("kubelet", usually="about 2 minutes on two cores")

    @cached_property
    def kube_proxy(self) -> Path:
        """What makes Services work on a node."""
        return _kubernetes("kube-proxy", usually="about half a minute on two cores")

    @cached_property
    def kube_scheduler(self) -> Path:
        """What gives pods to nodes."""
        return _kubernetes("kube-scheduler", usually="about half a minute on two cores")

    @cached_property
    def coredns(self) -> Path:
        """The cluster's DNS, with the plugins that kubeadm configures."""
        return _kubernetes("coredns", "./coredns", usually="about half a minute on two cores")

    @cached_property
    def pause(self) -> Path:
        """What holds a pod's namespaces."""
        return _kubernetes("pause", "./pause", usually="a second")

    def build_node(self) -> None:
        """Have everything that a node is made from, so that whoever puts one together waits for no build on the way."""
        _ = self.etcd, self.kube_apiserver, self.kube_controller_manager, self.kubectl
        _ = self.kubeadm, self.kubelet, self.kube_proxy, self.kube_scheduler, self.coredns, self.pause

    # The rest -------------------------------------------------------------------------------------------------------

    @cached_property
    def promtool(self) -> Path:
        """What checks alert rules and runs their tests. Its service discoveries are left out: they are most of what it is made of."""
        return gomodule.command(
            "prometheus",
            "github.com/prometheus/prometheus/cmd/promtool",
            name="promtool",
            usually="about 2 minutes on two cores",
            tags="remove_all_sd",
        )

    @cached_property
    def gateway_jar(self) -> Path:
        """The gateway with all that it needs, checked against its SHA-256."""
        return cache.entry(f"gateway-{GATEWAY_VERSION}-{GATEWAY_SHA256[:8]}", _fetch_gateway) / "gateway.jar"

    @cached_property
    def java(self) -> str:
        """The command of a Java runtime."""
        return toolchain.java()


def _kubernetes(name: str, package: str | None = None, *, usually: str) -> Path:
    """A command of the Kubernetes module; most are packages of k8s.io/kubernetes and have its name."""
    return gomodule.command(KUBERNETES, package or f"k8s.io/kubernetes/cmd/{name}", name=name, usually=usually)


def _fetch_gateway(target: Path) -> None:
    with progress("fetching the Apiman gateway, 89 MB (usually takes about 10 seconds)"):
        found = _resolve_jar()
    actual = hashlib.sha256(found.read_bytes()).hexdigest()
    if actual != GATEWAY_SHA256:
        raise LocalEnvError(
            f"The gateway's jar has SHA-256 {actual}, not {GATEWAY_SHA256}. It is not used; find out where it came from."
        )
    shutil.copyfile(found, target / "gateway.jar")


def _resolve_jar() -> Path:
    """Let jgo resolve the artifact, in a process of its own: it configures logging and reads the user's Maven settings."""
    code = (
        "import sys\n"
        "from jgo.maven import MavenContext\n"
        "group, name, version = sys.argv[1:]\n"
        "print(MavenContext().project(group, name).at_version(version).artifact(classifier='fat', packaging='jar').resolve())\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, GATEWAY_GROUP, GATEWAY_ARTIFACT, GATEWAY_VERSION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not Path(lines[-1]).is_file():
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-5:])
        raise LocalEnvError(
            f"The gateway's jar can't be fetched from Maven Central:\n{tail}\nCheck the network, then try again."
        )
    return Path(lines[-1])
