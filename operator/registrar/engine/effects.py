"""Carries out the effects that the lifecycle decides on, one at a time, each through the seam.

Invariants: what a gateway has counts as unknown from before a changing call until its answer; a change of a gateway is kept in memory until a
status that records it is acknowledged; no key leaves this module but to a Secret or a gateway; before the first change of a Client in a Lease term
the Client is read or written consistently, so that a former leader's work is seen.
What this module deliberately does not do: choose an effect, or catch a fault (see `reconciler`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from registrar.clock import Clock
from registrar.engine.audit import Audit
from registrar.engine.gather import Gathered, Gatherer
from registrar.engine.identities import Identities
from registrar.engine.key_effects import KeyEffects
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.pool import Handle, Pool
from registrar.engine.rendering import Seals, fact, identity_of, registration, without
from registrar.engine.source import Ingest
from registrar.errors import GatewayUnreachable, KubeConflict, KubeNotFound
from registrar.gateways.base import Registration
from registrar.kube.client import CLIENTS, CONTRACTS, KubeClient
from registrar.kube.events import EventRecorder
from registrar.kube.finalizers import Finalizers
from registrar.kube.secrets import delete_key_secret
from registrar.kube.status import StatusWriter
from registrar.lifecycle.key_facts import main_role
from registrar.lifecycle.model import (
    AddFinalizer,
    Decision,
    DeleteSecret,
    Effected,
    EndOverlap,
    EnsureSecret,
    Live,
    LiveFact,
    Push,
    PushKey,
    ReadLive,
    RemoveFinalizer,
    Unregister,
    UpdateSecret,
    View,
    WriteContracts,
    WriteStatus,
)
from registrar.resources.objects import ClientObject, ContractObject
from registrar.resources.status import ContractStatus, Snapshot
from registrar.resources.times import timestamp
from registrar.seam import Site


@dataclass(slots=True, kw_only=True)
class Effects:
    """The hands of the engine; `term` gives the number of the current Lease term."""

    kube: KubeClient
    ingest: Ingest
    pool: Pool
    memory: Memory
    gatherer: Gatherer
    seals: Seals
    clock: Clock
    events: EventRecorder
    audit: Audit
    status_writer: StatusWriter
    finalizers: Finalizers
    term: Callable[[], int]

    async def perform(self, gathered: Gathered, decision: Decision) -> None:
        """Carry out the decision's effect; raises what the call raised."""
        view = gathered.view
        match decision.effect:
            case AddFinalizer():
                await self._add_finalizer(view)
            case EnsureSecret():
                await KeyEffects(self).ensure_secret(view)
            case UpdateSecret() as update:
                await KeyEffects(self).update_secret(view, update)
            case PushKey() as push_key:
                await KeyEffects(self).push_key(gathered, push_key)
            case EndOverlap() as end:
                await KeyEffects(self).end_overlap(view, end)
            case ReadLive(gateway=gateway):
                await self._read(gathered, gateway)
            case Push() as push:
                await self._push(gathered, push)
            case Unregister() as unregister:
                await self._unregister(gathered, unregister)
            case WriteStatus():
                await self._write_status(view, decision)
            case WriteContracts(statuses=statuses):
                await self.write_contracts(statuses)
            case DeleteSecret():
                await self._delete_secret(view)
            case RemoveFinalizer():
                await self._remove_finalizer(view)

    # The API server ----------------------------------------------------------------------------------------------

    async def _add_finalizer(self, view: View) -> None:
        meta = view.client.meta
        raw = await self.finalizers.add(
            CLIENTS, namespace=meta.namespace, name=meta.name, resource_version=meta.resource_version,
            existing=view.client.finalizers, site=Site.CLIENT_FINALIZER_ADD,
        )  # fmt: skip
        self.ingest.own_write("Client", raw)
        self.memory.of(meta.uid).term = self.term()

    async def _write_status(self, view: View, decision: Decision) -> None:
        client, memory = view.client, self.memory.of(view.client.meta.uid)
        recorded = dict(view.effected)
        status = replace(
            decision.status,
            gateways=tuple(self.seals.seal(s, uid=client.meta.uid) for s in decision.status.gateways),
        )
        raw = await self.status_writer.write(
            CLIENTS,
            namespace=client.meta.namespace,
            name=client.meta.name,
            resource_version=client.meta.resource_version,
            old=client.raw_status,
            new=status.to_json(),
            site=Site.CLIENT_STATUS,
        )
        if raw is not None:
            self.ingest.own_write("Client", raw)
            memory.term = self.term()
        if recorded:
            self.ingest.wake_policies(client)
        memory.acknowledged(recorded)
        for notice in decision.notices:
            self.events.record(
                kind="Client",
                namespace=client.meta.namespace,
                name=client.meta.name,
                uid=client.meta.uid,
                reason=notice.reason,
                note=notice.message,
                warning=notice.warning,
            )

    async def write_contracts(self, rows: tuple[tuple[ContractObject, ContractStatus], ...]) -> None:
        """Write the statuses of some Contracts, side by side."""
        await asyncio.gather(*(self._write_contract(contract, status) for contract, status in rows))

    async def _write_contract(self, contract: ContractObject, status: ContractStatus) -> None:
        """Write one Contract's status; one that is gone or changed meanwhile gets its own event."""
        try:
            raw = await self.status_writer.write(
                CONTRACTS,
                namespace=contract.meta.namespace,
                name=contract.meta.name,
                resource_version=contract.meta.resource_version,
                old=contract.status.to_json() if contract.status.phase else {"observedGeneration": -1},
                new=status.to_json(),
                site=Site.CONTRACT_STATUS,
            )
        except KubeNotFound:
            self.ingest.deleted("Contract", contract.meta)
            return
        if raw is not None:
            self.ingest.own_write("Contract", raw)

    async def _delete_secret(self, view: View) -> None:
        client = view.client
        secret = self.ingest.store.secret(client.meta.namespace, client.secret_name)
        if secret is None or secret.owner_uid != client.meta.uid:
            return
        await delete_key_secret(
            self.kube, namespace=client.meta.namespace, name=client.secret_name, uid=secret.meta.uid
        )
        self.ingest.deleted("Secret", secret.meta)

    async def _remove_finalizer(self, view: View) -> None:
        meta = view.client.meta
        raw = await self.finalizers.remove(
            CLIENTS, namespace=meta.namespace, name=meta.name, resource_version=meta.resource_version,
            existing=view.client.finalizers, site=Site.CLIENT_FINALIZER_REMOVE,
        )  # fmt: skip
        if raw is not None:
            self.ingest.own_write("Client", raw)

    # The gateways ------------------------------------------------------------------------------------------------

    def _handle(self, gateway: str) -> Handle:
        handle = self.pool.handle(gateway)
        if handle is None:
            raise GatewayUnreachable(f"RuntimeGateway {gateway} or its credentials are gone.")
        return handle

    async def _read(self, gathered: Gathered, gateway: str) -> None:
        view = gathered.view
        identity, recorded = view.desired.identity, self.gatherer.recorded(view.client, gateway)
        if identity is None:
            return
        if Identities(self).both(view, recorded):
            await Identities(self).read_both(gathered, gateway)
            return
        found = await self._handle(gateway).driver.read(
            identity_of(identity, recorded.version), urgent=view.client.meta.deleting
        )
        self.memory.of(view.client.meta.uid).saw(gateway, self._fact(gathered, gateway, found))

    def _fact(self, gathered: Gathered, gateway: str, found: Registration | None) -> LiveFact:
        client = gathered.view.client
        return fact(
            found,
            recorded=self.gatherer.recorded(client, gateway),
            uid=client.meta.uid,
            api_key=gathered.api_key,
            seals=self.seals,
            now=self.clock.now(),
            other_keys=gathered.keys.texts.values(),
        )

    async def _push(self, gathered: Gathered, push: Push) -> None:
        view, handle = gathered.view, self._handle(push.gateway)
        identity = view.desired.identity
        if identity is None:
            return
        memory = await self._fresh(view)
        api_key = gathered.keys.of(main_role(view.key, push.target))
        payload = registration(push.target, identity=identity, api_key=api_key, config_of=self.gatherer.config_of)
        if push.surgery:
            found = await handle.driver.read(identity_of(identity, push.target.version), urgent=True)
            if found is not None and self.seals.digest(found) == self.gatherer.recorded(view.client, push.gateway).hash:
                payload = without(found, push.target, api_key=found.api_key)
        key = self.seals.key_digest(payload.api_key)
        if memory.second.get(push.gateway, LiveFact()).key == key:
            # No key is ever in two registrations: taking one off later would take the key of both.
            await KeyEffects(self).take_off_second(view, push.gateway, push.target)
        before = memory.live.get(push.gateway, LiveFact()).digest
        memory.forget_live(push.gateway)
        await handle.driver.register(payload, urgent=push.surgery)
        now = self.clock.now()
        digest = self.seals.digest(payload)
        snapshot = replace(push.target, hash=digest, registered_at=push.target.registered_at or timestamp(now))
        snapshot = self.seals.seal(snapshot, uid=view.client.meta.uid)
        seen = LiveFact(state=Live.OURS, digest=digest, since=now, version=push.target.version, key=key)
        memory.saw(push.gateway, seen)
        memory.effected[push.gateway] = Effected(snapshot=snapshot, why=push.why, detail=push.detail, at=now)
        self._audit(view, push.gateway, push.why, before=before, after=digest, snapshot=snapshot)

    async def _unregister(self, gathered: Gathered, unregister: Unregister) -> None:
        view, gateway = gathered.view, unregister.gateway
        if view.desired.identity is None:
            return
        memory = await self._fresh(view)
        before = memory.live.get(gateway, LiveFact())
        recorded = Identities(self).standing(view, gateway)
        await KeyEffects(self).take_off_second(view, gateway, recorded)
        if before.state is not Live.FOREIGN:
            memory.forget_live(gateway)
            identity = identity_of(view.desired.identity, recorded.version)
            await self._handle(gateway).driver.unregister(identity, urgent=True)
        now = self.clock.now()
        empty = Snapshot(gateway=gateway)
        if before.state is not Live.FOREIGN:
            memory.saw(gateway, LiveFact(state=Live.ABSENT, since=now))
        memory.effected[gateway] = Effected(snapshot=empty, why=unregister.why, detail=unregister.detail, at=now)
        self._audit(view, gateway, unregister.why, before=before.digest, after="", snapshot=empty)

    async def _fresh(self, view: View) -> ClientMemory:
        """Make sure that this process has seen the Client consistently in this Lease term before it changes a gateway."""
        meta = view.client.meta
        memory = self.memory.of(meta.uid)
        if memory.term != self.term():
            raw = await self.kube.get(CLIENTS, namespace=meta.namespace, name=meta.name)
            if raw["metadata"]["resourceVersion"] != meta.resource_version:
                self.ingest.apply("Client", "MODIFIED", raw)
                raise KubeConflict(f"Client {meta.namespace}/{meta.name} has changed", status=409)
            memory.term = self.term()
        return memory

    def _audit(
        self, view: View, gateway: str, verb: str, *, before: str, after: str, snapshot: Snapshot, token: str = ""
    ) -> None:
        client: ClientObject = view.client
        self.audit.effect(
            now=self.clock.now(),
            client=f"{client.meta.namespace}/{client.meta.name}",
            uid=client.meta.uid,
            gateway=gateway,
            verb=verb,
            outcome="Succeeded",
            contracts=((f"{c.organization}/{c.api}/{c.version}", c.plan) for c in snapshot.contracts if c.live),
            before=before,
            after=after,
            token=token,
        )
