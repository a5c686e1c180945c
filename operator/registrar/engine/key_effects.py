"""Carries out what the lifecycle decides about keys: the Secret's changes, a key put under one of the two identities, the end of an overlap.

Invariants: a key's push takes what the gateway has and replaces the key, so that nothing pending is published by it, and renders the snapshot only where the
gateway does not have that; what stands under both identities is kept apart in memory; a Secret that was deleted comes back with the key that is live.
What this module deliberately does not do: choose an effect (see `lifecycle.rotation`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from registrar.engine import key_secret
from registrar.engine.accounts import KEY_ADOPTED, KEY_CREATED, KEY_RESTORED
from registrar.engine.gather import Gathered
from registrar.engine.memory import ClientMemory
from registrar.engine.pool import Handle
from registrar.engine.rendering import UnrenderableError, identity_of, registration, wire_policy
from registrar.engine.surgery import edited
from registrar.errors import KubeConflict, KubeNotFound
from registrar.gateways.base import Registration
from registrar.kube.client import SECRETS
from registrar.kube.secrets import KeySecret, key_secret_body, new_key, replace_key
from registrar.lifecycle.key_facts import created_at, main_role, other_version
from registrar.lifecycle.model import (
    Effected,
    EndOverlap,
    KeyRole,
    Live,
    LiveFact,
    PushKey,
    SecretChange,
    Slot,
    UpdateSecret,
    View,
)
from registrar.resources.objects import ClientObject, SecretObject
from registrar.resources.parse import may_be_read
from registrar.resources.status import IdentityStatus, Snapshot
from registrar.resources.times import timestamp
from registrar.seam import Site

if TYPE_CHECKING:
    from registrar.engine.effects import Effects


@dataclass(frozen=True, slots=True)
class KeyEffects:
    """The part of the engine's hands that holds keys."""

    hands: Effects

    # The Secret --------------------------------------------------------------------------------------------------

    async def ensure_secret(self, view: View) -> None:
        """Create the key Secret, with the keys that a gateway still has for this Client; else with the one of a Secret of a former name."""
        current, previous = await self._live_keys(view)
        restored = bool(current)
        if not restored:
            current = self._renamed(view)
        made = created_at(view) if current else ""
        verb = KEY_RESTORED if restored else KEY_CREATED
        await self._create(view, current=current or new_key(), previous=previous, made=made, verb=verb)

    async def adopt_key(self, view: View, gateway: str) -> None:
        """Take over the key that the gateway has; one that another Client holds by now is left alone."""
        hands, client, identity = self.hands, view.client, view.desired.identity
        memory = hands.memory.of(client.meta.uid)
        if identity is None:
            return
        found = await hands.handle(gateway).driver.read(identity_of(identity))
        if found is not None:
            digest = hands.seals.key_digest(found.api_key)
            if hands.ingest.store.reserve_key(digest, client.meta.uid) != client.meta.uid:
                memory.live[gateway] = replace(memory.live[gateway], adoptable=False)
                return
            secret = hands.ingest.store.secret(client.meta.namespace, client.secret_name)
            if secret is None:
                await self._create(view, current=found.api_key, previous="", made="", verb=KEY_ADOPTED)
            else:
                with hands.accounts.key(view, KEY_ADOPTED):
                    raw = await replace_key(
                        hands.kube, namespace=client.meta.namespace, name=client.secret_name,
                        resource_version=secret.meta.resource_version, entry=client.api_key.secret_key, key=found.api_key,
                    )  # fmt: skip
                hands.ingest.own_write("Secret", raw)
        memory.forget_live(gateway)

    async def _create(self, view: View, *, current: str, previous: str, made: str, verb: str) -> None:
        """Make the Secret with these keys; `made` is when the current one was (RFC 3339), empty for now."""
        hands, client, identity = self.hands, view.client, view.desired.identity
        notes = {key_secret.CREATED_AT: made or timestamp(hands.clock.now())}
        if previous:
            notes[key_secret.PREVIOUS_UNTIL] = view.status.overlap_ends_at or timestamp(hands.clock.now())
        body = key_secret_body(
            KeySecret(
                name=client.secret_name,
                namespace=client.meta.namespace,
                client_name=client.meta.name,
                client_uid=client.meta.uid,
                entry=client.api_key.secret_key,
                labels=dict(client.api_key.labels),
                annotations=key_secret.wanted_annotations(client.api_key) | notes,
                base_url=hands.gatherer.base_url(identity.gateway) if identity is not None else "",
                previous=previous,
            ),
            key=current,
        )
        try:
            with hands.accounts.key(view, verb):
                raw = await hands.kube.create(
                    SECRETS, namespace=client.meta.namespace, body=body, site=Site.SECRET_CREATE
                )
        except KubeConflict:
            # It exists, made by somebody else or by a call of ours whose answer was lost: what it is decides.
            raw = await self._existing(client)
        hands.ingest.own_write("Secret", raw)

    async def _existing(self, client: ClientObject) -> dict[str, Any]:
        """The Secret that has the name of the key's; its data only if it is this Client's or may be used, so that no name opens a Secret to us."""
        namespace, name = client.meta.namespace, client.secret_name
        raw = await self.hands.kube.get(SECRETS, namespace=namespace, name=name, metadata_only=True)
        if not may_be_read(raw, owner_uid=client.meta.uid):
            return raw
        return await self.hands.kube.get(SECRETS, namespace=namespace, name=name)

    async def _live_keys(self, view: View) -> tuple[str, str]:
        """The key of the published registration and that of the second one, as a gateway has them; empty where none can be told."""
        hands, identity = self.hands, view.desired.identity
        for snapshot in view.status.gateways:
            if snapshot.empty or identity is None:
                continue
            if not hands.seals.genuine(snapshot, uid=view.client.meta.uid):
                continue
            driver = hands.handle(snapshot.gateway).driver
            found = await driver.read(identity_of(identity, snapshot.version))
            if found is None or hands.seals.digest(found) != snapshot.hash:
                continue
            if not snapshot.second_hash:
                return found.api_key, ""
            second = await driver.read(identity_of(identity, other_version(snapshot.version, identity.version)))
            known = second is not None and hands.seals.digest(second) == snapshot.second_hash
            return found.api_key, second.api_key if known and second is not None else ""
        return "", ""

    def _renamed(self, view: View) -> str:
        """The key in the Secret of a former `spec.apiKey.secretName`, which goes with the Client."""
        client = view.client
        former = self.hands.ingest.store.secret(client.meta.namespace, view.status.secret_name)
        if former is None or former.owner_uid != client.meta.uid:
            return ""
        return key_secret.read_keys(former, client.api_key).keys.of(KeyRole.CURRENT)

    async def update_secret(self, view: View, update: UpdateSecret) -> None:
        """Change the generated Secret in one write, on the version of it that the decision was made on."""
        hands, client = self.hands, view.client
        secret = hands.ingest.store.secret(client.meta.namespace, client.secret_name)
        if secret is None or secret.owner_uid != client.meta.uid:
            return
        try:
            raw = await hands.kube.patch(
                SECRETS,
                namespace=client.meta.namespace,
                name=client.secret_name,
                body=self._patch(view, secret, update),
                site=Site.SECRET_UPDATE,
            )
        except KubeNotFound:
            hands.ingest.deleted("Secret", secret.meta)
            return
        hands.ingest.own_write("Secret", raw)

    def _patch(self, view: View, secret: SecretObject, update: UpdateSecret) -> dict[str, object]:
        client, now = view.client, self.hands.clock.now()
        keys = key_secret.read_keys(secret, client.api_key).keys
        match update.change:
            case SecretChange.SYNC:
                identity = view.desired.identity
                base_url = self.hands.gatherer.base_url(identity.gateway) if identity is not None else ""
                return key_secret.sync_patch(secret, client, base_url=base_url)
            case SecretChange.STAGE:
                return key_secret.stage_patch(secret, key=new_key(), request=update.request, now=now)
            case SecretChange.SWAP:
                return key_secret.swap_patch(secret, client, keys, until=update.until)
            case SecretChange.END:
                return key_secret.end_patch(secret, until=update.until)
            case SecretChange.REPLACE:
                previous = keys.of(update.keep) if update.keep is not None else ""
                return key_secret.replace_patch(
                    secret, client, key=new_key(), request=update.request, previous=previous, now=now
                )
            case SecretChange.DROP_NEXT:
                return key_secret.drop_patch(secret, KeyRole.NEXT)
            case SecretChange.DROP_PREVIOUS:
                return key_secret.drop_patch(secret, KeyRole.PREVIOUS)

    # The gateways ------------------------------------------------------------------------------------------------

    async def push_key(self, gathered: Gathered, push: PushKey) -> None:
        """Have one registration carry the key of a role, with what is live under the published identity."""
        hands, view, identity = self.hands, gathered.view, gathered.view.desired.identity
        if identity is None:
            return
        memory = await hands.fresh(view)
        handle = hands.handle(push.gateway)
        published, recorded = push.target, hands.gatherer.recorded(view.client, push.gateway)
        other = other_version(published.version, identity.version)
        version = published.version if push.slot is Slot.MAIN else other
        live = await self._live_payload(gathered, push, handle, identity)
        payload = replace(live, version=version or identity.version, api_key=gathered.keys.of(push.role))
        if not payload.api_key:
            raise UnrenderableError("The key Secret has no key to put on the gateway.")
        before = memory.live.get(push.gateway, LiveFact())
        (memory.forget_live if push.slot is Slot.MAIN else memory.forget_second)(push.gateway)
        who = str(payload.identity)
        with hands.accounts.attempt(view, memory, push.why, published, before=before.digest, identity=who):
            await handle.driver.register(payload, urgent=True)
        now = hands.clock.now()
        digest, key = hands.seals.digest(payload), hands.seals.key_digest(payload.api_key)
        seen = LiveFact(state=Live.OURS, digest=digest, since=now, version=version, key=key)
        same = recorded.empty or recorded.contracts == published.contracts
        snapshot = self._after(push, same=same, before=before, digest=digest, version=version)
        if push.slot is Slot.FREE:
            # What was the free identity is the published one from here on, and the other way round.
            memory.saw(push.gateway, seen)
            memory.saw_second(push.gateway, before)
        elif push.slot is Slot.SECOND:
            memory.saw_second(push.gateway, seen)
        else:
            memory.saw(push.gateway, seen)
        asked = hands.accounts.worked(view, memory, push.why, snapshot, before=before.digest, identity=who)
        self._effected(view, memory, push, snapshot, now=now, by=asked.words)

    async def _live_payload(
        self, gathered: Gathered, push: PushKey, handle: Handle, identity: IdentityStatus
    ) -> Registration:
        """What the gateway has of the target under the published identity; the target rendered where it has something else."""
        found = await handle.driver.read(identity_of(identity, push.target.version), urgent=True)
        config_of, target = self.hands.gatherer.config_of, push.target
        if found is not None and self.hands.seals.digest(found) == target.hash:
            return edited(found, before=target, target=target, render=lambda policy: wire_policy(policy, config_of))
        lacking = self.hands.gatherer.unrenderable(target)
        contracts = (replace(c, live=c.live and lacking.isdisjoint(c.policies)) for c in target.contracts)
        key = gathered.keys.of(main_role(gathered.view.key, target))
        sent = replace(target, contracts=tuple(contracts))
        return registration(sent, identity=identity, api_key=key, config_of=config_of)

    def _after(self, push: PushKey, *, same: bool, before: LiveFact, digest: str, version: str) -> Snapshot:
        """The snapshot that describes the gateway after the push; `same` says that no contract was left out of the copy."""
        published = push.target
        match push.slot:
            case Slot.MAIN:
                # The second registration has the contracts that it had, so it follows the new digest without a call.
                follows = published.second_for == published.hash and same
                return replace(published, hash=digest, second_for=digest if follows else published.second_for)
            case Slot.SECOND:
                return replace(published, second_hash=digest, second_for=published.hash)
            case Slot.FREE:
                return replace(
                    published,
                    version=version,
                    hash=digest,
                    second_hash=before.digest or published.hash,
                    second_for=digest if same else "",
                )

    def _effected(
        self, view: View, memory: ClientMemory, push: PushKey, snapshot: Snapshot, *, now: float, by: str
    ) -> None:
        """Remember the change; a second registration that follows belongs to the change that it follows."""
        sealed = self.hands.seals.seal(snapshot, uid=view.client.meta.uid)
        first = memory.effected.get(push.gateway)
        if first is not None and push.slot is Slot.SECOND:
            memory.effected[push.gateway] = replace(first, snapshot=sealed)
            return
        memory.effected[push.gateway] = Effected(snapshot=sealed, why=push.why, detail=push.detail, at=now, by=by)

    async def end_overlap(self, view: View, end: EndOverlap) -> None:
        """Take off the registration under the other identity."""
        hands = self.hands
        memory = await hands.fresh(view)
        before = memory.second.get(end.gateway, LiveFact()).digest
        with hands.accounts.attempt(view, memory, end.why, end.snapshot, before=before):
            await self.take_off_second(view, end.gateway, end.snapshot, always=True)
        left = replace(end.snapshot, second_hash="", second_for="")
        snapshot = hands.seals.seal(left, uid=view.client.meta.uid)
        asked = hands.accounts.worked(view, memory, end.why, snapshot, before=before)
        memory.effected[end.gateway] = Effected(
            snapshot=snapshot, why=end.why, detail=end.detail, at=hands.clock.now(), by=asked.words
        )

    async def take_off_second(self, view: View, gateway: str, recorded: Snapshot, *, always: bool = False) -> None:
        """Take off what stands under the other identity, where something of ours does."""
        hands, identity = self.hands, view.desired.identity
        memory = hands.memory.of(view.client.meta.uid)
        known = memory.second.get(gateway, LiveFact()).state
        wanted = always or recorded.second_hash or known is Live.OURS
        if identity is None or not wanted or known is Live.FOREIGN:
            return
        memory.forget_second(gateway)
        other = other_version(recorded.version, identity.version)
        await hands.handle(gateway).driver.unregister(identity_of(identity, other), urgent=True)
        memory.saw_second(gateway, LiveFact(state=Live.ABSENT, since=hands.clock.now()))
