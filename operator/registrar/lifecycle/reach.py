"""How far a Policy may reach: what it names without a right to it must cost and tell nothing.

A tenant can name any plan or API as a target. If such a Policy woke the Clients behind it, one tenant could keep the operator busy with another's; if it
counted them, its status would tell how many there are.

Invariants: a target of another namespace's organization is as good as not there. What this module deliberately does not do: say so (the Policy's
`Accepted` condition does).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registrar.lifecycle.chain import permitted
from registrar.resources.objects import GatewayObject, PolicyObject


def within_reach(policy: PolicyObject, gateways: Iterable[GatewayObject]) -> PolicyObject:
    """The Policy with only those targets that its namespace may attach to on some gateway."""
    known = tuple(gateways)
    kept = tuple(
        target
        for target in policy.targets
        if target.kind in ("Client", "Contract") or any(permitted(target, policy, gateway) for gateway in known)
    )
    return policy if kept == policy.targets else replace(policy, targets=kept)
