"""One full status of each kind, in the form that the operator writes: the schema must know every field of it."""

from __future__ import annotations

from typing import Any

_TIME = "2026-01-31T12:00:00Z"
_CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "ServingPrevious",
    "message": "3 contracts are live; changes wait.",
    "lastTransitionTime": _TIME,
    "observedGeneration": 3,
}

CLIENT: dict[str, Any] = {
    "observedGeneration": 3,
    "phase": "UnpublishedChanges",
    "conditions": [_CONDITION, {**_CONDITION, "type": "Registered"}],
    "identity": {"organization": "shop", "clientId": "checkout", "version": "1.0", "gateway": "default"},
    "retiredBy": "Restored",
    "apiKey": {"secretName": "checkout-api-key", "createdAt": _TIME, "nextRotationAt": _TIME, "overlapEndsAt": _TIME},
    "contracts": {"desired": 3, "published": 3, "live": 3, "summary": "3/3", "pendingChanges": 1},
    "gateways": [
        {
            "name": "default",
            "state": "Registered",
            "registeredAt": _TIME,
            "version": "1.0.r",
            "second": {"hash": "9f86d081", "copyOf": "9f86d081"},
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "policies": [
                {
                    "id": "p1",
                    "source": "shop/limit",
                    "type": "rateLimit",
                    "rollout": "OnPublish",
                    "order": 10,
                    "config": {
                        "limit": 100,
                        "period": "Minute",
                        "granularity": "Client",
                        "deep": {"er": [1, "a", None]},
                    },
                },
                {"id": "p2", "source": "acme/gold", "type": "quota", "rollout": "Immediate", "digest": "9f86d081"},
            ],
            "contracts": [
                {
                    "name": "orders",
                    "uid": "0b2c5a8e-0000-4000-8000-000000000000",
                    "api": {"organization": "acme", "name": "orders", "version": "1.0"},
                    "plan": "gold",
                    "live": True,
                    "policies": ["p1", "p2"],
                },
                {
                    "name": "billing",
                    "uid": "0b2c5a8e-0000-4000-8000-000000000001",
                    "api": {"organization": "acme", "name": "billing", "version": "1.0"},
                    "plan": "",
                    "live": False,
                    "policies": [],
                },
            ],
        },
        {"name": "other", "state": "Unregistered"},
    ],
    "pendingChanges": [
        {
            "type": kind,
            "subject": "limit",
            "gateway": "default",
            "detail": "rateLimit.limit 100 -> 50",
            "message": f"{kind} limit: rateLimit.limit 100 -> 50",
        }
        for kind in (
            "ContractAdded",
            "ContractRemoved",
            "ContractChanged",
            "PolicyAdded",
            "PolicyRemoved",
            "PolicyChanged",
            "PolicyReordered",
            "ClientChanged",
        )
    ],
    "pendingChangesTruncated": 2,
    "actions": [
        {
            "name": name,
            "lastHandledToken": "release-42",
            "handledTokens": ["9f86d081", "60303ae2"],
            "inProgressToken": "release-43",
            "outcome": outcome,
            "message": "3 contracts published",
            "startedAt": _TIME,
            "completedAt": _TIME,
        }
        for name, outcome in (
            ("reregister", "Succeeded"),
            ("unregister", "Failed"),
            ("rotate-key", "Skipped"),
            ("revoke-key", "Succeeded"),
        )
    ],
    "changeLog": [
        {
            "time": _TIME,
            "what": "Registered",
            "by": "reregister release-42",
            "outcome": "Succeeded",
            "detail": "3 contracts on gateway default",
        }
    ]
    * 20,
}
"""Every field that `Client.status` has."""

STATUSES: dict[str, list[dict[str, Any]]] = {
    "Client": [
        CLIENT,
        *({**CLIENT, "phase": phase} for phase in ("Created", "Ready", "Registered", "Retired")),
        *({**CLIENT, "retiredBy": reason} for reason in ("Annotation", "Spec")),
    ],
    "Contract": [
        {
            "observedGeneration": 3,
            "phase": phase,
            "conditions": [_CONDITION],
            "endpoint": "https://gateway.example.com/acme/orders/1.0",
            "livePlan": "gold",
            "liveVersion": "1.0",
            "gateway": "default",
        }
        for phase in ("Pending", "Active", "Rejected")
    ],
    "Policy": [
        {
            "observedGeneration": 3,
            "conditions": [{**_CONDITION, "type": "Accepted"}, {**_CONDITION, "type": "Programmed"}],
            "contracts": {"effective": 12, "live": 3},
        }
    ],
    "RuntimeGateway": [
        {
            "observedGeneration": 3,
            "conditions": [_CONDITION, {**_CONDITION, "type": "Reachable"}, {**_CONDITION, "type": "Authenticated"}],
            "version": "3.1.3.Final",
            "clients": {"ours": 120, "foreign": 4, "expected": 120, "healing": 0},
            "owed": {"count": 1},
            "lastCheckedAt": _TIME,
        }
    ],
    "APIGrant": [{"observedGeneration": 3, "conditions": [_CONDITION], "consumers": 12}],
}
"""Statuses by kind; every enum value that the operator writes is in one of them."""
