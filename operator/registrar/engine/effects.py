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
from registrar.engine.accounts import KEY_DELETED, Accounts
from registrar.engine.audit import Audit
from registrar.engine.gateway_finalizer import GatewayFinalizer
from registrar.engine.gather import Gathered, Gatherer
from registrar.engine.identities import Identities
from registrar.engine.key_effects import KeyEffects
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.owed import Debt, Ledger
from registrar.engine.pool import Handle, Pool
from registrar.engine.rendering import Seals, as_found, by_fingerprint, fact, identity_of, registration, wire_policy
from registrar.engine.source import Ingest
from registrar.engine.surgery import edited
from registrar.errors import GatewayUnreachable, KubeConflict, KubeNotFound
from registrar.gateways.base import Registration, WirePolicy
from registrar.kube.client import CLIENTS, CONTRACTS, KubeClient
from registrar.kube.events import EventRecorder
from registrar.kube.finalizers import Finalizers
from registrar.kube.secrets import delete_key_secret, own_key_secret
from registrar.kube.status import StatusWriter
from registrar.lifecycle.announce import contract_notices
from registrar.lifecycle.key_facts import main_role, other_version, second, second_role
from registrar.lifecycle.model import (
    AddFinalizer,
    AdoptKey,
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
    RecordOwed,
    ReleaseSecret,
    RemoveFinalizer,
    TakeSecret,
    Unregister,
    UpdateSecret,
    View,
    Why,
    WriteContracts,
    WriteStatus,
)
from registrar.lifecycle.recover import FOUND
from registrar.metrics import Metrics
from registrar.resources import reasons
from registrar.resources.objects import ContractObject
from registrar.resources.reasons import Reason
from registrar.resources.status import ClientStatus, ContractStatus, IdentityStatus, Snapshot
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
    ledger: Ledger
    gateway_finalizer: GatewayFinalizer
    term: Callable[[], int]
    metrics: Metrics

    @property
    def accounts(self) -> Accounts:
        """Where effects are accounted for."""
        return Accounts(audit=self.audit, clock=self.clock)

    async def perform(self, gathered: Gathered, decision: Decision) -> None:
        """Carry out the decision's effect; raises what the call raised."""
        view = gathered.view
        match decision.effect:
            case AddFinalizer():
                await self._add_finalizer(view)
            case EnsureSecret():
                await KeyEffects(self).ensure_secret(view)
            case AdoptKey(gateway=gateway):
                await KeyEffects(self).adopt_key(view, gateway)
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
            case TakeSecret():
                await self._own_secret(view, (view.client.meta.name, view.client.meta.uid))
            case ReleaseSecret():
                await self._own_secret(view, None)
            case RecordOwed(gateways=gateways):
                await self._owe(gathered, gateways)
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
            self._count_actions(client.status, status)
        for gateway in decision.taken_over:
            self.accounts.found(view, status.snapshot(gateway))
        if recorded:
            self.ingest.wake_policies(client)
        self.ingest.wake_freed()
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

    def _count_actions(self, before: ClientStatus, after: ClientStatus) -> None:
        """What an annotation asked for counts once, when the status that says what became of it is written."""
        if after.actions == before.actions:
            return
        for action in after.actions:
            if action.handled != before.action(action.name).handled:
                self.metrics.action(action.name, action.outcome)

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
        if raw is None:
            return
        self.ingest.own_write("Contract", raw)
        self.ingest.wake_grants(contract)
        for notice in contract_notices(contract, status):
            self.events.record(
                kind="Contract",
                namespace=contract.meta.namespace,
                name=contract.meta.name,
                uid=contract.meta.uid,
                reason=notice.reason,
                note=notice.message,
                warning=notice.warning,
            )

    async def _delete_secret(self, view: View) -> None:
        client = view.client
        secret = self.ingest.store.secret(client.meta.namespace, client.secret_name)
        if secret is None or secret.owner_uid != client.meta.uid:
            return
        with self.accounts.key(view, KEY_DELETED):
            await delete_key_secret(
                self.kube, namespace=client.meta.namespace, name=client.secret_name, uid=secret.meta.uid
            )
        self.ingest.deleted("Secret", secret.meta)

    async def _own_secret(self, view: View, owner: tuple[str, str] | None) -> None:
        """Give the key Secret that owner, or none; one that is gone or has changed meanwhile is looked at again."""
        client = view.client
        secret = self.ingest.store.secret(client.meta.namespace, client.secret_name)
        if secret is None:
            return
        try:
            raw = await own_key_secret(
                self.kube, namespace=client.meta.namespace, name=client.secret_name,
                resource_version=secret.meta.resource_version, owner=owner,
            )  # fmt: skip
        except KubeNotFound:
            self.ingest.deleted("Secret", secret.meta)
            return
        self.ingest.own_write("Secret", raw)

    async def _owe(self, gathered: Gathered, gateways: tuple[str, ...]) -> None:
        """Write down what the Client is still to be taken off of; the finalizer goes only after that."""
        view, identity = gathered.view, gathered.view.desired.identity
        if identity is None:
            return
        client, seals = view.client, self.seals
        for gateway in gateways:
            recorded = self.gatherer.recorded(client, gateway)
            genuine = not recorded.empty and seals.genuine(recorded, uid=client.meta.uid)
            other = other_version(recorded.version, identity.version)
            hashes = {recorded.version: recorded.hash, other: recorded.second_hash}
            for version, digest in hashes.items():
                if version == other and not recorded.second_hash and Live.OURS is not second(view, gateway).state:
                    continue
                role = main_role(view.key, recorded) if version == recorded.version else second_role(view.key)
                key = gathered.keys.of(role)
                debt = Debt(
                    uid=client.meta.uid,
                    client=f"{client.meta.namespace}/{client.meta.name}",
                    identity=identity_of(identity, version),
                    key_digest=seals.key_digest(key) if key else "",
                    hash=digest if genuine else "",
                )
                await self.ledger.record(gateway, debt)
                self.audit.effect(
                    now=self.clock.now(),
                    client=debt.client,
                    uid=debt.uid,
                    gateway=gateway,
                    identity=str(debt.identity),
                    verb=Why.DELETED,
                    outcome="Owed",
                    before=debt.hash,
                )

    async def _remove_finalizer(self, view: View) -> None:
        meta = view.client.meta
        self.accounts.let_go(view, self.memory.of(meta.uid))
        raw = await self.finalizers.remove(
            CLIENTS, namespace=meta.namespace, name=meta.name, resource_version=meta.resource_version,
            existing=view.client.finalizers, site=Site.CLIENT_FINALIZER_REMOVE,
        )  # fmt: skip
        if raw is not None:
            self.ingest.own_write("Client", raw)

    # The gateways ------------------------------------------------------------------------------------------------

    def handle(self, gateway: str) -> Handle:
        """The handle of a gateway; raises GatewayUnreachable when there is none."""
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
        found = await self.handle(gateway).driver.read(
            identity_of(identity, recorded.version), urgent=view.client.meta.deleting
        )
        seen = replace(self.fact_of(gathered, gateway, found), version=recorded.version)
        self.memory.of(view.client.meta.uid).saw(gateway, seen)

    def fact_of(self, gathered: Gathered, gateway: str, found: Registration | None) -> LiveFact:
        """What a reading of the Client's registration says."""
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
        view, handle = gathered.view, self.handle(push.gateway)
        identity = view.desired.identity
        if identity is None:
            return
        memory = await self.fresh(view)
        await self.gateway_finalizer.ensure(push.gateway)
        before = memory.live.get(push.gateway, LiveFact()).digest
        with self.accounts.attempt(view, memory, push.why, push.target, before=before):
            # Unknown from here on: what can't be sent for want of something may be so because the gateway has changed, and is read again.
            memory.forget_live(push.gateway)
            payload, sent = await self._payload(gathered, push, identity, handle)
            if memory.second.get(push.gateway, LiveFact()).key == self.seals.key_digest(payload.api_key):
                # No key is ever in two registrations: taking one off later would take the key of both.
                await KeyEffects(self).take_off_second(view, push.gateway, push.target)
            await handle.driver.register(payload, urgent=push.why is Why.REVOKED)
        now = self.clock.now()
        digest = self.seals.digest(payload)
        snapshot = replace(sent, hash=digest, registered_at=sent.registered_at or timestamp(now))
        snapshot = self.seals.seal(snapshot, uid=view.client.meta.uid)
        key = self.seals.key_digest(payload.api_key)
        seen = LiveFact(state=Live.OURS, digest=digest, since=now, version=push.target.version, key=key)
        memory.saw(push.gateway, seen)
        asked = self.accounts.worked(
            view, memory, push.why, snapshot, before=before, identity=str(identity_of(identity, push.target.version))
        )
        if not (push.quiet and snapshot == self.gatherer.recorded(view.client, push.gateway)):
            memory.effected[push.gateway] = Effected(
                snapshot=snapshot, why=push.why, detail=push.detail, at=now, by=asked.words
            )
        if push.why in (Why.HEALED, Why.CORRECTED):
            self.metrics.drift(push.gateway, "mended")

    async def _payload(
        self, gathered: Gathered, push: Push, identity: IdentityStatus, handle: Handle
    ) -> tuple[Registration, Snapshot]:
        """What to send, and the snapshot that describes it.

        Surgery edits what the gateway returned, as long as that is what was last sent. Else everything is rendered, and only what can't be (a Secret
        is missing) is taken from the gateway.
        """
        config_of, target = self.gatherer.config_of, push.target
        if push.surgery and push.base is not None:
            found = await handle.driver.read(identity_of(identity, target.version), urgent=push.why is Why.REVOKED)
            if found is not None and self.seals.digest(found) == push.base.hash:
                edit = edited(
                    found, before=push.base, target=target, render=lambda policy: wire_policy(policy, config_of)
                )
                return edit, target
        lacking = self.gatherer.unrenderable(target)
        kept = await self._kept(gathered, target, identity, handle) if lacking else {}
        payload = registration(
            target,
            identity=identity,
            api_key=gathered.keys.of(main_role(gathered.view.key, target)),
            config_of=config_of,
            kept={key: wire for key, wire in kept.items() if key in lacking},
        )
        if push.base is not None:
            self._rendered_anew(gathered.view, push.gateway)
        policies = (p if p.id in lacking else self.gatherer.as_sent(p) for p in target.policies)
        return payload, replace(target, policies=tuple(policies))

    async def _kept(
        self, gathered: Gathered, target: Snapshot, identity: IdentityStatus, handle: Handle
    ) -> dict[str, WirePolicy]:
        """The policies of `target` as the gateway still has them, by id: those of what was last published, and those that only the gateway knows."""
        recorded = self.gatherer.written(gathered.view.client).get(target.gateway)
        found = await handle.driver.read(identity_of(identity, target.version))
        if found is None:
            return {}
        prints = by_fingerprint(found)
        adopted = {p.id: prints[p.digest] for p in target.policies if p.source == FOUND and p.digest in prints}
        same = recorded is not None and recorded.hash == self.seals.digest(found)
        return (as_found(found, recorded) if recorded is not None and same else {}) | adopted

    def _rendered_anew(self, view: View, gateway: str) -> None:
        meta = view.client.meta
        self.events.record(
            kind="Client",
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            reason=Reason.RENDERED_ANEW,
            note=reasons.rendered_anew(gateway),
            warning=False,
        )

    async def _unregister(self, gathered: Gathered, unregister: Unregister) -> None:
        view, gateway = gathered.view, unregister.gateway
        if view.desired.identity is None:
            return
        memory = await self.fresh(view)
        before = memory.live.get(gateway, LiveFact())
        recorded = Identities(self).standing(view, gateway)
        empty = Snapshot(gateway=gateway)
        identity = identity_of(view.desired.identity, recorded.version)
        with self.accounts.attempt(view, memory, unregister.why, empty, before=before.digest, identity=str(identity)):
            await KeyEffects(self).take_off_second(view, gateway, recorded)
            if before.state is not Live.FOREIGN:
                memory.forget_live(gateway)
                await self.handle(gateway).driver.unregister(identity, urgent=True)
        now = self.clock.now()
        if before.state is not Live.FOREIGN:
            memory.saw(gateway, LiveFact(state=Live.ABSENT, since=now))
        kept = empty if unregister.keeps is None else unregister.keeps
        asked = self.accounts.worked(view, memory, unregister.why, empty, before=before.digest, identity=str(identity))
        memory.effected[gateway] = Effected(
            snapshot=kept, why=unregister.why, detail=unregister.detail, at=now, by=asked.words
        )

    async def fresh(self, view: View) -> ClientMemory:
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
