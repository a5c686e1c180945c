"""docs/first-key.md is run as a reader would: its own commands, in its order, in one shell, and what the page says that they print is what they print."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from localenv.cluster import Cluster
from localenv.environment import ROOT, Environment

PAGE = ROOT / "docs" / "first-key.md"
PAGE_NAMESPACE = "team-a"
BEHIND = "In a second terminal"
MARK = "=== block"
BLOCK = re.compile(
    r'^```(?P<kind>bash|text)(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE
)
OWN_MACHINE = re.compile(r"^## On one machine$(?P<text>.*?)^## ", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One block of commands; `prints` is what the page shows behind it, if it shows anything."""

    commands: str
    behind: bool
    prints: str | None = None


def steps(page: str) -> list[Step]:
    """The blocks of the page's part for one machine, each with its output."""
    part = OWN_MACHINE.search(page)
    assert part is not None
    found: list[Step] = []
    for block in BLOCK.finditer(part["text"]):
        if block["kind"] == "bash":
            found.append(Step(block["text"], behind=block["title"] == BEHIND))
        else:
            assert found[-1].prints is None, "each output stands behind its own commands"
            found[-1] = Step(found[-1].commands, behind=found[-1].behind, prints=block["text"])
    return found


@pytest.fixture
def checkout(env: Environment, tmp_path: Path) -> Path:
    """A checkout as the page wants one, made of links, whose local environment is the running one."""
    # kubectl does not walk a folder that is a link.
    shutil.copytree(ROOT / "crds", tmp_path / "crds")
    skipped = {".venv", ".localenv", ".git", "crds"}
    for entry in ROOT.iterdir():
        if entry.name not in skipped:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / ".localenv").symlink_to(env.folder)
    (tmp_path / ".venv").mkdir()
    for entry in (ROOT / ".venv").iterdir():
        if entry.name != ".made":
            (tmp_path / ".venv" / entry.name).symlink_to(entry)
    # What make looks at: as new as can be, so that nothing is installed again.
    (tmp_path / ".venv" / ".made").touch()
    return tmp_path


@pytest.fixture
def second_terminal(checkout: Path) -> Iterator[Path]:
    """Where the shell writes the id of the process group that it leaves running; it is ended at the end of the test."""
    file = checkout / "second-terminal.pid"
    yield file
    if file.exists():
        os.killpg(int(file.read_text()), signal.SIGTERM)


def script(found: list[Step], second_terminal: Path) -> str:
    """All commands as one script that ends at the first failure and says where each block begins."""
    lines = ["set -eu -o pipefail"]
    for number, step in enumerate(found):
        lines.append(f"echo '{MARK} {number}'")
        if step.behind:
            log = second_terminal.with_suffix(".log")
            lines += [f"setsid {step.commands.strip()} > {log} 2>&1 &", f"echo $! > {second_terminal}"]
        else:
            lines.append(step.commands)
    return "\n".join(lines)


def same(shown: str, printed: str) -> bool:
    """Whether the output is the page's; `…` on the page stands for any text within one line."""
    lines = [".*".join(re.escape(part) for part in line.split("…")) for line in shown.splitlines()]
    got = [line.rstrip() for line in printed.splitlines()]
    return len(lines) == len(got) and all(re.fullmatch(line, text) for line, text in zip(lines, got, strict=True))


def test_the_page_leads_to_the_first_key(checkout: Path, second_terminal: Path, cluster: Cluster) -> None:
    """Fails when a command of the page fails, or prints something else than the page says: a reader would be lost there."""
    # A namespace of its own: a failed run of before may have left the page's, and other tests may have one of that name.
    namespace = f"t-{uuid4().hex[:10]}"
    found = steps(PAGE.read_text(encoding="utf-8").replace(PAGE_NAMESPACE, namespace))
    assert any(step.behind for step in found)
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", script(found, second_terminal)],
        cwd=checkout,
        # The port of the probes may be taken on a machine that runs tests, and an operator that was killed may still have the Lease.
        env={**os.environ, "REGISTRAR_PROBES_PORT": "0", "REGISTRAR_LEASE": "false"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    printed = re.split(rf"^{MARK} \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert len(printed) == len(found)
    for step, output in zip(found, printed, strict=True):
        assert step.prints is None or same(step.prints, output), (
            f"{step.commands}\nprinted:\n{output}\nthe page says:\n{step.prints}"
        )
    assert "200: The API answered." in done.stdout
    assert cluster.get("Namespace", "", namespace) is None
