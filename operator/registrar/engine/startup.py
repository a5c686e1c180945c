"""What must be true of the cluster before the operator works: it is new enough, has our CRDs, lets the operator do what it has to, and its namespaces are there.

A process that lacks a right would look alive and fail one object after the other; one that watches half of an organization would let the other half's grants
have no effect. So it does not start, says why in one line, and is started again by whoever runs it.

Invariants: only what a person must change ends the start; an API server that is not there yet is waited for, and one that has just come is asked again.
What this module deliberately does not do: look again later (see `namespaces` for what is then said of a namespace).
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

_FORBIDDEN = 403
_RETRY = 2.0
PATIENCE = 10.0
"""Seconds for which nothing that is missing or refused is believed: an API server serves new CRDs a little later, and allows nothing until it has read the roles."""


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

    `patience` is in seconds, from the first answer on. Raises SettingsError with one line that says what is wrong or missing and what to do.
    """
    clock = asyncio.get_running_loop()
    until: float | None = None
    said = False
    while True:
        believed = patience == 0 or (until is not None and clock.time() >= until)
        answered = True
        try:
            problem = (
                await _unfit(client, believed=believed)
                or await _missing(client, namespaces)
                or await _refused(client, rights.asks(namespaces=namespaces, home=home, lease=lease), believed=believed)
            )
            if not problem:
                return
            if believed:
                raise SettingsError((problem,))
        except KubeError as error:
            answered = error.status == _FORBIDDEN
            if not said:
                log.warning("the API server can't be asked yet: %s; trying again", error)
                said = True
        if answered and until is None:
            until = clock.time() + patience
        await asyncio.sleep(jitter.around(_RETRY))


async def _unfit(client: KubeClient, *, believed: bool) -> str:
    """In what the API server does not serve our kinds, if it doesn't; `believed` says that what is refused is refused for good.

    Raises SettingsError when it is too old, which does not change.
    """
    try:
        found = await served.ask(client)
    except KubeRefused as error:
        if error.status != _FORBIDDEN or not believed:
            raise
        # Everybody may read these by default, as everybody may ask for rights.
        log.warning("the operator may not read what the cluster serves, so its CRDs are not checked: %s", error)
        return ""
    if problem := served.too_old(found):
        raise SettingsError((problem,))
    problem = served.unfit(found)
    if not problem and (lacking := served.unusable(found)):
        log.warning("%s", lacking)
    return problem


async def _missing(client: KubeClient, names: tuple[str, ...]) -> str:
    """Which of the namespaces do not exist, if any."""
    missing = []
    for name in names:
        try:
            await client.get(NAMESPACES, namespace="", name=name, metadata_only=True)
        except KubeNotFound:
            missing.append(name)
        except KubeRefused as error:
            if error.status != _FORBIDDEN:
                raise
            # The rights are the next thing that is asked for, and then all that is missing is said at once.
            return ""
    return (
        f"--watch-namespaces (REGISTRAR_WATCH_NAMESPACES) names {_list(missing)}, which {_do(missing)} not exist."
        " Create the namespace, or take it out of the chart's watchNamespaces."
        if missing
        else ""
    )


async def _refused(client: KubeClient, wanted: tuple[rights.Ask, ...], *, believed: bool) -> str:
    """Which of the rights the operator does not have, if any; `believed` says that what is refused is refused for good."""
    try:
        missing = await rights.refused(client, wanted)
    except KubeRefused as error:
        if error.status != _FORBIDDEN or not believed:
            raise
        # Everybody may ask by default; where a cluster has taken that away, a 403 in the log says later what is missing.
        log.warning("the operator may not ask for its own rights, so they are not checked: %s", error)
        return ""
    if not missing:
        return ""
    who = await rights.user(client)
    return (
        f"{who or 'the operator'} may not {rights.in_words(missing)}."
        " Install the chart with rbac.create=true, or bind roles with these rights."
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
