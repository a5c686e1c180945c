"""The end of a Contract by itself: `spec.expiresAt`, and the notice a day before.

Invariants: a Contract that has expired is as good as deleted (see `decide.revoke`), whatever its Client's mode; the time that is compared with is the
view's, so a process that slept over an end finds it at its first look. What this module deliberately does not do: wait.
"""

from __future__ import annotations

from collections.abc import Iterable

from registrar.resources.objects import ContractObject

NOTICE = 86_400.0
"""How long before its end a Contract says so, in seconds."""


def expired(contract: ContractObject, *, now: float) -> bool:
    """Whether the Contract has come to its end."""
    return contract.expires_at is not None and now >= contract.expires_at


def expiring(contract: ContractObject, *, now: float) -> bool:
    """Whether the Contract ends within a day."""
    return contract.expires_at is not None and contract.expires_at - NOTICE <= now < contract.expires_at


def turning_points(contracts: Iterable[ContractObject], *, now: float) -> list[float]:
    """The times to come at which one of the Contracts ends, or begins to say that it will."""
    return [
        time
        for contract in contracts
        if contract.expires_at is not None and not contract.meta.deleting
        for time in (contract.expires_at - NOTICE, contract.expires_at)
        if time > now
    ]
