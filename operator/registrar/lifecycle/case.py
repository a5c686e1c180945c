"""What follows from a view before any rule is applied: the published sets, the differences, and what was asked for.

Invariants: computed once for each decision; every rule of `decide` and every line of `phase` reads the same facts from here.
What this module deliberately does not do: choose an effect or a phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from registrar.lifecycle import actions
from registrar.lifecycle.adoption import keeping
from registrar.lifecycle.diff import difference
from registrar.lifecycle.model import Live, LiveFact, VerdictState, View
from registrar.lifecycle.recover import recovered
from registrar.resources.objects import REREGISTER, UNREGISTER, ApiRef
from registrar.resources.status import PendingChange, PublishedContract, Snapshot
from registrar.resources.times import timestamp

FINALIZER = "gateway-registrar.dev/registration"


@dataclass(frozen=True, slots=True)
class Case:
    """One view with its consequences.

    `gateways` are all that matter to the Client, in order; `published` is what was last published on each, with pushes that no status
    records yet and registrations taken over from the gateway; `retire` says that the Client must not be live; `verb` and `token` are the action
    to carry out, `key_verb` and `key_token` the one about the key that may be asked for beside it.
    """

    view: View
    gateways: tuple[str, ...]
    published: Mapping[str, Snapshot]
    pending: tuple[PendingChange, ...]
    retire: bool
    verb: str
    token: str
    now: str
    key_verb: str = ""
    key_token: str = ""

    def live(self, gateway: str) -> LiveFact:
        """The last reading of that gateway."""
        return self.view.live.get(gateway, LiveFact())

    def known(self, gateway: str) -> bool:
        """Whether it is known what the gateway has."""
        return self.live(gateway).state is not Live.UNKNOWN

    def serves(self, gateway: str) -> bool:
        """Whether the gateway is known to have exactly what is published there."""
        fact = self.live(gateway)
        return fact.state is Live.OURS and fact.digest == self.published[gateway].hash

    def heals(self, gateway: str) -> bool:
        """Whether drift is mended there, not only reported."""
        return gateway in self.view.correcting

    def loss_said_at(self, gateway: str) -> float:
        """From when on a loss is said, in seconds since the epoch: a quick heal costs no status."""
        return self.live(gateway).since + self.view.grace

    def usable(self, gateway: str) -> bool:
        """Whether the gateway may be called now: no fault stands."""
        return gateway not in self.view.faults

    def writable(self, gateway: str) -> bool:
        """Whether the gateway may be changed now."""
        return self.usable(gateway) and gateway in self.view.managed

    @property
    def vanished(self) -> frozenset[str]:
        """The gateways from which so many APIs are gone that no Contract is to blame."""
        return self.view.objects.vanished if self.view.objects is not None else frozenset()

    @property
    def anything_published(self) -> bool:
        """Whether the Client is published anywhere."""
        return any(not snapshot.empty for snapshot in self.published.values())

    @property
    def any_valid(self) -> bool:
        """Whether some Contract is valid."""
        return any(verdict.state is VerdictState.VALID for verdict in self.view.desired.verdicts)

    @property
    def settled(self) -> bool:
        """Whether the Client's objects have been quiet for the settle time."""
        return self.view.now >= self.view.settled_at

    @property
    def acting(self) -> bool:
        """Whether the action that was asked for goes on: it waits for quiet before it is begun, and for nothing once it is."""
        return self.settled or (bool(self.verb) and self.view.status.action(self.verb).in_progress == self.token)

    def wanted(self, gateway: str) -> Snapshot:
        """What is desired on the gateway, with what an adopted registration is to keep."""
        return keeping(self.view, self.published[gateway])

    def missing(self, gateway: str, contract: PublishedContract) -> bool:
        """Whether the contract's API is known to be gone from the gateway."""
        api = ApiRef(contract.organization, contract.api, contract.version)
        return api in self.view.missing_apis.get(gateway, frozenset())

    def lacks(self, snapshot: Snapshot, contract: PublishedContract) -> bool:
        """Whether the contract can't be rendered as it is in `snapshot`: a policy of its published chain, or a Secret of one, is gone."""
        published = self.published.get(snapshot.gateway, Snapshot(gateway=snapshot.gateway))
        return any(
            key in self.view.unrenderable and snapshot.policy(key) == published.policy(key) for key in contract.policies
        )

    def withheld(self, snapshot: Snapshot, contract: PublishedContract) -> bool:
        """Whether the contract is not on the gateway and has a policy that can't be sent now: it waits rather than be open without it."""
        if not self.lacks(snapshot, contract):
            return False
        fact = self.live(snapshot.gateway)
        if not contract.live or fact.state is Live.ABSENT:
            return True
        api = ApiRef(contract.organization, contract.api, contract.version)
        return bool(fact.contracts) and all(found.api != api for found in fact.contracts)

    def renewable(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot where everything has to be rendered anew: a contract without its whole chain is not sent."""
        pushable = self._published_apis(snapshot)
        contracts = tuple(replace(c, live=c.live and not self.lacks(snapshot, c)) for c in pushable.contracts)
        return replace(pushable, contracts=contracts)

    def sendable(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with `live` set on the contracts that can be sent now; where the gateway has what is published, what can't be rendered stays as it is."""
        if not self.serves(snapshot.gateway):
            return self.renewable(snapshot)
        pushable = self._published_apis(snapshot)
        contracts = tuple(
            replace(now, live=now.live and not self.withheld(snapshot, before))
            for now, before in zip(pushable.contracts, snapshot.contracts, strict=True)
        )
        return replace(pushable, contracts=contracts)

    def _published_apis(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with `live` set on the contracts whose API the gateway has."""
        contracts = tuple(
            replace(contract, live=not self.missing(snapshot.gateway, contract)) for contract in snapshot.contracts
        )
        return replace(snapshot, contracts=contracts)


def case_of(view: View) -> Case:
    """Draw the consequences of a view."""
    now = timestamp(view.now)
    gateways = _gateways(view)
    published = {gateway: _published(view, gateway, now=now) for gateway in gateways}
    # Tokens that an object brings with it were meant for another life of it: a first sight records them and does nothing.
    verb, token = ("", "") if view.status.never_written else actions.wanted(view.client, view.status)
    key_verb, key_token = ("", "") if view.status.never_written else actions.wanted_key(view.client, view.status)
    return Case(
        view=view,
        gateways=gateways,
        published=published,
        pending=tuple(
            change
            for gateway in gateways
            if not published[gateway].empty
            or any(not snapshot.empty for snapshot in published.values())
            or (gateway not in view.managed and gateway not in view.faults)
            for change in difference(published[gateway], keeping(view, published[gateway]))
        ),
        retire=_retire(view, verb),
        verb=verb,
        token=token,
        now=now,
        key_verb=key_verb,
        key_token=key_token,
    )


def _gateways(view: View) -> tuple[str, ...]:
    """The gateways that matter: the identity's, those with a snapshot, those with a valid Contract, those just changed."""
    names = {snapshot.gateway for snapshot in (*view.status.gateways, *view.desired.snapshots)}
    if view.desired.identity is not None:
        names.add(view.desired.identity.gateway)
    return tuple(sorted(names | set(view.effected)))


def _published(view: View, gateway: str, *, now: str) -> Snapshot:
    """What was last published: a change that no status records yet, else the status, else what the gateway turned out to have."""
    effected = view.effected.get(gateway)
    if effected is not None:
        return effected.snapshot
    recorded = view.status.snapshot(gateway)
    fact = view.live.get(gateway, LiveFact())
    if fact.genuine and not recorded.empty:
        return recorded
    if fact.state is Live.OURS:
        return recovered(view, gateway, registered_at=now)
    return Snapshot(gateway=gateway)


def _retire(view: View, verb: str) -> bool:
    """Whether the Client must not be live: by its spec, by an unregister, or by a former one that nothing has undone."""
    if view.client.state == "Retired" or verb == UNREGISTER:
        return True
    if restored_with_unregister(view):
        return True
    if view.status.retired_by in ("", "Spec"):
        return False
    undone = (
        verb == REREGISTER
        and view.now >= view.settled_at
        and not view.client.paused
        and view.desired.problem is None
        and not view.blocked
    )
    return not undone


def restored_with_unregister(view: View) -> bool:
    """Whether the object came back without its status but with an unregister token: it stays retired until asked otherwise."""
    return view.status.never_written and bool(dict(view.client.tokens).get(UNREGISTER))
