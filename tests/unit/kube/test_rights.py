"""The questions about the operator's rights, and the line about those that are missing."""

from __future__ import annotations

from registrar.kube import rights
from registrar.kube.client import CLIENTS, GATEWAYS, LEASES, NAMESPACES, SECRETS
from registrar.kube.rights import Ask


def test_everything_is_asked_once() -> None:
    asked = rights.asks(namespaces=("a", "b", "home"), home="home", lease="lease")
    assert len(asked) == len(set(asked))
    assert {ask.namespace for ask in asked if ask.resource is CLIENTS} == {"a", "b", "home"}
    assert {ask.namespace for ask in asked if ask.resource is LEASES} == {"home"}
    assert {ask.name for ask in asked if ask.resource is NAMESPACES} == {"a", "b", "home"}
    assert {ask.verb for ask in asked if ask.resource is NAMESPACES} == {"get"}


def test_without_a_list_it_is_all_namespaces() -> None:
    asked = rights.asks(namespaces=(), home="home", lease="lease")
    assert {ask.namespace for ask in asked if ask.resource is CLIENTS} == {""}
    assert {ask.verb for ask in asked if ask.resource is NAMESPACES} == {"get", "list", "watch"}


def test_without_a_lease_nothing_is_asked_about_it() -> None:
    asked = rights.asks(namespaces=(), home="home", lease="")
    assert not [ask for ask in asked if ask.resource is LEASES]


def test_in_words() -> None:
    asked = (
        Ask("get", CLIENTS, "", ""),
        Ask("patch", CLIENTS, "status", "team-a"),
        Ask("get", SECRETS, "", "team-a"),
        Ask("list", SECRETS, "", "team-a"),
        Ask("watch", GATEWAYS, "", ""),
        Ask("get", NAMESPACES, "", "", "team-a"),
    )
    assert rights.in_words(asked) == (
        "get clients.gateway-registrar.dev in all namespaces; patch clients.gateway-registrar.dev/status in namespace team-a;"
        " get, list secrets in namespace team-a; watch runtimegateways.gateway-registrar.dev; get namespaces team-a"
    )


def test_many_are_counted() -> None:
    said = rights.in_words(rights.asks(namespaces=(), home="home", lease="lease"))
    assert said.count(";") == 6
    assert said.endswith("; and 9 more")
