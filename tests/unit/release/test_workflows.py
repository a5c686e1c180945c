"""The workflow files: what they run is pinned and exists, and each job may do no more than it must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.y*ml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
NODE_IMAGE = re.compile(r"^kindest/node:v(1\.\d+)\.\d+@sha256:[0-9a-f]{64}$")
USES_LINE = re.compile(r"^\s*(?:- )?uses: (?P<uses>\S+)(?P<comment> # v\d+\.\d+\.\d+)?$", re.MULTILINE)


def load(path: Path) -> dict[str, Any]:
    """The workflow; YAML 1.1 reads the key `on` as true."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return {("on" if key is True else key): value for key, value in found.items()}


def jobs() -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Each job with its file, its name and its workflow."""
    return [
        (path.name, name, job, flow) for path in FILES for flow in (load(path),) for name, job in flow["jobs"].items()
    ]


JOBS = [pytest.param(job, flow, id=f"{file}:{name}") for file, name, job, flow in jobs()]


def test_all_are_there() -> None:
    """Fails when one of the promised workflows is missing."""
    assert {path.stem for path in FILES} == {"test", "e2e", "image", "chart", "release"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """Fails when an action can change under us, or a reader can't see which version a hash is."""
    text = path.read_text(encoding="utf-8")
    lines = list(USES_LINE.finditer(text))
    assert len(lines) == len(re.findall(r"\buses:", text))
    for line in lines:
        if line["uses"].startswith("./"):
            assert (ROOT / line["uses"]).is_file()
        else:
            assert PINNED.match(line["uses"]) and line["comment"], line["uses"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_granted_to_a_whole_workflow(path: Path) -> None:
    """Fails when a job gets rights that it did not ask for, or a fork's pull request runs with ours."""
    flow = load(path)
    assert flow["permissions"] == {}
    assert "pull_request_target" not in flow["on"]


@pytest.mark.parametrize(("job", "flow"), JOBS)
def test_a_job_says_what_it_may(job: dict[str, Any], flow: dict[str, Any]) -> None:
    """Fails when a job has no permissions of its own, no end, or rights to write in a pull request."""
    rights = job["permissions"]
    assert rights and set(rights.values()) <= {"read", "write"}
    assert "uses" in job or job["timeout-minutes"] <= 120
    if "write" in rights.values() and "pull_request" in flow["on"]:
        assert job["if"] == "github.event_name != 'pull_request'"


@pytest.mark.parametrize(("job", "flow"), JOBS)
def test_steps_take_no_text_of_others_into_a_shell(job: dict[str, Any], flow: dict[str, Any]) -> None:
    """Fails when an expression is pasted into a script, where a branch's name could be a command, or the token stays in the checkout."""
    for step in job.get("steps", ()):
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_a_release_is_tested_listed_and_signed() -> None:
    """Fails when something can be published that was not tested, or is published without its list and signature."""
    needs = {name: job.get("needs", ()) for name, job in load(FOLDER / "release.yaml")["jobs"].items()}
    assert (needs["test"], needs["image"], needs["chart"]) == ("version", "test", "image")
    assert set(needs["publish"]) == {"image", "chart"}
    steps = load(FOLDER / "image.yaml")["jobs"]["publish"]["steps"]
    formats = [step["with"]["format"] for step in steps if step.get("uses", "").startswith("anchore/sbom-action@")]
    assert formats == ["cyclonedx-json"]
    for name in ("image", "chart"):
        scripts = "\n".join(step.get("run", "") for step in load(FOLDER / f"{name}.yaml")["jobs"]["publish"]["steps"])
        assert "cosign sign --yes" in scripts


def test_the_test_workflow_runs_what_a_developer_runs() -> None:
    """Fails when continuous integration has a way of its own."""
    (job,) = load(FOLDER / "test.yaml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_the_cluster_tests_run_on_three_versions() -> None:
    """Fails when a node image can change under us, or continuous integration has a way of its own."""
    (job,) = load(FOLDER / "e2e.yaml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make e2e"]
    images = [NODE_IMAGE.match(image) for image in job["strategy"]["matrix"]["node"]]
    assert all(images) and len({found[1] for found in images if found}) == 3
    assert job["env"] == {"E2E_NODE_IMAGE": "${{ matrix.node }}"}
