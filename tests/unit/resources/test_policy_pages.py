"""docs/policies: a page for each type, whose manifests are real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from registrar.gateways.apiman.wire import render_policy
from registrar.resources.base import ApiModel
from registrar.resources.gateway import RuntimeGatewaySpec
from registrar.resources.parse import POLICY_TYPES, SECRET_REF
from registrar.resources.policy import PolicySpec

PAGES = Path(__file__).parents[3] / "docs" / "policies"
MODELS: dict[str, type[ApiModel]] = {"Policy": PolicySpec, "RuntimeGateway": RuntimeGatewaySpec}


def manifests(page: Path) -> list[dict[str, Any]]:
    """All manifests in the fenced blocks of a page."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


def with_passwords(value: Any) -> Any:
    """The configuration with a password beside each reference."""
    if isinstance(value, list):
        return [with_passwords(row) for row in value]
    if isinstance(value, dict):
        inner = {key: with_passwords(row) for key, row in value.items()}
        return inner | ({"password": "secret"} if SECRET_REF in value else {})
    return value


def test_every_type_has_a_page_and_every_page_a_type() -> None:
    """Fails when a type comes without its page, or a page is left over."""
    assert {page.stem for page in PAGES.glob("*.md")} == {*POLICY_TYPES, "README"}


@pytest.mark.parametrize("type_", POLICY_TYPES)
def test_the_manifests_of_a_page(type_: str) -> None:
    """Fails when a manifest that somebody copies is refused by the schema, or can't be rendered for the gateway."""
    found = manifests(PAGES / f"{type_}.md")
    policies = [row for row in found if row["kind"] == "Policy"]
    assert policies
    for row in found:
        if row["kind"] in MODELS:
            MODELS[row["kind"]].model_validate(row["spec"])
    for row in policies:
        stored = PolicySpec.model_validate(row["spec"]).model_dump(by_alias=True, exclude_none=True)
        render_policy(type=type_, config=with_passwords(stored[type_]))


@pytest.mark.parametrize("type_", POLICY_TYPES)
def test_what_a_page_says(type_: str) -> None:
    """Fails when a page lacks the answer, the oddities, or its place in the index."""
    text = (PAGES / f"{type_}.md").read_text()
    assert "## What a caller gets" in text and "## Oddities of the gateway" in text
    assert f"]({type_}.md)" in (PAGES / "README.md").read_text()
