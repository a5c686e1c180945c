"""What the machine withholds is taken out of a container's spec, and nothing else."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from localenv.kind import lesser_runtime

STATUS = "Name:\tx\nCapPrm:\t0000000000000000\nCapBnd:\t{:016x}\n"
ALL = (1 << 41) - 1
SYS_RESOURCE = 1 << 24


def test_a_machine_with_everything() -> None:
    """Fails when the runtime is used where it is not needed."""
    assert lesser_runtime.withheld(STATUS.format(ALL), last=40) == frozenset()
    assert lesser_runtime.withheld(STATUS.format((1 << 38) - 1), last=37) == frozenset()


def test_a_machine_that_withholds() -> None:
    """Fails when a number is taken for another name."""
    assert lesser_runtime.withheld(STATUS.format(ALL & ~SYS_RESOURCE & ~1), last=40) == {
        "CAP_SYS_RESOURCE",
        "CAP_CHOWN",
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--root", "/r", "create", "--bundle", "/b", "--pid-file", "/p", "id"], [(Path("/b/config.json"), "process")]),
        (["create", "--bundle=/b", "id"], [(Path("/b/config.json"), "process")]),
        (["exec", "--process", "/p.json", "id"], [(Path("/p.json"), "")]),
        (["exec", "-p", "/p.json", "id"], [(Path("/p.json"), "")]),
        (["delete", "--force", "id"], []),
    ],
)
def test_where_the_specs_are(words: list[str], found: list[tuple[Path, str]]) -> None:
    """Fails when a way in which containerd calls runc is not seen."""
    assert lesser_runtime.specs(words) == found


@pytest.mark.parametrize("wrapped", [True, False])
def test_as_a_program(tmp_path: Path, *, wrapped: bool) -> None:
    """The file alone, as Docker starts it, before a runc that only notes its arguments; fails when it needs more than itself."""
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@" > "${0%/*}/arguments"\n')
    runc.chmod(runc.stat().st_mode | stat.S_IXUSR)
    process = {"args": ["x"], "capabilities": {"bounding": ["CAP_CHOWN", "CAP_UNKNOWN"], "ambient": []}}
    spec = tmp_path / "config.json"
    spec.write_text(json.dumps({"ociVersion": "1.0.2", "process": process} if wrapped else process))
    words = ["create", "--bundle", str(tmp_path)] if wrapped else ["exec", "--process", str(spec)]
    copy = tmp_path / "lesser-runtime"
    copy.write_text(Path(lesser_runtime.__file__).read_text())
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run([sys.executable, "-IS", str(copy), *words], env=environment, check=True)
    assert (tmp_path / "arguments").read_text().split() == words
    lesser_runtime.lessen(process, lesser_runtime.here())
    read = json.loads(spec.read_text())
    assert read == ({"ociVersion": "1.0.2", "process": process} if wrapped else process)


def test_each_set_is_lessened() -> None:
    """Fails when a set keeps what the machine withholds, which runc refuses."""
    process = {"capabilities": {"bounding": ["CAP_A", "CAP_B"], "effective": ["CAP_B"], "ambient": []}}
    lesser_runtime.lessen(process, frozenset({"CAP_B"}))
    assert process == {"capabilities": {"bounding": ["CAP_A"], "effective": [], "ambient": []}}
    lesser_runtime.lessen({}, frozenset({"CAP_B"}))
