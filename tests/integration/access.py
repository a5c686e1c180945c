"""Takes rights from the operator's account and gives them back, and reads what the API server saw that account do.

Invariant: a change of the roles counts only when the API server itself answers by it. What this module deliberately does not do: know which right is for what.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localenv import account
from localenv.account import NAMESPACE
from localenv.cluster import Cluster, Json, allowed, until
from localenv.environment import Environment
from registrar.kube import rights
from registrar.kube.client import KubeClient
from registrar.kube.config import load_access
from registrar.kube.rights import Ask
from registrar.seam import direct

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PATHS = {
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "Role": f"{_RBAC}/namespaces/{{namespace}}/roles",
    "RoleBinding": f"{_RBAC}/namespaces/{{namespace}}/rolebindings",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
}


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb on one resource (`clients/status` for a subresource), wherever it is granted."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        """As in a test's id."""
        return f"{self.verb} {self.resource}"


def permission(ask: Ask) -> Permission:
    """The permission that is asked for."""
    resource = ask.resource.plural + (f"/{ask.subresource}" if ask.subresource else "")
    return Permission(ask.resource.group, resource, ask.verb)


def granted(objects: Iterable[Json]) -> set[Permission]:
    """What the roles among the objects grant."""
    return {Permission(*found) for row in objects for found in allowed(row.get("rules") or ())}


class Roles:
    """The account and the roles of one release, in the cluster; `asks` are the rights that its operator needs."""

    def __init__(self, cluster: Cluster, objects: list[Json], *, kubeconfig: Path, asks: tuple[Ask, ...]) -> None:
        self._cluster = cluster
        self.objects = objects
        self.kubeconfig = kubeconfig
        self._asks = asks
        self._applied: dict[str, Json] = {}

    def apply(self, dropped: frozenset[Permission] = frozenset()) -> None:
        """Put them into the cluster, without the permissions in `dropped`."""
        for row in self.objects:
            reduced = row | {"rules": list(_without(row["rules"], dropped))} if "rules" in row else row
            path = f"{self._path(row)}?fieldManager=test&force=true"
            if self._applied.get(path) != reduced:
                answer = self._cluster.request("PATCH", path, reduced, content_type="application/apply-patch+yaml")
                assert answer.status in (200, 201), answer.body
                self._applied[path] = reduced

    @contextmanager
    def bound(self, env: Environment, *, name: str) -> Iterator[Roles]:
        """The cluster with them, and the kubeconfig of the account `name` written; begins when the API server answers by them."""
        self.apply()
        account.write_kubeconfig(env, self.kubeconfig, account=name)
        until(lambda: not self.lacking(), what="the roles being known")
        yield self
        self.remove()

    def remove(self) -> None:
        """Take them out of the cluster."""
        for row in self.objects:
            self._cluster.request("DELETE", self._path(row))

    @contextmanager
    def without(self, *dropped: Permission) -> Iterator[None]:
        """The cluster with these permissions dropped; begins and ends when the API server answers by it."""
        wanted = frozenset(dropped)
        try:
            self.apply(wanted)
            until(lambda: self.lacking() == wanted, what=f"{', '.join(map(str, dropped))} being refused")
            yield
        finally:
            self.apply()
        until(lambda: not self.lacking(), what="all rights being back")

    def forget(self) -> None:
        """Apply everything the next time: something of it may have gone with its namespace."""
        self._applied.clear()

    def lacking(self) -> frozenset[Permission]:
        """What the API server says that the account may not do of what it needs."""

        async def ask() -> tuple[Ask, ...]:
            client = KubeClient(load_access(str(self.kubeconfig)), seam=direct)
            try:
                return await rights.refused(client, self._asks)
            finally:
                await client.close()

        return frozenset(map(permission, asyncio.run(ask())))

    def _path(self, row: Json) -> str:
        meta = row["metadata"]
        return f"{_PATHS[row['kind']].format(namespace=meta.get('namespace', ''))}/{meta['name']}"


def _without(rules: Iterable[Json], dropped: frozenset[Permission]) -> Iterator[Json]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs = [verb for verb in rule["verbs"] if Permission(group, resource, verb) not in dropped]
                if verbs:
                    yield {**rule, "apiGroups": [group], "resources": [resource], "verbs": verbs}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the API server saw it; `home` when it was in the operator's own namespace."""

    permission: Permission
    namespace: str
    allowed: bool

    @property
    def home(self) -> bool:
        """Whether it was about the operator's own namespace."""
        return self.namespace == NAMESPACE


class AuditLog:
    """What the API server wrote down, read on from where it was read last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = file.stat().st_size if file.exists() else 0
        self._rows: list[Seen] = []

    def rows(self) -> list[Seen]:
        """All requests since this reader was made, but for the questions about rights, which everybody may ask."""
        with self._file.open("rb") as stream:
            stream.seek(self._offset)
            text = stream.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            event = json.loads(line)
            about = event.get("objectRef")
            if about is None or about.get("apiGroup", "").startswith("auth"):
                continue
            resource = about["resource"] + (f"/{about['subresource']}" if about.get("subresource") else "")
            decision = event["annotations"]["authorization.k8s.io/decision"]
            seen = Permission(about.get("apiGroup", ""), resource, event["verb"])
            namespace = about.get("namespace", "") if resource != "namespaces" else ""
            self._rows.append(Seen(seen, namespace, decision == "allow"))
        return self._rows

    def allowed(self) -> set[Permission]:
        """What was done."""
        return {row.permission for row in self.rows() if row.allowed}

    def refused(self) -> set[Permission]:
        """What was tried in vain."""
        return {row.permission for row in self.rows() if not row.allowed}


_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


def said(log: str, wanted: Permission) -> bool:
    """Whether the operator's log tells of a call that was refused for want of that permission."""
    resource, _, subresource = wanted.resource.partition("/")
    tail = f"/[^/ ]+/{subresource}" if subresource else r"(/[^/ ?]+)?"
    return re.search(rf"{_METHODS[wanted.verb]} \S*/{resource}{tail}: 403", log) is not None
