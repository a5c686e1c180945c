"""The version before this one, from which an upgrade starts: its chart and its image, out of this repository's history.

It is the newest release's tag before the present commit; as long as there is none, the commit that `previous.txt` names. What this module deliberately does not do:
fetch anything of the history; a clone that lacks it is told how to get it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localenv.charts import OPERATOR_CHART
from localenv.errors import LocalEnvError
from localenv.image import ROOT, Source
from localenv.kind import docker, images

RECORD = Path(__file__).with_name("previous.txt")
IMAGE_VARIABLE = "E2E_PREVIOUS_IMAGE"
"""Names the image of the previous version where the cluster pulls its images itself."""


@dataclass(frozen=True, slots=True)
class Previous:
    """An older checkout: `revision` is the tag or the commit, `folder` has its files; `released` tells a tag from the recorded commit."""

    revision: str
    folder: Path
    released: bool

    @property
    def chart(self) -> Path:
        """The operator's chart of that version."""
        return self.folder / OPERATOR_CHART.relative_to(ROOT)

    def image(self) -> str:
        """The image of that version, built unless the engine has it; raises LocalEnvError with the end of the build's output."""
        tag = images.operator_tag(Source(self.folder))
        if not docker.has(tag):
            images.build_operator(tag, source=self.folder)
        return tag


def checkout(folder: Path, *, repository: Path = ROOT, record: Path = RECORD) -> Previous:
    """The previous version's files, put into `folder`, which may hold those of a former run.

    Raises LocalEnvError with one line when this clone does not reach back to it.
    """
    tag = released(repository)
    revision = tag or recorded(record)
    archive = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=repository, capture_output=True, check=False
    )
    if archive.returncode:
        raise LocalEnvError(
            f"The upgrade starts from {revision}, which this clone does not have. Get it with: git fetch --unshallow --tags origin"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--extract", f"--directory={folder}"], input=archive.stdout, check=True)
    return Previous(revision, folder, released=bool(tag))


def released(repository: Path) -> str:
    """The newest release's tag before the present commit; empty when there is none that this clone knows of."""
    asked = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "HEAD^"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def recorded(record: Path) -> str:
    """The commit in the file, the one line of it that is no comment."""
    (commit,) = (line for line in record.read_text().split("\n") if line and not line.startswith("#"))
    return commit


def given_image() -> str:
    """The image that the environment names; empty when it names none."""
    return os.environ.get(IMAGE_VARIABLE, "")
