"""Where the policies of a registration go: on the Client, on the Contract, or nowhere because the operator is to keep them as they are.

On the gateway each contract has one flat list. The operator makes such a list of levels: first what an adopted registration had and no object replaces, then the
policies of the Client, then those of the Contract, then those of the plan and the API (`lifecycle.adoption`, `lifecycle.chain`). So each list is cut into a beginning
that is kept, a middle that is the same for all contracts of the client, and a rest; what the owners' Policies put at its end is theirs already.

Invariants: the levels, put together again, are the list; a limit is on the level that its granularity asks for; no cut makes the operator leave a policy out, take it
for another one or reorder it; of all such cuts the one that keeps the fewest policies wins. Keeping all is the last resort; there is none where an owner's Policy
would replace what is kept.
What this module deliberately does not do: render or name anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registrar.gateways.apiman.policy_specs import PolicyMember
from registrar.gateways.base import WirePolicy
from registrar.lifecycle.buckets import API, LIMITS, Bucket, bucket_of
from registrar.resources.status import canonical

_UNTYPED = "custom"


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """One policy of a registration: `type` is what the operator keeps it as, `member` what a Policy would say; None when no Policy could."""

    wire: WirePolicy
    type: str
    member: PolicyMember | None


@dataclass(frozen=True, slots=True)
class FoundChain:
    """The policies of one contract in the order in which they run; the last `owned` of them are those of the owners' Policies.

    `beside` are the buckets in which the owners count on other versions of the API that the client has contracts for: a consumer's limit gives way to those.
    """

    policies: tuple[FoundPolicy, ...]
    owned: int = 0
    beside: frozenset[Bucket] = frozenset()

    @property
    def own(self) -> tuple[FoundPolicy, ...]:
        """Those that the owners' Policies do not explain."""
        return self.policies[: len(self.policies) - self.owned]


@dataclass(frozen=True, slots=True)
class Levels:
    """One chain, cut up."""

    kept: tuple[FoundPolicy, ...]
    client: tuple[FoundPolicy, ...]
    contract: tuple[FoundPolicy, ...]
    owned: tuple[FoundPolicy, ...]


def levels_of(chains: Sequence[FoundChain]) -> tuple[Levels, ...] | None:
    """The cut of each chain of one client; None when none would leave it as it is.

    What all contracts begin with goes on the Client; a client with one contract gets on the Client only what can be nowhere else.
    """
    alone = len(chains) == 1
    best = min(_cuts(chains), key=lambda cut: (sum(cut[0]), cut[1] if alone else -cut[1], cut[0]), default=None)
    if best is None:
        return None
    return tuple(_cut(chain, start, best[1]) for chain, start in zip(chains, best[0], strict=True))


def _cuts(chains: Sequence[FoundChain]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Every fitting cut with the least kept for its middle: where it begins in each chain, and how long it is."""
    first = chains[0].own
    for start in range(len(first) + 1):
        for length in range(len(first) - start + 1):
            middle = _wires(first[start : start + length])
            if not _fits(chains[0], start, length):
                continue
            rest = [_place(chain, middle) for chain in chains[1:]]
            found = [place for place in rest if place is not None]
            if len(found) == len(rest):
                yield (start, *found), length


def _place(chain: FoundChain, middle: tuple[WirePolicy, ...]) -> int | None:
    """The first place at which the chain has the middle and can be cut there."""
    own, length = chain.own, len(middle)
    places = (p for p in range(len(own) - length + 1) if _wires(own[p : p + length]) == middle)
    return next((place for place in places if _fits(chain, place, length)), None)


def _cut(chain: FoundChain, start: int, length: int) -> Levels:
    own = chain.own
    return Levels(
        kept=own[:start],
        client=own[start : start + length],
        contract=own[start + length :],
        owned=chain.policies[len(own) :],
    )


def _fits(chain: FoundChain, start: int, length: int) -> bool:
    """Whether the operator makes exactly this chain of this cut."""
    cut = _cut(chain, start, length)
    written = (*cut.client, *cut.contract)
    if not all(_may_be_on_client(row) for row in cut.client) or not all(
        _may_be_on_contract(row) for row in cut.contract
    ):
        return False
    buckets = [bucket for row in (*written, *cut.owned) if (bucket := bucket_in(row)) is not None]
    if len(buckets) != len(set(buckets)) or any(bucket_in(row) in chain.beside for row in written):
        return False
    # What is kept gives way to an object of its type, and is taken for the object when it is the same.
    replaced = {row.type if row.member is None else row.member.type for row in (*written, *cut.owned)}
    the_same = set(_wires(cut.kept)) & set(_wires((*written, *cut.owned)))
    return not the_same and not any(row.type != _UNTYPED and row.type in replaced for row in cut.kept)


def _may_be_on_client(row: FoundPolicy) -> bool:
    return row.member is not None and _granularity(row.member) != API


def _may_be_on_contract(row: FoundPolicy) -> bool:
    return row.member is not None and _granularity(row.member) in ("", API)


def _granularity(member: PolicyMember) -> str:
    return str(member.config["granularity"]) if member.type in LIMITS else ""


def bucket_in(row: FoundPolicy) -> Bucket | None:
    """Where the policy counts; None when it counts nothing."""
    if row.member is None:
        return None
    return bucket_of(type=row.member.type, config=canonical(row.member.config))


def _wires(rows: Sequence[FoundPolicy]) -> tuple[WirePolicy, ...]:
    return tuple(row.wire for row in rows)
