"""The operator's pure side, applied to imported manifests: what it would find, keep, and call pending."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from registrar.cli.importing.manifests import objects_of, secrets_of
from registrar.cli.importing.model import Facts, ImportedClient, Outcome
from registrar.cli.importing.writing import files_of
from registrar.engine.rendering import Seals, by_fingerprint, fact, fingerprint, registration, wire_policy
from registrar.gateways.apiman.basic_authentication import PASSWORD
from registrar.gateways.apiman.policy_specs import referring
from registrar.gateways.apiman.wire import RENDERABLE
from registrar.gateways.base import Registration, WireContract, WirePolicy
from registrar.lifecycle.case import Case, case_of
from registrar.lifecycle.desired import desired
from registrar.lifecycle.model import Access, KeyFact, KeyState, Live, LiveFact, Objects, PolicyFact, View
from registrar.resources.objects import GatewayObject, PolicyObject
from registrar.resources.parse import (
    SECRET_REF,
    parse_client,
    parse_contract,
    parse_gateway,
    parse_grant,
    parse_policy,
)
from registrar.resources.status import PublishedPolicy, Snapshot

NOW = 1_800_000_000.0
GATEWAY = "default"
NAMESPACE = "shop"
KEY = "0123456789abcdef0123456789"
Json = dict[str, Any]


def gateway(**spec: Any) -> Json:
    """The RuntimeGateway as the API server has it."""
    apiman = {"endpoint": "https://gateway", "credentialsSecretRef": {"name": "credentials"}}
    return {"metadata": {"name": GATEWAY}, "spec": {"type": "Apiman", "contracts": "Any", "apiman": apiman} | spec}


def stored(manifest: Json) -> Json:
    """A manifest as the API server stores it."""
    meta = manifest["metadata"] | {"uid": f"uid-{manifest['kind']}-{manifest['metadata']['name']}", "generation": 1}
    return manifest | {"metadata": meta}


def found(
    *contracts: WireContract, client: str = "till", organization: str = NAMESPACE, **changes: Any
) -> Registration:
    """A registration that somebody made by hand."""
    made = Registration(organization=organization, client_id=client, version="1.0", api_key=KEY, contracts=contracts)
    return replace(made, **changes)


def contract(api: str, *policies: WirePolicy, plan: str = "gold") -> WireContract:
    """A contract for an API of `acme`."""
    return WireContract("acme", api, "1.0", plan, policies)


def facts(*registrations: Registration, raw: Json | None = None, **changes: Any) -> Facts:
    """What the import knows of one gateway with these registrations."""
    labels: Mapping[str, Mapping[str, str]] = {NAMESPACE: {}, "acme": {}}
    made = Facts(gateway=parse_gateway(raw or gateway()), registrations=registrations, labels=labels)
    return replace(made, **changes)


def manifests(outcome: Outcome, *, generated_keys: bool = False) -> list[Json]:
    """Everything in the order in which it is to be applied."""
    files = files_of(outcome, gateway=GATEWAY, generated_keys=generated_keys)
    return [manifest for name in files for manifest in files[name]]


class Applied:
    """One imported client after its manifests were applied, as the operator sees it when it has read the gateway."""

    def __init__(
        self, imported: ImportedClient, raw_gateway: Json, *, owners: Iterable[Json] = (), grants: Iterable[Json] = ()
    ) -> None:
        """`raw_gateway` allows what the import asked for; `owners` are Policies of other namespaces."""
        self._found = imported.registration
        self._passwords = _passwords(secrets_of(imported, generated_keys=False))
        rows = [stored(row) for row in objects_of(imported, gateway=GATEWAY, generated_keys=False)]
        gateway_ = parse_gateway(raw_gateway)
        policies = tuple(parse_policy(row) for row in (*rows, *map(stored, owners)) if row["kind"] == "Policy")
        self._policies = {(p.meta.namespace, p.meta.name): p for p in policies}
        self.case = case_of(self._view(rows, gateway_, policies, grants))

    def _view(
        self, rows: list[Json], gateway_: GatewayObject, policies: tuple[PolicyObject, ...], grants: Iterable[Json]
    ) -> View:
        client = parse_client(next(row for row in rows if row["kind"] == "Client"))
        contracts = tuple(parse_contract(row) for row in rows if row["kind"] == "Contract")
        gateways = {GATEWAY: gateway_}
        access = Access(client.meta.namespace, {}, tuple(parse_grant(stored(row)) for row in grants), gateways)
        objects = Objects(
            client,
            contracts,
            policies,
            gateways,
            renderable={GATEWAY: RENDERABLE},
            access=access,
            now=NOW,
            policy_facts={(p.meta.namespace, p.meta.name): PolicyFact() for p in policies},
        )
        wanted = desired(objects)
        seals = Seals(b"secret")
        live = fact(self._found, recorded=Snapshot(GATEWAY), uid=client.meta.uid, api_key=KEY, seals=seals, now=NOW)
        prints = {
            (GATEWAY, policy.id): fingerprint(wire_policy(policy, self.config_of))
            for snapshot in wanted.snapshots
            for policy in snapshot.policies
        }
        return View(
            now=NOW,
            settled_at=NOW - 1,
            client=client,
            status=client.status,
            desired=wanted,
            contracts=contracts,
            key=KeyFact(KeyState.VALID),
            live={GATEWAY: live},
            managed=frozenset({GATEWAY}),
            correcting=frozenset({GATEWAY}),
            fingerprints=prints,
            access=access,
            objects=objects,
            second={GATEWAY: LiveFact(state=Live.ABSENT)},
        )

    def config_of(self, policy: PublishedPolicy) -> Json:
        """The configuration with its passwords, as the engine resolves it."""
        namespace, _, name = policy.id.partition(":")[2].partition("/")
        config: Json = orjson.loads(self._policies[(namespace, name)].config)
        for row in referring(config):
            row[PASSWORD] = self._passwords[(row[SECRET_REF]["name"], row[SECRET_REF]["key"])]
        return config

    def republished(self) -> Registration:
        """What the gateway would be sent if everything were published again."""
        case: Case = self.case
        wanted = case.wanted(GATEWAY)
        there = by_fingerprint(self._found)
        kept = {p.id: there[p.digest] for p in wanted.policies if p.source == "Found" and p.digest in there}
        identity = case.view.desired.identity
        assert identity is not None
        return registration(wanted, identity=identity, api_key=KEY, config_of=self._any_config, kept=kept)

    def _any_config(self, policy: PublishedPolicy) -> Json:
        loaded: Json = orjson.loads(policy.config) if policy.source == "Found" else self.config_of(policy)
        return loaded


def _passwords(secrets: Iterable[Json]) -> dict[tuple[str, str], str]:
    return {
        (row["metadata"]["name"], entry): base64.b64decode(value).decode()
        for row in secrets
        for entry, value in row["data"].items()
    }
