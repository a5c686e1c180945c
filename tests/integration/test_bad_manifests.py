"""The CRDs on the real API server: what is refused, with a message that helps, and what is accepted and kept whole.

Nothing is left behind: creations are dry runs, and what a change needs to exist goes with the namespace of these tests.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
import yaml

from registrar.resources.base import GROUP, VERSION
from registrar.resources.kinds import KINDS
from tests.unit.resources.full_statuses import STATUSES

HERE = Path(__file__).parent
NAMESPACE = f"bad-manifests-{uuid4().hex[:8]}"
"""New for each run: the one before may still be terminating."""
TIMEOUT = 30
"""Seconds after which a call of kubectl counts as failed."""

Manifest = dict[str, Any]


class Environment(Protocol):
    """What the fixture `env` has that is used here."""

    kubectl: Any
    kubeconfig: Any


@dataclass(frozen=True, slots=True)
class Server:
    """Sends requests to the API server of the environment."""

    environment: Environment

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl; its exit code says whether the server agreed."""
        return subprocess.run(
            [str(self.environment.kubectl), f"--kubeconfig={self.environment.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def post(self, body: Manifest, *, validation: str = "Strict") -> subprocess.CompletedProcess[str]:
        """Create an object as a dry run; `validation` says what becomes of unknown fields (Strict or Ignore)."""
        query = f"?dryRun=All&fieldValidation={validation}"
        return self.run("create", "--raw", collection(body["kind"]) + query, "-f", "-", stdin=json.dumps(body))


def collection(kind_name: str) -> str:
    """The URL path of the objects of a kind, in the namespace of these tests."""
    kind = next(kind for kind in KINDS if kind.name == kind_name)
    scope = "" if kind.cluster_scoped else f"namespaces/{NAMESPACE}/"
    return f"/apis/{GROUP}/{VERSION}/{scope}{kind.plural}"


def manifest(row: Mapping[str, Any]) -> Manifest:
    """The object that a row of a table describes."""
    body: Manifest = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": row["kind"],
        "metadata": {"name": "bad", **row.get("metadata", {})},
    }
    return body | ({"spec": row["spec"]} if "spec" in row else {})


def table(file: str) -> list[Any]:
    """The rows of a data file beside this one, each a test of its own."""
    rows = yaml.safe_load((HERE / file).read_text(encoding="utf-8"))
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names)), "each row needs a name of its own"
    return [pytest.param(row, id=f"{row['kind']}: {row['name']}") for row in rows]


@pytest.fixture(scope="module")
def server(env: Environment) -> Iterator[Server]:
    """The API server with the CRDs installed and the namespace of these tests made."""
    ready = Server(env)
    made = ready.run("create", "namespace", NAMESPACE)
    assert made.returncode == 0, made.stderr
    yield ready
    ready.run("delete", "namespace", NAMESPACE, "--wait=false")


def refused(answer: subprocess.CompletedProcess[str], row: Mapping[str, Any]) -> None:
    """Check that the server refused, named the field, and said what is allowed."""
    assert answer.returncode != 0, f"accepted: {answer.stdout}"
    assert row["field"] in answer.stderr
    assert row["allowed"] in answer.stderr


@pytest.mark.parametrize("row", table("bad_manifests.yaml"))
def test_bad_manifest_is_refused(server: Server, row: Mapping[str, Any]) -> None:
    """Breaks when a bound, pattern, enum or rule is taken out of the models, or its message names another field."""
    refused(server.post(manifest(row), validation=row.get("validation", "Strict")), row)


@pytest.mark.parametrize("row", table("good_manifests.yaml"))
def test_good_manifest_is_accepted_whole(server: Server, row: Mapping[str, Any]) -> None:
    """Breaks when a rule refuses too much, or when a field is not in the schema: it would be pruned."""
    body = manifest(row)

    answer = server.post(body)

    assert answer.returncode == 0, answer.stderr
    stored = json.loads(answer.stdout)
    assert contains(stored.get("spec", {}), body.get("spec", {}))
    assert stored["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("row", table("bad_changes.yaml"))
def test_change_is_refused_or_taken(server: Server, row: Mapping[str, Any], request: pytest.FixtureRequest) -> None:
    """Breaks when a transition rule is missing, stands on the field instead of on its parent, or guards too much."""
    kind = next(kind for kind in KINDS if kind.name == row["kind"])
    name = f"change-{request.node.callspec.indices['row']}"
    body = manifest({**row, "metadata": {"name": name, "namespace": NAMESPACE}})
    made = server.run("create", "-f", "-", stdin=json.dumps(body))
    assert made.returncode == 0, made.stderr

    patch = json.dumps({"spec": row["patch"]})
    answer = server.run(
        "patch", kind.crd_name, name, f"--namespace={NAMESPACE}", "--type=merge", "--dry-run=server", f"--patch={patch}"
    )

    server.run("delete", kind.crd_name, name, f"--namespace={NAMESPACE}", "--wait=false")
    if row.get("accepted"):
        assert answer.returncode == 0, answer.stderr
    else:
        refused(answer, row)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_status_is_kept_whole(server: Server, kind: Any) -> None:
    """Breaks when the operator writes a field that the schema does not know: the API server would drop it."""
    row = next(row.values[0] for row in table("good_manifests.yaml") if row.values[0]["kind"] == kind.name)
    name = f"status-{kind.name.lower()}"
    scope = () if kind.cluster_scoped else (f"--namespace={NAMESPACE}",)
    metadata = {"name": name} if kind.cluster_scoped else {"name": name, "namespace": NAMESPACE}
    made = server.run("create", "-f", "-", stdin=json.dumps(manifest({**row, "metadata": metadata})))
    assert made.returncode == 0, made.stderr
    try:
        for status in STATUSES[kind.name]:
            patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
            answer = server.run(
                "patch",
                kind.crd_name,
                name,
                *scope,
                "--subresource=status",
                "--type=json",
                "--dry-run=server",
                f"--patch={patch}",
                "--output=json",
            )
            assert answer.returncode == 0, answer.stderr
            assert json.loads(answer.stdout)["status"] == status
    finally:
        server.run("delete", kind.crd_name, name, *scope, "--wait=false")


def test_crds_are_established_and_structural(server: Server) -> None:
    """Breaks when a rule costs more than the API server's budget, or a schema is not structural."""
    answer = server.run("get", "crd", *(kind.crd_name for kind in KINDS), "--output=json")
    assert answer.returncode == 0, answer.stderr
    for item in json.loads(answer.stdout)["items"]:
        conditions = {row["type"]: row["status"] for row in item["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}, item["metadata"]["name"]


def contains(stored: Any, sent: Any) -> bool:
    """Whether all that was sent is in what was stored, which may hold defaults besides."""
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(key in stored and contains(stored[key], sent[key]) for key in sent)
    if isinstance(sent, list):
        return len(stored) == len(sent) and all(contains(a, b) for a, b in zip(stored, sent, strict=True))
    return bool(stored == sent)
