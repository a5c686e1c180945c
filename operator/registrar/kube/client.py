"""A lean client of the API server: plain JSON in and out, one pool of connections, typed errors.

Invariants: every call passes the seam under a stable name; every name in a URL is quoted, and one that could change the path is refused; an answer is
read up to a bound; no retries here (the queue does that), but once after a 401 when the credentials are other ones by then. What this module
deliberately does not do: watch (Kopf does), type the objects (`resources.parse` does).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from registrar import __version__
from registrar.errors import KubeConflict, KubeNotFound, KubeRefused, KubeUnavailable
from registrar.kube.answers import Json, failure, parse, read
from registrar.kube.config import KubeAccess
from registrar.metrics import ApiServerCalls, Families
from registrar.metrics.controllers import NO_ANSWER
from registrar.seam import Seam, Site

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
METADATA_ONLY_GET = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API; `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path; without a namespace it spans all of them.

        Raises KubeRefused for `.` and `..`: they need no quoting, but a server or a proxy would walk up the path by them.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            root += f"/namespaces/{_segment(namespace)}"
        root += f"/{self.plural}"
        if name:
            root += f"/{_segment(name)}"
        return root + (f"/{subresource}" if subresource else "")

    def object_path(self, namespace: str, name: str, subresource: str = "") -> str:
        """The URL path of one object.

        Raises KubeRefused when its name or a namespace is missing: the path would be that of a collection, and a DELETE
        would delete all of it.
        """
        if not name or (self.namespaced and not namespace):
            raise KubeRefused(f"{self.kind}: an object needs a name and, unless it is cluster-scoped, a namespace")
        return self.path(namespace, name, subresource)

    @property
    def api_version(self) -> str:
        """`group/version` as manifests have it."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _segment(text: str) -> str:
    if text in (".", ".."):
        raise KubeRefused("a name must not be . or ..")
    return quote(text, safe="")


_OURS = ("gateway-registrar.dev", "v1alpha1")
CLIENTS = Resource(*_OURS, "clients", "Client")
CONTRACTS = Resource(*_OURS, "contracts", "Contract")
POLICIES = Resource(*_OURS, "policies", "Policy")
GATEWAYS = Resource(*_OURS, "runtimegateways", "RuntimeGateway", namespaced=False)
GRANTS = Resource(*_OURS, "apigrants", "APIGrant")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, with the resourceVersion of the whole list."""

    items: list[Json]
    resource_version: str


class KubeClient:
    """Calls of the API server; every method raises a KubeError and nothing else of its own."""

    def __init__(
        self,
        access: KubeAccess,
        *,
        seam: Seam,
        max_in_flight: int = 20,
        timeout: float = 30.0,
        calls: ApiServerCalls | None = None,
        user_agent: str = "gateway-registrar",
    ) -> None:
        """`timeout` is in seconds for one whole call; of more than `max_in_flight` calls the others wait their turn, which does not count.

        `user_agent` is also the field manager under which the API server records what is written.
        """
        self._access = access
        self._seam = seam
        self._calls = calls or ApiServerCalls(Families())
        self._host = URL(access.server).authority
        self._slots = asyncio.Semaphore(max_in_flight)
        self._renewing = asyncio.Lock()
        # Uncompressed answers cost the API server and us less CPU than they cost the network, and can't be larger than they say.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.ssl or True, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers={"User-Agent": f"{user_agent}/{__version__}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Give back the connections; calls after it raise KubeUnavailable."""
        await self._session.close()

    # Reading ----------------------------------------------------------------------------------------------------

    async def get(
        self, resource: Resource, *, namespace: str, name: str, metadata_only: bool = False, site: Site = Site.KUBE_GET
    ) -> Json:
        """One object, read consistently; with `metadata_only` nothing but its metadata."""
        return await self._call(
            site,
            "GET",
            resource.object_path(namespace, name),
            accept=METADATA_ONLY_GET if metadata_only else _JSON,
            subject=f"{namespace}/{name}",
        )

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
        path = resource.path(namespace)
        params = {"limit": str(chunk)} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            answer = await self._call(
                site,
                "GET",
                path,
                query=urlencode(params),
                accept=METADATA_ONLY if metadata_only else _JSON,
                subject=f"{namespace}/{resource.plural}" if namespace else resource.plural,
            )
            page, token = _page(path, answer)
            yield page
            if not token:
                return
            params["continue"] = token

    async def group_versions(self, group: str) -> tuple[str, ...]:
        """The versions of an API group that are served, the preferred one first; empty when the group is unknown."""
        try:
            answer = await self._call(Site.KUBE_GET, "GET", f"/apis/{_segment(group)}", subject=group)
        except KubeNotFound:
            return ()
        return tuple(str(row.get("version", "")) for row in answer.get("versions") or ())

    async def about(self, path: str) -> Json:
        """A document of the API server about itself, such as `/version`; raises KubeNotFound where it has none there."""
        return await self._call(Site.KUBE_GET, "GET", path, subject=path)

    # Writing ----------------------------------------------------------------------------------------------------

    async def create(self, resource: Resource, *, namespace: str, body: Json, site: Site) -> Json:
        """Create an object; KubeConflict when it exists."""
        name = (body.get("metadata") or {}).get("name", "")
        return await self._call(site, "POST", resource.path(namespace), body=body, subject=f"{namespace}/{name}")

    async def apply(
        self, resource: Resource, *, namespace: str, body: Json, field_manager: str, site: Site, dry_run: bool = False
    ) -> Json:
        """Apply a manifest on the server's side; KubeConflict when another manager owns one of its fields."""
        name = (body.get("metadata") or {}).get("name", "")
        return await self._call(
            site,
            "PATCH",
            resource.object_path(namespace, name),
            query=urlencode({"fieldManager": field_manager} | ({"dryRun": "All"} if dry_run else {})),
            body=body,
            content_type=APPLY_PATCH,
            subject=f"{namespace}/{name}",
        )

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
        dry_run: bool = False,
    ) -> Json:
        """Patch an object; KubeConflict when a resourceVersion or a test in the patch does not hold. With `dry_run` nothing is stored."""
        try:
            return await self._call(
                site,
                "PATCH",
                resource.object_path(namespace, name, subresource),
                query="dryRun=All" if dry_run else "",
                body=body,
                content_type=content_type,
                subject=f"{namespace}/{name}",
            )
        except KubeRefused as error:
            if content_type == JSON_PATCH and error.status == 422:
                # A failed `test` comes back as 422: somebody else wrote first.
                raise KubeConflict(str(error), status=422) from error
            raise

    async def replace(self, resource: Resource, *, namespace: str, name: str, body: Json, site: Site) -> Json:
        """Replace an object; KubeConflict when its resourceVersion is not the stored one."""
        return await self._call(
            site, "PUT", resource.object_path(namespace, name), body=body, subject=f"{namespace}/{name}"
        )

    async def delete(
        self, resource: Resource, *, namespace: str, name: str, site: Site, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object if it still is the one that is meant; KubeConflict when it is another one."""
        wanted = {"uid": uid, "resourceVersion": resource_version}
        body = {"preconditions": {key: value for key, value in wanted.items() if value}}
        await self._call(
            site, "DELETE", resource.object_path(namespace, name), body=body, subject=f"{namespace}/{name}"
        )

    # The wire ----------------------------------------------------------------------------------------------------

    async def _call(
        self,
        site: Site,
        method: str,
        path: str,
        *,
        subject: str,
        body: Json | list[Json] | None = None,
        query: str = "",
        accept: str = _JSON,
        content_type: str = _JSON,
    ) -> Json:
        data = None if body is None else orjson.dumps(body)
        headers = {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type}
        target = f"{self._access.server}{path}?{query}" if query else self._access.server + path
        # The path is quoted already: parsing and quoting it again would cost as much as the rest of this method.
        url = URL(target, encoded=True)
        return await self._seam(
            site, lambda: self._authorized(f"{method} {path}", method, url, data, headers), subject=subject
        )

    async def _authorized(self, call: str, method: str, url: URL, data: bytes | None, headers: dict[str, str]) -> Json:
        """Send with the credentials of the moment, and once more after a 401 if they are other ones by then."""
        async with self._slots:
            sent = self._access.authorization()
            try:
                return await self._send(call, method, url, data, headers, sent)
            except KubeRefused as error:
                if error.status != 401:
                    raise
                current = await self._renewed(sent)
                if current == sent:
                    raise
            return await self._send(call, method, url, data, headers, current)

    async def _renewed(self, refused: str) -> str:
        """The credentials after `refused` ones; of many calls that were refused together only the first asks for new ones."""
        async with self._renewing:
            if self._access.authorization() == refused:
                # A plugin is a process: it runs in a thread, so that nothing else waits for it.
                await asyncio.to_thread(self._access.renew)
            return self._access.authorization()

    async def _send(
        self, call: str, method: str, url: URL, data: bytes | None, headers: dict[str, str], authorization: str
    ) -> Json:
        if authorization:
            headers = {**headers, "Authorization": authorization}
        code, started = NO_ANSWER, time.monotonic()
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                text = await read(response)
                code = str(response.status)
                if response.status >= 300:
                    # What the API server says about a Secret may quote it.
                    confidential = "/secrets" in call
                    raise failure(call, response.status, response.headers, text, confidential=confidential)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnavailable(f"{call}: {type(error).__name__}") from error
        except RuntimeError as error:
            if not self._session.closed:
                raise
            raise KubeUnavailable(f"{call}: the client is closed") from error
        finally:
            self._calls.answered(method, self._host, code, seconds=time.monotonic() - started)
        return parse(call, text)


def _page(path: str, answer: Json) -> tuple[Page, str]:
    """One page and the token of the next, empty at the end; raises KubeUnavailable when the answer is no list."""
    meta, items = answer.get("metadata"), answer.get("items")
    if not isinstance(meta, dict) or not isinstance(items, list | None):
        raise KubeUnavailable(f"GET {path}: the answer is no list")
    return Page(items=items or [], resource_version=str(meta.get("resourceVersion", ""))), str(
        meta.get("continue") or ""
    )
