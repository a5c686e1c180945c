"""What ships for Argo CD: the ConfigMap is what the scripts make, and the actions ask for what their names say, with tokens of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from registrar.resources.kinds import KINDS
from registrar.resources.objects import VERBS
from registrar.resources.parse import parse_client
from tests.unit.contrib.objects import Json, client_of, made
from tests.unit.lifecycle.build import client, contract, view
from tests.unit.lifecycle.test_statuses import ALL
from tests.verdicts import argo_cd
from tests.verdicts.contrib import CONTRIB, GROUP, SCRIPTS

ACTIONS = SCRIPTS / "Client" / "actions"
CONFIG_MAP = yaml.safe_load((CONTRIB / "argo-cd" / "argocd-cm.yaml").read_text())
SHIPPED = yaml.safe_load(CONFIG_MAP["data"][f"resource.customizations.actions.{GROUP}_Client"])
NAMES = [definition["name"] for definition in SHIPPED["definitions"]]


def offered(obj: Json) -> set[str]:
    """The actions that can be chosen."""
    found = argo_cd.discover(SHIPPED["discovery.lua"], obj)
    assert sorted(found) == sorted(NAMES), "every action is shown, in every state"
    return {name for name, action in found.items() if not action.get("disabled", False)}


def run(name: str, obj: Json) -> Json:
    """Run one action as it is shipped."""
    script = next(row["action.lua"] for row in SHIPPED["definitions"] if row["name"] == name)
    return argo_cd.act(script, obj)


def test_the_config_map_is_what_the_scripts_make() -> None:
    """Fails when a script was changed and the ConfigMap was not rendered from it."""
    done = subprocess.run(
        [sys.executable, CONTRIB / "argo-cd" / "render.py", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_kind_has_a_health_script() -> None:
    """Fails when a kind would be healthy in Argo CD because it exists."""
    for kind in KINDS:
        key = f"resource.customizations.health.{GROUP}_{kind.name}"
        assert CONFIG_MAP["data"][key] == (SCRIPTS / kind.name / "health.lua").read_text()


def test_the_discovery_and_the_actions_are_the_files() -> None:
    """Fails when the nested YAML loses a character of a script."""
    assert SHIPPED["discovery.lua"] == (ACTIONS / "discovery.lua").read_text()
    assert {row["name"]: row["action.lua"] for row in SHIPPED["definitions"]} == {
        path.parent.name: path.read_text() for path in ACTIONS.glob("*/action.lua")
    }
    assert set(NAMES) < set(VERBS), "revoke-key leaves no overlap: it is not for a menu"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("annotations", [None, {}, {f"{GROUP}/reregister": "old", "team": "shop"}])
def test_an_action_asks_for_its_verb(name: str, annotations: dict[str, str] | None) -> None:
    """Fails when an action asks for another verb, with a token that may be an old one, or changes anything else."""
    obj = client_of(ALL["published and different"])
    obj["metadata"].pop("annotations")
    if annotations is not None:
        obj["metadata"]["annotations"] = annotations
    found = run(name, obj)
    token = found["metadata"]["annotations"].pop(f"{GROUP}/{name}")
    assert re.fullmatch(r"argo-cd-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token)
    kept = {key: value for key, value in (annotations or {}).items() if key != f"{GROUP}/{name}"}
    assert found["metadata"].pop("annotations") == kept
    expected: dict[str, Any] = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "annotations"}}
    assert found == expected


def test_the_operator_reads_the_token() -> None:
    """Fails when the action's annotation is not the one that the operator looks at."""
    obj = made("Client", status={}, uid="u", resourceVersion="1", creationTimestamp="2026-01-01T00:00:00Z")
    read = parse_client(run("rotate-key", obj))
    assert [verb for verb, _ in read.tokens] == ["rotate-key"]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (made("Client", status={"observedGeneration": -1}), set()),
        (client_of(ALL["published and different"]), {"reregister", "unregister", "rotate-key"}),
        (client_of(ALL["drifted"]), {"reregister", "unregister", "rotate-key"}),
        (client_of(ALL["retired by annotation before"]), {"reregister", "rotate-key"}),
        (client_of(ALL["retirement asked for by spec, nothing live"]), {"rotate-key"}),
        (client_of(ALL["paused"]), {"unregister"}),
        (
            client_of(view(None, contract())) | {"spec": {"apiKey": {"source": "Existing"}}},
            {"reregister", "unregister"},
        ),
        (client_of(view(client(), contract())) | {"spec": {}}, {"reregister", "unregister", "rotate-key"}),
    ],
)
def test_what_is_offered(obj: Json, expected: set[str]) -> None:
    """Fails when Argo CD offers what the operator would refuse, or hides what would help."""
    assert offered(obj) == expected


@pytest.mark.parametrize(
    "script",
    [
        'return {status = string.upper("x")}',
        'return {status = "Healthy", message = ("x"):rep(3)}',
        'return {status = "Healthy", message = tostring(math.pi)}',
        'return {status = "Healthy", message = os.date()}',
        'local io = require("io"); return {status = "Healthy"}',
        "while true do end",
    ],
)
def test_the_sandbox_is_argo_cds(script: str) -> None:
    """Fails when the tests give scripts what Argo CD does not: they would pass here and break there."""
    with pytest.raises(argo_cd.LuaError):
        argo_cd.health(script, {})


@pytest.mark.parametrize(
    "script", ["return 5", 'return {status = "Fine"}', 'return {status = "Healthy", colour = "green"}']
)
def test_what_argo_cd_does_not_take(script: str) -> None:
    """Fails when a result that Argo CD shows as Unknown counts as a verdict."""
    with pytest.raises(AssertionError):
        argo_cd.health(script, {})


def test_empty_objects_survive() -> None:
    """Fails when an action turns an empty object into a list, which the API server would refuse."""
    obj = made(
        "Client",
        status={"observedGeneration": 1},
        spec={"apiKey": {"secretTemplate": {"labels": {}}}, "rows": [{"a": {}}]},
    )
    assert run("reregister", obj)["spec"] == obj["spec"]
