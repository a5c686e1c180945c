"""What this process knows of each Client beyond its objects: what the gateways were seen to have, and what is not written down yet.

It is lost with the process, on purpose: everything here is found again by reading the gateway once.

Invariants: what a gateway has is unknown from before a changing call until its answer, and after a start until the first reading; a change
that worked stays in `effected` until a status that records it is acknowledged.
What this module deliberately does not do: talk to anything, or decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from registrar.lifecycle.model import Effected, Failed, Fault, GatewayFault, Live, LiveFact


@dataclass(slots=True)
class ClientMemory:
    """The facts about one Client; all by RuntimeGateway name, all times in seconds since the epoch.

    `fault_since` outlives a pass so that a lasting fault can be told from a blip; `hold_until` keeps calls back while an ambiguous one may still
    land; `suspect_until` has the Client read back again and again for a while after one. `term` is the Lease term in which the Client was last
    read or written consistently. `tell` asks the next pass to say what is lost before anything is done about it; `told` is the loss for which that was
    asked, by the time since when it is known. `absent` is shared by all Clients: the UIDs of those that each gateway was seen without. `failed` has the
    changes that have not worked since they were first tried: a gateway that answers questions but takes nothing has a fault all the same. `second` is
    what stands under the Client's other identity. `presumed` is what each gateway is believed to have from the start until it is read (see
    `engine.presumption`), None before that was judged.
    """

    live: dict[str, LiveFact] = field(default_factory=dict)
    effected: dict[str, Effected] = field(default_factory=dict)
    fault_since: dict[str, float] = field(default_factory=dict)
    hold_until: dict[str, float] = field(default_factory=dict)
    suspect_until: float = 0.0
    term: int = -1
    verified: bytes = b""
    uid: str = ""
    absent: dict[str, set[str]] = field(default_factory=dict)
    tell: bool = False
    told: float = 0.0
    failed: dict[str, Failed] = field(default_factory=dict)
    second: dict[str, LiveFact] = field(default_factory=dict)
    presumed: dict[str, LiveFact] | None = None

    def standing(self, gateway: str) -> LiveFact | None:
        """What the gateway is known to have, or else believed to."""
        return self.live.get(gateway) or (self.presumed or {}).get(gateway)

    def saw(self, gateway: str, fact: LiveFact) -> None:
        """Keep a reading; the time of the first one of the same kind stays."""
        before = self.live.get(gateway)
        if before is not None and before.state is fact.state and before.digest == fact.digest:
            fact = replace(fact, since=before.since)
        self.live[gateway] = fact
        self._presume_no_more(gateway)
        self.fault_since.pop(gateway, None)
        rows = self.absent.setdefault(gateway, set())
        (rows.add if fact.state is Live.ABSENT else rows.discard)(self.uid)

    def forget_live(self, gateway: str) -> None:
        """From now on it is not known what the gateway has."""
        self.live.pop(gateway, None)
        self._presume_no_more(gateway)

    def _presume_no_more(self, gateway: str) -> None:
        self.presumed = {name: fact for name, fact in (self.presumed or {}).items() if name != gateway}

    def saw_second(self, gateway: str, fact: LiveFact) -> None:
        """Keep a reading of the other identity."""
        self.second[gateway] = fact

    def forget_second(self, gateway: str) -> None:
        """From now on it is not known what stands under the other identity."""
        self.second.pop(gateway, None)

    def fault(self, gateway: str, fault: Fault, *, now: float) -> GatewayFault:
        """Note that a call to the gateway did not work."""
        since = self.fault_since.setdefault(gateway, now)
        failed = self.failed.get(gateway)
        return GatewayFault(fault, since=min(since, failed.at) if failed is not None else since)

    def acknowledged(self, recorded: dict[str, Effected]) -> None:
        """A status that records `recorded` is on the API server; a change that came meanwhile stays."""
        for gateway, effected in recorded.items():
            if self.effected.get(gateway) is effected:
                del self.effected[gateway]
        for gateway, fact in self.live.items():
            if not fact.genuine:
                self.live[gateway] = replace(fact, genuine=True)


class Memory:
    """The memory of all Clients, by UID, so that a recreated Client starts without one."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._clients: dict[str, ClientMemory] = {}
        self._absent: dict[str, set[str]] = {}

    def of(self, uid: str) -> ClientMemory:
        """The memory of the Client with that UID."""
        found = self._clients.get(uid)
        if found is None:
            found = self._clients[uid] = ClientMemory(uid=uid, absent=self._absent)
        return found

    def known(self, uid: str) -> ClientMemory | None:
        """The memory of the Client, if there is any."""
        return self._clients.get(uid)

    def drop(self, uid: str) -> None:
        """Forget a Client that is gone."""
        self._clients.pop(uid, None)
        for rows in self._absent.values():
            rows.discard(uid)

    def absent_from(self, gateway: str) -> frozenset[str]:
        """The UIDs of the Clients that the gateway was last seen without."""
        return frozenset(self._absent.get(gateway, ()))
