"""What stops a start that is told to watch some namespaces: owners that are not among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.engine.startup import check_owners, unwatched
from registrar.errors import SettingsError
from registrar.resources.objects import GatewayObject
from registrar.resources.parse import PARSERS


def gateway(*organizations: dict[str, Any], name: str = "default") -> GatewayObject:
    spec = {
        "type": "Apiman",
        "apiman": {"endpoint": "https://gateway.example.com", "credentialsSecretRef": {"name": "credentials"}},
        "organizations": list(organizations),
    }
    meta = {"name": name, "uid": name, "resourceVersion": "1", "generation": 1}
    parsed = PARSERS["RuntimeGateway"]({"metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec})
    assert isinstance(parsed, GatewayObject)
    return parsed


def test_owners_that_are_watched_are_fine() -> None:
    check_owners([gateway({"name": "acme", "namespaces": ["acme-prod"]})], ("acme-prod", "home"))


def test_when_all_are_watched_nobody_can_be_missing() -> None:
    check_owners([gateway({"name": "acme", "namespaces": ["nowhere"]})], ())


def test_owners_by_their_labels_are_no_names() -> None:
    check_owners([gateway({"name": "acme", "namespaceSelector": {"matchLabels": {"team": "acme"}}})], ("home",))


def test_an_owner_that_is_not_watched_is_one_line() -> None:
    missing = gateway({"name": "acme", "namespaces": ["b", "a", "home"]}, {"name": "system", "namespaces": []})
    with pytest.raises(SettingsError) as raised:
        check_owners([missing], ("home",))
    assert raised.value.problems == (
        "RuntimeGateway default: organization acme belongs to namespaces a, b, which the operator does not watch, so nothing that is there"
        " has an effect. Add the namespace to the chart's watchNamespaces (REGISTRAR_WATCH_NAMESPACES), or take it out of spec.organizations.",
    )


def test_a_gateway_that_is_being_deleted_stops_no_start() -> None:
    """Fails when an operator that is needed to let a RuntimeGateway go does not start because of it."""
    missing = gateway({"name": "acme", "namespaces": ["nowhere"]})
    going = replace(missing, meta=replace(missing.meta, deleting=True))
    check_owners([going], ("home",))


def test_more_of_them_are_counted() -> None:
    rows = [gateway({"name": "acme", "namespaces": ["a"]}, name=name) for name in ("two", "one")]
    assert len(unwatched(rows, ("home",))) == 2
    with pytest.raises(SettingsError, match=r"RuntimeGateway one: .* \(And 1 more like it.\)$"):
        check_owners(rows, ("home",))
