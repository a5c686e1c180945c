"""Reads what `status` and `why` are about, with the user's own rights.

Invariants: of a Secret only its metadata is asked for, so no value of one reaches this process; what the user may not read is left out, and everything
else that goes wrong ends the command. What this module deliberately does not do: judge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from registrar.cli.cluster import Session
from registrar.cli.diagnosis.facts import CLIENT, CONTRACT, Facts, LeaseFact, SecretState, secret_refs
from registrar.cli.errors import NotFound
from registrar.cli.reading import Json, name, namespace, seconds, section, word
from registrar.errors import KubeNotFound, KubeRefused
from registrar.kube.client import (
    CLIENTS,
    CONTRACTS,
    DEPLOYMENTS,
    GATEWAYS,
    GRANTS,
    LEASES,
    POLICIES,
    SECRETS,
)
from registrar.resources.base import GROUP
from registrar.seam import Site

T = TypeVar("T")
LEASE = "gateway-registrar"
OPERATOR = "app.kubernetes.io/name=gateway-registrar"
"""The label by which the chart's Deployment is found, whatever the release is called."""
ALLOW_USE = f"{GROUP}/allow-use"


async def permitted(answer: Awaitable[T]) -> T | None:
    """The answer, or None when the user may not have it."""
    try:
        return await answer
    except KubeRefused as error:
        if error.status != 403:
            raise
        return None


async def contracts_of(session: Session, client: str) -> tuple[Json, ...]:
    """The Contracts of a Client in the session's namespace, by name."""
    rows = await session.items(CONTRACTS, namespace=session.namespace)
    mine = (row for row in rows if word(row, "spec", "clientRef", "name") == client)
    return tuple(sorted(mine, key=name))


async def readable_gateways(session: Session) -> dict[str, Json] | None:
    """The RuntimeGateways by name; None when the user may not read them."""
    rows = await permitted(session.items(GATEWAYS, namespace=""))
    return None if rows is None else {name(row): row for row in rows}


async def subject(session: Session, wanted: str) -> tuple[str, Json]:
    """The Client or Contract of that name; `client/NAME` and `contract/NAME` say which is meant. Raises NotFound."""
    kind, _, plain = wanted.rpartition("/")
    kinds = {"client": (CLIENTS,), "contract": (CONTRACTS,), "": (CLIENTS, CONTRACTS)}.get(kind.lower(), ())
    for resource in kinds:
        if (found := await session.find(resource, plain)) is not None:
            return (CLIENT if resource is CLIENTS else CONTRACT), found
    raise NotFound(
        f"There is neither a Client nor a Contract {wanted} in namespace {session.namespace}.",
        step="See which there are (another namespace with -n): kubectl registrar status",
    )


async def facts(session: Session, wanted: str, *, operator_namespace: str) -> Facts:
    """Everything that bears on the Client or Contract of that name."""
    kind, found = await subject(session, wanted)
    contract = found if kind == CONTRACT else None
    client = found if kind == CLIENT else await _client_of(session, found)
    contracts, policies, gateways, grants, (where, lease) = await asyncio.gather(
        session.items(CONTRACTS, namespace=session.namespace),
        permitted(session.items(POLICIES, namespace=session.namespace)),
        readable_gateways(session),
        permitted(session.items(GRANTS, namespace="")),
        _operator(session, operator_namespace),
    )
    made = Facts(
        kind=kind,
        name=name(found),
        namespace=session.namespace,
        now=time.time(),
        operator_namespace=where,
        client=client,
        contract=contract,
        contracts=tuple(sorted(contracts, key=name)),
        policies=tuple(sorted(policies or (), key=name)),
        gateways=gateways,
        grants=None if grants is None else tuple(grants),
        lease=lease,
        stopped=await _stopped(session, where) if lease is not None and not lease.held else (),
    )
    return await _with_secrets(session, made)


async def _client_of(session: Session, contract: Json) -> Json | None:
    named = word(contract, "spec", "clientRef", "name")
    return await session.find(CLIENTS, named) if named else None


async def _operator(session: Session, guess: str) -> tuple[str, LeaseFact | None]:
    """Where the operator runs, and its Lease there; None for a Lease that the user may not read.

    Where `guess` has none, the only Lease of the operator's name in the cluster is taken, if the user may list them.
    """
    try:
        found = await permitted(session.kube.get(LEASES, namespace=guess, name=LEASE, site=Site.LEASE_GET))
    except KubeNotFound:
        elsewhere = [row for row in await permitted(session.items(LEASES, namespace="")) or () if name(row) == LEASE]
        if len(elsewhere) != 1:
            return guess, LeaseFact(age=None)
        found = elsewhere[0]
    return (guess, None) if found is None else (namespace(found), _lease(found))


async def _stopped(session: Session, where: str) -> tuple[str, ...]:
    """The operator's Deployments there that are scaled to nothing, as far as the user may list them."""
    listed = await permitted(session.items(DEPLOYMENTS, namespace=where, label_selector=OPERATOR)) or ()
    return tuple(sorted(name(row) for row in listed if section(row, "spec").get("replicas") == 0))


def _lease(found: Json) -> LeaseFact:
    renewed = seconds(word(found, "spec", "renewTime")) if word(found, "spec", "holderIdentity") else None
    duration = section(found, "spec").get("leaseDurationSeconds")
    return LeaseFact(
        age=None if renewed is None else time.time() - renewed,
        duration=float(duration) if isinstance(duration, int) else 15.0,
    )


async def _with_secrets(session: Session, made: Facts) -> Facts:
    """The facts with the state of each Secret that something refers to."""
    from dataclasses import replace

    wanted = set[tuple[str, str]]()
    key = section(made.client, "spec", "apiKey")
    if word(key, "source") == "Existing":
        wanted.add((made.namespace, word(key, "secretName") or f"{made.client_name}-api-key"))
    for policy in made.targeting():
        wanted |= {(made.namespace, secret) for secret, _ in secret_refs(section(policy, "spec"))}
    for gateway in made.gateway_names:
        if credentials := word(made.gateway(gateway), "spec", "apiman", "credentialsSecretRef", "name"):
            wanted.add((made.operator_namespace, credentials))
    order = sorted(wanted)
    states = await asyncio.gather(*(_secret(session, *each) for each in order))
    return replace(made, secrets=dict(zip(order, states, strict=True)))


async def _secret(session: Session, namespace: str, wanted: str) -> SecretState:
    try:
        found = await permitted(session.kube.get(SECRETS, namespace=namespace, name=wanted, metadata_only=True))
    except KubeNotFound:
        return SecretState.ABSENT
    if found is None:
        return SecretState.HIDDEN
    labelled = word(section(found, "metadata", "labels"), ALLOW_USE) == "true"
    return SecretState.USABLE if labelled else SecretState.UNLABELLED
