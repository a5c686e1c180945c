"""Limits in one bucket of the real gateway: first what happens to them there, then that the operator does not let it happen."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest

from localenv.cluster import Cluster, client, condition, contract, policy, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
ORDERS = "acme/orders/1.0"
LIMITER = "class:io.apiman.gateway.engine.policies.RateLimitingPolicy"


def by_hand(cluster: Cluster, *limits: tuple[int, str]) -> str:
    """A client with these limits in one bucket, put on the gateway past the operator; returns its key."""
    key = f"by-hand-{uuid4().hex}"
    policies = [
        {"policyImpl": LIMITER, "policyJsonConfig": f'{{"limit":{limit},"period":"{period}","granularity":"Api"}}'}
        for limit, period in limits
    ]
    api = {"apiOrgId": "acme", "apiId": "orders", "apiVersion": "1.0", "plan": "gold", "policies": policies}
    body = {"organizationId": "by-hand", "clientId": key[:20], "version": "1", "apiKey": key, "contracts": [api]}
    assert cluster.gateway_request("PUT", "/clients", body).status < 300
    until(lambda: cluster.call("acme/billing/1.0", key) == 404, what="the key being known", seconds=5)
    return key


def spread(cluster: Cluster, key: str, calls: int) -> list[int]:
    """Calls of which each falls into another second."""
    answers = []
    for _ in range(calls):
        answers.append(cluster.call(ORDERS, key))
        now = time.time()
        until(lambda now=now: int(time.time()) > int(now), what="the next second")  # type: ignore[misc]
    return answers


def test_the_gateway_counts_twice(cluster: Cluster) -> None:
    """Fails when two limits of one bucket do not count each other's calls: then the rule of one limit would not be needed."""
    assert [cluster.call(ORDERS, by_hand(cluster, (100, "Day"), (4, "Day"))) for _ in range(1)] == [200]
    key = by_hand(cluster, (100, "Day"), (4, "Day"))
    assert [cluster.call(ORDERS, key) for _ in range(4)] == [200, 200, 429, 429], "a limit of four lets two through"


def test_the_gateway_starts_the_longer_count_anew(cluster: Cluster) -> None:
    """Fails when a short period before a long one in the same bucket does not lift the long one: then nobody could abuse it."""
    assert spread(cluster, by_hand(cluster, (2, "Day")), 4) == [200, 200, 429, 429]
    assert spread(cluster, by_hand(cluster, (1_000_000, "Second"), (2, "Day")), 4) == [200, 200, 200, 200]


def test_a_consumer_cannot_lift_the_owners_limit(cluster: Cluster, namespace: str) -> None:
    """Fails when a consumer's limit in the owner's bucket is pushed: the owner's count would start anew each second."""
    plan = f"p-{uuid4().hex[:8]}"
    owners = {"limit": 2, "period": "Day", "granularity": "Api"}
    consumers = {"limit": 1_000_000, "period": "Second", "granularity": "Api"}
    cluster.namespace("acme")
    cluster.apply(
        policy("acme", plan, {"kind": "Plan", "name": plan, "organization": "acme"}, rateLimit=owners),
        policy(namespace, "mine", {"kind": "Contract", "name": "orders"}, order=-100, rateLimit=consumers),
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0", plan=plan),
    )
    found = cluster.wait_phase(namespace, "shop", "Registered")
    snapshot = found["status"]["gateways"][0]
    assert snapshot["contracts"][0]["policies"] == [f"Plan:acme/{plan}"]
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call("acme/billing/1.0", key) == 404, what="the key being known", seconds=5)
    assert spread(cluster, key, 4) == [200, 200, 429, 429]
    lost = cluster.wait("Policy", namespace, "mine", conflicted, what="Accepted=False/Conflicted")
    message = condition(lost, "Accepted")["message"]
    assert f"Policy acme/{plan}" in message and f"Contract {namespace}/orders" in message
    cluster.delete("Policy", "acme", plan)
    cluster.wait("Policy", namespace, "mine", lambda o: not conflicted(o), what="the conflict being over")


def test_a_strangers_policy_reaches_nobody(cluster: Cluster, namespace: str) -> None:
    """Fails when a namespace that does not own the organization gets a policy into other teams' chains."""
    stranger = cluster.namespace(f"s-{uuid4().hex[:10]}")
    limit = {"limit": 1, "period": "Day", "granularity": "Api"}
    api = {"kind": "API", "name": "orders", "organization": "acme", "version": "1.0"}
    cluster.apply(
        policy(stranger, "trap", api, rateLimit=limit),
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert "policies" not in found["status"]["gateways"][0]
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(ORDERS, key) == 200, what="a call", seconds=5)
    assert [cluster.call(ORDERS, key) for _ in range(3)] == [200, 200, 200]
    lost = cluster.wait("Policy", stranger, "trap", lambda o: condition(o, "Accepted") != {}, what="Accepted")
    accepted = condition(lost, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "NotPermitted")


def conflicted(found: dict[str, Any]) -> bool:
    """Whether the Policy's limit is left out somewhere."""
    accepted = condition(found, "Accepted")
    return (accepted.get("status"), accepted.get("reason")) == ("False", "Conflicted")
