"""Which images are made, and on what, with and without a registry: a `docker` that writes down what it is told stands in for the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.binaries import Binaries
from localenv.image import Source
from localenv.kind import debian, docker, images, registry

ENGINE = """#!/bin/sh
echo "$@" >> {folder}/told
case "$1" in
  images) grep --fixed-strings --line-regexp --quiet "$3" {folder}/there && echo an-id; true;;
  pull) {pull};;
  build) for word; do case "$word" in --tag=*) echo "${{word#--tag=}}" >> {folder}/there;; esac; done;;
  import) cat > {folder}/imported; for word; do tag="$word"; done; echo "$tag" >> {folder}/there;;
esac
"""


class Engine:
    """An engine by its command line: what it was told, and which images it has."""

    def __init__(self, folder: Path, *, pull: str) -> None:
        """`pull` is the shell command that pulling an image comes to."""
        self._folder = folder
        (folder / "there").write_text("")
        (folder / "docker").write_text(ENGINE.format(folder=folder, pull=pull))
        (folder / "docker").chmod(0o755)
        self.forget()

    def forget(self) -> None:
        """Leave what it was told behind."""
        (self._folder / "told").write_text("")

    def has(self, tag: str) -> None:
        """Give it an image."""
        with (self._folder / "there").open("a") as there:
            there.write(f"{tag}\n")

    def told(self, verb: str) -> list[str]:
        """The command lines of one verb."""
        return [line for line in (self._folder / "told").read_text().splitlines() if line.split()[0] == verb]


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in is the first `docker`; what is long to make is made of nothing; the registry's answer of another test is forgotten."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in [*(name for name in os.environ if name.startswith("PIP_")), "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    jar = tmp_path / "gateway.jar"
    jar.write_text("jar")
    monkeypatch.setattr(Binaries, "gateway_jar", jar)
    registry.reachable.cache_clear()
    yield
    registry.reachable.cache_clear()


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trees of Debian packages that were asked for."""
    asked: list[str] = []

    def tree(name: str, *packages: str) -> Path:
        asked.append(name)
        folder = tmp_path / "trees" / name
        (folder / "usr" / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "usr" / "bin" / "prometheus").write_text("program")
        return folder

    monkeypatch.setattr(debian, "tree", tree)
    return asked


def test_the_registry_is_asked_once(tmp_path: Path) -> None:
    engine = Engine(tmp_path, pull="false")
    assert [registry.reachable(), registry.reachable()] == [False, False]
    assert len(engine.told("pull")) == 1


def test_a_registry_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    Engine(tmp_path, pull="exec sleep 60")
    assert not docker.pulled(registry.PROBE, seconds=0.3)


def test_an_image_that_is_there_needs_no_registry(tmp_path: Path) -> None:
    engine = Engine(tmp_path, pull="false")
    engine.has("docker.io/library/here:1")
    assert registry.available("docker.io/library/here:1")
    assert engine.told("pull") == []
    assert not registry.available("docker.io/library/elsewhere:1")


def test_with_a_registry_the_public_images_serve(
    tmp_path: Path, trees: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(tmp_path, pull="true")
    made = images.prepare()
    assert capsys.readouterr().out.startswith("images: the base images come from the public registry\n")
    pulled = {line.split()[-1] for line in engine.told("pull")}
    assert pulled == {registry.PROBE, Source().base, images.JAVA, images.PROMETHEUS}
    operator, gateway, backend = engine.told("build")
    assert f"--build-arg=BASE_IMAGE={Source().base} --build-arg=RUNTIME_IMAGE={Source().base}" in operator
    assert f"--build-arg=BASE_IMAGE={images.JAVA}" in gateway
    assert f"--build-arg=BASE_IMAGE={made.operator}" in backend
    assert made.prometheus == images.PROMETHEUS
    assert trees == []


def test_without_a_registry_debian_serves(tmp_path: Path, trees: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(tmp_path, pull="false")
    made = images.prepare()
    assert "no image registry answers" in capsys.readouterr().out.splitlines()[0]
    assert sorted(trees) == ["java", "prometheus", "python"]
    assert len(engine.told("import")) == 2
    assert not [line for line in engine.told("build") if "BASE_IMAGE=docker.io" in line]
    assert f"--tag={made.prometheus}" in engine.told("build")[-1]


def test_what_is_there_is_not_made_again(tmp_path: Path, trees: list[str]) -> None:
    engine = Engine(tmp_path, pull="false")
    first = images.prepare()
    engine.forget()
    trees.clear()
    assert images.prepare() == first
    assert (engine.told("build"), engine.told("import"), trees) == ([], [], [])


def test_no_tag_is_one_that_a_pod_would_pull_anew(tmp_path: Path, trees: list[str]) -> None:
    Engine(tmp_path, pull="false")
    made = images.prepare()
    for tag in (made.operator, made.gateway, made.backend, made.prometheus):
        assert tag.rpartition(":")[2] not in ("", "latest")
    assert made.operator.startswith(f"gateway-registrar:{Source().version}-")
