"""The site: it builds strictly, holds every page, and fetches nothing from elsewhere when it is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.generate.site import expand

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "mkdocs.yml"
FETCHED = re.compile(
    r"""<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=["']?(?P<url>(?:https?:)?//[^"' >]+)"""
)


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build as `make docs` does, into a folder of the test's."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--config-file",
        str(config),
        "--site-dir",
        str(site),
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(CONFIG, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there_and_nothing_of_the_generators(site: Path) -> None:
    """Fails when a page is not built, or the source of the generators is published."""
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        name = page.with_name("index.html") if page.name in ("README.md", "index.md") else page.with_suffix(".html")
        assert (site / name).is_file(), page
    assert not (site / "generate").exists()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Fails when reading the documentation tells a third party about it, or needs the Internet."""
    found = {
        match["url"] for page in site.rglob("*.html") for match in FETCHED.finditer(page.read_text(encoding="utf-8"))
    }
    assert found == set()
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?(?:https?:)?//", styles)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# A\n\n[gone](gone.md)\n", "gone.md"),
        ("# A\n\n[no heading](b.md#nowhere)\n", "#nowhere"),
        ("# A\n\n[absolute](/b.md)\n", "/b.md"),
    ],
)
def test_a_broken_link_fails(tmp_path: Path, text: str, says: str) -> None:
    """Fails when the configuration would let a broken link through."""
    config = yaml.safe_load(CONFIG.read_text())
    small = {key: config[key] for key in ("site_name", "strict", "validation", "theme", "use_directory_urls")}
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(text)
    (tmp_path / "docs" / "b.md").write_text("# B\n\n## Here\n")
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(small))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0 and says in done.stderr


def test_folders_of_the_navigation(tmp_path: Path) -> None:
    """Fails when a new decision or runbook is not in the navigation by itself, or an empty folder is."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("b.md", "a.md", "README.md", "picture.svg"):
        (tmp_path / "runbooks" / name).touch()
    nav = ["index.md", {"Operations": [{"Runbooks": "runbooks/*"}, {"Nothing": "empty/*"}, "x.md"]}]
    pages = ["runbooks/README.md", "runbooks/a.md", "runbooks/b.md"]
    assert expand(nav, docs=tmp_path) == ["index.md", {"Operations": [{"Runbooks": pages}, "x.md"]}]
