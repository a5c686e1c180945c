"""The generated reference: it is that of the code, and it leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from docs.generate import chart, kinds, reasons, settings
from docs.generate.__main__ import COMMAND, FOLDER, difference, render, write
from docs.generate.markdown import cell, code, table
from registrar.resources.kinds import KINDS
from registrar.resources.reasons import Reason
from registrar.settings import Settings


def test_the_pages_are_those_of_the_code() -> None:
    """Fails when a field, a setting, a reason or a value changed and its page did not."""
    assert difference(FOLDER, render()) == "", f"run: {COMMAND}"


def test_a_page_that_drifted_is_seen(tmp_path: Path) -> None:
    """Fails when the check would pass over a changed, a missing or a left-over page."""
    wanted = render()
    write(tmp_path, wanted)
    assert difference(tmp_path, wanted) == ""
    page = tmp_path / "settings.md"
    page.write_text(page.read_text().replace("--workers", "--helpers"))
    assert "-| `--helpers`" in difference(tmp_path, wanted)
    page.unlink()
    assert "+# Settings" in difference(tmp_path, wanted)
    (tmp_path / "kinds" / "former.md").write_text("a kind that was\n")
    assert "-a kind that was" in difference(tmp_path, wanted)
    write(tmp_path, wanted)
    assert difference(tmp_path, wanted) == ""


def test_every_reason_has_its_section() -> None:
    """Fails when a reason has no section, or a section no reason: a user would look for it in vain."""
    sections = re.findall(r"^### (\S+)$", (FOLDER / "reasons.md").read_text(), flags=re.MULTILINE)
    assert sorted(sections) == sorted({reason.value for reason in Reason})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda groups: groups["A Contract"].pop("Duplicate"), "Duplicate has no entry"),
        (
            lambda groups: groups["A Contract"].update(Dup=groups["A Contract"]["Duplicate"]),
            "Dup is no reason of the code",
        ),
        (
            lambda groups: groups["A RuntimeGateway"].update(Duplicate=groups["A Contract"]["Duplicate"]),
            "Duplicate has several entries",
        ),
        (lambda groups: groups["A Contract"]["Duplicate"].pop("do"), "Duplicate must have exactly the texts"),
        (lambda groups: groups["A Contract"]["Duplicate"].update(do=" "), "Duplicate must have exactly the texts"),
    ],
)
def test_reasons_and_code_are_held_together(change: object, says: str, tmp_path: Path) -> None:
    """Fails when a reason can come or go without its text."""
    groups = yaml.safe_load(reasons.SOURCE.read_text())
    assert callable(change)
    change(groups)
    file = tmp_path / "reasons.yaml"
    file.write_text(yaml.safe_dump(groups, sort_keys=False))
    with pytest.raises(reasons.ReasonsError, match=says):
        reasons.load(file)


def test_every_setting_has_its_row() -> None:
    """Fails when a setting is left out, or its default is not the one that holds."""
    text = settings.render()
    for name, field in Settings.model_fields.items():
        (row,) = [
            line for line in text.splitlines() if f"`REGISTRAR_{name.upper()}`" in line and line.startswith("| `--")
        ]
        if field.default_factory is None and field.default != ():
            assert f"| {code(field.default)} |" in row


def test_every_field_has_its_row() -> None:
    """Fails when a field of a CRD is left out: counted in the committed CRDs by another way than the generator's."""
    pages = kinds.render()
    for kind in KINDS:
        crd = yaml.safe_load((FOLDER.parents[1] / "crds" / kind.file_name).read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        fields = sum(_count(schema[part]) for part in ("spec", "status"))
        rows = re.findall(
            r"^\| `(?:spec|status)\.\S+` \| \S", pages[f"kinds/{kind.name.lower()}.md"], flags=re.MULTILINE
        )
        rules = re.findall(r"^\| where \| message \|", pages[f"kinds/{kind.name.lower()}.md"], flags=re.MULTILINE)
        assert len(rows) - _rule_rows(pages[f"kinds/{kind.name.lower()}.md"]) == fields
        assert rules


def _count(schema: dict[str, object]) -> int:
    """All entries of all `properties` below a schema."""
    total = 0
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            total += len(value) + sum(_count(field) for field in value.values())
        elif isinstance(value, dict) and key in ("items", "additionalProperties"):
            total += _count(value)
    return total


def _rule_rows(page: str) -> int:
    """The rows of the table of rules whose place is a field."""
    rules = page.partition("## Rules")[2].partition("## Columns")[0]
    return len(re.findall(r"^\| `(?:spec|status)\.\S+` \| \S", rules, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["gateway-registrar", "gateway-registrar-gateways"])
def test_every_value_of_a_chart_has_its_row(name: str) -> None:
    """Fails when a value is left out, or is there without a word about it."""
    text = chart.render(name)
    loaded = yaml.safe_load((chart.CHARTS / name / "values.yaml").read_text())
    for path in _leaves(loaded):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{path}` |")]
        assert row.rstrip("| ").rpartition(" | ")[2], f"{path} has no comment and no description"


def _leaves(values: dict[str, object], prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in ("labels", "annotations"):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}")
    return found


def test_comments_of_values() -> None:
    """Fails when a comment is put to a value that it is not about, or an example is taken for a description."""
    text = "# Both.\na: 1\nb: 2\n\n# The third. For example:\n#\n#   c: 4\nc: 3\n\n# The group.\nd:\n  e: 5\n  # Its own.\n  f: 6\n"
    found = [(".".join(value.path), value.default, value.comment, value.group) for value in chart.values(text)]
    assert found == [
        ("a", 1, "", "Both."),
        ("b", 2, "", ""),
        ("c", 3, "The third.", "The third."),
        ("d.e", 5, "", "The group."),
        ("d.f", 6, "Its own.", "Its own."),
    ]


def test_cells() -> None:
    """Fails when a text can end a cell or a row, an empty one vanishes, or a placeholder is taken for a tag and not shown."""
    assert cell("<name>-key, as `<name>` of it") == "&lt;name>-key, as `<name>` of it"
    assert cell("a | b\nc") == "a \\| b c"
    assert cell("one of `a|<b>`") == "one of <code>a&#124;&#60;b&#62;</code>"
    assert code("") == '`""`' and code("a`b") == "``a`b``" and code({"a": True}) == '`{"a": true}`'
    assert table(("x",), []) == ""
    assert table(("x", "y"), [("1", "2")]) == "| x | y |\n|---|---|\n| 1 | 2 |\n"
