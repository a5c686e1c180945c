"""Objects as the API server gives them, for the plugin's tests."""

from __future__ import annotations

from typing import Any

from registrar.cli.diagnosis.facts import Facts

Json = dict[str, Any]
NOW = 1_800_000_000.0
OLD = "2026-11-01T12:00:00Z"


def condition(type_: str, status: str, reason: str, message: str = "words") -> Json:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def client(*conditions: Json, phase: str = "Registered", spec: Json | None = None, **status: Any) -> Json:
    """A Client `team-a/shop` on gateway `default`, whose present generation the operator has seen."""
    rows = {row["type"]: row for row in (condition("Ready", "True", "Serving"), *conditions)}
    return {
        "metadata": {
            "name": "shop",
            "namespace": "team-a",
            "uid": "u-shop",
            "generation": 2,
            "creationTimestamp": OLD,
            "finalizers": ["gateway-registrar.dev/registration"],
        },
        "spec": spec or {},
        "status": {
            "observedGeneration": 2,
            "phase": phase,
            "identity": {"organization": "team-a", "clientId": "shop", "version": "1.0", "gateway": "default"},
            "conditions": list(rows.values()),
            **status,
        },
    }


def unseen() -> Json:
    """A Client that no operator has looked at."""
    found = client()
    found["status"] = {"observedGeneration": -1}
    return found


def contract(*conditions: Json, name: str = "orders", phase: str = "Active", version: str = "1.0", **spec: Any) -> Json:
    """A Contract of `shop` for `acme/orders`."""
    rows = {row["type"]: row for row in (condition("Ready", "True", "Active"), *conditions)}
    return {
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"u-{name}",
            "generation": 1,
            "creationTimestamp": OLD,
        },
        "spec": {
            "clientRef": {"name": "shop"},
            "api": {"organization": "acme", "name": "orders", "version": version},
            "plan": "gold",
            **spec,
        },
        "status": {"observedGeneration": 1, "phase": phase, "conditions": list(rows.values()), "gateway": "default"},
    }


def policy(*conditions: Json, name: str = "limit", **spec: Any) -> Json:
    """A Policy on the Client `shop`."""
    return {
        "metadata": {"name": name, "namespace": "team-a", "generation": 1},
        "spec": {"targetRefs": [{"kind": "Client", "name": "shop"}], **spec},
        "status": {"observedGeneration": 1, "conditions": list(conditions)},
    }


def gateway(*conditions: Json, name: str = "default", **spec: Any) -> Json:
    """A RuntimeGateway that is ready unless a condition says otherwise."""
    rows = {row["type"]: row for row in (condition("Ready", "True", "Ready"), *conditions)}
    apiman = {"endpoint": "https://gw.example.com/config", "credentialsSecretRef": {"name": "gw-credentials"}}
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"type": "Apiman", "default": True, "apiman": apiman, **spec},
        "status": {"observedGeneration": 1, "conditions": list(rows.values())},
    }


def grant(*, plans: list[str], version: str = "1.0", namespaces: list[str] | None = None) -> Json:
    """A grant of `acme/orders` to `team-a`."""
    return {
        "metadata": {"name": "orders", "namespace": "acme"},
        "spec": {
            "apis": [{"name": "orders", "versions": [version]}],
            "plans": plans,
            "from": {"namespaces": ["team-a"] if namespaces is None else namespaces},
        },
    }


def facts(**changed: Any) -> Facts:
    """What `why shop` knows when all is well, but for what is changed."""
    known: Json = {
        "kind": "Client",
        "name": "shop",
        "namespace": "team-a",
        "now": NOW,
        "operator_namespace": "gateway-registrar-system",
        "client": client(),
        "contracts": (contract(),),
        "gateways": {"default": gateway()},
        "grants": (),
    }
    return Facts(**(known | changed))
