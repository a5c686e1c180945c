"""The samples, applied with kubectl as a reader would: each ends in the state that its comment promises, and its key opens what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from localenv.cluster import Cluster, Json, condition, secret, until
from localenv.environment import ROOT, Environment

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
SAMPLES = ROOT / "manifests" / "samples"
PLAIN = sorted(SAMPLES.glob("*.yaml"))
PLACED = sorted([*SAMPLES.glob("api-owner/*.yaml"), *SAMPLES.glob("platform/*.yaml")])
OVERLAYS = sorted((SAMPLES / "team" / "overlays").iterdir())
PROMISE = re.compile(r"^# Ends as: (?P<kind>\w+) (?P<name>\S+) (?P<state>\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a sample's head says of one of its objects: a phase, or a condition as `Type=Status` or `Type=Status/Reason`."""

    kind: str
    name: str
    state: str

    def kept(self, found: Json) -> bool:
        """Whether the object is in that state, as the operator saw its present generation."""
        if found["status"].get("observedGeneration") != found["metadata"]["generation"]:
            return False
        if "=" not in self.state:
            return bool(found["status"].get("phase") == self.state)
        row = condition(found, self.state.partition("=")[0])
        return self.state in (
            f"{row.get('type')}={row.get('status')}",
            f"{row.get('type')}={row.get('status')}/{row.get('reason')}",
        )


def promises(path: Path) -> list[Promise]:
    """All that a sample promises."""
    file = path / "kustomization.yaml" if path.is_dir() else path
    return [Promise(**match.groupdict()) for match in PROMISE.finditer(file.read_text())]


@pytest.fixture(scope="module")
def applied(env: Environment, cluster: Cluster) -> Iterator[dict[Path, str]]:
    """Every sample, applied; the namespace of each. The owner's limits are taken away afterwards, for they reach every test's Clients."""
    namespace = cluster.namespace(f"samples-{uuid4().hex[:8]}")
    cluster.apply(secret(namespace, "partner-key", apiKey=f"partner-{uuid4().hex}"))
    env.run_kubectl("apply", "--namespace", namespace, *(f"--filename={path}" for path in PLAIN))
    cluster.namespace("acme")
    env.run_kubectl("apply", *(f"--filename={path}" for path in PLACED))
    places = dict.fromkeys(PLAIN, namespace) | dict.fromkeys(PLACED, "acme")
    for overlay in OVERLAYS:
        places[overlay] = cluster.namespace(f"shop-{overlay.name}")
        env.run_kubectl("apply", "--kustomize", str(overlay))
    yield places
    for path in (*PLACED, *OVERLAYS):
        for promise in promises(path):
            cluster.delete(promise.kind, places[path], promise.name)


@pytest.mark.parametrize("sample", [*PLAIN, *PLACED, *OVERLAYS], ids=lambda path: str(path.relative_to(SAMPLES)))
def test_sample(applied: dict[Path, str], cluster: Cluster, sample: Path) -> None:
    """Fails when a sample is refused, does not end as it says, or promises a live Contract whose API the key does not open."""
    namespace = applied[sample]
    for promise in promises(sample):
        found = cluster.wait(promise.kind, namespace, promise.name, promise.kept, what=promise.state)
        if (promise.kind, promise.state) == ("Contract", "Active"):
            owner = cluster.get("Client", namespace, found["spec"]["clientRef"]["name"])
            assert owner is not None
            key = cluster.key(namespace, owner["status"]["apiKey"]["secretName"])
            endpoint = found["status"]["endpoint"]
            until(lambda endpoint=endpoint, key=key: cluster.call(endpoint, key) == 200, what=f"200 from {endpoint}")  # type: ignore[misc]


@pytest.mark.parametrize("sample", [*PLAIN, *PLACED], ids=lambda path: path.name)
def test_every_object_is_promised(sample: Path) -> None:
    """Fails when a sample has an object of which its head does not say how it ends."""
    objects = {(row["kind"], row["metadata"]["name"]) for row in yaml.safe_load_all(sample.read_text())}
    assert objects == {(promise.kind, promise.name) for promise in promises(sample)}


def test_every_object_of_the_overlays_is_promised(env: Environment) -> None:
    """Fails when an overlay makes an object that its head does not mention."""
    for overlay in OVERLAYS:
        built = yaml.safe_load_all(env.run_kubectl("kustomize", str(overlay)))
        assert {(row["kind"], row["metadata"]["name"]) for row in built} == {
            (p.kind, p.name) for p in promises(overlay)
        }


def test_the_readme_names_every_sample() -> None:
    """Fails when a sample is added that no reader finds."""
    text = (SAMPLES / "README.md").read_text()
    for sample in (*PLAIN, *PLACED, *(overlay / "kustomization.yaml" for overlay in OVERLAYS)):
        assert f"({sample.relative_to(SAMPLES)})" in text
