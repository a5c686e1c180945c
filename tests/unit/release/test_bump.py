"""`python -m tools.bump`: one command changes the version everywhere, or nothing anywhere."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from registrar import __version__
from tools.bump import ROOT, BumpError, bump, check, current, main, notes

DAY = date(2026, 3, 1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that hold the version, with something to release."""
    for name in ("operator/registrar/__init__.py", "CHANGELOG.md", *map(str, _charts())):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    # Right after a bump the tree's own changelog has nothing that is not released.
    log = tmp_path / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- A thing.\n", 1))
    return tmp_path


def _charts() -> list[Path]:
    found = [path.relative_to(ROOT) for path in sorted(ROOT.glob("charts/*/Chart.yaml"))]
    assert len(found) == 2
    return found


def everything(tree: Path) -> dict[str, str]:
    """The text of each file of the tree."""
    return {str(path): path.read_text() for path in tree.rglob("*") if path.is_file()}


def test_one_command_changes_all_of_them(tree: Path) -> None:
    """Fails when a place is forgotten, or a chart is broken by it."""
    was = notes_unreleased(tree)
    bump(tree, "7.8.9", on=DAY)
    assert current(tree) == "7.8.9"
    for chart in _charts():
        loaded = yaml.safe_load((tree / chart).read_text())
        assert (loaded["version"], loaded["appVersion"]) == ("7.8.9", "7.8.9")
    text = (tree / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [7.8.9] - 2026-03-01\n" in text
    assert notes(tree, "7.8.9") == was
    check(tree, "7.8.9")


def notes_unreleased(tree: Path) -> str:
    """What the next version brings, as the changelog says before it is named."""
    return notes(tree, "Unreleased")


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-rc1", "01.2.3", "", "1.2.3\n"])
def test_what_is_no_version(tree: Path, version: str) -> None:
    """Fails when a tag could be made that nothing else understands."""
    before = everything(tree)
    with pytest.raises(BumpError, match="no version"):
        bump(tree, version, on=DAY)
    assert everything(tree) == before


def test_it_never_goes_back(tree: Path) -> None:
    """Fails when a version that users have is given out a second time."""
    bump(tree, "7.8.9", on=DAY)
    before = everything(tree)
    for version in ("7.8.8", "7.8.9"):
        with pytest.raises(BumpError, match="Choose a later version"):
            bump(tree, version, on=DAY)
    with pytest.raises(BumpError, match="has nothing below"):
        bump(tree, "7.9.0", on=DAY)
    assert everything(tree) == before


def test_a_tree_that_disagrees(tree: Path) -> None:
    """Fails when a release could be tagged whose chart or notes are another version's."""
    bump(tree, "7.8.9", on=DAY)
    chart = tree / _charts()[0]
    chart.write_text(chart.read_text().replace("7.8.9", "7.8.8"))
    with pytest.raises(BumpError, match=r"Chart\.yaml has version 7\.8\.8"):
        check(tree, "7.8.9")
    with pytest.raises(BumpError, match="has version 7.8.9, not 7.8.8"):
        check(tree, "7.8.8")


def test_the_command(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when a mistake is a traceback, or the notes of a release are not what is printed."""
    assert main(["7.8.9"], root=tree) == 0
    assert "CHANGELOG.md" in capsys.readouterr().out
    assert main(["7.8.9", "--check"], root=tree) == 0
    assert main(["7.8.9", "--notes"], root=tree) == 0
    assert "### Added" in capsys.readouterr().out
    assert main(["7.8.8", "--check"], root=tree) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_this_tree_agrees_with_itself() -> None:
    """Fails when the charts of this very tree have another version than the code."""
    assert current(ROOT) == __version__
    for chart in _charts():
        loaded = yaml.safe_load((ROOT / chart).read_text())
        assert (loaded["version"], loaded["appVersion"]) == (__version__, __version__)
