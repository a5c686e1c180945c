"""The driver of an Apiman gateway: its configuration API over HTTP.

Source: the gateway's REST resources (`gateway/api/rest`), tried on a real 2.1.1; the paths below `/organizations` are the newer form.

Invariants: every call passes the seam under a stable name, and ends within its time limit; no redirect is followed; TLS is always verified; an answer is
read up to a bound; nothing of an answer's text, and no key, gets into a message; only checked names get into a URL.
What this module deliberately does not do: pace calls, retry, or decide.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from registrar.errors import (
    GatewayAmbiguous,
    GatewayApiNotPublished,
    GatewayError,
    GatewayRefused,
    GatewayThrottled,
    GatewayUnauthorized,
    GatewayUnreachable,
)
from registrar.gateways.base import GatewayInfo, Identity, Registration, WireContract, WirePolicy, canonical_json
from registrar.metrics.controllers import NO_ANSWER
from registrar.seam import Seam, Site

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
KEY = re.compile(r"[A-Za-z0-9_-]{20,128}")
LARGEST_CLIENT = 4 * 1024 * 1024
LARGEST_LIST = 32 * 1024 * 1024
_GATEWAY_ERROR = "X-API-Gateway-Error"
_ABSENT = object()
"""What a call gives for a 404 that is an answer; an empty answer or `null` is none, and must never be taken for it."""


class ApimanDriver:
    """Calls one gateway; see `gateways.base.GatewayDriver` for what each call does and raises."""

    def __init__(
        self,
        *,
        endpoint: str,
        public_endpoint: str,
        username: str,
        password: str,
        seam: Seam,
        ca_bundle: str | None = None,
        timeout: float = 4.0,
        answered: Callable[[str, str, float], None] = lambda operation, code, seconds: None,
    ) -> None:
        """`endpoint` is the configuration API, `public_endpoint` where APIs are called (asked for when empty).

        `ca_bundle` is PEM text to trust besides nothing else; `timeout` is in seconds for one whole call; `answered` is told of each
        call's operation, HTTP code (`<error>` without an answer) and seconds.
        """
        self._endpoint = endpoint.rstrip("/")
        self._public = public_endpoint.rstrip("/")
        self._seam = seam
        self._answered = answered
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_trust(ca_bundle), keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers={"Authorization": aiohttp.encode_basic_auth(username, password), "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    async def register(self, registration: Registration, *, urgent: bool = False) -> None:
        """Create the registration or replace it as a whole."""
        _check_names(registration)
        if not KEY.fullmatch(registration.api_key):
            raise GatewayRefused("The API key is not of the allowed form.")
        await self._call(
            Site.GATEWAY_REGISTER, "PUT", "/clients", body=_to_json(registration), subject=str(registration.identity)
        )

    async def unregister(self, identity: Identity, *, urgent: bool = False) -> None:
        """Take the registration off; one that is not there is done."""
        path = _client_path(identity)
        await self._call(Site.GATEWAY_UNREGISTER, "DELETE", path, subject=str(identity), absent_is_fine=True)

    async def read(self, identity: Identity, *, urgent: bool = False) -> Registration | None:
        """What the gateway has under the identity."""
        path = _client_path(identity)
        answer = await self._call(Site.GATEWAY_READ, "GET", path, subject=str(identity), absent_is_fine=True)
        return None if answer is _ABSENT else _from_json(answer)

    async def list_clients(self, organization: str) -> frozenset[Identity]:
        """Every client version that the gateway has for the organization."""
        path = f"/organizations/{_name('organization', organization)}/clients"
        identities = set()
        for client_id in _texts(await self._list(f"{path}/", organization)):
            if NAME.fullmatch(client_id):
                versions = await self._list(f"{path}/{quote(client_id, safe='')}/versions", organization)
                identities |= {Identity(organization, client_id, version) for version in _texts(versions)}
        return frozenset(identities)

    async def client_versions(self, organization: str, client_id: str) -> frozenset[str]:
        """The versions that the gateway has of one client."""
        if not NAME.fullmatch(client_id):
            return frozenset()
        path = f"/organizations/{_name('organization', organization)}/clients/{client_id}/versions"
        return frozenset(_texts(await self._list(path, organization)))

    async def client_ids(self, organization: str) -> frozenset[str]:
        """The ids of the clients that the gateway has for the organization: one call, however many there are."""
        return frozenset(
            _texts(await self._list(f"/organizations/{_name('organization', organization)}/clients/", organization))
        )

    async def organizations(self) -> tuple[str, ...]:
        """The organizations that the gateway knows."""
        found = _texts(await self._list("/organizations", "organizations"))
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    async def endpoint(self, *, organization: str, api: str, version: str) -> str:
        """The URL at which a consumer calls the API."""
        parts = (_name("organization", organization), _name("api", api), _name("version", version))
        if self._public:
            return "/".join((self._public, *parts))
        path = f"/organizations/{parts[0]}/apis/{parts[1]}/versions/{parts[2]}/endpoint"
        answer = await self._call(Site.GATEWAY_ENDPOINT, "GET", path, subject=f"{organization}/{api}/{version}")
        url = answer.get("endpoint") if isinstance(answer, dict) else None
        if not isinstance(url, str) or not re.fullmatch(r"https?://[^\s]{1,1000}", url):
            raise GatewayUnreachable("The gateway's answer about an endpoint makes no sense.")
        return url

    async def api_published(self, *, organization: str, api: str, version: str) -> bool:
        """Whether the gateway has this version of the API."""
        path = f"/organizations/{_name('organization', organization)}/apis/{_name('api', api)}/versions/{_name('version', version)}"
        subject = f"{organization}/{api}/{version}"
        return await self._call(Site.GATEWAY_API, "GET", path, subject=subject, absent_is_fine=True) is not _ABSENT

    async def probe(self) -> GatewayInfo:
        """Check that the gateway is up and accepts the credentials; its status page alone would not show the second."""
        status = await self._call(Site.GATEWAY_PROBE, "GET", "/system/status", subject="status")
        if not isinstance(status, dict) or not status.get("up"):
            raise GatewayUnreachable("The gateway says that it is not up.")
        await self._call(Site.GATEWAY_PROBE, "GET", "/organizations", subject="credentials", largest=LARGEST_LIST)
        return GatewayInfo(version=str(status.get("version", ""))[:64], up=True)

    # ------------------------------------------------------------------------------------------------------------

    async def _list(self, path: str, subject: str) -> Any:
        return await self._call(Site.GATEWAY_LIST, "GET", path, subject=subject, largest=LARGEST_LIST)

    async def _call(
        self,
        site: Site,
        method: str,
        path: str,
        *,
        subject: str,
        body: dict[str, Any] | None = None,
        absent_is_fine: bool = False,
        largest: int = LARGEST_CLIENT,
    ) -> Any:
        """One call; the parsed answer of a reading one, None for a changing one, `_ABSENT` for a 404 that is fine."""
        status, headers, text = await self._seam(
            site, lambda: self._timed(site, method, path, body=body, largest=largest), subject=subject
        )
        changing = site.changes
        if status == 404 and not _said_by_the_gateway(headers, text, changing=changing):
            raise GatewayUnreachable("Something that is not the gateway answered 404; is apiman.endpoint right?")
        if status == 404 and absent_is_fine:
            return _ABSENT
        if status >= 300:
            raise _error(status, headers, site=site)
        if changing:
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise GatewayUnreachable("The gateway's answer is no JSON; is apiman.endpoint right?") from None

    async def _timed(
        self, site: Site, method: str, path: str, *, body: dict[str, Any] | None, largest: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        code, started = NO_ANSWER, time.monotonic()
        try:
            answer = await self._send(method, path, body=body, largest=largest)
            code = str(answer[0])
            return answer
        finally:
            self._answered(site.removeprefix("gateway."), code, time.monotonic() - started)

    async def _send(
        self, method: str, path: str, *, body: dict[str, Any] | None, largest: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        changing = method != "GET"
        sent: dict[str, Any] = {}
        if body is not None:
            sent = {"headers": {"Content-Type": "application/json"}, "data": orjson.dumps(body)}
        try:
            async with self._session.request(
                method, f"{self._endpoint}{path}", allow_redirects=False, **sent
            ) as response:
                text = b""
                if not changing:
                    text = await response.content.read(largest + 1)
                    while len(text) <= largest and not response.content.at_eof():
                        text += await response.content.read(largest + 1 - len(text))
                    if len(text) > largest:
                        raise GatewayUnreachable("The gateway's answer is larger than any that makes sense.")
                else:
                    await response.release()
                return response.status, response.headers, text
        except (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError, aiohttp.InvalidURL) as error:
            # Nothing was sent: there was no connection to send it on.
            raise GatewayUnreachable(f"No connection to the gateway ({type(error).__name__}).") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            kind = GatewayAmbiguous if changing else GatewayUnreachable
            raise kind(f"No usable answer from the gateway ({type(error).__name__}).") from None
        except RuntimeError:
            if not self._session.closed:
                raise
            # Its RuntimeGateway went or changed while somebody still held the driver; nothing was sent.
            raise GatewayUnreachable("The connection to the gateway was closed.") from None


def _said_by_the_gateway(headers: Mapping[str, str], text: bytes, *, changing: bool) -> bool:
    """Whether a 404 is the gateway's word that something is not there, not that of a proxy, or of a wrong path.

    The gateway marks the refusals of its changing calls; what it does not have it answers with an empty 404 to a reading one (seen on 2.1.1).
    """
    return _GATEWAY_ERROR in headers or (not changing and not text)


def _error(status: int, headers: Mapping[str, str], *, site: Site) -> GatewayError:
    """The exception for a refusal; made of constants and the code only."""
    if status in (401, 403):
        return GatewayUnauthorized("The gateway refuses the credentials.", status=status)
    retry = headers.get("Retry-After", "")
    if status == 429 or (status == 503 and retry):
        seconds = float(retry) if retry.isdigit() else None
        return GatewayThrottled("The gateway asks for less load.", status=status, retry_after=seconds)
    if status == 404 and site is Site.GATEWAY_REGISTER:
        return GatewayApiNotPublished("An API of the registration is not published.", status=status)
    if status >= 500 and _GATEWAY_ERROR not in headers:
        kind = GatewayAmbiguous if site.changes else GatewayUnreachable
        return kind(f"The gateway failed with {status}.", status=status)
    return GatewayRefused(f"The gateway refused the request with {status}.", status=status)


def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified against the bundle or the machine's authorities; raises GatewayUnreachable for a bundle that is none."""
    try:
        context = ssl.create_default_context(cadata=ca_bundle or None)
    except ssl.SSLError:
        raise GatewayUnreachable("apiman.caBundle is no PEM certificate.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _name(field: str, value: str) -> str:
    """A name for a URL path; raises GatewayRefused for one that could lead elsewhere."""
    if not NAME.fullmatch(value):
        raise GatewayRefused(f"The {field} is no name that may go into a URL.")
    return value


def _client_path(identity: Identity) -> str:
    organization = _name("organization", identity.organization)
    client = _name("clientId", identity.client_id)
    return f"/organizations/{organization}/clients/{client}/versions/{_name('version', identity.version)}"


def _check_names(registration: Registration) -> None:
    _client_path(registration.identity)
    for contract in registration.contracts:
        _name("contract's organization", contract.organization)
        _name("contract's api", contract.api)
        _name("contract's version", contract.version)
        if contract.plan:
            _name("contract's plan", contract.plan)


def _to_json(registration: Registration) -> dict[str, Any]:
    return {
        "organizationId": registration.organization,
        "clientId": registration.client_id,
        "version": registration.version,
        "apiKey": registration.api_key,
        "contracts": [
            {
                "apiOrgId": contract.organization,
                "apiId": contract.api,
                "apiVersion": contract.version,
                "plan": contract.plan,
                "policies": [
                    {"policyImpl": policy.implementation, "policyJsonConfig": policy.config}
                    for policy in contract.policies
                ],
            }
            for contract in registration.contracts
        ],
    }


def _from_json(answer: Any) -> Registration:
    """The registration of an answer; raises GatewayUnreachable when it is none."""
    try:
        return Registration(
            organization=_text(answer["organizationId"]),
            client_id=_text(answer["clientId"]),
            version=_text(answer["version"]),
            api_key=_text(answer["apiKey"]),
            contracts=tuple(
                WireContract(
                    organization=_text(row["apiOrgId"]),
                    api=_text(row["apiId"]),
                    version=_text(row["apiVersion"]),
                    plan=_text(row.get("plan") or ""),
                    policies=tuple(
                        WirePolicy(_text(p["policyImpl"]), canonical_json(_text(p.get("policyJsonConfig") or "{}")))
                        for p in row.get("policies") or ()
                    ),
                )
                for row in answer.get("contracts") or ()
            ),
        )
    except (KeyError, TypeError, AttributeError):
        raise GatewayUnreachable("The gateway's answer is no client.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(answer: Any) -> list[str]:
    """A list of names; raises GatewayUnreachable when the answer is none."""
    if not isinstance(answer, list) or not all(isinstance(row, str) for row in answer):
        raise GatewayUnreachable("The gateway's answer is no list of names.")
    return answer
