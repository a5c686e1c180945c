"""Counts the registrations on a gateway that are not ours, versions included.

Invariants: reads only; a version that rotates our Client's key (`<version>.r`) is ours. What this module deliberately does not do: touch or name one of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from registrar.gateways.base import GatewayDriver, Identity

ROTATED = ".r"
"""What the second identity of a Client ends with while its key is rotated."""


async def count_foreign(
    driver: GatewayDriver, listed: Iterable[tuple[str, str]], *, ours: Iterable[Identity], pause: float
) -> int:
    """How many versions of the `listed` clients (organization, id) are none of `ours`; one call for each client, `pause` seconds apart."""
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for identity in ours:
        known[(identity.organization, identity.client_id)] |= {identity.version, f"{identity.version}{ROTATED}"}
    count = 0
    for organization, client_id in sorted(listed):
        versions = await driver.client_versions(organization, client_id)
        ours_there = known.get((organization, client_id), set())
        # What is listed has a version, even where its id could not be asked for.
        count += len(versions - ours_there) if versions else int(not ours_there)
        await asyncio.sleep(pause)
    return count
