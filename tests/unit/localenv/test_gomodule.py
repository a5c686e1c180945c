"""What is built comes from what go.mod pins, and a change of it is another binary."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from localenv import cache, gomodule
from localenv.binaries import Binaries
from localenv.errors import LocalEnvError


@pytest.fixture
def no_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a binary would be is all that is asked."""
    monkeypatch.setattr(cache, "entry", lambda name, make: tmp_path / name)


def test_every_binary_is_named_in_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a binary is asked for that go.mod doesn't pin as a tool, or whose source is not there: it could only be found out by a build of minutes."""
    asked: list[tuple[str, str]] = []

    def command(module: str, package: str, **_: str) -> Path:
        asked.append((module, package))
        return Path(package)

    monkeypatch.setattr(gomodule, "command", command)
    found = Binaries()
    found.build_node()
    assert found.kind and found.promtool
    assert len(asked) == 12
    for module, package in asked:
        folder = gomodule.MODULES / module
        if package.startswith("./"):
            assert (folder / package / "main.go").is_file()
        else:
            assert re.search(rf"^(?:tool |\t){re.escape(package)}$", (folder / "go.mod").read_text(), re.MULTILINE), (
                package
            )


@pytest.mark.usefixtures("no_build")
def test_a_binary_is_another_when_what_it_is_made_from_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails when a changed version or source would find the old binary in the cache, or when a change of one source of ours would build all others anew."""
    shutil.copytree(gomodule.MODULES, tmp_path / "go")
    monkeypatch.setattr(gomodule, "MODULES", tmp_path / "go")

    def paths() -> list[Path]:
        made = Binaries()
        return [made.pause, made.coredns, made.kubelet]

    before = paths()
    assert paths() == before
    (tmp_path / "go/kubernetes/pause/main.go").write_text("package main\n")
    after = paths()
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True, True]
    sums = tmp_path / "go/kubernetes/go.sum"
    sums.write_text(sums.read_text() + "\n")
    assert not set(paths()) & set(after)


def test_versions_come_from_go_mod() -> None:
    """Fails when a version is read of another module, or when one that isn't required is answered."""
    text = (gomodule.MODULES / "kubernetes/go.mod").read_text()
    kubernetes = gomodule.version("kubernetes", "k8s.io/kubernetes")
    assert f"\tk8s.io/kubernetes {kubernetes} " in text
    assert f"k8s.io/api => k8s.io/api v0.{kubernetes.removeprefix('v1.')}\n" in text
    assert gomodule.version("kubernetes", "github.com/coredns/coredns").startswith("v1.")
    with pytest.raises(LocalEnvError, match="requires no k8s.io/nothing"):
        gomodule.version("kubernetes", "k8s.io/nothing")
