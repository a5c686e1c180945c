"""The one seam through which every call to the API server and to a gateway passes.

Each call site has a stable name (`Site`). In production the seam adds nothing. A fault test passes another `Seam` that
crashes before a call, crashes after it, loses its answer or replaces it, at each site in turn: because nothing
goes round the seam, a test that walks over `Site` has walked over every side effect of the operator.

What this module deliberately does not do: retries, time limits, logging.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, TypeVar

T = TypeVar("T")


class Site(StrEnum):
    """The call sites, in the order in which a first registration meets them. Values are stable: tests and traces use them."""

    HASH_SECRET_CREATE = "hash-secret.create"  # noqa: S105 - the name of a call site
    KUBE_LIST = "kube.list"
    KUBE_LIST_METADATA = "kube.list-metadata"
    KUBE_GET = "kube.get"
    KUBE_REVIEW = "kube.review"
    CLIENT_FINALIZER_ADD = "client.finalizer-add"
    SECRET_CREATE = "secret.create"  # noqa: S105 - the name of a call site
    SECRET_UPDATE = "secret.update"  # noqa: S105 - the name of a call site
    SECRET_DELETE = "secret.delete"  # noqa: S105 - the name of a call site
    CLIENT_STATUS = "client.status"
    CONTRACT_STATUS = "contract.status"
    POLICY_STATUS = "policy.status"
    GRANT_STATUS = "grant.status"
    GATEWAY_STATUS = "gateway.status"
    GATEWAY_FINALIZER = "gateway.finalizer"
    CLIENT_FINALIZER_REMOVE = "client.finalizer-remove"
    OWED_WRITE = "owed.write"
    EVENT_CREATE = "event.create"
    CLI_WRITE = "cli.write"
    LEASE_GET = "lease.get"
    LEASE_WRITE = "lease.write"
    GATEWAY_REGISTER = "gateway.register"
    GATEWAY_UNREGISTER = "gateway.unregister"
    GATEWAY_READ = "gateway.read"
    GATEWAY_LIST = "gateway.list"
    GATEWAY_ENDPOINT = "gateway.endpoint"
    GATEWAY_API = "gateway.api"
    GATEWAY_PROBE = "gateway.probe"

    @property
    def changes(self) -> bool:
        """Whether a call at this site changes something outside the process."""
        return self not in _READING


_READING = frozenset(
    {
        Site.KUBE_LIST,
        Site.KUBE_LIST_METADATA,
        Site.KUBE_GET,
        Site.KUBE_REVIEW,
        Site.LEASE_GET,
        Site.GATEWAY_READ,
        Site.GATEWAY_LIST,
        Site.GATEWAY_ENDPOINT,
        Site.GATEWAY_API,
        Site.GATEWAY_PROBE,
    }
)


class Seam(Protocol):
    """Runs one outside call; `subject` is the object that it is about (`namespace/name`), for traces."""

    async def __call__(self, site: Site, call: Callable[[], Awaitable[T]], *, subject: str) -> T:
        """Run `call` once and return what it returns; whatever it raises passes through."""
        ...


async def direct(site: Site, call: Callable[[], Awaitable[T]], *, subject: str) -> T:
    """The production seam: the call itself and nothing else."""
    return await call()
