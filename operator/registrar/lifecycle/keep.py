"""What an automatic publish sends: what is desired, and what is published of Contracts that are refused as they are now.

A Contract that turned invalid, by an edit to a plan that is not granted for instance, stays live as it was until somebody publishes on purpose; under
`publish: Automatic` nobody does. So it is kept, and the rest is published without it being held hostage.

Invariants: nothing is kept that has no right to be live (`decide.revoke` comes first, and only what stands is passed in); an API version is in a
registration once. What this module deliberately does not do: choose when to publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registrar.resources.status import PublishedContract, Snapshot


def with_refused(wanted: Snapshot, published: Snapshot, standing: Iterable[PublishedContract]) -> Snapshot:
    """`wanted` with those of the `standing` published contracts that it has no place for; a policy that both have is the wanted one."""
    uids = {entry.uid for entry in wanted.contracts}
    apis = {_api(entry) for entry in wanted.contracts}
    kept = [entry for entry in standing if entry.uid not in uids and _api(entry) not in apis]
    used = {identifier for entry in kept for identifier in entry.policies}
    policies = {policy.id: policy for policy in published.policies if policy.id in used}
    policies |= {policy.id: policy for policy in wanted.policies}
    return replace(
        wanted,
        policies=tuple(policies[key] for key in sorted(policies)),
        contracts=tuple(sorted((*wanted.contracts, *kept), key=lambda entry: entry.name)),
    )


def _api(entry: PublishedContract) -> tuple[str, str, str]:
    return (entry.organization, entry.api, entry.version)
