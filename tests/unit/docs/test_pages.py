"""What the written pages show is real: manifests that the models take, files that exist, reasons that are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from registrar.resources.base import GROUP
from registrar.resources.kinds import KINDS
from registrar.resources.reasons import Reason

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "generate" not in path.parts)
NAMES = [str(path.relative_to(DOCS)) for path in PAGES]
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)
SPECS = {kind.name: kind.spec for kind in KINDS}
FOLDERS = (
    "operator",
    "localenv",
    "tests",
    "charts",
    "crds",
    "contrib",
    "manifests",
    "docs",
    "tools",
    ".github",
    "requirements",
)
PATH = re.compile(rf"(?:{'|'.join(re.escape(name) for name in FOLDERS)})/[\w./*-]*")
CONDITION = re.compile(
    r"`(?:[A-Z]\w+=(?:True|False|Unknown)/|(?:Pending|Rejected|Active|Retired)/)(?P<reason>[A-Z]\w+)`"
)


def blocks(text: str, *kinds: str) -> Iterator[str]:
    """The fenced blocks of a page that are of one of the kinds."""
    for block in FENCE.finditer(text):
        if block["kind"] in kinds:
            yield re.sub(rf"^{block['indent']}", "", block["text"], flags=re.MULTILINE)


def manifests(text: str) -> Iterator[dict[str, Any]]:
    """The manifests in the YAML blocks, and in what shell blocks give to `kubectl apply -f -`."""
    sources = list(blocks(text, "yaml"))
    for shell in blocks(text, "sh", "bash"):
        sources += re.findall(r"apply -f - <<'END'\n(.*?)^END$", shell, flags=re.DOTALL | re.MULTILINE)
    for source in sources:
        for document in yaml.safe_load_all(source):
            if isinstance(document, dict) and "kind" in document:
                yield document


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_manifests_are_taken(page: Path) -> None:
    """Fails when somebody who copies a manifest from a page is refused by the schema."""
    for manifest in manifests(page.read_text(encoding="utf-8")):
        if manifest["apiVersion"].startswith(GROUP):
            assert manifest["metadata"]["name"]
            SPECS[manifest["kind"]].model_validate(manifest.get("spec", {}))


def test_there_are_manifests() -> None:
    """Fails when the search for manifests finds none, and so would hold for anything."""
    found = [manifest["kind"] for page in PAGES for manifest in manifests(page.read_text(encoding="utf-8"))]
    assert SPECS.keys() <= set(found) and len(found) > 40


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_named_files_exist(page: Path) -> None:
    """Fails when a page sends its reader to a file that is not there. In decisions, which are of their time, it may have gone."""
    text = page.read_text(encoding="utf-8")
    if page.parent.name == "decisions":
        return
    for span in re.findall(r"`([^`\n]+)`", text):
        for word in span.split():
            if PATH.fullmatch(word.rstrip(".,;:")):
                name = word.rstrip(".,;:")
                assert list(ROOT.glob(name)) if "*" in name else (ROOT / name).exists(), f"{name} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_named_reasons_are_given(page: Path) -> None:
    """Fails when a page names a reason that no condition has."""
    if page.parent.name != "decisions":
        named = {found["reason"] for found in CONDITION.finditer(page.read_text(encoding="utf-8"))}
        assert named <= {reason.value for reason in Reason}


def test_pictures_are_read_out() -> None:
    """Fails when a picture has no words for who can't see it, is not shown anywhere, or fetches something."""
    pictures = sorted((DOCS / "pictures").glob("*.svg"))
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert pictures
    for picture in pictures:
        root = ElementTree.parse(picture).getroot()
        words = [root.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc")]
        assert all(words), picture.name
        assert re.search(rf"!\[[^\]]+\]\((?:\.\./)?pictures/{re.escape(picture.name)}\)", shown), picture.name
        assert "href" not in picture.read_text().replace("xmlns", "")
