"""A command's way to the API server: the user's own kubeconfig and rights, and every failure in one line with the next step.

Invariants: only what the user may do is done; nothing is cached between two runs; each failure of the API server becomes one `CliError`.
What this module deliberately does not do: retry, or read a Secret unless a command asks for that very one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import aiohttp

from registrar.cli.errors import CliError, Fault, NoCluster, NoKinds, NoRights, NotFound, Refused
from registrar.cli.options import Target
from registrar.errors import (
    KubeConflict,
    KubeError,
    KubeGone,
    KubeNotFound,
    KubeRefused,
    KubeUnavailable,
    SettingsError,
)
from registrar.kube.client import CLIENTS, KubeClient, Resource
from registrar.kube.config import KubeAccess, load_access
from registrar.resources.base import GROUP
from registrar.seam import Site, direct

Json = dict[str, Any]
FIELD_MANAGER = "kubectl-registrar"
_INSTALL = "Install gateway-registrar in this cluster, or choose another with --context."


@dataclass(frozen=True, slots=True)
class Session:
    """One command's connection. `namespace` is what -n or the context says; `scope` is empty with -A."""

    kube: KubeClient
    server: str
    namespace: str
    all_namespaces: bool = False

    @property
    def scope(self) -> str:
        """The namespace to list in; empty for all of them."""
        return "" if self.all_namespaces else self.namespace

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Json:
        """One object; raises NotFound when it does not exist."""
        found = await self.find(resource, name, namespace=namespace)
        if found is None:
            where = f" in namespace {self._where(namespace)}" if resource.namespaced else ""
            also = " (another one with -n)" if resource.namespaced else ""
            raise NotFound(
                f"{resource.kind} {name} does not exist{where}.",
                step=f"See which there are{also}: {_listing(resource)}",
            )
        return found

    async def find(self, resource: Resource, name: str, *, namespace: str | None = None) -> Json | None:
        """One object, or None when it does not exist."""
        try:
            return await self.kube.get(
                resource, namespace=self._where(namespace) if resource.namespaced else "", name=name
            )
        except KubeNotFound:
            await self._assert_served(resource)
            return None

    async def items(self, resource: Resource, *, namespace: str | None = None, label_selector: str = "") -> list[Json]:
        """All objects of a kind, in `scope` unless told otherwise; an empty `namespace` means all."""
        where = self.scope if namespace is None else namespace
        rows: list[Json] = []
        try:
            async for page in self.kube.list_pages(resource, namespace=where, label_selector=label_selector):
                rows += page.items
        except KubeNotFound:
            await self._assert_served(resource)
            raise
        return rows

    async def annotate(
        self,
        name: str,
        annotations: dict[str, str],
        *,
        namespace: str | None = None,
        uid: str = "",
        dry_run: bool = False,
    ) -> Json:
        """Set annotations of a Client and nothing else of it; returns the Client.

        With a `uid` it raises KubeConflict when the object of that name is another one by now.
        """
        return await self.kube.patch(
            CLIENTS,
            namespace=self._where(namespace),
            name=name,
            body={"metadata": {"annotations": annotations} | ({"uid": uid} if uid else {})},
            site=Site.CLI_WRITE,
            dry_run=dry_run,
        )

    def _where(self, namespace: str | None) -> str:
        return self.namespace if namespace is None else namespace

    async def _assert_served(self, resource: Resource) -> None:
        """Raise NoKinds when it is the kind that is not there, not the object."""
        if resource.group != GROUP:
            return
        versions = await self.kube.group_versions(GROUP)
        if not versions:
            raise NoKinds(f"The cluster at {self.server} has no CRDs of {GROUP}.", step=_INSTALL)
        if resource.version not in versions:
            raise NoKinds(
                f"The cluster at {self.server} serves {GROUP} in {', '.join(versions)}, and this plugin speaks {resource.version}.",
                step="Install the plugin of the operator's version.",
            )


def _listing(resource: Resource) -> str:
    return "kubectl registrar status" if resource == CLIENTS else f"kubectl get {resource.plural}"


def access(target: Target) -> KubeAccess:
    """The user's access; raises NoCluster when the kubeconfig gives none."""
    try:
        return load_access(target.kubeconfig, context=target.context)
    except SettingsError as error:
        raise NoCluster(" ".join(error.problems)) from error


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Session]:
    """A session; whatever the API server answers inside becomes a CliError."""
    found = access(target)
    kube = KubeClient(found, seam=direct, user_agent=FIELD_MANAGER)
    try:
        yield Session(kube, found.server, target.namespace or found.namespace, target.all_namespaces)
    except KubeError as error:
        _explain(error, found)
    finally:
        await kube.close()


def run(target: Target, work: Callable[[Session], Awaitable[int]]) -> int:
    """Do `work` with a session and return its exit code."""

    async def main() -> int:
        async with connect(target) as session:
            return await work(session)

    return asyncio.run(main())


def _explain(error: KubeError, found: KubeAccess) -> NoReturn:
    """Raise the CliError that says what the failure means to a user."""
    raise explained(error, server=found.server) from error


def explained(error: KubeError, *, server: str) -> CliError:
    """What a failure of the API server means to a user, and the next step."""
    text = str(error)
    match error:
        case KubeUnavailable() if isinstance(
            error.__cause__, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch
        ):
            return NoCluster(
                f"The certificate of the API server at {server} is not trusted.",
                step="Put the cluster's CA into certificate-authority-data of the kubeconfig, or choose another with --context.",
            )
        case KubeUnavailable():
            return NoCluster(
                f"The API server at {server} does not answer ({text}).",
                step="Check `kubectl cluster-info`, and choose another cluster with --context.",
            )
        case KubeRefused() if error.status == 401:
            return NoRights(
                f"The API server at {server} does not accept your credentials.",
                step="Log in again; `kubectl auth whoami` must work.",
            )
        case KubeRefused() if error.status == 403:
            return NoRights(
                f"You may not do this: {text}.",
                step="Ask the cluster's administrator for that right, or use another --context or -n.",
            )
        case KubeNotFound():
            return NotFound(f"The API server has no such object: {text}.", step="Look at `kubectl registrar status`.")
        case KubeConflict():
            return Refused(f"Somebody else changed it at the same time: {text}.", step="Run the command again.")
        case KubeGone():
            return Refused(f"The list was too old before its end: {text}.", step="Run the command again.")
        case KubeRefused():
            return Refused(f"The API server refuses this: {text}.", step="Correct what it names.")
        case _:
            return Fault(f"The API server gave an answer that this plugin does not know: {text}.", step="Report it.")
