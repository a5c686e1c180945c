"""Runs last: after everything that the other tests have done, no key is anywhere but in its Secret."""

from __future__ import annotations

import json

import pytest

from localenv.cluster import API, Cluster, client, contract
from localenv.environment import Environment
from localenv.operator import Operator

pytestmark = pytest.mark.integration


def keys(cluster: Cluster) -> dict[str, str]:
    """Every generated key of the cluster, with the name of its Secret."""
    answer = cluster.request("GET", "/api/v1/secrets?labelSelector=app.kubernetes.io/managed-by=gateway-registrar")
    found = {}
    for item in answer.body["items"]:
        meta = item["metadata"]
        if "apiKey" in item.get("data", {}):
            found[cluster.key(meta["namespace"], meta["name"])] = f"{meta['namespace']}/{meta['name']}"
    return found


def places(cluster: Cluster, env: Environment, operator: Operator) -> dict[str, str]:
    """Every text in which a key must not be: objects of our kinds, Events, logs, audit lines, metrics, metadata of Secrets."""
    texts = {f"{plural}": dump(cluster, f"/apis/{API}/{plural}") for plural in PLURALS}
    texts["events"] = dump(cluster, "/apis/events.k8s.io/v1/events")
    secrets = cluster.request("GET", "/api/v1/secrets").body["items"]
    texts["secrets' metadata"] = json.dumps([item["metadata"] for item in secrets])
    texts["metrics"] = operator.metrics()
    for file in sorted((env.folder / "logs").glob("*.log")):
        if file.stem not in (
            "gateway",
            "second-gateway",
            "backend",
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
        ):
            texts[file.name] = file.read_text(errors="replace")
    return texts


PLURALS = ("clients", "contracts", "policies", "runtimegateways", "apigrants")


def dump(cluster: Cluster, path: str) -> str:
    """All objects of a collection, as text."""
    return json.dumps(cluster.request("GET", path).body)


def test_no_key_anywhere(cluster: Cluster, env: Environment, operator: Operator, namespace: str) -> None:
    """Fails when a key gets into a status, an Event, a log line, a metric, an exception's text or an annotation."""
    cluster.apply(
        client(namespace, "canary"), contract(namespace, "canary", client="canary", api="orders", version="1.0")
    )
    cluster.wait_phase(namespace, "canary", "Registered")
    secret_texts = keys(cluster) | {env.gateway_password: "the gateway's password"}
    assert f"{namespace}/canary-api-key" in secret_texts.values()
    leaks = [
        f"{owner} in {place}"
        for place, text in places(cluster, env, operator).items()
        for secret, owner in secret_texts.items()
        if secret in text
    ]
    assert leaks == []


def test_the_search_finds_what_is_there(cluster: Cluster, namespace: str, env: Environment, operator: Operator) -> None:
    """The canary: a key put into an annotation on purpose is found, so the search above can fail."""
    cluster.apply(client(namespace, "canary"))
    cluster.wait_phase(namespace, "canary", "Created")
    key = cluster.key(namespace, "canary-api-key")
    cluster.annotate("Client", namespace, "canary", "note", key)
    assert key in places(cluster, env, operator)["clients"]
    cluster.delete("Client", namespace, "canary")
    cluster.wait_gone("Client", namespace, "canary")
