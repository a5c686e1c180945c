"""What is installed is what requirements/*.txt lists: no command lets pip look for anything else (decision 2)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WITHOUT = ("requirements/", "docs/decisions/", "tests/")


def _installers() -> list[str]:
    """The files of the repository in which pip checks hashes."""
    done = subprocess.run(
        ["git", "grep", "-l", "-e", "--require-hashes"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split() if not name.startswith(WITHOUT)]


def test_pip_resolves_nothing_anew() -> None:
    """Fails when a command that checks hashes lets pip look for versions: it would break on the day of somebody else's release."""
    names = _installers()
    assert {"Makefile", "Dockerfile", "docs/install.md", "localenv/toolchain.py"} <= set(names)
    for name in names:
        text = (ROOT / name).read_text()
        # The two options stand side by side wherever they are written.
        assert len(re.findall(r'--require-hashes[", ]+--no-deps', text)) == text.count("--require-hashes"), name


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_line_of_a_lock_is_one_version_with_hashes(path: Path) -> None:
    """Fails when a lock leaves a version or its bytes open."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", path.read_text()).strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
