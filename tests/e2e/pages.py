"""The commands that a page of the documentation tells its reader to run, taken from its text and run as they stand.

Invariant: a test that runs a page's commands fails when the page no longer has them.
What this module deliberately does not do: change a command, or fill in a placeholder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from localenv.errors import LocalEnvError

if TYPE_CHECKING:
    from tests.e2e.site import Site

ROOT = Path(__file__).parent.parent.parent
UNINSTALL = ROOT / "docs/how-to/uninstall.md"
_FENCE = re.compile(r"^```(?:sh|bash)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SECONDS = 180
_HELM = f'helm() {{ "{sys.executable}" -m tests.e2e.helm "$@"; }}\n'
"""There need be no `helm` on the machine: its own library does what the word asks."""


def commands(page: Path, section: str) -> list[str]:
    """The blocks of commands of a section, in the order in which the reader meets them.

    Raises LocalEnvError when the page has no such section, or when that shows no command.
    """
    _, found, rest = page.read_text(encoding="utf-8").partition(f"\n## {section}\n")
    blocks = _FENCE.findall(rest.partition("\n## ")[0])
    if not found or not blocks:
        raise LocalEnvError(f"{page} has no section {section!r} with commands in it.")
    return blocks


def run(site: Site, block: str) -> str:
    """Run a block in a shell whose kubectl and helm are the administrator's, and return what it prints.

    Raises LocalEnvError with its output when a command of it fails.
    """
    environment = os.environ | {
        "KUBECONFIG": str(site.kubeconfig),
        "PATH": f"{site.kubectl.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)]),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _HELM + block],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LocalEnvError(f"The page's commands failed:\n{block}\n{done.stdout}{done.stderr}")
    return done.stdout
