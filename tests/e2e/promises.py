"""What the statuses promise to who calls: for each key and each Contract the answers that are right, at every moment.

A promise is a pure function of the objects as a watch has them (Clients, Contracts, key Secrets) and of what was asked for and is not seen in them yet.

Invariants: what a status says is live has to answer; what it says is off has to be refused; only what was asked for, and that no status has answered yet, may
be either. What this module deliberately does not do: read the API server (`watching`), or call (`callers`).
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from localenv.cluster import GROUP, Answer, Json

PATH = "hello"
"""The resource that is called."""
HIDDEN_CODE = "10007"
"""The gateway's code for a resource that an ignoredResources policy hides."""
_CLOCKS = 1.0
"""By how many seconds the clocks of the cluster and of the suite may differ, and what a time in a status is rounded by."""


class Said(StrEnum):
    """What an answer of the gateway says about the caller's rights."""

    SERVED = "served"
    HIDDEN = "hidden by a policy"
    REFUSED = "refused"
    FAULT = "no such answer is ever right"


Allowed = frozenset[Said]
OPEN: Allowed = frozenset({Said.SERVED})
HIDDEN: Allowed = frozenset({Said.HIDDEN})
CLOSED: Allowed = frozenset({Said.REFUSED})
EITHER: Allowed = frozenset({Said.SERVED, Said.HIDDEN, Said.REFUSED})
_PUBLISHING: Allowed = frozenset({Said.SERVED, Said.HIDDEN})
"""While a Client is published anew the former policies may run or the new ones, but it is never away."""


def said(answer: Answer) -> Said:
    """What the answer to a call says."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status == 404:
        return Said.HIDDEN if headers.get("x-policy-failure-code") == HIDDEN_CODE else Said.REFUSED
    return Said.SERVED if answer.status == 200 else Said.FAULT


@dataclass(frozen=True, slots=True)
class Line:
    """Something that can be called: one Contract's API with one of the keys that its Client has or had. `number` tells the keys apart in messages."""

    client: str
    contract: str
    api: str
    number: int
    key: str = field(repr=False)


@dataclass(slots=True)
class Seen:
    """One namespace's objects by their names, and what was asked for: tokens by Client and verb, and Contracts that are to be deleted."""

    clients: dict[str, Json] = field(default_factory=dict)
    contracts: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    tokens: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    deletions: set[str] = field(default_factory=set)
    once: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The Client and the API of each Contract that there ever was."""
    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The keys that each Client ever had, in order."""

    def update(self, kind: str, found: Json, *, gone: bool) -> None:
        """Take in an object as the watch tells it."""
        name = found["metadata"]["name"]
        rows = {"Client": self.clients, "Contract": self.contracts, "Secret": self.secrets}[kind]
        if gone:
            rows.pop(name, None)
        else:
            rows[name] = found
        if kind == "Contract":
            api = found["spec"]["api"]
            self.once[name] = (
                found["spec"]["clientRef"]["name"],
                f"{api['organization']}/{api['name']}/{api['version']}",
            )
        if kind == "Secret":
            client = name.removesuffix("-api-key")
            self.keys[client] += [key for key in _keys(found).values() if key not in self.keys[client]]

    def lines(self) -> Iterator[Line]:
        """Everything that can be called, or could be once."""
        for contract, (client, api) in self.once.items():
            for number, key in enumerate(self.keys[client]):
                yield Line(client, contract, api, number, key)

    def allowed(self, line: Line, *, now: float) -> Allowed:
        """The answers that are right for a call at this moment; `now` is in seconds since the epoch."""
        client = self.clients.get(line.client)
        if client is None:
            return CLOSED
        status = client["status"]
        row = published(status, line.contract)
        if client["metadata"].get("deletionTimestamp") or self._open(client, "unregister", "revoke-key"):
            return EITHER
        by_key = self._by_key(line, status, now=now)
        if status.get("phase") == "Retired" or by_key == CLOSED:
            return CLOSED
        contract = self.contracts.get(line.contract)
        if contract is None or line.contract in self.deletions:
            return EITHER if row or contract is not None else CLOSED
        live = contract["status"].get("phase") == "Active" and row is not None
        if live and self._open(client, "reregister"):
            return by_key if by_key == EITHER else _PUBLISHING
        if live:
            return by_key if by_key == EITHER else HIDDEN if _hides(row or {}) else OPEN
        waits = row is None and status.get("phase") == "UnpublishedChanges"
        return CLOSED if waits and not self._open(client, "reregister") else EITHER

    def _open(self, client: Json, *verbs: str) -> bool:
        """Whether one of these actions is asked for and not done."""
        meta, actions = client["metadata"], client["status"].get("actions") or ()
        done = {action["name"]: action.get("lastHandledToken") for action in actions}
        for verb in verbs:
            token = self.tokens[meta["name"]].get(verb) or (meta.get("annotations") or {}).get(f"{GROUP}/{verb}")
            if token and done.get(verb) != token:
                return True
        return False

    def _by_key(self, line: Line, status: Json, *, now: float) -> Allowed:
        """What the key alone allows: the Secret's one works, the one before it until the overlap ends, the one to come may work, all others are dead."""
        entries = _keys(self.secrets.get(f"{line.client}-api-key") or {})
        if line.key == entries.get("apiKey"):
            return OPEN
        if line.key == entries.get("previousApiKey"):
            end = status.get("apiKey", {}).get("overlapEndsAt")
            return EITHER if end and now >= datetime.fromisoformat(end).timestamp() - _CLOCKS else OPEN
        return EITHER if line.key == entries.get("nextApiKey") else CLOSED


def _keys(secret: Json) -> dict[str, str]:
    """The keys in a key Secret, by the names of their entries, the oldest first."""
    data = secret.get("data") or {}
    return {
        entry: base64.b64decode(data[entry]).decode()
        for entry in ("previousApiKey", "apiKey", "nextApiKey")
        if entry in data
    }


def published(status: Json, contract: str) -> Json | None:
    """A published contract of the Client's status, its policies in full; None when it is not published."""
    for gateway in status.get("gateways") or ():
        policies = {policy["id"]: policy for policy in gateway.get("policies") or ()}
        for row in gateway.get("contracts") or ():
            if row["name"] == contract:
                return {**row, "policies": [policies[id_] for id_ in row.get("policies") or ()]}
    return None


def _hides(published: Json) -> bool:
    """Whether a published policy hides what is called."""
    return any(
        re.fullmatch(rule["pathPattern"], f"/{PATH}")
        for policy in published["policies"]
        if policy.get("type") == "ignoredResources"
        for rule in policy["config"]["rules"]
    )
