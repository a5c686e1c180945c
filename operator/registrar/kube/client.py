"""A lean client of the API server: plain JSON in and out, one pool of connections, typed errors.

Invariants: every call passes the seam under a stable name; every name in a URL is quoted; an answer is read up to a bound; no retries here, the queue
does that. What this module deliberately does not do: watch (Kopf does), type the objects (`resources.parse` does).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from registrar.errors import KubeConflict, KubeError, KubeGone, KubeNotFound, KubeRefused, KubeUnavailable
from registrar.kube.config import KubeAccess
from registrar.seam import Seam, Site

Json = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
METADATA_ONLY_GET = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
LARGEST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API; `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path; without a namespace it spans all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            root += f"/namespaces/{quote(namespace, safe='')}"
        root += f"/{self.plural}"
        if name:
            root += f"/{quote(name, safe='')}"
        return root + (f"/{subresource}" if subresource else "")

    @property
    def api_version(self) -> str:
        """`group/version` as manifests have it."""
        return f"{self.group}/{self.version}" if self.group else self.version


_OURS = ("gateway-registrar.dev", "v1alpha1")
CLIENTS = Resource(*_OURS, "clients", "Client")
CONTRACTS = Resource(*_OURS, "contracts", "Contract")
POLICIES = Resource(*_OURS, "policies", "Policy")
GATEWAYS = Resource(*_OURS, "runtimegateways", "RuntimeGateway", namespaced=False)
GRANTS = Resource(*_OURS, "apigrants", "APIGrant")
SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, with the resourceVersion of the whole list."""

    items: list[Json]
    resource_version: str


class KubeClient:
    """Calls of the API server; every method raises a KubeError and nothing else of its own."""

    def __init__(self, access: KubeAccess, *, seam: Seam, max_in_flight: int = 20, timeout: float = 30.0) -> None:
        """`timeout` is in seconds for one whole call; more than `max_in_flight` calls wait their turn."""
        self._access = access
        self._seam = seam
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_in_flight, ssl=access.ssl or True, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=timeout),
            auto_decompress=True,
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    # Reading ----------------------------------------------------------------------------------------------------

    async def get(self, resource: Resource, *, namespace: str, name: str, site: Site = Site.KUBE_GET) -> Json:
        """One object, read consistently."""
        return await self._call(site, "GET", resource.path(namespace, name), subject=f"{namespace}/{name}")

    async def list_pages(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        chunk: int = 500,
        label_selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Page]:
        """All objects, page by page; raises KubeGone when the list got too old between two pages."""
        site = Site.KUBE_LIST_METADATA if metadata_only else Site.KUBE_LIST
        params = {"limit": str(chunk)} | ({"labelSelector": label_selector} if label_selector else {})
        headers = {"Accept": METADATA_ONLY} if metadata_only else {}
        while True:
            answer = await self._call(
                site, "GET", resource.path(namespace), params=params, headers=headers, subject=resource.plural
            )
            meta = answer.get("metadata") or {}
            yield Page(items=answer.get("items") or [], resource_version=meta.get("resourceVersion", ""))
            token = meta.get("continue")
            if not token:
                return
            params["continue"] = token

    # Writing ----------------------------------------------------------------------------------------------------

    async def create(self, resource: Resource, *, namespace: str, body: Json, site: Site) -> Json:
        """Create an object; KubeConflict when it exists."""
        name = (body.get("metadata") or {}).get("name", "")
        return await self._call(site, "POST", resource.path(namespace), body=body, subject=f"{namespace}/{name}")

    async def patch(
        self,
        resource: Resource,
        *,
        namespace: str,
        name: str,
        body: Json | list[Json],
        site: Site,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Json:
        """Patch an object; KubeConflict when a resourceVersion or a test in the patch does not hold."""
        try:
            return await self._call(
                site,
                "PATCH",
                resource.path(namespace, name, subresource),
                body=body,
                headers={"Content-Type": content_type},
                subject=f"{namespace}/{name}",
            )
        except KubeRefused as error:
            if content_type == JSON_PATCH and error.status == 422:
                # A failed `test` comes back as 422: somebody else wrote first.
                raise KubeConflict(str(error), status=422) from error
            raise

    async def replace(self, resource: Resource, *, namespace: str, name: str, body: Json, site: Site) -> Json:
        """Replace an object; KubeConflict when its resourceVersion is not the stored one."""
        return await self._call(site, "PUT", resource.path(namespace, name), body=body, subject=f"{namespace}/{name}")

    async def delete(
        self, resource: Resource, *, namespace: str, name: str, site: Site, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object if it still is the one that is meant; KubeConflict when it is another one."""
        wanted = {"uid": uid, "resourceVersion": resource_version}
        body = {"preconditions": {key: value for key, value in wanted.items() if value}}
        await self._call(site, "DELETE", resource.path(namespace, name), body=body, subject=f"{namespace}/{name}")

    # ------------------------------------------------------------------------------------------------------------

    async def _call(
        self,
        site: Site,
        method: str,
        path: str,
        *,
        subject: str,
        body: Json | list[Json] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        return await self._seam(
            site,
            lambda: self._request(method, path, body=body, params=params, headers=headers or {}),
            subject=subject,
        )

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Json | list[Json] | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Json:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        authorization = self._access.authorization()
        if authorization:
            sent["Authorization"] = authorization
        try:
            async with self._session.request(
                method,
                self._access.server + path,
                data=orjson.dumps(body) if body is not None else None,
                params=params,
                headers=sent,
                allow_redirects=False,
            ) as response:
                if (response.content_length or 0) > LARGEST_ANSWER:
                    raise KubeUnavailable(f"{method} {path}: the answer is too large", status=response.status)
                text = await response.read()
                if response.status >= 300:
                    raise _error(method, path, response.status, response.headers, text)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise KubeUnavailable(f"{method} {path}: {type(error).__name__}") from error
        try:
            answer = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise KubeUnavailable(f"{method} {path}: the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise KubeUnavailable(f"{method} {path}: the answer is no object")
        return answer


def _error(method: str, path: str, status: int, headers: Mapping[str, str], text: bytes) -> KubeError:
    """The exception for a refusal; the API server's own message is kept, and never holds Secret data."""
    try:
        message = str(orjson.loads(text).get("message", ""))[:512]
    except (orjson.JSONDecodeError, AttributeError):
        message = ""
    said = f"{method} {path}: {status} {message}".rstrip()
    retry_after = float(value) if (value := headers.get("Retry-After", "")).isdigit() else None
    match status:
        case 404:
            return KubeNotFound(said, status=status)
        case 409 | 412:
            return KubeConflict(said, status=status)
        case 410:
            return KubeGone(said, status=status)
        case 429:
            return KubeUnavailable(said, status=status, retry_after=retry_after)
        case _ if status >= 500:
            return KubeUnavailable(said, status=status, retry_after=retry_after)
        case _:
            return KubeRefused(said, status=status)
