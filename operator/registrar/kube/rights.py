"""What the operator may do on the API server: the one list of its rights, and the question whether it has them.

The chart's roles are this list in another form; a unit test holds the two together, and an integration test holds both against what the API server saw.

Invariants: no wildcard; an object that the operator only reads is never in a row with a writing verb; the answer comes from the API server itself
(SelfSubjectAccessReview), so it is right whatever authorizer the cluster has. What this module deliberately does not do: grant anything, or end the process.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registrar.kube.client import (
    CLIENTS,
    CONFIG_MAPS,
    CONTRACTS,
    EVENTS,
    GATEWAYS,
    GRANTS,
    LEASES,
    NAMESPACES,
    POLICIES,
    SECRETS,
    KubeClient,
    Resource,
)
from registrar.seam import Site

_REVIEW = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
_WHO = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
_SAID_AT_MOST = 6


class Scope(StrEnum):
    """Where a right is needed."""

    WATCHED = "Watched"
    """In every watched namespace; cluster-wide when all are watched."""
    HOME = "Home"
    """In the operator's own namespace alone."""
    CLUSTER = "Cluster"
    """On cluster-scoped objects."""


@dataclass(frozen=True, slots=True)
class Right:
    """Some verbs on one resource or subresource; `named` where only the object with the name that the settings give is meant."""

    resource: Resource
    verbs: tuple[str, ...]
    scope: Scope
    subresource: str = ""
    named: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One verb on one resource in one namespace (empty: in all of them, or cluster-scoped); `name` is empty for any object."""

    verb: str
    resource: Resource
    subresource: str
    namespace: str
    name: str = ""

    @property
    def what(self) -> str:
        """The resource as `kubectl auth can-i` takes it: `clients.gateway-registrar.dev/status`."""
        group = f".{self.resource.group}" if self.resource.group else ""
        return f"{self.resource.plural}{group}" + (f"/{self.subresource}" if self.subresource else "")

    @property
    def where(self) -> str:
        """The namespace in words."""
        if not self.resource.namespaced:
            return f" {self.name}" if self.name else ""
        return f" in namespace {self.namespace}" if self.namespace else " in all namespaces"


_READ = ("get", "list", "watch")
_OF_NAMESPACES: tuple[Right, ...] = (
    Right(CLIENTS, (*_READ, "patch"), Scope.WATCHED),
    Right(CONTRACTS, _READ, Scope.WATCHED),
    Right(POLICIES, _READ, Scope.WATCHED),
    Right(GRANTS, _READ, Scope.WATCHED),
    *(Right(kind, ("patch",), Scope.WATCHED, "status") for kind in (CLIENTS, CONTRACTS, POLICIES, GRANTS)),
    Right(SECRETS, (*_READ, "create", "patch", "delete"), Scope.WATCHED),
    Right(EVENTS, ("create",), Scope.WATCHED),
)
_OF_HOME: tuple[Right, ...] = (
    Right(LEASES, ("create",), Scope.HOME),
    Right(LEASES, ("get", "update"), Scope.HOME, named=True),
    Right(CONFIG_MAPS, ("list", "create", "patch"), Scope.HOME),
)
_OF_CLUSTER: tuple[Right, ...] = (
    Right(GATEWAYS, (*_READ, "patch"), Scope.CLUSTER),
    Right(GATEWAYS, ("patch",), Scope.CLUSTER, "status"),
)


def rights(*, everywhere: bool) -> tuple[Right, ...]:
    """All rights; `everywhere` when all namespaces are watched. With a list only the Namespaces of the list are read, by name."""
    namespaces = Right(NAMESPACES, _READ if everywhere else ("get",), Scope.CLUSTER, named=not everywhere)
    return (*_OF_CLUSTER, namespaces, *_OF_NAMESPACES, *_OF_HOME)


def asks(*, namespaces: tuple[str, ...], home: str, lease: str) -> tuple[Ask, ...]:
    """Every single right that these settings need; `namespaces` is empty for all of them, `lease` when there is no leader election."""
    return tuple(
        ask
        for right in rights(everywhere=not namespaces)
        if lease or right.resource is not LEASES
        for ask in _asked(right, namespaces=namespaces, home=home, lease=lease)
    )


def _asked(right: Right, *, namespaces: tuple[str, ...], home: str, lease: str) -> Iterator[Ask]:
    for verb in right.verbs:
        match right.scope:
            case Scope.WATCHED:
                yield from (Ask(verb, right.resource, right.subresource, name) for name in namespaces or ("",))
            case Scope.HOME:
                yield Ask(verb, right.resource, right.subresource, home, lease if right.named else "")
            case Scope.CLUSTER:
                names = namespaces if right.named else ("",)
                yield from (Ask(verb, right.resource, right.subresource, "", name) for name in names)


async def refused(client: KubeClient, wanted: Iterable[Ask]) -> tuple[Ask, ...]:
    """Those of the rights that the operator does not have; raises a KubeError when the API server does not answer."""
    rows = tuple(wanted)
    allowed = await asyncio.gather(*(_allowed(client, row) for row in rows))
    return tuple(row for row, allows in zip(rows, allowed, strict=True) if not allows)


async def _allowed(client: KubeClient, ask: Ask) -> bool:
    attributes = {
        "verb": ask.verb,
        "group": ask.resource.group,
        "version": ask.resource.version,
        "resource": ask.resource.plural,
        "subresource": ask.subresource,
        "namespace": ask.namespace,
        "name": ask.name,
    }
    body = {"apiVersion": _REVIEW.api_version, "kind": _REVIEW.kind, "spec": {"resourceAttributes": attributes}}
    answer = await client.create(_REVIEW, namespace="", body=body, site=Site.KUBE_REVIEW)
    return bool((answer.get("status") or {}).get("allowed"))


async def user(client: KubeClient) -> str:
    """The user that the operator is to the API server, such as `system:serviceaccount:NAMESPACE:NAME`; raises a KubeError."""
    body: dict[str, Any] = {"apiVersion": _WHO.api_version, "kind": _WHO.kind}
    answer = await client.create(_WHO, namespace="", body=body, site=Site.KUBE_REVIEW)
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username", ""))


def in_words(missing: Iterable[Ask]) -> str:
    """The missing rights in one line: the verbs of each resource and namespace together, and only so many that it can be read."""
    verbs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for ask in missing:
        verbs[ask.what, ask.where].append(ask.verb)
    parts = [f"{', '.join(names)} {what}{where}" for (what, where), names in verbs.items()]
    more = len(parts) - _SAID_AT_MOST
    return "; ".join(parts[:_SAID_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
