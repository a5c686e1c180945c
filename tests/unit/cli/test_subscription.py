"""Which Contract is made or changed, and what is offered when something was left out."""

from __future__ import annotations

from typing import Any

import pytest

from registrar.cli.errors import Usage
from registrar.cli.subscription import (
    Offers,
    Wanted,
    apis,
    changes,
    check_time,
    existing,
    home_of,
    manifest,
    parse_api,
    plans,
    to_try,
)
from registrar.resources.objects import ApiRef

ORDERS = ApiRef("acme", "orders", "1.0")
Json = dict[str, Any]


def contract(name: str, *, client: str = "shop", version: str = "1.0", plan: str = "gold", **spec: Any) -> Json:
    api = {"organization": "acme", "name": "orders", "version": version}
    return {"metadata": {"name": name}, "spec": {"clientRef": {"name": client}, "api": api, "plan": plan} | spec}


def grant(*plans_: str, namespaces: list[str] | None = None, versions: list[str] | None = None, **spec: Any) -> Json:
    api = {"name": "orders"} | ({"versions": versions} if versions else {})
    source = spec.pop("source", {"namespaces": namespaces or ["team"]})
    return {"metadata": {"namespace": "acme"}, "spec": {"apis": [api], "plans": list(plans_), "from": source} | spec}


def wanted(**changes_: Any) -> Wanted:
    return Wanted(**{"client": "shop", "namespace": "team", "api": ORDERS, "plan": "gold", **changes_})


@pytest.mark.parametrize(
    "text", ["orders", "acme/orders", "acme/orders/1.0/x", "acme//1.0", "acme/../1.0", "a b/orders/1.0"]
)
def test_what_is_no_api(text: str) -> None:
    """Fails when a text is taken for an API that it is not."""
    with pytest.raises(Usage):
        parse_api(text)


def test_apis_and_times() -> None:
    """Fails when an API or an end in time is refused, or an end without a zone is not."""
    assert parse_api("acme/orders/1.0") == ORDERS
    for text in ("", "2027-01-31T12:00:00Z", "2027-01-31T12:00:00+01:00"):
        check_time(text)
    for text in ("tomorrow", "2027-01-31", "2027-01-31T12:00:00"):
        with pytest.raises(Usage):
            check_time(text)


def test_plans_come_from_grants_before_contracts() -> None:
    """Fails when a plan is offered that is granted to others, or one that only a Contract has hides the granted ones."""
    rows = (contract("other", plan="trial"),)
    granted = (grant("gold", "silver"), grant("secret", namespaces=["others"]), grant("old", versions=["0.9"]))
    assert plans(Offers(granted, rows, "team"), ORDERS) == ("gold", "silver")
    assert plans(Offers((), rows, "team"), ORDERS) == ("trial",)
    selected = (grant("gold", source={"namespaceSelector": {}}, organization="acme"),)
    assert plans(Offers(selected, rows, "team"), ORDERS) == ("gold",)
    assert apis(Offers((grant("gold", versions=["1.0", "2.0"]),), rows, "team")) == (
        "acme/orders/1.0",
        "acme/orders/2.0",
    )


def test_what_exists_is_changed_in_place() -> None:
    """Fails when a second Contract is made for an API that the Client has one for, or another Client's is taken."""
    rows = [contract("a", version="2.0"), contract("b"), contract("c", client="other")]
    found = existing(wanted(), rows, home="default")
    assert found is rows[1] and changes(wanted(plan="silver"), rows[1]) == ("plan gold -> silver",)
    assert existing(wanted(), rows[:1], home="") is rows[0] and changes(wanted(), rows[0]) == ("version 2.0 -> 1.0",)
    assert existing(wanted(), rows[2:], home="") is None
    assert existing(wanted(name="c"), rows, home="") is rows[2]
    elsewhere = contract("d", gatewayRef={"name": "second"})
    assert existing(wanted(), [elsewhere], home="default") is None
    assert existing(wanted(gateway="second"), [elsewhere], home="default") is elsewhere
    assert existing(wanted(), [elsewhere], home="second") is elsewhere
    assert home_of({"status": {"identity": {"gateway": "second"}}}) == "second" and home_of(None) == ""


def test_a_manifest_keeps_what_was_not_asked_about() -> None:
    """Fails when an apply would take the gateway or the end away, or the name is not legal."""
    made = manifest(wanted(api=ApiRef("acme", "Big_Orders", "1.0")), None)
    assert made["metadata"] == {"name": "shop-big-orders", "namespace": "team"} and "gatewayRef" not in made["spec"]
    kept: Json = {"gatewayRef": {"name": "second"}, "expiresAt": "2027-01-31T12:00:00Z"}
    changed = manifest(wanted(plan="silver"), contract("own", **kept))
    assert changed["metadata"]["name"] == "own" and changed["spec"]["plan"] == "silver"
    assert {key: changed["spec"][key] for key in kept} == kept


def test_the_call_to_try_shows_no_key() -> None:
    """Fails when the command holds a key, or reads it from somewhere else than the Secret."""
    live = {"metadata": {"name": "shop-orders", "namespace": "team"}, "status": {"endpoint": "https://g/a"}}
    shown = to_try(live, {"spec": {"apiKey": {"secretKey": "the.key"}}}, secret="own", header="X-API-Key")
    assert (
        "kubectl get secret own -n team" in shown
        and 'index .data "the.key"' in shown
        and "curl -H @- https://g/a/" in shown
    )
