"""Holds the committed CRDs to the models, and the models to what a CRD may and must say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from registrar.resources import generate, parse
from registrar.resources.kinds import KINDS, Kind
from registrar.resources.policy import POLICY_MEMBERS
from registrar.resources.schema import crd, object_schema, structural
from tests.unit.resources.walk import fields, schemas

FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "nullable", "title", "examples", "const", "x-unit"}
"""What a structural schema must not hold, or what the API server would drop."""

EXPANSIONS = ("${X}", "a${X}", "class:${X}", "ldap://${X}", "http://${X}")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind in turn."""
    found: Kind = request.param
    return found


def test_committed_crds_are_those_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when a model was changed without generating again."""
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_check_names_the_difference_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed, a missing and a stale file are each a difference."""
    assert generate.main(["--output", str(tmp_path)]) == 0
    assert generate.main(["--check", "--output", str(tmp_path)]) == 0
    clients = tmp_path / "gateway-registrar.dev_clients.yaml"
    clients.write_text(clients.read_text().replace("default: Generated", "default: Existing"))
    (tmp_path / "gateway-registrar.dev_policies.yaml").unlink()
    (tmp_path / "gateway-registrar.dev_old.yaml").write_text("kind: Old\n")

    assert generate.main(["--check", "--output", str(tmp_path)]) == 1

    said = capsys.readouterr()
    assert "-                    default: Existing" in said.out
    assert "--- crds/gateway-registrar.dev_policies.yaml" in said.out
    assert "-kind: Old" in said.out
    assert generate.COMMAND in said.err


def test_writing_removes_stale_files(tmp_path: Path) -> None:
    """A kind that is gone leaves no CRD behind; other files stay."""
    (tmp_path / "gateway-registrar.dev_old.yaml").write_text("kind: Old\n")
    (tmp_path / "README.md").write_text("kept\n")

    generate.main(["--output", str(tmp_path)])

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["README.md", *(k.file_name for k in KINDS)])


def test_files_are_yaml_of_the_crds() -> None:
    """No alias or tag gets lost on the way to the file."""
    assert {name: yaml.safe_load(text) for name, text in generate.render().items()} == {
        kind.file_name: crd(kind) for kind in KINDS
    }


def test_schema_is_structural(kind: Kind) -> None:
    """Every node has one type and nothing that a CRD can't hold."""
    for path, schema in schemas(object_schema(kind)):
        assert not FORBIDDEN & schema.keys(), path
        assert schema["type"] in {"string", "integer", "number", "boolean", "array", "object"}, path


def test_everything_has_a_bound(kind: Kind) -> None:
    """A string, list, map or number without a bound would cost the API server unbounded work."""
    for path, schema in schemas(object_schema(kind)):
        if path == ".metadata":
            continue
        match schema["type"]:
            case "string":
                assert "enum" in schema or "maxLength" in schema, path
            case "array":
                assert "maxItems" in schema, path
                assert schema["x-kubernetes-list-type"] in {"atomic", "set", "map"}, path
            case "object":
                assert "properties" in schema or "maxProperties" in schema, path
            case "integer":
                assert "enum" in schema or {"minimum", "maximum"} <= schema.keys(), path


def test_every_field_is_described(kind: Kind) -> None:
    """Each says what it is for (20 characters or more), its default or that it is required, and an example."""
    for path, schema, required in fields(object_schema(kind)["properties"]["spec"], ".spec"):
        description = schema["description"]
        purpose = description.split(" Example: ")[0].split(" Default: ")[0].split(" Required.")[0]
        assert len(purpose) >= 20, (path, purpose)
        assert ("Required." in description) if required else ("Default: " in description), path
        assert "Example: `" in description, path
    for path, schema, _ in fields(object_schema(kind)["properties"]["status"], ".status"):
        assert len(schema["description"].split(" Default: ")[0]) >= 20, path
        assert "Example: `" in schema["description"], path


def test_numbers_have_a_unit(kind: Kind) -> None:
    """An integer that counts something says what; places, generations and switches count nothing."""
    unitless = {"observedGeneration", "order"}
    for path, schema, _ in fields(object_schema(kind), ""):
        if schema["type"] == "integer" and path.rsplit(".", 1)[1] not in unitless:
            assert "Unit: " in schema["description"], path


def test_every_rule_says_what_is_allowed(kind: Kind) -> None:
    """A rule without a message would show CEL to the user; a field path must lead to a field that exists."""
    for path, schema in schemas(object_schema(kind)):
        for rule in schema.get("x-kubernetes-validations", ()):
            assert rule["message"], path
            node: dict[str, Any] = schema
            for step in rule.get("fieldPath", "").split(".")[1:]:
                node = node["properties"][step]


def test_status_begins_unseen_and_spec_where_it_may_be_empty(kind: Kind) -> None:
    """The defaults that `kubectl wait` and a minimal Client rely on."""
    schema = object_schema(kind)
    assert schema["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert (schema["properties"]["spec"].get("default") == {}) == (kind.name == "Client")
    assert ("spec" in schema.get("required", ())) == (kind.name != "Client")


@pytest.mark.parametrize("member", ["publish", "deletionPolicy"])
def test_what_the_gateway_may_default_has_no_default_here(member: str) -> None:
    """A static default would hide the RuntimeGateway's."""
    spec = object_schema(KINDS[0])["properties"]["spec"]
    assert "default" not in spec["properties"][member]


@pytest.mark.parametrize(
    ("kind_name", "names"),
    [
        ("Client", ["organization", "clientId", "version", "gatewayRef"]),
        ("Contract", ["clientRef", "gatewayRef"]),
        ("APIGrant", ["organization"]),
    ],
)
def test_immutable_fields_have_a_transition_rule_on_the_spec(kind_name: str, names: list[str]) -> None:
    """On the spec, because a rule on an optional field is skipped when the field comes or goes."""
    spec = object_schema(next(k for k in KINDS if k.name == kind_name))["properties"]["spec"]
    guarded = {r["fieldPath"] for r in spec["x-kubernetes-validations"] if "oldSelf" in r["rule"]}
    assert guarded == {f".{name}" for name in names}


def test_text_for_the_gateway_never_holds_an_expansion() -> None:
    """Every text of a typed policy refuses `${`, by a rule or by a pattern that leaves no room for it."""
    spec = structural(next(k for k in KINDS if k.name == "Policy").spec)
    unguarded = {
        path
        for path, schema in schemas(spec)
        if schema["type"] == "string"
        and "enum" not in schema
        and any(re.search(schema.get("pattern", ""), text) for text in EXPANSIONS)
        and not any("${" in r["rule"] for r in schema.get("x-kubernetes-validations", ()))
    }
    assert unguarded == set()


def test_printer_columns_and_selectable_fields_lead_to_fields(kind: Kind) -> None:
    """A path that leads nowhere shows an empty column for ever, and nobody notices."""
    schema = object_schema(kind)
    version = crd(kind)["spec"]["versions"][0]
    paths = [c["jsonPath"] for c in version["additionalPrinterColumns"]]
    paths += [s["jsonPath"] for s in version["selectableFields"]]
    for path in paths:
        if path.startswith((".metadata", ".status.conditions[")):
            continue
        node = schema
        for step in path.split(".")[1:]:
            node = node["properties"][step]
    assert len(version["selectableFields"]) <= 8, "the API server takes at most eight"


def test_names_do_not_collide() -> None:
    """Short names, plurals and singulars are all one namespace for kubectl."""
    taken = [name for k in KINDS for name in (k.plural, k.name.lower(), *k.short_names)]
    assert len(taken) == len(set(taken))


def test_policy_types_are_those_that_the_operator_reads() -> None:
    """The two sides of the package must know the same types."""
    assert POLICY_MEMBERS == parse.POLICY_TYPES


def test_the_operator_does_not_pay_for_the_models() -> None:
    """Loading the slim side must not load pydantic: it costs memory that nothing at run time uses."""
    code = "import sys, registrar.resources.parse; sys.exit('pydantic' in sys.modules)"
    source = Path(generate.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=source, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
