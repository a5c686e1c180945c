"""What the import has to know, read with the user's own rights: the cluster's objects, and the registrations that the gateway has.

Invariants: nothing is changed; the gateway is asked with the credentials of its RuntimeGateway, which the user must be allowed to read; calls of the gateway are
paced. What this module deliberately does not do: decide what becomes of what it read.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from registrar.cli.cluster import Json, Session
from registrar.cli.errors import GatewayFault, NoRights, NotFound, Usage
from registrar.cli.importing.model import Facts, Wishes
from registrar.errors import (
    GatewayError,
    GatewayUnauthorized,
    GatewayUnreachable,
    KubeRefused,
)
from registrar.gateways.apiman.driver import NAME, ApimanDriver
from registrar.gateways.base import GatewayDriver, Identity, Registration
from registrar.kube.client import CLIENTS, CONTRACTS, GATEWAYS, GRANTS, NAMESPACES, POLICIES, SECRETS
from registrar.resources.objects import ApiRef, GatewayObject
from registrar.resources.parse import parse_client, parse_gateway, parse_grant, parse_policy
from registrar.seam import direct

_IN_FLIGHT = 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Source:
    """Which gateway is read: the RuntimeGateway's name, the operator's namespace, and another URL for the configuration API, or an empty text."""

    gateway: str
    operator_namespace: str
    endpoint: str = ""


async def read_facts(session: Session, source: Source, wishes: Wishes) -> Facts:
    """All that `outcome_of` wants to know; raises a CliError that says what is missing."""
    raw = await session.get(GATEWAYS, source.gateway)
    gateway = parse_gateway(raw)
    clients = [parse_client(row) for row in await session.items(CLIENTS, namespace="")]
    policies_raw = await session.items(POLICIES, namespace="")
    contracts_raw = await session.items(CONTRACTS, namespace="")
    grants = [parse_grant(row) for row in await session.items(GRANTS, namespace="")]
    labels = await _labels(session)
    driver = await _driver(session, gateway, source)
    try:
        registrations, unusable = await _registrations(driver, wishes)
        apis = await _published(driver, registrations)
    except GatewayError as error:
        raise explained(error, gateway) from error
    finally:
        await driver.close()
    names: dict[tuple[str, str], set[str]] = {}
    for kind, rows in (("Contract", contracts_raw), ("Policy", policies_raw)):
        for row in rows:
            names.setdefault((kind, row["metadata"]["namespace"]), set()).add(row["metadata"]["name"])
    for client in clients:
        names.setdefault(("Client", client.meta.namespace), set()).add(client.meta.name)
    return Facts(
        gateway=_with_matches(gateway, labels),
        registrations=registrations,
        clients=tuple(clients),
        policies=tuple(parse_policy(row) for row in policies_raw),
        grants=tuple(grants),
        labels=labels,
        names={key: frozenset(found) for key, found in names.items()},
        apis=apis,
        unusable=unusable,
    )


async def _labels(session: Session) -> Mapping[str, Mapping[str, str]] | None:
    """The namespaces with their labels; None for a user who may not list them."""
    try:
        rows = await session.items(NAMESPACES, namespace="")
    except KubeRefused as error:
        if error.status != 403:
            raise
        return None
    return {row["metadata"]["name"]: row["metadata"].get("labels") or {} for row in rows}


def _with_matches(gateway: GatewayObject, labels: Mapping[str, Mapping[str, str]] | None) -> GatewayObject:
    """The RuntimeGateway with the namespaces that its selectors match now."""
    claims = tuple(
        replace(claim, matched=frozenset(n for n, found in (labels or {}).items() if claim.selector.matches(found)))
        if claim.selector is not None
        else claim
        for claim in gateway.organizations
    )
    return replace(gateway, organizations=claims)


# The gateway ---------------------------------------------------------------------------------------------------------


async def _driver(session: Session, gateway: GatewayObject, source: Source) -> ApimanDriver:
    name, namespace = gateway.credentials_secret, source.operator_namespace
    try:
        secret = await session.find(SECRETS, name, namespace=namespace)
    except KubeRefused as error:
        if error.status != 403:
            raise
        raise NoRights(
            f"You may not read Secret {name} in namespace {namespace}, which has the credentials of RuntimeGateway {source.gateway}.",
            step=f"The platform team can import: it needs get on that Secret (kubectl auth can-i get secret/{name} -n {namespace}).",
        ) from error
    if secret is None:
        raise NotFound(
            f"Secret {name} with the credentials of RuntimeGateway {source.gateway} does not exist in namespace {namespace}.",
            step="Name the operator's namespace with --operator-namespace.",
        )
    return ApimanDriver(
        endpoint=_endpoint(gateway, source),
        public_endpoint=gateway.public_endpoint,
        username=_entry(secret, "username"),
        password=_entry(secret, "password"),
        seam=direct,
        ca_bundle=gateway.ca_bundle or None,
        timeout=15.0,
    )


def _endpoint(gateway: GatewayObject, source: Source) -> str:
    """Where the configuration API is; credentials go over plain http only where the RuntimeGateway allows it, or to this machine."""
    if not source.endpoint:
        return gateway.endpoint
    parts = urlsplit(source.endpoint)
    plain = parts.scheme == "http" and (gateway.allow_plain_http or parts.hostname in _LOOPBACK)
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise Usage(
            "--endpoint must be an https URL; http is possible to this machine only.",
            step="For a gateway inside the cluster: kubectl port-forward, and --endpoint http://localhost:PORT.",
        )
    return source.endpoint


def _entry(secret: Json, name: str) -> str:
    try:
        value = base64.b64decode((secret.get("data") or {})[name], validate=True).decode()
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError):
        meta = secret["metadata"]
        raise NotFound(
            f"Secret {meta['name']} in namespace {meta['namespace']} has no usable entry {name}.",
            step="It needs the entries username and password.",
        ) from None
    return value


async def _registrations(driver: GatewayDriver, wishes: Wishes) -> tuple[tuple[Registration, ...], tuple[str, ...]]:
    """Every registration of the wished organizations, and the ids that can't be asked for."""
    organizations = sorted(wishes.organizations) or list(await driver.organizations())
    ids = await _each(organizations, driver.client_ids)
    usable = [(org, name) for org, found in ids.items() for name in sorted(found) if NAME.fullmatch(name)]
    unusable = [f"{org}/{name}" for org, found in ids.items() for name in sorted(found) if not NAME.fullmatch(name)]
    versions = await _each(usable, lambda pair: driver.client_versions(*pair))
    identities = []
    for (org, name), found in versions.items():
        for version in sorted(found):
            if NAME.fullmatch(version):
                identities.append(Identity(org, name, version))
            else:
                unusable.append(f"{org}/{name}/{version}")
    read = await _each(identities, driver.read)
    return tuple(row for row in read.values() if row is not None), tuple(sorted(unusable))


async def _published(driver: GatewayDriver, registrations: Iterable[Registration]) -> frozenset[ApiRef]:
    """The APIs of the registrations that the gateway has."""
    wanted = {
        ApiRef(row.organization, row.api, row.version)
        for registration in registrations
        for row in registration.contracts
        if all(NAME.fullmatch(part) for part in (row.organization, row.api, row.version))
    }
    found = await _each(
        sorted(wanted), lambda a: driver.api_published(organization=a.organization, api=a.name, version=a.version)
    )
    return frozenset(api for api, there in found.items() if there)


async def _each(keys: Iterable[K], ask: Callable[[K], Awaitable[T]]) -> dict[K, T]:
    """The answer for each key, a few at a time, in the order of the keys."""
    slots = asyncio.Semaphore(_IN_FLIGHT)

    async def one(key: K) -> T:
        async with slots:
            return await ask(key)

    rows = list(keys)
    answers = await asyncio.gather(*(one(key) for key in rows))
    return dict(zip(rows, answers, strict=True))


def explained(error: GatewayError, gateway: GatewayObject) -> GatewayFault:
    """What a failure of the configuration API means to a user, and the next step."""
    name = gateway.meta.name
    if isinstance(error, GatewayUnauthorized):
        return GatewayFault(
            f"RuntimeGateway {name} refuses the credentials in Secret {gateway.credentials_secret}.",
            step="Put the gateway's user name and password into it.",
        )
    if isinstance(error, GatewayUnreachable):
        return GatewayFault(
            f"The configuration API of RuntimeGateway {name} can't be reached from here: {error}",
            step="If only the cluster can reach it: kubectl port-forward, and --endpoint http://localhost:PORT.",
        )
    return GatewayFault(f"RuntimeGateway {name} could not be read: {error}", step="Run the command again.")
