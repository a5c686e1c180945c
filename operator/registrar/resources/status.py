"""The statuses that the operator writes, as frozen dataclasses that read from and write to plain JSON.

The published snapshot of a Client (`status.gateways[]`) is defined here because it is the operator's memory: a re-push
after a gateway's reset sends it, surgery edits it, and `pendingChanges` is the difference to it.

Invariants: `X.parse(x.to_json()) == x`; parsing never raises on a status that somebody wrote by hand (what does not fit is as good as
absent, and the gateway is read instead); no secret value is ever part of a status.
What this module deliberately does not do: decide any value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from registrar.resources.conditions import Condition, parse_conditions

HANDLED_TOKENS = 32
"""How many handled tokens an action remembers (design section 2)."""
CHANGE_LOG = 20
"""How many entries `status.changeLog` keeps."""
ANNOUNCED = "announced"
"""The `hash` of a snapshot that was published on purpose and not pushed yet: no payload has it."""


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _rows(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = raw.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key)
    return tuple(row for row in value if isinstance(row, str)) if isinstance(value, list) else ()


def _map(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _int(raw: Mapping[str, Any], key: str, default: int = 0) -> int:
    value = raw.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _present(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs whose value says something: absent beats empty in a status."""
    return {key: value for key, value in pairs if value not in ("", None, [], {})}


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """One policy of a snapshot. `config` is canonical JSON; it is empty for a policy of another namespace, which has a `digest` instead.

    `order` is the Policy's place in its level: surgery puts a policy that does not wait between those that do.
    Beside a `config` that refers to Secrets, `digest` is a keyed digest of what they held.
    """

    id: str
    source: str
    type: str
    rollout: str
    config: str = ""
    digest: str = ""
    order: int = 0

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> PublishedPolicy:
        """Read one entry of `status.gateways[].policies[]`."""
        config = raw.get("config")
        return cls(
            id=_text(raw, "id"),
            source=_text(raw, "source"),
            type=_text(raw, "type"),
            rollout=_text(raw, "rollout"),
            config=canonical(config) if isinstance(config, Mapping) else "",
            digest=_text(raw, "digest"),
            order=_int(raw, "order"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        base: dict[str, Any] = {"id": self.id, "source": self.source, "type": self.type, "rollout": self.rollout}
        if self.order:
            base["order"] = self.order
        config = {"config": orjson.loads(self.config)} if self.config else {}
        return base | config | ({"digest": self.digest} if self.digest or not self.config else {})


@dataclass(frozen=True, slots=True)
class PublishedContract:
    """One contract of a snapshot; `policies` are ids in the order in which they run, `live` is False while the API is gone from the gateway."""

    name: str
    uid: str
    organization: str
    api: str
    version: str
    plan: str
    live: bool = True
    policies: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> PublishedContract:
        """Read one entry of `status.gateways[].contracts[]`."""
        api = _map(raw, "api")
        return cls(
            name=_text(raw, "name"),
            uid=_text(raw, "uid"),
            organization=_text(api, "organization"),
            api=_text(api, "name"),
            version=_text(api, "version"),
            plan=_text(raw, "plan"),
            live=raw.get("live") is not False,
            policies=_texts(raw, "policies"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        return {
            "name": self.name,
            "uid": self.uid,
            "api": {"organization": self.organization, "name": self.api, "version": self.version},
            "plan": self.plan,
            "live": self.live,
        } | ({"policies": list(self.policies)} if self.policies else {})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is published (or desired) on one gateway. `hash`, `seal` and `registered_at` are empty for what is only desired.

    `hash` is the HMAC of the wire payload and checks what is read back from the gateway; `seal` is the HMAC of the snapshot itself and shows that
    nobody else wrote it. Both stand in the status as one text, `<hash>.<seal>`.

    `version` is the gateway's version under which the registration stands, empty for the Client's own: a rotation of the key moves it to the other
    of its two identities. `second_hash` is the HMAC of the second registration of an overlap, which has the same contracts under the other
    identity and another key; `second_for` is the `hash` of which it is a copy, so that one that lags behind is known.
    """

    gateway: str
    policies: tuple[PublishedPolicy, ...] = ()
    contracts: tuple[PublishedContract, ...] = ()
    hash: str = ""
    seal: str = ""
    registered_at: str = ""
    version: str = ""
    second_hash: str = ""
    second_for: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is published: such a gateway is told nothing and asked to forget the Client."""
        return not self.contracts

    def policy(self, identifier: str) -> PublishedPolicy | None:
        """The policy with that id, if the snapshot has it."""
        return next((policy for policy in self.policies if policy.id == identifier), None)

    def sealed_content(self) -> str:
        """The text that `seal` is made over: all but the hashes and what follows from the gateway's state."""
        rows = [[c.name, c.uid, c.organization, c.api, c.version, c.plan, list(c.policies)] for c in self.contracts]
        policies = [[p.id, p.source, p.type, p.rollout, p.config, p.digest, p.order] for p in self.policies]
        identities = [self.version, self.second_hash, self.second_for] if self.version or self.second_hash else []
        return canonical([self.gateway, self.hash, rows, policies, *identities])

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Snapshot:
        """Read one entry of `status.gateways[]`."""
        digest, _, seal = _text(raw, "hash").partition(".")
        return cls(
            gateway=_text(raw, "name"),
            policies=tuple(PublishedPolicy.parse(row) for row in _rows(raw, "policies")),
            contracts=tuple(PublishedContract.parse(row) for row in _rows(raw, "contracts")),
            hash=digest,
            seal=seal,
            registered_at=_text(raw, "registeredAt"),
            version=_text(raw, "version"),
            second_hash=_text(_map(raw, "second"), "hash"),
            second_for=_text(_map(raw, "second"), "copyOf"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        state = "Unregistered" if self.empty else "Registered"
        return {"name": self.gateway, "state": state} | _present(
            (
                ("registeredAt", self.registered_at),
                ("hash", f"{self.hash}.{self.seal}" if self.hash else ""),
                ("policies", [policy.to_json() for policy in self.policies]),
                ("contracts", [contract.to_json() for contract in self.contracts]),
                ("version", self.version),
                ("second", _present((("hash", self.second_hash), ("copyOf", self.second_for)))),
            )
        )


@dataclass(frozen=True, slots=True)
class PendingChange:
    """One line of `status.pendingChanges`: what differs from what is published, in words."""

    type: str
    subject: str
    gateway: str
    detail: str = ""

    @property
    def message(self) -> str:
        """The line as a person reads it, such as `PolicyChanged limit: rateLimit.limit 100 -> 50`."""
        return f"{self.type} {self.subject}" + (f": {self.detail}" if self.detail else "")

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        return {"type": self.type, "subject": self.subject, "gateway": self.gateway, "message": self.message} | (
            {"detail": self.detail} if self.detail else {}
        )


@dataclass(frozen=True, slots=True)
class ActionStatus:
    """One entry of `status.actions`: what became of the tokens of one verb."""

    name: str
    last_handled: str = ""
    handled: tuple[str, ...] = ()
    in_progress: str = ""
    outcome: str = ""
    message: str = ""
    started_at: str = ""
    completed_at: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> ActionStatus:
        """Read one entry of `status.actions[]`."""
        return cls(
            name=_text(raw, "name"),
            last_handled=_text(raw, "lastHandledToken"),
            handled=_texts(raw, "handledTokens"),
            in_progress=_text(raw, "inProgressToken"),
            outcome=_text(raw, "outcome"),
            message=_text(raw, "message"),
            started_at=_text(raw, "startedAt"),
            completed_at=_text(raw, "completedAt"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        return _present(
            (
                ("name", self.name),
                ("lastHandledToken", self.last_handled),
                ("handledTokens", list(self.handled)),
                ("inProgressToken", self.in_progress),
                ("outcome", self.outcome),
                ("message", self.message),
                ("startedAt", self.started_at),
                ("completedAt", self.completed_at),
            )
        )


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of `status.changeLog`."""

    time: str
    what: str
    outcome: str
    detail: str = ""
    by: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> LogEntry:
        """Read one entry of `status.changeLog[]`."""
        return cls(
            time=_text(raw, "time"),
            what=_text(raw, "what"),
            outcome=_text(raw, "outcome"),
            detail=_text(raw, "detail"),
            by=_text(raw, "by"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the status holds it."""
        return _present(
            (
                ("time", self.time),
                ("what", self.what),
                ("by", self.by),
                ("outcome", self.outcome),
                ("detail", self.detail),
            )
        )


@dataclass(frozen=True, slots=True)
class IdentityStatus:
    """`status.identity`: what the defaults resolved to, fixed before the first push."""

    organization: str
    client_id: str
    version: str
    gateway: str

    def to_json(self) -> dict[str, Any]:
        """The object as the status holds it."""
        return {
            "organization": self.organization,
            "clientId": self.client_id,
            "version": self.version,
            "gateway": self.gateway,
        }


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """`Client.status`, whole. `observed_generation` is -1 while nothing was ever written."""

    observed_generation: int = -1
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    identity: IdentityStatus | None = None
    retired_by: str = ""
    secret_name: str = ""
    key_created_at: str = ""
    gateways: tuple[Snapshot, ...] = ()
    pending: tuple[PendingChange, ...] = ()
    pending_truncated: int = 0
    actions: tuple[ActionStatus, ...] = ()
    change_log: tuple[LogEntry, ...] = ()
    contracts: Mapping[str, Any] = field(default_factory=dict)
    next_rotation_at: str = ""
    overlap_ends_at: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> ClientStatus:
        """Read a whole status; whatever does not fit counts as absent."""
        identity = _map(raw, "identity")
        api_key = _map(raw, "apiKey")
        return cls(
            observed_generation=_int(raw, "observedGeneration", -1),
            phase=_text(raw, "phase"),
            conditions=parse_conditions(_rows(raw, "conditions")),
            identity=IdentityStatus(
                organization=_text(identity, "organization"),
                client_id=_text(identity, "clientId"),
                version=_text(identity, "version"),
                gateway=_text(identity, "gateway"),
            )
            if identity
            else None,
            retired_by=_text(raw, "retiredBy"),
            secret_name=_text(api_key, "secretName"),
            key_created_at=_text(api_key, "createdAt"),
            gateways=tuple(Snapshot.parse(row) for row in _rows(raw, "gateways")),
            pending=tuple(
                PendingChange(
                    type=_text(row, "type"),
                    subject=_text(row, "subject"),
                    gateway=_text(row, "gateway"),
                    detail=_text(row, "detail"),
                )
                for row in _rows(raw, "pendingChanges")
            ),
            pending_truncated=_int(raw, "pendingChangesTruncated"),
            actions=tuple(ActionStatus.parse(row) for row in _rows(raw, "actions")),
            change_log=tuple(LogEntry.parse(row) for row in _rows(raw, "changeLog")),
            contracts=dict(_map(raw, "contracts")),
            next_rotation_at=_text(api_key, "nextRotationAt"),
            overlap_ends_at=_text(api_key, "overlapEndsAt"),
        )

    @property
    def never_written(self) -> bool:
        """Whether this is the CRD's default, or what a wipe or a restore without statuses leaves."""
        return self.observed_generation < 0

    def snapshot(self, gateway: str) -> Snapshot:
        """What is published on `gateway`; an empty snapshot when nothing is."""
        return next((s for s in self.gateways if s.gateway == gateway), Snapshot(gateway=gateway))

    def action(self, name: str) -> ActionStatus:
        """What became of the verb so far."""
        return next((a for a in self.actions if a.name == name), ActionStatus(name=name))

    def to_json(self) -> dict[str, Any]:
        """The whole status as it is written."""
        return {"observedGeneration": self.observed_generation, "phase": self.phase} | _present(
            (
                ("conditions", [condition.to_json() for condition in self.conditions]),
                ("identity", self.identity.to_json() if self.identity else None),
                ("retiredBy", self.retired_by),
                (
                    "apiKey",
                    _present(
                        (
                            ("secretName", self.secret_name),
                            ("createdAt", self.key_created_at),
                            ("nextRotationAt", self.next_rotation_at),
                            ("overlapEndsAt", self.overlap_ends_at),
                        )
                    ),
                ),
                ("contracts", dict(self.contracts)),
                ("gateways", [snapshot.to_json() for snapshot in self.gateways]),
                ("pendingChanges", [change.to_json() for change in self.pending]),
                ("pendingChangesTruncated", self.pending_truncated or None),
                ("actions", [action.to_json() for action in self.actions]),
                ("changeLog", [entry.to_json() for entry in self.change_log]),
            )
        )


@dataclass(frozen=True, slots=True)
class ContractStatus:
    """`Contract.status`, whole; equal ones are shared between objects."""

    observed_generation: int = -1
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    endpoint: str = ""
    live_plan: str = ""
    live_version: str = ""
    gateway: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> ContractStatus:
        """Read a whole status; whatever does not fit counts as absent."""
        return cls(
            observed_generation=_int(raw, "observedGeneration", -1),
            phase=_text(raw, "phase"),
            conditions=parse_conditions(_rows(raw, "conditions")),
            endpoint=_text(raw, "endpoint"),
            live_plan=_text(raw, "livePlan"),
            live_version=_text(raw, "liveVersion"),
            gateway=_text(raw, "gateway"),
        )

    def to_json(self) -> dict[str, Any]:
        """The whole status as it is written."""
        return {"observedGeneration": self.observed_generation, "phase": self.phase} | _present(
            (
                ("conditions", [condition.to_json() for condition in self.conditions]),
                ("endpoint", self.endpoint),
                ("livePlan", self.live_plan),
                ("liveVersion", self.live_version),
                ("gateway", self.gateway),
            )
        )
