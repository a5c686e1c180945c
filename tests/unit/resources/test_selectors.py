"""Selectors match as Kubernetes matches them."""

from __future__ import annotations

from typing import Any

import pytest

from registrar.resources.parse import parse_contract, parse_gateway, parse_grant, parse_namespace
from registrar.resources.selectors import parse_selector

LABELS = {"team": "shop", "env": "prod"}
TABLE: dict[str, tuple[dict[str, Any], bool]] = {
    "empty": ({}, True),
    "a label": ({"matchLabels": {"team": "shop"}}, True),
    "another value": ({"matchLabels": {"team": "mobile"}}, False),
    "one of two": ({"matchLabels": {"team": "shop", "tier": "x"}}, False),
    "an empty value is a value": ({"matchLabels": {"tier": ""}}, False),
    "in": ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "shop"]}]}, True),
    "in, absent": ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}]}, False),
    "not in": ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, True),
    "not in, but it is": ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["shop"]}]}, False),
    "not in, absent": ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, True),
    "exists": ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
    "exists not": ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    "does not exist": ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    "does exist": ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
    "of the future": ({"matchExpressions": [{"key": "team", "operator": "Like", "values": ["s*"]}]}, False),
    "both kinds": (
        {"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "env", "operator": "In", "values": ["test"]}]},
        False,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_matching(name: str) -> None:
    """Fails when a selector means something else here than in the rest of the cluster."""
    raw, expected = TABLE[name]
    selector = parse_selector(raw)
    assert selector is not None and selector.matches(LABELS) is expected


def test_no_selector_is_no_empty_selector() -> None:
    """Fails when an absent selector is taken for an empty one: it would mean every namespace."""
    assert parse_selector(None) is None


def raw(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object of the API."""
    return {"metadata": {"name": "one", "namespace": "acme", "uid": "u", **more}, "spec": spec}


def test_a_grant_is_parsed() -> None:
    """Fails when a field of a grant is read from the wrong place."""
    found = parse_grant(
        raw(
            {
                "organization": "acme",
                "apis": [{"name": "orders", "versions": ["1.0"]}, {"name": "billing"}],
                "plans": ["gold"],
                "from": {"namespaces": ["shop"], "namespaceSelector": {"matchLabels": {"a": "b"}}},
                "deprecated": {"sunset": "2027-01-31T13:00:00+01:00", "replacedBy": "orders 2.0"},
            }
        )
        | {"status": {"consumers": 3}}
    )
    assert [(api.name, api.versions) for api in found.apis] == [("orders", ("1.0",)), ("billing", ())]
    assert (found.organization, found.plans, found.namespaces) == ("acme", ("gold",), frozenset({"shop"}))
    assert found.selector is not None and found.selector.matches({"a": "b"})
    assert (found.sunset, found.replaced_by) == ("2027-01-31T12:00:00Z", "orders 2.0")
    assert found.raw_status == {"consumers": 3}
    plain = parse_grant(raw({"apis": [{"name": "orders"}], "plans": ["gold"], "from": {"namespaces": ["shop"]}}))
    assert (plain.organization, plain.selector, plain.sunset, plain.raw_status) == ("", None, "", {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15t09:00:00.5+01:00", 1_800_000_000.5),
        ("0001-01-01T00:00:00+01:00", 0.0),
        ("9999-12-31T23:59:59-14:00", 253_402_300_799.0),
        ("2027-01-15T08:00:00+99:99", 0.0),
    ],
)
def test_the_end_of_a_contract_is_parsed(text: str | None, seconds: float | None) -> None:
    """Fails when a time that can't be read lets a Contract live for ever, or costs the whole object."""
    spec = {"clientRef": {"name": "shop"}, "api": {"organization": "o", "name": "n", "version": "1"}}
    assert parse_contract(raw(spec | ({"expiresAt": text} if text else {}))).expires_at == seconds


def test_a_namespace_is_its_labels() -> None:
    """Fails when more of a namespace is kept than selectors need."""
    found = parse_namespace(
        {"metadata": {"name": "shop", "uid": "u", "labels": {"team": "a"}, "annotations": {"x": "y"}}}
    )
    assert (found.meta.namespace, found.meta.name, found.labels) == ("", "shop", {"team": "a"})
    assert parse_namespace({"metadata": {"name": "shop", "uid": "u"}}).labels == {}


def test_the_selector_of_an_organization_is_kept() -> None:
    """Fails when an owner is only found by name."""
    found = parse_gateway(
        raw({"organizations": [{"name": "acme", "namespaceSelector": {}}, {"name": "other", "namespaces": ["x"]}]})
    )
    assert [claim.selector is not None for claim in found.organizations] == [True, False]
