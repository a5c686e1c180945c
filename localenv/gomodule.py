"""Our Go modules below `go/`: commands built from the versions that they pin, each once, and the folders of modules that they require.

Invariants: a command is made from its module's go.mod and go.sum, the sources of ours that it is built from, its build tags and the platform, and from nothing else;
it is static.
What this module deliberately does not do: know what is built for what; that is `binaries`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

from localenv import cache, toolchain
from localenv.errors import LocalEnvError
from localenv.progress import progress

MODULES = Path(__file__).parent / "go"
_TAIL = 20
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def command(module: str, package: str, *, name: str, usually: str, tags: str = "") -> Path:
    """The command of a package, built from one of our modules with those build tags (joined by commas) unless the cache has it.

    `package` is one that the module names as a tool, or a folder of the module such as `./pause`. `usually` says how long a build takes.
    Raises LocalEnvError with the end of the compiler's output.
    """
    folder = MODULES / module
    target = cache.entry(
        f"{name}-{_key(folder, package, tags)}",
        lambda target: _build(folder, package, target / name, usually=usually, tags=tags),
    )
    return target / name


def required(module: str, path: str) -> Path:
    """The folder of a module that one of ours requires, in the version that it pins; it is downloaded when it is not there, and never changed."""
    done = _go(["mod", "download", "-json", path], MODULES / module)
    if done.returncode:
        raise LocalEnvError(f"The Go module {path} can't be had:\n{_tail(done.stdout + done.stderr)}\n{_HINT}")
    return Path(str(json.loads(done.stdout)["Dir"]))


def version(module: str, path: str) -> str:
    """The version of a module that one of ours requires, as its go.mod pins it, such as `v1.36.2`."""
    text = (MODULES / module / "go.mod").read_text()
    match = re.search(rf"^\s*(?:require )?{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if match is None:
        raise LocalEnvError(f"{MODULES / module / 'go.mod'} requires no {path}. Add it with `go get`.")
    return match[1]


def sources(module: str) -> list[Path]:
    """The Go files of ours in a module, in a fixed order."""
    return sorted((MODULES / module).rglob("*.go"))


def _key(folder: Path, package: str, tags: str) -> str:
    own = sorted((folder / package).rglob("*.go")) if package.startswith("./") else []
    inputs = [folder / "go.mod", folder / "go.sum", *own]
    words = f"{package} {tags} {platform.system()}/{platform.machine()}"
    return cache.digest(*(file.read_bytes() for file in inputs), words.encode())


def _build(folder: Path, package: str, target: Path, *, usually: str, tags: str) -> None:
    options = ["-trimpath", "-tags", tags, "-ldflags", _linker_flags((folder / "go.mod").read_text())]
    with progress(f"building {target.name} ({usually})"):
        done = _go(["build", *options, "-o", str(target), package], folder)
    if done.returncode:
        raise LocalEnvError(f"Building {target.name} failed:\n{_tail(done.stderr)}\n{_HINT}")


def _go(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Go in a module that it may not change, without cgo, so that what it builds needs no library of the machine."""
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    if not environment.get("HOME"):
        environment |= {"GOCACHE": str(cache.cache_root() / "go-build"), "GOPATH": str(cache.cache_root() / "go")}
    command = [toolchain.go(), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _linker_flags(go_mod: str) -> str:
    """Flags that make `kubectl version` and a node's version honest; Kubernetes takes its version from the linker, not from the module."""
    match = re.search(r"k8s\.io/kubernetes (v\d+\.(\d+)\.\d+)", go_mod)
    if match is None:
        return "-s -w"
    values = {"gitVersion": match[1], "gitMajor": "1", "gitMinor": match[2], "gitTreeState": "clean"}
    flags = [f"-X {package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in values.items()]
    return " ".join(["-s", "-w", *flags])


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-_TAIL:])


_HINT = "Check that the Go module proxy can be reached, then try again."
