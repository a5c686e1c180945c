"""The views and keys for k9s: columns that exist, expressions that lead to a field, and keys that don't hide one another."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from registrar.resources.kinds import KINDS
from tests.unit.contrib.test_kube_state_metrics import follow, schema
from tests.verdicts.contrib import CONTRIB

VIEWS: dict[str, Any] = yaml.safe_load((CONTRIB / "k9s" / "views.yaml").read_text())["views"]
PLUGINS: dict[str, Any] = yaml.safe_load((CONTRIB / "k9s" / "plugins.yaml").read_text())["plugins"]
COLUMN = re.compile(r"^(?P<name>[A-Z][A-Z-]*)(:(?P<path>\.[A-Za-z.]+))?(\|(?P<attributes>[TNWLRH]+))?$")
KNOWN = {"shortCut", "override", "description", "confirm", "dangerous", "scopes", "command", "background", "args"}


def test_every_kind_has_a_view() -> None:
    """Fails when a view's key is not the one under which k9s looks: group, version and plural."""
    assert set(VIEWS) == {f"gateway-registrar.dev/v1alpha1/{kind.plural}" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_exist(kind: Any) -> None:
    """Fails when a column is neither k9s' own, nor the CRD's, nor an expression that leads to a field: it would stay empty."""
    view = VIEWS[f"gateway-registrar.dev/v1alpha1/{kind.plural}"]
    assert view.keys() == {"columns", "sortColumn"}
    own = {"NAME", "AGE"} | (set() if kind.cluster_scoped else {"NAMESPACE"})
    printed = own | {column["name"].upper() for column in kind.columns}
    names = []
    for text in view["columns"]:
        match = COLUMN.match(text)
        assert match, text
        names.append(match["name"])
        if match["path"]:
            follow(match["path"].strip(".").split("."), schema(kind.name))
        else:
            assert match["name"] in printed, text
    assert len(set(names)) == len(names)
    column, _, direction = view["sortColumn"].partition(":")
    assert column in names and direction in ("asc", "desc")


def test_plugins_are_ones_that_k9s_takes() -> None:
    """Fails when k9s would refuse the file, or a key hides another in the same view."""
    keys = [(scope, plugin["shortCut"]) for plugin in PLUGINS.values() for scope in plugin["scopes"]]
    assert len(set(keys)) == len(keys)
    names = {name for kind in KINDS for name in kind.short_names}
    for plugin in PLUGINS.values():
        assert {"shortCut", "description", "scopes", "command"} <= plugin.keys() <= KNOWN
        assert set(plugin["scopes"]) <= names, "a short name is ours alone; a plural may be another CRD's, too"


@pytest.mark.parametrize("name", PLUGINS)
def test_what_a_key_runs(name: str) -> None:
    """Fails when a key acts on another object than the chosen one, in another cluster, without asking, or in read-only mode."""
    plugin = PLUGINS[name]
    assert (plugin["command"], plugin["args"][0], len(plugin["args"])) == ("sh", "-c", 2)
    words = shlex.split(plugin["args"][1])
    assert words[:2] == ["kubectl", "registrar"]
    assert words[-4:] == ["2>&1", "|", "less", "-R"]
    assert words[words.index("--namespace") + 1] == "$NAMESPACE"
    assert words[words.index("--context") + 1] == "$CONTEXT"
    assert words[3].endswith("$NAME")
    changes = words[2] in ("reregister", "unregister", "rotate-key")
    assert changes == plugin.get("confirm", False) == plugin.get("dangerous", False) == ("--yes" in words)
    for variable in re.findall(r"\$\w+", plugin["args"][1]):
        assert re.search(rf"'[^']*\{variable}'", plugin["args"][1]), f"{variable} is not quoted"
