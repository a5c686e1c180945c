"""Secrets that Policies refer to, on the real pair: nothing opens without them, nothing live is lost with them, nothing of them is seen."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from localenv.cluster import Cluster, client, condition, contract, policy, secret, until
from localenv.environment import NAMESPACE, Environment

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
ORDERS = "acme/orders/1.0"
SHOP = {"kind": "Client", "name": "shop"}


def users(namespace: str, *, name: str = "users", key: str = "alice") -> dict[str, Any]:
    """A Policy with one user, whose password is in a Secret."""
    rule = {
        "realm": "shop",
        "requireTransportSecurity": False,
        "staticIdentity": {"identities": [{"username": "alice", "passwordSecretRef": {"name": name, "key": key}}]},
    }
    return policy(namespace, "users", SHOP, basicAuthentication=rule)


def shop(namespace: str) -> list[dict[str, Any]]:
    """A Client with a Contract for orders."""
    return [client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="1.0")]


def enters(cluster: Cluster, key: str, password: str) -> int:
    """The answer to a call with that password."""
    header = {"Authorization": "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()}
    return cluster.fetch(ORDERS, key, headers=header).status


def accepted(cluster: Cluster, namespace: str, reason: str) -> str:
    """Wait until the Policy's Accepted condition has that reason; returns its message."""
    found = cluster.wait(
        "Policy", namespace, "users", lambda o: condition(o, "Accepted").get("reason") == reason, what=reason
    )
    return str(condition(found, "Accepted")["message"])


@pytest.mark.parametrize("there", ["nothing", "no label", "no entry"])
def test_without_its_secret_a_new_contract_is_not_pushed(cluster: Cluster, namespace: str, there: str) -> None:
    """Fails when a contract is pushed without the policy that protects it, or a Secret is read that was not offered."""
    if there == "no label":
        cluster.apply(secret(namespace, "users", allowed=False, alice="open-sesame"))
    if there == "no entry":
        cluster.apply(secret(namespace, "users", bob="open-sesame"))
    cluster.apply(users(namespace), *shop(namespace))
    assert "users" in accepted(cluster, namespace, "SecretNotFound")
    waiting = cluster.wait("Contract", namespace, "orders", lambda o: condition(o, "Ready") != {}, what="Ready")
    ready = condition(waiting, "Ready")
    assert ready["reason"] == "PolicyUnresolved"
    assert f"Policy {namespace}/users of its chain can't be resolved (SecretNotFound)" in ready["message"]
    assert cluster.registration(namespace, "shop") is None
    cluster.apply(secret(namespace, "users", alice="open-sesame"))
    cluster.wait_phase(namespace, "shop", "Registered")
    accepted(cluster, namespace, "Valid")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: enters(cluster, key, "open-sesame") == 200, what="a call", seconds=5)
    assert enters(cluster, key, "wrong") == 401


def test_a_lost_secret_takes_nothing_down_and_opens_nothing(cluster: Cluster, namespace: str) -> None:
    """Fails when a published contract goes, or loses its policy, because a Secret went; also over a reregister with other changes."""
    cluster.apply(secret(namespace, "users", alice="open-sesame"), users(namespace), *shop(namespace))
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: enters(cluster, key, "open-sesame") == 200, what="a call", seconds=5)
    cluster.delete("Secret", namespace, "users")
    accepted(cluster, namespace, "SecretNotFound")
    cluster.wait(
        "Contract", namespace, "orders", lambda o: condition(o, "Ready").get("reason") == "PolicyUnresolved", what="it"
    )
    assert [enters(cluster, key, word) for word in ("open-sesame", "wrong")] == [200, 401]
    cluster.annotate("Client", namespace, "shop", "reregister", "again")
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: any(a.get("lastHandledToken") == "again" for a in o["status"].get("actions", [])),
        what="the action being handled",
    )
    assert [enters(cluster, key, word) for word in ("open-sesame", "wrong")] == [200, 401]
    cluster.apply(secret(namespace, "users", alice="open-sesame"))
    cluster.wait("Contract", namespace, "orders", lambda o: condition(o, "Ready").get("status") == "True", what="Ready")


def test_a_second_contract_is_pushed_beside_one_that_is_held(cluster: Cluster, namespace: str) -> None:
    """Fails when one Policy that can't be resolved holds the other Contracts hostage, or the held one loses its bytes."""
    rule = users(namespace)
    rule["spec"]["targetRefs"] = [{"kind": "Contract", "name": "orders"}]
    cluster.apply(secret(namespace, "users", alice="open-sesame"), rule, *shop(namespace))
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: enters(cluster, key, "open-sesame") == 200, what="a call", seconds=5)
    cluster.delete("Secret", namespace, "users")
    accepted(cluster, namespace, "SecretNotFound")
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.annotate("Client", namespace, "shop", "reregister", "again")
    cluster.wait("Client", namespace, "shop", lambda o: o["status"]["contracts"]["live"] == 2, what="two live")
    until(lambda: cluster.call("acme/billing/1.0", key) == 200, what="a call of billing", seconds=5)
    assert [enters(cluster, key, word) for word in ("open-sesame", "wrong")] == [200, 401]


def test_a_new_password_is_a_pending_change(cluster: Cluster, namespace: str) -> None:
    """Fails when a changed Secret is not seen, is pushed unasked, or shows in the status."""
    cluster.apply(secret(namespace, "users", alice="open-sesame"), users(namespace), *shop(namespace))
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: enters(cluster, key, "open-sesame") == 200, what="a call", seconds=5)
    cluster.apply(secret(namespace, "users", alice="new-sesame"))
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert [c["message"] for c in found["status"]["pendingChanges"]] == [
        "PolicyChanged users: a referenced Secret has changed"
    ]
    assert [enters(cluster, key, word) for word in ("open-sesame", "new-sesame")] == [200, 401]
    assert "sesame" not in json.dumps([found, cluster.get("Policy", namespace, "users")])
    cluster.annotate("Client", namespace, "shop", "reregister", "again")
    cluster.wait_phase(namespace, "shop", "Registered")
    until(lambda: enters(cluster, key, "new-sesame") == 200, what="the new password", seconds=5)
    assert enters(cluster, key, "open-sesame") == 401


def test_after_a_reset_the_present_secret_is_sent(cluster: Cluster, namespace: str, env: Environment) -> None:
    """Fails when a heal can't be done because a Secret has changed, or reports what is live as pending afterwards."""
    cluster.apply(secret(namespace, "users", alice="open-sesame"), users(namespace), *shop(namespace))
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    cluster.apply(secret(namespace, "users", alice="new-sesame"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    env.reset_gateway()
    until(lambda: enters(cluster, key, "new-sesame") == 200, what="the registration coming back", seconds=60)
    cluster.wait_phase(namespace, "shop", "Registered")


def test_after_a_reset_nothing_comes_back_without_its_policy(
    cluster: Cluster, namespace: str, env: Environment
) -> None:
    """Fails when a heal opens a contract whose Policy can't be resolved, keeps the others off, or forgets it once the Policy is mended."""
    rule = users(namespace)
    rule["spec"]["targetRefs"] = [{"kind": "Contract", "name": "orders"}]
    cluster.apply(
        secret(namespace, "users", alice="open-sesame"),
        rule,
        *shop(namespace),
        contract(namespace, "billing", client="shop", api="billing", version="1.0"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    key = cluster.key(namespace, "shop-api-key")
    cluster.delete("Secret", namespace, "users")
    accepted(cluster, namespace, "SecretNotFound")
    env.reset_gateway()
    until(lambda: cluster.call("acme/billing/1.0", key) == 200, what="billing coming back", seconds=60)
    assert enters(cluster, key, "open-sesame") == 404
    found = cluster.wait(
        "Contract",
        namespace,
        "orders",
        lambda o: condition(o, "Ready").get("reason") == "PolicyUnresolved",
        what="PolicyUnresolved",
    )
    assert found["status"]["phase"] == "Pending"
    cluster.apply(secret(namespace, "users", alice="open-sesame"))
    until(lambda: enters(cluster, key, "open-sesame") == 200, what="orders coming back", seconds=30)
    assert enters(cluster, key, "wrong") == 401
    cluster.wait("Contract", namespace, "orders", lambda o: o["status"].get("phase") == "Active", what="Active")


def test_the_operators_own_secrets_are_out_of_reach(cluster: Cluster) -> None:
    """Fails when a Policy beside the operator can make it send its own credentials somewhere."""
    name = "gateway-credentials"
    found = [s["metadata"]["name"] for s in cluster.list("Secret", NAMESPACE)]
    cluster.apply(users(NAMESPACE, name=next((n for n in found if "cred" in n), name), key="password"))
    try:
        cluster.apply(client(NAMESPACE, "shop"))
        assert "operator's own namespace" in accepted(cluster, NAMESPACE, "SecretNotAllowed")
    finally:
        cluster.delete("Policy", NAMESPACE, "users")
        cluster.delete("Client", NAMESPACE, "shop")
        cluster.wait_gone("Client", NAMESPACE, "shop")
