"""Taking over what is on the gateway already: whose key it is, and what of it is kept.

A registration is proven to be the Client's by its key. With `source: Existing` the user has put it into the Secret; a generated Secret takes it from the gateway, if the
Client says `adopt: true` and the RuntimeGateway names its namespace under `spec.adoption.namespaces`. From then on it is recognised like any registration of ours
(see `recover`), and what differs from the objects is pending.

Invariants: nothing is adopted once anything is published; a rule found on an adopted registration stays in the chain until an object of its type takes its place
or the Client no longer says `adopt`. What this module deliberately does not do: read or write a key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from registrar.lifecycle.model import AdoptKey, Effect, KeyState, Live, ReadLive, View
from registrar.lifecycle.recover import FOUND
from registrar.resources import reasons
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot

if TYPE_CHECKING:
    from registrar.lifecycle.case import Case


def adopt(case: Case) -> Effect | None:
    """The key of a registration that may be adopted goes into the generated Secret before a new key is made."""
    view = case.view
    identity = view.desired.identity
    if not view.client.adopt or view.client.paused or case.retire or case.anything_published or identity is None:
        return None
    wanted = view.client.api_key.source == "Generated" and view.key.state in (KeyState.MISSING, KeyState.VALID)
    if not wanted or identity.gateway not in view.adopting or not case.usable(identity.gateway):
        return None
    fact = case.live(identity.gateway)
    if fact.state is Live.UNKNOWN:
        return ReadLive(identity.gateway)
    return AdoptKey(identity.gateway) if fact.state is Live.FOREIGN and fact.adoptable else None


def in_the_way(case: Case, gateway: str, *, identity: str) -> str:
    """What to say of a registration that is not ours, and what would make it so."""
    text = reasons.already_exists(identity=identity, gateway=gateway)
    if not case.view.client.adopt:
        return text
    if not case.live(gateway).adoptable:
        return f"{text} {reasons.ADOPTION_KEY_REFUSED}"
    return f"{text} {reasons.adoption_not_proven(gateway)}"


def keeping(view: View, published: Snapshot) -> Snapshot:
    """What is desired on a gateway, with the rules that an adopted registration had and no object replaces yet; they run first."""
    wanted = view.desired.snapshot(published.gateway)
    found = {policy.id: policy for policy in published.policies if policy.source == FOUND}
    if not view.client.adopt or not found:
        return wanted
    policies = {policy.id: policy for policy in wanted.policies}
    contracts = []
    for entry in wanted.contracts:
        kept = _kept(entry, published, found=found, own=[policies[key] for key in entry.policies])
        policies |= {key: found[key] for key in kept}
        contracts.append(replace(entry, policies=(*kept, *entry.policies)))
    return replace(wanted, contracts=tuple(contracts), policies=tuple(policies[key] for key in sorted(policies)))


def _kept(
    entry: PublishedContract, published: Snapshot, *, found: dict[str, PublishedPolicy], own: list[PublishedPolicy]
) -> tuple[str, ...]:
    before = next((row for row in published.contracts if row.uid == entry.uid), None)
    types = {policy.type for policy in own}
    names = before.policies if before is not None else ()
    return tuple(key for key in names if key in found and (found[key].type == "custom" or found[key].type not in types))
