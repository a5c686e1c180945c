"""Secrets of Policies: only the right ones are read, and nothing of them shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from registrar.engine.policy_facts import PolicyFacts
from registrar.engine.store import Store
from registrar.resources.objects import PolicyObject
from registrar.resources.parse import parse_policy, parse_secret

CANARY = "canary-7f3a"


def store(
    values: Mapping[str, str | bytes] | None = None, *, namespace: str = "team", labels: dict[str, str] | None = None
) -> Store:
    """A store with the Secret `users`, which has these entries."""
    made = Store()
    entries = {"alice": CANARY} if values is None else values
    raw = {k: base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode() for k, v in entries.items()}
    meta: dict[str, Any] = {"name": "users", "namespace": namespace, "uid": "u", "resourceVersion": "1"}
    meta["labels"] = {"gateway-registrar.dev/allow-use": "true"} if labels is None else labels
    made.upsert(parse_secret({"metadata": meta, "data": raw}))
    return made


def facts(found: Store, *, secret: bytes = b"k" * 32) -> PolicyFacts:
    """The facts of an operator that lives in the namespace `system`."""
    return PolicyFacts(store=found, home="system", secret=secret)


def login(namespace: str = "team", *, name: str = "users", key: str = "alice", realm: str = "shop") -> PolicyObject:
    """A Policy whose one user's password is in a Secret."""
    rule = {
        "realm": realm,
        "staticIdentity": {"identities": [{"username": "alice", "passwordSecretRef": {"name": name, "key": key}}]},
    }
    return policy(namespace, basicAuthentication=rule)


def policy(namespace: str = "team", **spec: Any) -> PolicyObject:
    """A parsed Policy."""
    raw = {"metadata": {"name": "p", "namespace": namespace, "uid": "p"}, "spec": {"targetRefs": []} | spec}
    return parse_policy(raw)


def test_a_password_is_resolved_and_does_not_show() -> None:
    """Fails when a password gets into what a status is made of, or not into what is rendered."""
    known = facts(store())
    fact = known.fact(login())
    assert (fact.reason, len(fact.digest)) == ("", 32)
    assert CANARY not in repr(fact)
    resolved = known.resolve("team", login().config, type_="basicAuthentication")
    assert resolved is not None and resolved["staticIdentity"]["identities"][0]["password"] == CANARY


def test_the_digest_follows_the_values_and_nothing_else() -> None:
    """Fails when a changed password is not seen, an unchanged one is, or a digest can be made without the operator's own key."""
    before = facts(store()).fact(login()).digest
    assert facts(store()).fact(login(realm="other")).digest == before
    assert facts(store({"alice": CANARY, "bob": "x"})).fact(login()).digest == before
    assert facts(store({"alice": "other"})).fact(login()).digest != before
    assert facts(store(), secret=b"another").fact(login()).digest != before
    assert facts(store(namespace="else")).fact(login("else")).digest != before


@pytest.mark.parametrize(
    ("found", "asked", "reason"),
    [
        (Store(), login(), "SecretNotFound"),
        (store(labels={}), login(), "SecretNotFound"),
        (store(labels={"gateway-registrar.dev/allow-use": "false"}), login(), "SecretNotFound"),
        (store(namespace="other"), login(), "SecretNotFound"),
        (store({"bob": "x"}), login(), "SecretNotFound"),
        (store({"alice": ""}), login(), "SecretNotFound"),
        (store({"alice": "line\n"}), login(), "SecretNotFound"),
        (store({"alice": b"\xff\xfe"}), login(), "SecretNotFound"),
        (store({"alice": "x" * 1025}), login(), "SecretNotFound"),
        (store({"alice": "${HOME}"}), login(), "Invalid"),
        (store(namespace="system"), login("system"), "SecretNotAllowed"),
    ],
)
def test_what_cannot_be_resolved(found: Store, asked: PolicyObject, reason: str) -> None:
    """Fails when a Secret is read that was not offered, or is the operator's own, or holds what the gateway would expand."""
    fact = facts(found).fact(asked)
    assert (fact.reason, fact.digest) == (reason, "")
    assert fact.message and "x" * 100 not in fact.message and "HOME" not in fact.message
    if reason != "Invalid":
        assert facts(found).resolve(asked.meta.namespace, asked.config, type_=asked.type) is None
        assert facts(found).digest(asked.meta.namespace, asked.config, type_=asked.type) == ""


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"custom": {"implementation": "class:com.example.A", "config": {"a": "${HOME}"}}}, "${"),
        ({"ipBlockList": {"ipList": ["2001:db8::/32"]}}, "ipList"),
        ({"caching": {"ttl": 5}}, "caching"),
        (
            {"custom": {"implementation": "class:io.apiman.gateway.engine.policies.RateLimitingPolicy", "config": {}}},
            "rateLimit",
        ),
    ],
)
def test_what_cannot_be_rendered(spec: dict[str, Any], word: str) -> None:
    """Fails when a Policy is accepted that the gateway can't be sent, or that goes around the rules of a typed one."""
    fact = facts(Store()).fact(policy(**spec))
    assert fact.reason == "Invalid" and word in fact.message


def test_plain_policies_are_fine() -> None:
    """Fails when a Policy without references is held back, or a type that is judged elsewhere is judged here."""
    limit = {"limit": 1, "period": "Hour", "granularity": "Client"}
    assert facts(Store()).fact(policy(rateLimit=limit)).reason == ""
    assert facts(Store()).fact(policy(custom={"implementation": "class:com.example.A"})).reason == ""
    assert facts(Store()).fact(policy()).reason == ""
    assert facts(Store()).resolve("team", policy(rateLimit=limit).config, type_="rateLimit") == limit
    assert facts(Store()).digest("team", policy(rateLimit=limit).config, type_="rateLimit") == ""


def test_references_are_found_wherever_they_are() -> None:
    """Fails when a change of a Secret does not wake the Policies that refer to it."""
    assert login().secret_names == ("users",)
    ldap = {"credentials": {"username": "r", "passwordSecretRef": {"name": "bind"}}}
    assert policy(basicAuthentication={"realm": "r", "ldapIdentity": ldap}).secret_names == ("bind",)
    hidden = {"implementation": "class:a.B", "config": {"passwordSecretRef": {"name": "users"}}}
    custom = policy(custom=hidden)
    assert custom.secret_names == (), "a custom configuration has no references"
    assert facts(store()).resolve("team", custom.config, type_="custom") == hidden
