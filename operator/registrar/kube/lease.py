"""Leader election by a Lease, with client-go's semantics.

A candidate never trusts the clock of another process: it waits until the record has not changed for a whole lease duration by its own clock.

Invariants: two electors never hold the Lease at once as long as their clocks run at the same speed; a holder that could not renew for the renew
deadline counts as having lost it, before anybody else may take it; who counts as alone was preceded by nobody since it looked. What this module deliberately does
not do: fence calls (the gateways' guard asks `assert_fresh` before each changing call).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from registrar.clock import Clock, Jitter
from registrar.errors import KubeConflict, KubeError, KubeNotFound, LeaseLost
from registrar.kube.client import LEASES, KubeClient
from registrar.seam import Site

log = logging.getLogger(__name__)


class LeaseElector:
    """Acquires, renews and releases one Lease; durations are in seconds."""

    def __init__(
        self,
        client: KubeClient,
        *,
        clock: Clock,
        jitter: Jitter,
        identity: str,
        namespace: str,
        name: str,
        duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        """`identity` names this process; it must differ from every other candidate's."""
        self._client = client
        self._clock = clock
        self._jitter = jitter
        self._identity = identity
        self._namespace = namespace
        self._name = name
        self._duration = duration
        self._renew_deadline = renew_deadline
        self._retry = retry
        self._observed: tuple[str, str] = ("", "")
        self._observed_at = float("-inf")
        self._renewed_at = float("-inf")
        self._wrote = False
        self._free_at: str | None = None
        self._taken_from: str | None = None
        self.term = 0
        self.standing_by = asyncio.Event()
        """Set once somebody else was seen to hold the Lease, or it could not be had."""

    def held(self) -> bool:
        """Whether this process is the leader as far as it can know."""
        return self.age() < self._renew_deadline

    def age(self) -> float:
        """Seconds since the last renewal that worked; infinite when there was none."""
        return self._clock.monotonic() - self._renewed_at

    def assert_fresh(self, margin: float) -> None:
        """Raise LeaseLost unless the Lease will still be ours in `margin` seconds, whatever happens."""
        if self.age() + margin >= self._duration:
            raise LeaseLost("The leader Lease is too old to begin a call that changes a gateway.")

    @property
    def alone(self) -> bool:
        """Whether nobody can have worked between `look` and the moment in which this process became the leader."""
        return self._free_at is not None and self._free_at == self._taken_from

    async def look(self) -> None:
        """See whether the Lease is free, before what a leader works with is loaded. What can't be seen counts as held."""
        try:
            found = await self._get()
        except KubeError as error:
            log.warning("the Lease can't be looked at now: %s", error)
            return
        if not ((found or {}).get("spec") or {}).get("holderIdentity"):
            self._free_at = _version(found)

    async def acquire(self) -> None:
        """Return when this process has become the leader."""
        while not await self._try():
            if not self.standing_by.is_set():
                log.info("waiting for the Lease %s/%s, held by %s", self._namespace, self._name, self._observed[0])
                self.standing_by.set()
            await asyncio.sleep(self._retry + self._jitter.up_to(self._retry * 0.2))
        self.term += 1
        log.info("became the leader (term %d)", self.term)

    async def run(self) -> None:
        """Renew until the Lease is lost; raises LeaseLost then."""
        while True:
            await asyncio.sleep(self._retry)
            await self._try()
            if not self.held():
                raise LeaseLost(f"The Lease could not be renewed for {self._renew_deadline:.0f} s.")

    async def release(self) -> None:
        """Give the Lease up at once, so that another replica need not wait; raises a KubeError when that fails."""
        if self._renewed_at == float("-inf"):
            return
        self._renewed_at = float("-inf")
        found = await self._get()
        if found is None or found["spec"].get("holderIdentity") != self._identity:
            return
        found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._time()}
        await self._client.replace(
            LEASES, namespace=self._namespace, name=self._name, body=found, site=Site.LEASE_WRITE
        )

    async def _try(self) -> bool:
        """One attempt to get or renew the Lease; False when it is somebody else's or the API server did not help."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._renew_deadline / 2):
                won = await self._try_once()
        except (KubeError, TimeoutError) as error:
            log.warning("the Lease can't be renewed now: %s", str(error) or "no answer in time")
            return False
        if won:
            # Counted from before the call: the record may have been written at any moment since.
            self._renewed_at = started
        return won

    async def _try_once(self) -> bool:
        found = await self._get()
        if found is None:
            return await self._write(None)
        spec = found.get("spec") or {}
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
        if (holder, renewed) != self._observed:
            self._observed, self._observed_at = (holder, renewed), self._clock.monotonic()
        expired = self._clock.monotonic() >= self._observed_at + float(spec.get("leaseDurationSeconds") or 0)
        # What an earlier life wrote under our name is waited out like anybody's: one of its calls may still be on its way.
        ours = holder == self._identity and self._wrote
        if holder and not ours and not expired:
            return False
        return await self._write(found)

    async def _get(self) -> dict[str, Any] | None:
        try:
            return await self._client.get(LEASES, namespace=self._namespace, name=self._name, site=Site.LEASE_GET)
        except KubeNotFound:
            return None

    async def _write(self, found: dict[str, Any] | None) -> bool:
        """Write ourselves into the record; False when somebody else was faster."""
        now = self._time()
        spec: dict[str, Any] = dict((found or {}).get("spec") or {})
        if spec.get("holderIdentity") != self._identity:
            spec |= {
                "acquireTime": now,
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (found is not None),
            }
        spec |= {"holderIdentity": self._identity, "leaseDurationSeconds": int(self._duration), "renewTime": now}
        self._wrote = True
        try:
            if found is None:
                body = {
                    "apiVersion": LEASES.api_version,
                    "kind": LEASES.kind,
                    "metadata": {"name": self._name, "namespace": self._namespace},
                    "spec": spec,
                }
                await self._client.create(LEASES, namespace=self._namespace, body=body, site=Site.LEASE_WRITE)
            else:
                await self._client.replace(
                    LEASES,
                    namespace=self._namespace,
                    name=self._name,
                    body={**found, "spec": spec},
                    site=Site.LEASE_WRITE,
                )
        except KubeConflict:
            return False
        self._observed, self._observed_at = (self._identity, now), self._clock.monotonic()
        if not self.term:
            self._taken_from = _version(found)
        return True

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _version(found: dict[str, Any] | None) -> str:
    """The record's version, which each renewal and each release changes; empty when there is no record."""
    return str(found["metadata"]["resourceVersion"]) if found is not None else ""
