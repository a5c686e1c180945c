"""The values that the lifecycle reads and returns: a frozen `View` of one Client goes in, a `Decision` comes out.

A decision names one next effect. The engine carries it out, looks again and asks again, until the effect is `Done` or `Wait`. So every
crash falls between two decisions, and each decision must be right on whatever facts it finds.

Invariants: nothing here can be changed after it was made; nothing here holds a key. What this module deliberately does not do: any rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from registrar.resources.objects import ApiRef, ClientObject, ContractObject, GatewayObject, GrantObject, PolicyObject
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
    taken over, and what a registration of ours has that is not what was published. `since` (seconds since the epoch) is when the state was first seen.
    `drift` says how a registration of ours differs from what is published, in words. `adoptable` is False for a foreign registration whose key is of
    no allowed form, or is another Client's. `version` is the gateway's version under which it was found, empty for the Client's own; `key` is the
    digest of the key that it has (see `KeyFact`).
    """

    state: Live = Live.UNKNOWN
    digest: str = ""
    genuine: bool = True
    contracts: tuple[LiveContract, ...] = ()
    since: float = 0.0
    drift: tuple[str, ...] = ()
    adoptable: bool = True
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
    """What is known of the Secret that holds the Client's key; `Left` is one that we made for a former object of the same name."""

    MISSING = "Missing"
    VALID = "Valid"
    NOT_OWNED = "NotOwned"
    INVALID = "Invalid"
    IN_USE = "InUse"
    LEFT = "Left"


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
    ROLLED_OUT = "RolledOut"
    BLOCKED = "Blocked"
    UNBLOCKED = "Unblocked"
    TAKEN_OVER = "TakenOver"
    KEY_ROTATED = "KeyRotated"
    KEY_CHANGED = "KeyChanged"
    KEY_REVOKED = "KeyRevoked"
    OVERLAP_ENDED = "KeyOverlapEnded"


@dataclass(frozen=True, slots=True)
class Effected:
    """A change of a gateway that worked, until the status patch that records it is acknowledged. `at` is in seconds since the epoch.

    `by` says who asked, in words; empty where that is not known.
    """

    snapshot: Snapshot
    why: Why
    detail: str
    at: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A change of a gateway that did not work and has not worked since: `error` is the word for why not, `at` when it first failed, in seconds since the epoch."""

    why: Why
    error: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Asker:
    """Who changed something of a Client lately: `subject` is an action's verb, or the kind and name of what was changed."""

    subject: str
    manager: str


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
class Access:
    """What says whether a namespace may use an API: its labels, the grants that may name its APIs, and the gateways with their owners.

    A gateway that is not among `gateways` says nothing: what is published there stands.
    """

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    grants: tuple[GrantObject, ...] = ()
    gateways: Mapping[str, GatewayObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyFact:
    """What is known of a Policy beyond its object: `digest` is a keyed digest of what its Secrets hold, empty when it refers to none.

    With a `reason` the Policy can't be resolved; `message` says what to mend, to its owner only.
    """

    digest: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects that decide about one Client, as the store has them at `now` (seconds since the epoch).

    `missing_apis` are the APIs known not to be published, by RuntimeGateway name; `renderable` are the policy types that each gateway
    can do; `identity_taken` says that another Client holds this one's identity, `taken_on` on which of its other gateways one does. `vanished` are
    the gateways from which so many APIs are gone that no Contract is to blame. `policy_facts` are by namespace and name; `published` are the snapshots
    that this operator is known to have written, by RuntimeGateway name: they are needed where a Policy can't be resolved.
    """

    client: ClientObject
    contracts: tuple[ContractObject, ...]
    policies: tuple[PolicyObject, ...]
    gateways: Mapping[str, GatewayObject]
    missing_apis: Mapping[str, frozenset[ApiRef]] = field(default_factory=dict)
    renderable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    identity_taken: bool = False
    access: Access = field(default_factory=lambda: Access())
    now: float = 0.0
    vanished: frozenset[str] = frozenset()
    policy_facts: Mapping[tuple[str, str], PolicyFact] = field(default_factory=dict)
    published: Mapping[str, Snapshot] = field(default_factory=dict)
    taken_on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """Everything that one decision is made of. Times are in seconds since the epoch.

    `failed` has the changes that do not work at present, by RuntimeGateway name; `askers` are those of the burst that is worked off.
    `unrenderable` are the ids of published policies that could not be sent again now, because a Secret or the Policy itself is missing.
    `settled_at` is when the Client's objects will have been quiet for the settle time. `live`, `faults`, `effected` and `missing_apis` are by
    RuntimeGateway name. `managed` are the gateways that may be written to, `correcting` those whose drift is mended. `fingerprints` has
    the wire form's fingerprint of each desired policy, by gateway and policy id. `objects` is what `desired` was judged on; `blocked` has the platform's reason
    for each gateway that blocks the Client. `telling` asks that a loss is said, and its heal left to its turn. `owed` are the gateways for which it is
    remembered outside the object that this Client is still to be taken off. `adopting` are the gateways that let its namespace adopt. `live` is what
    stands under the identity that the published snapshot names, `second` what stands under the Client's other one. `presumed` is what a gateway that was
    not read since the start has if nobody but this operator changed it: enough to leave a Client alone, and for nothing else.
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
    access: Access = field(default_factory=lambda: Access())
    objects: Objects | None = None
    blocked: Mapping[str, str] = field(default_factory=dict)
    telling: bool = False
    failed: Mapping[str, Failed] = field(default_factory=dict)
    askers: tuple[Asker, ...] = ()
    unrenderable: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    adopting: frozenset[str] = frozenset()
    second: Mapping[str, LiveFact] = field(default_factory=dict)
    presumed: Mapping[str, LiveFact] = field(default_factory=dict)


# Effects -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Put our finalizer on the Client, so that no deletion passes us by."""


@dataclass(frozen=True, slots=True)
class EnsureSecret:
    """Create the key Secret, with the live key when a gateway still has one."""


@dataclass(frozen=True, slots=True)
class AdoptKey:
    """Take the key of the registration that one gateway has into the generated Secret."""

    gateway: str


@dataclass(frozen=True, slots=True)
class ReadLive:
    """Read the Client back from one gateway."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Push:
    """Make the gateway have exactly `target`; with `surgery` what is live is edited instead of rendered anew, ahead of other calls.

    `base` is what surgery starts from: what the gateway is believed to have, with its hash. With `quiet` nothing
    is recorded when the gateway then has what the status already says: a heal of which nobody was told costs no write.
    """

    gateway: str
    target: Snapshot
    why: Why
    detail: str = ""
    surgery: bool = False
    quiet: bool = False
    base: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take the Client off the gateway; `keeps` is what stays published all the same, to come back when a block is lifted."""

    gateway: str
    why: Why
    detail: str = ""
    keeps: Snapshot | None = None


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
class TakeSecret:
    """Make the key Secret that a former object of the same name left behind this Client's own, its key unchanged."""


@dataclass(frozen=True, slots=True)
class ReleaseSecret:
    """Leave the key Secret ownerless, so that it outlives its Client."""


@dataclass(frozen=True, slots=True)
class RecordOwed:
    """Remember, outside the object, that the Client is still to be taken off these gateways."""

    gateways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the Client go."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (seconds since the epoch); with `retry` the queue's backoff says when, but not later than `until` if that is set."""

    until: float = 0.0
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The facts agree with each other; nothing to do before the next event."""


Effect = (
    AddFinalizer
    | EnsureSecret
    | AdoptKey
    | ReadLive
    | Push
    | Unregister
    | PushKey
    | EndOverlap
    | UpdateSecret
    | WriteStatus
    | WriteContracts
    | DeleteSecret
    | TakeSecret
    | ReleaseSecret
    | RecordOwed
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
    """The next effect, and the Client's status: as the facts stand where it is to be written or just was, else as it is.

    `taken_over` names the gateways on which the status that is to be written records a registration that was found there.
    """

    effect: Effect
    status: ClientStatus
    notices: tuple[Notice, ...] = ()
    taken_over: tuple[str, ...] = ()
