"""The values that the lifecycle reads and returns: a frozen `View` of one Client goes in, a `Decision` comes out.

A decision names one next effect. The engine carries it out, looks again and asks again, until the effect is `Done` or `Wait`. So every
crash falls between two decisions, and each decision must be right on whatever facts it finds.

Invariants: nothing here can be changed after it was made; nothing here holds a key. What this module deliberately does not do: any rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from registrar.resources.objects import ApiRef, ClientObject, ContractObject, GatewayObject, PolicyObject
from registrar.resources.status import ClientStatus, ContractStatus, IdentityStatus, Snapshot

# Facts ---------------------------------------------------------------------------------------------------------------


class Live(StrEnum):
    """What the gateway has under the Client's identity, as far as this process knows."""

    UNKNOWN = "Unknown"
    ABSENT = "Absent"
    OURS = "Ours"
    FOREIGN = "Foreign"


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """One policy as the gateway returned it; equal wire forms have equal fingerprints, `config` is canonical JSON."""

    fingerprint: str
    type: str
    config: str


@dataclass(frozen=True, slots=True)
class LiveContract:
    """One contract as the gateway returned it, with its policies in the order in which they run."""

    api: ApiRef
    plan: str
    policies: tuple[LivePolicy, ...]


@dataclass(frozen=True, slots=True)
class LiveFact:
    """The last reading of one gateway, or what this process itself has put there since.

    `digest` is the HMAC of the payload; it matches when it is the published snapshot's `hash`. `genuine` is False when the snapshot's seal
    does not verify: the status was restored or written by hand, and the gateway is the better witness; `contracts` is what is then
    taken over. `since` (seconds since the epoch) is when the state was first seen. `version` is the gateway's version under which it was found,
    empty for the Client's own; `key` is the digest of the key that it has (see `KeyFact`).
    """

    state: Live = Live.UNKNOWN
    digest: str = ""
    genuine: bool = True
    contracts: tuple[LiveContract, ...] = ()
    since: float = 0.0
    version: str = ""
    key: str = ""


class Fault(StrEnum):
    """Why a call to a gateway did not work, in the words of the conditions."""

    UNREACHABLE = "GatewayUnreachable"
    UNAUTHORIZED = "GatewayUnauthorized"
    THROTTLED = "GatewayThrottled"
    REFUSED = "GatewayRefused"


@dataclass(frozen=True, slots=True)
class GatewayFault:
    """A fault that stands, and since when (seconds since the epoch) this Client has been waiting because of it."""

    fault: Fault
    since: float


class KeyState(StrEnum):
    """What is known of the Secret that holds the Client's key."""

    MISSING = "Missing"
    VALID = "Valid"
    NOT_OWNED = "NotOwned"
    INVALID = "Invalid"
    IN_USE = "InUse"


class KeyRole(StrEnum):
    """Which of the keys in a key Secret is meant."""

    CURRENT = "Current"
    NEXT = "Next"
    PREVIOUS = "Previous"


@dataclass(frozen=True, slots=True)
class KeyFact:
    """The key Secret's state, and when the key was made (RFC 3339).

    `current`, `next` and `previous` are keyed digests of the keys that the Secret holds, empty for none; they serve to compare and show nothing of a
    key. `made_for` is the request that the current key was made for (see `rotation.request`). `previous_until` is the overlap's end in seconds since the
    epoch. `outdated` says that the generated Secret is not as the spec wants it.
    """

    state: KeyState
    created_at: str = ""
    current: str = ""
    next: str = ""
    previous: str = ""
    made_for: str = ""
    previous_until: float = 0.0
    outdated: bool = False


class Why(StrEnum):
    """Why a gateway was changed: the word that the change log, the audit line and the Event share."""

    REGISTERED = "Registered"
    REREGISTERED = "Reregistered"
    PUBLISHED = "Published"
    REVOKED = "Revoked"
    HEALED = "Healed"
    CORRECTED = "DriftCorrected"
    RETIRED = "Unregistered"
    DELETED = "Deleted"
    KEY_ROTATED = "KeyRotated"
    KEY_CHANGED = "KeyChanged"
    KEY_REVOKED = "KeyRevoked"
    OVERLAP_ENDED = "KeyOverlapEnded"


@dataclass(frozen=True, slots=True)
class Effected:
    """A change of a gateway that worked, until the status patch that records it is acknowledged. `at` is in seconds since the epoch."""

    snapshot: Snapshot
    why: Why
    detail: str
    at: float


# Judgements ----------------------------------------------------------------------------------------------------------


class VerdictState(StrEnum):
    """How a Contract stands before anything is pushed."""

    VALID = "Valid"
    PENDING = "Pending"
    REJECTED = "Rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged of one Contract; `reason` and `message` are empty when it is valid."""

    contract: ContractObject
    gateway: str
    state: VerdictState
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a whole Client can't be served; `condition` is the condition type that becomes False."""

    condition: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What the objects ask for: who the Client is, and one snapshot for each gateway that has a valid Contract of it."""

    identity: IdentityStatus | None
    publish: str
    deletion_policy: str
    problem: Problem | None
    verdicts: tuple[Verdict, ...]
    snapshots: tuple[Snapshot, ...]

    def snapshot(self, gateway: str) -> Snapshot:
        """What is desired on `gateway`; an empty snapshot when nothing is."""
        return next((s for s in self.snapshots if s.gateway == gateway), Snapshot(gateway=gateway))


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects that decide about one Client, as the store has them now.

    `missing_apis` are the APIs known not to be published, by RuntimeGateway name; `renderable` are the policy types that each gateway
    can do; `identity_taken` says that another Client holds this one's identity.
    """

    client: ClientObject
    contracts: tuple[ContractObject, ...]
    policies: tuple[PolicyObject, ...]
    gateways: Mapping[str, GatewayObject]
    missing_apis: Mapping[str, frozenset[ApiRef]] = field(default_factory=dict)
    renderable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    identity_taken: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """Everything that one decision is made of. Times are in seconds since the epoch.

    `settled_at` is when the Client's objects will have been quiet for the settle time. `live`, `faults`, `effected` and `missing_apis` are by
    RuntimeGateway name. `managed` are the gateways that may be written to, `correcting` those whose drift is mended. `fingerprints` has
    the wire form's fingerprint of each desired policy, by gateway and policy id. `live` is what stands under the identity that the published
    snapshot names, `second` what stands under the Client's other one.
    """

    now: float
    settled_at: float
    client: ClientObject
    status: ClientStatus
    desired: Desired
    contracts: tuple[ContractObject, ...]
    key: KeyFact
    live: Mapping[str, LiveFact] = field(default_factory=dict)
    faults: Mapping[str, GatewayFault] = field(default_factory=dict)
    effected: Mapping[str, Effected] = field(default_factory=dict)
    managed: frozenset[str] = frozenset()
    correcting: frozenset[str] = frozenset()
    missing_apis: Mapping[str, frozenset[ApiRef]] = field(default_factory=dict)
    fingerprints: Mapping[tuple[str, str], str] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, ApiRef], str] = field(default_factory=dict)
    grace: float = 10.0
    action_timeout: float = 600.0
    second: Mapping[str, LiveFact] = field(default_factory=dict)


# Effects -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Put our finalizer on the Client, so that no deletion passes us by."""


@dataclass(frozen=True, slots=True)
class EnsureSecret:
    """Create the key Secret, with the live key when a gateway still has one."""


@dataclass(frozen=True, slots=True)
class ReadLive:
    """Read the Client back from one gateway."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Push:
    """Make the gateway have exactly `target`; with `surgery` what is live is edited instead of rendered anew, ahead of other calls."""

    gateway: str
    target: Snapshot
    why: Why
    detail: str = ""
    surgery: bool = False


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take the Client off the gateway."""

    gateway: str
    why: Why
    detail: str = ""


class Slot(StrEnum):
    """Which registration of the Client a key goes to: the published one, its copy with the other key, or the free identity."""

    MAIN = "Main"
    SECOND = "Second"
    FREE = "Free"


@dataclass(frozen=True, slots=True)
class PushKey:
    """Have one registration carry the key of that role: what is live under the published identity, `target`'s contracts of it, with the key replaced.

    Into the free identity it is the step of a rotation: the registration that was published so far becomes the second one.
    """

    gateway: str
    target: Snapshot
    slot: Slot
    role: KeyRole
    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EndOverlap:
    """Take off the registration under the other identity, so that its key is dead; the published one stays."""

    gateway: str
    snapshot: Snapshot
    why: Why = Why.OVERLAP_ENDED
    detail: str = ""


class SecretChange(StrEnum):
    """What is changed in the key Secret, each in one write."""

    SYNC = "Sync"
    STAGE = "Stage"
    SWAP = "Swap"
    REPLACE = "Replace"
    END = "End"
    DROP_NEXT = "DropNext"
    DROP_PREVIOUS = "DropPrevious"


@dataclass(frozen=True, slots=True)
class UpdateSecret:
    """Change the generated key Secret.

    `SYNC` makes it what the spec wants. `STAGE` puts a fresh key beside the current one; `SWAP` makes that the current one, and the current one the
    previous one until `until` (seconds since the epoch). `END` has a running overlap end at `until`. `REPLACE` makes a fresh key the current one; `keep`
    is the key that a gateway still has, which then stays as the previous one. `request` says what a fresh key is made for.
    """

    change: SecretChange
    request: str = ""
    until: float = 0.0
    keep: KeyRole | None = None


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write `Decision.status` to the Client."""


@dataclass(frozen=True, slots=True)
class WriteContracts:
    """Write these statuses to their Contracts."""

    statuses: tuple[tuple[ContractObject, ContractStatus], ...]


@dataclass(frozen=True, slots=True)
class DeleteSecret:
    """Delete the generated key Secret."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the Client go."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (seconds since the epoch); with `retry` the queue's backoff says when."""

    until: float = 0.0
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The facts agree with each other; nothing to do before the next event."""


Effect = (
    AddFinalizer
    | EnsureSecret
    | ReadLive
    | Push
    | Unregister
    | PushKey
    | EndOverlap
    | UpdateSecret
    | WriteStatus
    | WriteContracts
    | DeleteSecret
    | RemoveFinalizer
    | Wait
    | Done
)


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event to record once the status that says the same is written."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The next effect, and the Client's status: as the facts stand where it is to be written or just was, else as it is."""

    effect: Effect
    status: ClientStatus
    notices: tuple[Notice, ...] = ()
