"""Which limit counts where several would count in one bucket of the gateway.

The gateway counts by (type, key, granularity, client or API), whatever policy or period asks. Two limits in one bucket count each call twice, and with different periods
the shorter one starts the longer one's count anew: a consumer's `1000000/Second` would lift the owner's `1000/Hour` (shown in tests/integration/test_policy_buckets.py).
So in one chain one limit per type and bucket is pushed: the owner's before the consumer's, the plan's before the API's, then `order`, namespace and name: the first
wins. A bucket of an API is shared by all versions of it, so a consumer's limit also gives way to an owner's on another version that the same Client has a Contract for.

Invariants: an owner's limit is never left out for a consumer's; the result does not depend on the order of arrival; only a limit is ever left out.
What this module deliberately does not do: find out which policies reach a contract (see `chain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from registrar.resources.objects import PolicyObject

LIMITS = frozenset({"rateLimit", "quota", "transferQuota"})
API = "Api"
"""The granularity whose bucket belongs to one API, in all of its versions; every other one belongs to the client as a whole."""
_RANKS = ("Plan", "API", "Contract", "Client")
_OWNERS = 2
"""How many of the ranks are the owner's."""

Bucket = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Placed:
    """A policy in one chain: `level` is where it runs, `reached` are all levels by which it got there."""

    policy: PolicyObject
    level: str
    reached: frozenset[str]

    @property
    def rank(self) -> int:
        """How strong its limit is: by the strongest of its levels, the lowest number first."""
        return min(_RANKS.index(level) for level in self.reached)

    @property
    def owned(self) -> bool:
        """Whether the owner of the plan or API has put it there."""
        return self.rank < _OWNERS

    @property
    def strength(self) -> tuple[int, int, str, str]:
        """What decides between two limits: the smaller one wins."""
        meta = self.policy.meta
        return (self.rank, self.policy.order, meta.namespace, meta.name)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a chain: the policies that are pushed, in the order in which they run, and each limit left out with its winner."""

    kept: tuple[Placed, ...]
    lost: tuple[tuple[Placed, Placed], ...]


def bucket(policy: PolicyObject) -> Bucket | None:
    """Where the policy counts, the client and the API apart; None when it counts nothing.

    The header that names the user is no part of it: the gateway puts the values of all such headers into one bucket each.
    """
    return bucket_of(type=policy.type, config=policy.config)


def bucket_of(*, type: str, config: str) -> Bucket | None:
    """The same for a type and a configuration (canonical JSON)."""
    return (type, _text(config, "granularity")) if type in LIMITS else None


def period(policy: PolicyObject) -> str:
    """The calendar period of a limit."""
    return _text(policy.config, "period")


@lru_cache(maxsize=4096)
def _text(config: str, field: str) -> str:
    return str(orjson.loads(config).get(field, ""))


def resolve(rows: Sequence[Placed], beside: Iterable[Placed] = ()) -> Resolved:
    """One limit for each bucket; `beside` are the policies on other versions of the API that the same Client has Contracts for."""
    winners: dict[Bucket, Placed] = {}
    for row in sorted(rows, key=lambda row: row.strength):
        where = bucket(row.policy)
        if where is not None:
            winners.setdefault(where, row)
    for other in sorted(beside, key=lambda row: row.strength):
        where = bucket(other.policy)
        if where is None or where[1] != API or not other.owned:
            continue
        if where in winners and not winners[where].owned:
            winners[where] = other
    kept, lost = [], []
    for row in rows:
        where = bucket(row.policy)
        winner = winners[where] if where is not None else row
        if winner.policy is row.policy:
            kept.append(row)
        else:
            lost.append((row, winner))
    return Resolved(tuple(kept), tuple(lost))


def owned_periods(rows: Iterable[Placed]) -> dict[Bucket, str]:
    """The periods of the owner's limits that are counted for the API in all of its versions."""
    return {
        where: period(row.policy)
        for row in rows
        if row.owned and (where := bucket(row.policy)) is not None and where[1] == API
    }
