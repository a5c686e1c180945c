"""What the Dockerfile promises, read from it; the build's own steps are run in tests/integration/test_image.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from localenv import image
from localenv.charts import render
from localenv.errors import LocalEnvError
from localenv.image import Source
from registrar import __version__
from registrar.__main__ import main
from tests.unit.image.dockerfile import ROOT, Instruction, instructions

STAGES = [i for i, row in enumerate(instructions()) if row.name == "FROM"]
BUILD, FINAL = instructions()[STAGES[0] : STAGES[1]], instructions()[STAGES[1] :]


def _all(name: str, rows: list[Instruction] = FINAL) -> list[str]:
    return [row.text for row in rows if row.name == name]


def test_there_are_two_stages_and_the_base_is_an_argument() -> None:
    assert _all("FROM", instructions()) == ["${BASE_IMAGE} AS build", "${RUNTIME_IMAGE}"]
    before = instructions()[: STAGES[0]]
    assert [row.text.partition("=")[0] for row in before] == ["BASE_IMAGE", "RUNTIME_IMAGE"]


def test_the_last_stage_runs_nothing_and_copies_only_what_was_installed() -> None:
    assert _all("RUN") == []
    assert _all("COPY") == ["--from=build /opt/registrar /opt/registrar"]
    assert {row.name for row in FINAL} <= {
        "FROM",
        "ARG",
        "LABEL",
        "COPY",
        "ENV",
        "WORKDIR",
        "USER",
        "EXPOSE",
        "ENTRYPOINT",
    }


def test_the_user_is_the_charts() -> None:
    (deployment,) = (row for row in render() if row["kind"] == "Deployment")
    context = deployment["spec"]["template"]["spec"]["securityContext"]
    assert _all("USER") == [f"{context['runAsUser']}:{context['runAsGroup']}"] == ["65532:65532"]


def test_no_shell_is_needed_to_start() -> None:
    (entry,) = _all("ENTRYPOINT")
    assert json.loads(entry) == ["/opt/registrar/bin/python", "-m", "registrar", "run"]


def test_what_it_writes_goes_to_tmp() -> None:
    variables = dict(pair.split("=", 1) for pair in " ".join(_all("ENV")).split())
    assert variables["TMPDIR"] == variables["HOME"] == "/tmp"
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"


def test_every_download_is_checked_by_its_hash() -> None:
    for command in _all("RUN", BUILD):
        for part in command.split("&&"):
            if " install " in part or " wheel " in part:
                assert "--require-hashes" in part or ("--no-index" in part and "--no-deps" in part), part


def test_the_labels_are_those_of_oci() -> None:
    labels = dict(re.findall(r'(\S+)="([^"]*)"', " ".join(_all("LABEL"))))
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert all(name.startswith("org.opencontainers.image.") and value for name, value in labels.items())


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for text in _all("COPY", BUILD) for word in text.split()[:-1]}
    assert sent == copied
    assert all((ROOT / path).exists() for path in sent)


def test_nothing_names_an_index() -> None:
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "requirements" / "build.txt").read_text()
    assert not re.search(r"https?://|--index-url|--extra-index", text)


def _arguments(**environment: str) -> list[str]:
    return image.arguments(Source(), **image.names(Source(), environment), environment=environment)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    words = _arguments()
    assert words[:3] == ["build", f"--file={ROOT / 'Dockerfile'}", f"--tag=gateway-registrar:{__version__}"]
    assert f"--build-arg=VERSION={__version__}" in words
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_images_name_is_what_the_chart_asks_for() -> None:
    (deployment,) = (row for row in render() if row["kind"] == "Deployment")
    asked_for = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"--tag={asked_for}" in _arguments()


def test_the_base_is_the_dockerfiles_unless_another_is_chosen() -> None:
    default = _all("ARG", instructions())[0].partition("=")[2]
    assert {f"--build-arg=BASE_IMAGE={default}", f"--build-arg=RUNTIME_IMAGE={default}"} <= set(_arguments())
    words = _arguments(IMAGE="localhost:5000/registrar", BASE_IMAGE="python:3.13", RUNTIME_IMAGE="")
    assert f"--tag=localhost:5000/registrar:{__version__}" in words
    assert {"--build-arg=BASE_IMAGE=python:3.13", "--build-arg=RUNTIME_IMAGE=python:3.13"} <= set(words)
    assert "--build-arg=RUNTIME_IMAGE=slim" in _arguments(BASE_IMAGE="python:3.13", RUNTIME_IMAGE="slim")


def test_a_proxy_is_passed_on_by_its_name_alone() -> None:
    words = _arguments(https_proxy="http://user:password@proxy.example:3128", NO_PROXY="")
    assert "--build-arg=https_proxy" in words
    assert not [word for word in words if "password" in word or "NO_PROXY" in word]


def _recorded(tmp_path: Path, **environment: str) -> list[list[str]]:
    """What a builder is told on a machine with that environment, and no files of pip."""
    told: list[list[str]] = []
    variables = {"PIP_CONFIG_FILE": os.devnull, "HOME": str(tmp_path), **environment}
    image.build(
        Source(),
        tag="x:1",
        base="python:3.13",
        runtime="slim",
        run=lambda words: told.append(words),
        environment=variables,
    )
    return told


def test_pip_of_the_build_is_told_what_pip_is_told_here_and_the_image_is_not(tmp_path: Path) -> None:
    (direct,) = _recorded(tmp_path)
    assert "--build-arg=BASE_IMAGE=python:3.13" in direct
    prepared, words = _recorded(tmp_path, PIP_INDEX_URL="https://user:password@mirror.example/wheels")
    (named,) = (word.removeprefix("--tag=") for word in prepared if word.startswith("--tag="))
    assert {f"--build-arg=BASE_IMAGE={named}", "--build-arg=RUNTIME_IMAGE=slim"} <= set(words)
    assert not [word for word in prepared + words if "password" in word]


def _checkout(tmp_path: Path) -> Source:
    """A copy of what is built, as of an older release."""
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            path, target = ROOT / line[1:], tmp_path / "old" / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path / "old" / name)
    return Source(tmp_path / "old")


def test_another_checkout_is_built_as_what_it_is(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    source = _checkout(tmp_path)
    module = source.folder / "operator" / "registrar" / "__init__.py"
    module.write_text(module.read_text().replace(__version__, "0.0.7"))
    assert (source.version, source.revision) == ("0.0.7", "")
    words = image.arguments(source, **image.names(source, {}), environment={})
    assert {"--tag=gateway-registrar:0.0.7", "--build-arg=VERSION=0.0.7", "--build-arg=REVISION="} <= set(words)
    assert words[-1] == str(source.folder)
    module.unlink()
    with pytest.raises(LocalEnvError, match=r"is no checkout of gateway-registrar\.$"):
        _ = source.version


def test_the_digest_is_that_of_all_that_is_built(tmp_path: Path) -> None:
    source = _checkout(tmp_path)
    assert source.digest() == Source().digest()
    seen = {source.digest()}
    for name in ("Dockerfile", ".dockerignore", "requirements/runtime.txt", "operator/registrar/build.py", "README.md"):
        file = source.folder / name
        file.write_text(file.read_text() + "\n")
        seen.add(source.digest())
    (source.folder / "operator" / "registrar" / "new.py").write_text("")
    seen.add(source.digest())
    assert len(seen) == 7
    (source.folder / "operator" / "registrar" / "__pycache__").mkdir(exist_ok=True)
    (source.folder / "operator" / "registrar" / "__pycache__" / "new.pyc").write_text("")
    (source.folder / "unrelated.md").write_text("")
    assert source.digest() in seen


def _tool(folder: Path, name: str, *, code: int) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _which(folder: Path, name: str) -> str | None:
    return str(folder / name) if os.access(folder / name, os.X_OK) else None


def test_a_builder_without_an_engine_is_passed_over(tmp_path: Path) -> None:
    _tool(tmp_path, "docker", code=1)
    _tool(tmp_path, "podman", code=0)
    assert image.find_builder(which=lambda name: _which(tmp_path, name)) == str(tmp_path / "podman")


def test_no_builder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LocalEnvError, match=r"^No image can be built: .* Install one of them\.$"):
        image.find_builder(which=lambda name: _which(tmp_path, name))
    _tool(tmp_path, "docker", code=1)
    with pytest.raises(LocalEnvError, match=r"^docker can't build: no engine answers `docker info`\. Start it"):
        image.find_builder(which=lambda name: _which(tmp_path, name))
