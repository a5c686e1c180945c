"""Whether what would be published still fits into a status: asked before the gateway is called, because afterwards would be too late.

A snapshot that the API server refuses could not be recorded, and a registration that no status records can't be healed, revoked from or explained.

Invariants: what is published already never counts against the Client; the answer depends on the objects alone.
What this module deliberately does not do: shorten anything.
"""

from __future__ import annotations

from registrar.lifecycle.case import Case
from registrar.resources.status import Snapshot, canonical

LARGEST = 256 * 1024
"""The most that the snapshots of one Client may take in its status, in bytes of JSON; an object in etcd may have 1.5 MiB in all."""
_ROOM = 1024
"""More than an entry of a snapshot takes beside its configuration and its list of policies."""


def too_large(case: Case) -> bool:
    """Whether publishing all that is desired would need more room than a status has."""
    if case.anything_published and not case.pending:
        return False
    wanted = case.view.desired.snapshots
    if sum(_at_most(snapshot) for snapshot in wanted) <= LARGEST:
        return False
    return sum(len(canonical(snapshot.to_json())) for snapshot in wanted) > LARGEST


def _at_most(snapshot: Snapshot) -> int:
    """A bound that costs nothing to compute; almost every Client is below it."""
    policies = sum(_ROOM + len(policy.config) for policy in snapshot.policies)
    return policies + sum(_ROOM + _ROOM * len(contract.policies) for contract in snapshot.contracts)
