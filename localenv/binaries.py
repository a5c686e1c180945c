"""The control plane's binaries, built once from their Go modules, and the gateway's jar, fetched once.

Sources: the modules and versions are in `go/*/go.mod`; the jar's coordinates and checksum are below.
What this module deliberately does not do: start anything.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

from localenv import cache, toolchain
from localenv.errors import LocalEnvError
from localenv.progress import progress

MODULES = Path(__file__).parent / "go"
GATEWAY_GROUP = "io.apiman"
GATEWAY_ARTIFACT = "apiman-gateway-platforms-vertx3"
GATEWAY_VERSION = "2.1.1.Final"
GATEWAY_SHA256 = "8c05935f3ca300ce765dc4cd84ba023162e94b5cb7ebe858ad287ebebb8fa448"


class Binaries:
    """Paths of everything that is run; each is made when it is first asked for, so an external cluster costs no build."""

    @cached_property
    def etcd(self) -> Path:
        """The store of the control plane."""
        # The last element of its module path, without the version.
        return _built("etcd", usually="about half a minute") / "server"

    @property
    def kube_apiserver(self) -> Path:
        """The API server."""
        return self._kubernetes / "kube-apiserver"

    @property
    def kube_controller_manager(self) -> Path:
        """What collects garbage and empties namespaces."""
        return self._kubernetes / "kube-controller-manager"

    @property
    def kubectl(self) -> Path:
        """The kubectl that belongs to the API server."""
        return self._kubernetes / "kubectl"

    @cached_property
    def promtool(self) -> Path:
        """What checks alert rules and runs their tests. Its service discoveries are left out: they are most of what it is made of."""
        return _built("prometheus", usually="about 2 minutes on two cores", tags="remove_all_sd") / "promtool"

    @cached_property
    def gateway_jar(self) -> Path:
        """The gateway with all that it needs, checked against its SHA-256."""
        return cache.entry(f"gateway-{GATEWAY_VERSION}-{GATEWAY_SHA256[:8]}", _fetch_gateway) / "gateway.jar"

    @cached_property
    def java(self) -> str:
        """The command of a Java runtime."""
        return toolchain.java()

    @cached_property
    def _kubernetes(self) -> Path:
        return _built("kubernetes", usually="about 7 minutes on two cores")


def _built(module: str, *, usually: str, tags: str = "") -> Path:
    """The folder with the binaries of one of our Go modules, built with those build tags (joined by commas)."""
    folder = MODULES / module
    made_from = [
        (folder / "go.mod").read_bytes(),
        (folder / "go.sum").read_bytes(),
        f"{platform.system()}/{platform.machine()}".encode(),
    ]
    key = cache.digest(*made_from, *([tags.encode()] if tags else []))
    return cache.entry(f"{module}-{key}", lambda target: _build(folder, target, usually=usually, tags=tags))


def _build(folder: Path, target: Path, *, usually: str, tags: str) -> None:
    """Build every tool that the module names into `target`, with a line of progress now and then."""
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    if not environment.get("HOME"):
        environment |= {"GOCACHE": str(cache.cache_root() / "go-build"), "GOPATH": str(cache.cache_root() / "go")}
    text = (folder / "go.mod").read_text()
    tools = re.findall(r"^\t(\S+/cmd/\S+)$", text, re.MULTILINE) or re.findall(r"^tool (\S+)$", text, re.MULTILINE)
    command = [
        toolchain.go(),
        "build",
        "-trimpath",
        "-tags",
        tags,
        "-ldflags",
        _version_flags(text),
        "-o",
        f"{target}/",
        *tools,
    ]
    with progress(f"building {folder.name} ({usually})"):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-20:])
        raise LocalEnvError(
            f"Building {folder.name} failed:\n{tail}\nCheck that the Go module proxy can be reached, then try again."
        )


def _version_flags(text: str) -> str:
    """Linker flags that make `kubectl version` honest; Kubernetes takes its version from the linker, not from the module."""
    match = re.search(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.\d+", text)
    if match is None:
        return "-s -w"
    version = match[0].split()[1]
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={match[1]} -X {package}.gitMinor={match[2]}"


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
