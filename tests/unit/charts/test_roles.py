"""The chart's roles say what the code says that the operator needs, and users get no more than their kinds."""

from __future__ import annotations

from typing import Any

import pytest

from localenv.account import objects, user_rules
from localenv.charts import render
from registrar.kube import rights

Json = dict[str, Any]
HOME = "gateway-registrar-system"
LEASE = "gateway-registrar"
One = tuple[str, str, str, str, str]
"""Namespace (empty: cluster-wide), group, resource, verb and object name (empty: any)."""
WRITING = {"create", "update", "patch", "delete", "deletecollection"}
OURS = {"clients", "contracts", "policies", "apigrants"}


def granted(values: Json | None = None) -> set[One]:
    """What the account of a release with these values may do."""
    return {
        (row["metadata"].get("namespace", ""), group, resource, verb, name)
        for row in objects(values=values)
        for rule in row.get("rules") or ()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def needed(*, namespaces: tuple[str, ...] = (), lease: str = LEASE) -> set[One]:
    """What the code asks for at its start."""
    return {
        (
            ask.namespace,
            ask.resource.group,
            ask.resource.plural + (f"/{ask.subresource}" if ask.subresource else ""),
            ask.verb,
            ask.name,
        )
        for ask in rights.asks(namespaces=namespaces, home=HOME, lease=lease)
    }


def test_all_namespaces() -> None:
    assert granted() == needed()


@pytest.mark.parametrize("watched", [["team-b", "team-a"], ["team-a", HOME]], ids=str)
def test_some_namespaces(watched: list[str]) -> None:
    assert granted({"watchNamespaces": watched}) == needed(namespaces=tuple(sorted({*watched, HOME})))


@pytest.mark.parametrize("watched", [[], ["team-a"]], ids=str)
def test_leader_election(watched: list[str]) -> None:
    names = tuple(sorted({*watched, HOME})) if watched else ()
    another = {"watchNamespaces": watched, "settings": {"leaseName": "another"}}
    assert granted(another) == needed(namespaces=names, lease="another")
    alone = {"watchNamespaces": watched, "replicas": 1, "settings": {"lease": False}}
    assert granted(alone) == needed(namespaces=names, lease="")


def test_nothing_is_a_wildcard_and_nothing_is_written_but_what_must_be() -> None:
    for _, group, resource, verb, _ in granted() | granted({"watchNamespaces": ["team-a"]}):
        assert "*" not in group + resource + verb
        if resource in OURS - {"clients"}:
            assert verb not in WRITING, "the specs are their authors'"
        if resource in {"clients", "runtimegateways"}:
            assert verb in {"get", "list", "watch", "patch"}
        if resource == "namespaces":
            assert verb not in WRITING


def test_with_a_list_only_gateways_are_cluster_wide() -> None:
    rows = {one for one in granted({"watchNamespaces": ["team-a"]}) if not one[0]}
    assert {resource for _, _, resource, _, _ in rows} == {"runtimegateways", "runtimegateways/status", "namespaces"}
    assert {(verb, name) for _, _, resource, verb, name in rows if resource == "namespaces"} == {
        ("get", "team-a"),
        ("get", HOME),
    }


def test_no_roles_when_they_are_not_wanted() -> None:
    kinds = [row["kind"] for row in objects(values={"rbac": {"create": False}})]
    assert kinds == ["ServiceAccount"]


def allowed(*roles: str) -> set[tuple[str, str]]:
    """Resource and verb of what users of these roles get."""
    return {(resource, verb) for rule in user_rules(*roles) for resource in rule["resources"] for verb in rule["verbs"]}


def test_users() -> None:
    view, edit, admin = allowed("view"), allowed("edit"), allowed("admin")
    assert view < edit < admin
    assert {verb for _, verb in view} == {"get", "list", "watch"}
    assert edit - view == {(kind, verb) for kind in OURS - {"apigrants"} for verb in WRITING}
    assert admin - edit == {("apigrants", verb) for verb in WRITING}
    assert {verb for resource, verb in admin if "/status" in resource} == {"get"}
    assert {verb for resource, verb in admin if resource == "runtimegateways"} == {"get", "list", "watch"}
    assert "secrets" not in {resource for resource, _ in admin}


def test_no_user_roles_when_they_are_not_wanted() -> None:
    rows = render(values={"rbac": {"aggregateUserRoles": False}})
    assert not [row for row in rows if "aggregate-to-" in str(row["metadata"].get("labels"))]
