"""What must be true of the cluster before the operator works: it is new enough, has our CRDs, lets the operator do what it has to, and its namespaces are there.

A process that lacks a right would look alive and fail one object after the other; one that watches half of an organization would let the other half's grants
have no effect. So it does not start, says why in one line, and is started again by whoever runs it.

Invariants: only what a person must change ends the start; an API server that is not there yet is waited for. What this module deliberately does not do:
look again later (see `namespaces` for what is then said of a namespace).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from registrar.clock import Jitter
from registrar.engine import served
from registrar.errors import KubeError, KubeNotFound, KubeRefused, SettingsError
from registrar.kube import rights
from registrar.kube.client import NAMESPACES, KubeClient
from registrar.resources.objects import GatewayObject

log = logging.getLogger(__name__)

_RETRY = 2.0
PATIENCE = 10.0
"""Seconds that CRDs get which were applied just now: the API server serves and describes them a little later."""


async def check(
    client: KubeClient,
    *,
    namespaces: tuple[str, ...],
    home: str,
    lease: str,
    jitter: Jitter,
    patience: float = PATIENCE,
) -> None:
    """Return when the cluster is fit, the namespaces exist and all rights are there; `namespaces` is empty for all of them, `lease` without leader election.

    `patience` is in seconds, and for the CRDs alone.
    Raises SettingsError with one line that says what is wrong or missing and what to do.
    """
    said = fit = False
    until = asyncio.get_running_loop().time() + patience
    while True:
        try:
            if not fit:
                await _fit(client, until=until, jitter=jitter)
                fit = True
            await _namespaces(client, namespaces)
            await _rights(client, rights.asks(namespaces=namespaces, home=home, lease=lease))
            return
        except KubeError as error:
            if not said:
                log.warning("the API server can't be asked yet: %s; trying again", error)
                said = True
        await asyncio.sleep(jitter.around(_RETRY))


async def _fit(client: KubeClient, *, until: float, jitter: Jitter) -> None:
    """Return when the API server is new enough and serves our kinds; they get the time until `until`, of the loop's clock."""
    while True:
        try:
            found = await served.ask(client)
        except KubeRefused as error:
            if error.status != 403:
                raise
            # Everybody may read these by default, as everybody may ask for rights.
            log.warning("the operator may not read what the cluster serves, so its CRDs are not checked: %s", error)
            return
        if problem := served.too_old(found):
            raise SettingsError((problem,))
        problem = served.unfit(found)
        if not problem:
            break
        if asyncio.get_running_loop().time() >= until:
            raise SettingsError((problem,))
        await asyncio.sleep(jitter.around(_RETRY))
    if lacking := served.unusable(found):
        log.warning("%s", lacking)


async def _namespaces(client: KubeClient, names: tuple[str, ...]) -> None:
    missing = []
    for name in names:
        try:
            await client.get(NAMESPACES, namespace="", name=name, metadata_only=True)
        except KubeNotFound:
            missing.append(name)
        except KubeRefused as error:
            if error.status != 403:
                raise
            # The rights are the next thing that is asked for, and then all that is missing is said at once.
            return
    if missing:
        raise SettingsError(
            (
                f"--watch-namespaces (REGISTRAR_WATCH_NAMESPACES) names {_list(missing)}, which {_do(missing)} not exist."
                " Create the namespace, or take it out of the chart's watchNamespaces.",
            )
        )


async def _rights(client: KubeClient, wanted: tuple[rights.Ask, ...]) -> None:
    try:
        missing = await rights.refused(client, wanted)
    except KubeRefused as error:
        if error.status != 403:
            raise
        # Everybody may ask by default; where a cluster has taken that away, a 403 in the log says later what is missing.
        log.warning("the operator may not ask for its own rights, so they are not checked: %s", error)
        return
    if missing:
        who = await rights.user(client)
        raise SettingsError(
            (
                f"{who or 'the operator'} may not {rights.in_words(missing)}."
                " Install the chart with rbac.create=true, or bind roles with these rights.",
            )
        )


def check_owners(gateways: Iterable[GatewayObject], namespaces: tuple[str, ...]) -> None:
    """Raise SettingsError with one line when an organization belongs to a namespace by name that is not watched."""
    if problems := unwatched(gateways, namespaces):
        raise SettingsError((problems[0] + (f" (And {len(problems) - 1} more like it.)" if problems[1:] else ""),))


def unwatched(gateways: Iterable[GatewayObject], namespaces: tuple[str, ...]) -> list[str]:
    """One line for each organization whose owners are named and not all watched; `namespaces` is empty when all are.

    A RuntimeGateway that is being deleted promises nobody anything any more, and must not keep the operator from taking off what is left on it.
    """
    if not namespaces:
        return []
    return [
        f"RuntimeGateway {gateway.meta.name}: organization {claim.name} belongs to {_list(missing)}, which the operator does not watch,"
        " so nothing that is there has an effect. Add the namespace to the chart's watchNamespaces (REGISTRAR_WATCH_NAMESPACES),"
        " or take it out of spec.organizations."
        for gateway in sorted(gateways, key=lambda row: row.meta.name)
        if not gateway.meta.deleting
        for claim in gateway.organizations
        if (missing := sorted(set(claim.namespaces) - set(namespaces)))
    ]


def _list(names: list[str]) -> str:
    return f"namespace{'s' if names[1:] else ''} {', '.join(names)}"


def _do(names: list[str]) -> str:
    return "do" if names[1:] else "does"
