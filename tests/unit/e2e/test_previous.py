"""From which version an upgrade starts, in repositories made for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from localenv.errors import LocalEnvError
from localenv.image import ROOT
from tests.e2e import previous

_IDENTITY = [
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@example.com",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "tag.gpgsign=false",
]


def git(folder: Path, *arguments: str) -> str:
    """Run git there, with nobody's configuration."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", *_IDENTITY, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits, each with its number in the file `version`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number in ("1", "2", "3"):
        (folder / "version").write_text(number)
        git(folder, "add", "version")
        git(folder, "commit", "--quiet", "--message", number)
    return folder


def record(repository: Path, commit: str) -> Path:
    """A record that names the commit."""
    file = repository.parent / "previous.txt"
    file.write_text(f"# Why it is this one.\n{commit}\n")
    return file


def test_the_recorded_commit_where_there_is_no_release(repository: Path, tmp_path: Path) -> None:
    """Fails when another commit's files are taken than the record's, or when those of a former run stay."""
    commit = git(repository, "rev-parse", "HEAD~2")
    target = tmp_path / "checkout"
    target.mkdir()
    (target / "left").touch()
    found = previous.checkout(target, repository=repository, record=record(repository, commit))
    assert (found.revision, (target / "version").read_text()) == (commit, "1")
    assert not (target / "left").exists()


def test_the_newest_release_before_this_commit(repository: Path, tmp_path: Path) -> None:
    """Fails when a release is upgraded from itself, from an older one than its predecessor, or from a tag that is no release."""
    git(repository, "tag", "v0.1.0", "HEAD~2")
    git(repository, "tag", "v0.2.0", "HEAD~1")
    git(repository, "tag", "v0.3.0", "HEAD")
    git(repository, "tag", "vendored", "HEAD~1")
    found = previous.checkout(tmp_path / "checkout", repository=repository, record=record(repository, "none"))
    assert (found.revision, (tmp_path / "checkout" / "version").read_text()) == ("v0.2.0", "2")


def test_a_clone_without_history_is_told(repository: Path, tmp_path: Path) -> None:
    """Fails when a shallow clone gets git's own words, more than one line, or no next step."""
    first = git(repository, "rev-parse", "HEAD~2")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), str(shallow))
    with pytest.raises(
        LocalEnvError, match=f"^The upgrade starts from {first}, .* git fetch --unshallow --tags origin$"
    ):
        previous.checkout(tmp_path / "checkout", repository=shallow, record=record(repository, first))


def test_the_record_names_one_commit() -> None:
    """Fails when the record can't be read; whether the commit is there only a whole clone can say."""
    assert len(previous.recorded(previous.RECORD)) == 40
    assert previous.RECORD.is_relative_to(ROOT)
