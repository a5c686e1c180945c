"""What the Dockerfile promises, read from it; the build's own steps are run in tests/integration/test_image.py."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from localenv import image
from localenv.charts import render
from localenv.errors import LocalEnvError
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


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    words = image.command("/bin/podman", environment={}, revision="abc")
    assert words[:4] == ["/bin/podman", "build", "--file=Dockerfile", f"--tag=gateway-registrar:{__version__}"]
    assert {f"--build-arg=VERSION={__version__}", "--build-arg=REVISION=abc"} <= set(words)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_images_name_is_what_the_chart_asks_for() -> None:
    (deployment,) = (row for row in render() if row["kind"] == "Deployment")
    asked_for = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"--tag={asked_for}" in image.command("docker", environment={}, revision="")


def test_names_can_be_chosen() -> None:
    environment = {"IMAGE": "localhost:5000/registrar", "BASE_IMAGE": "python:3.13", "RUNTIME_IMAGE": ""}
    words = image.command("docker", environment=environment, revision="")
    assert f"--tag=localhost:5000/registrar:{__version__}" in words
    assert "--build-arg=BASE_IMAGE=python:3.13" in words
    assert not [word for word in words if "RUNTIME_IMAGE" in word]


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
