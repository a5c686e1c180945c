"""The call itself: a checked URL, the key in its header, TLS verified, no redirect followed.

Invariants: the key goes to the Contract's endpoint and nowhere else, and is taken out of whatever comes back; a path can't lead out of the API; an answer is read up
to a bound. What this module deliberately does not do: say what an answer means (see `explain`).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiohttp
from yarl import URL

from registrar.cli.cluster import FIELD_MANAGER
from registrar.cli.errors import GatewayFault, Usage
from registrar.kube.secrets import HEADER_NAME

LARGEST_BODY = 8 * 1024 * 1024
HIDDEN = "<the key>"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHOD = re.compile(r"[A-Z]{1,20}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; the key is in no `repr`."""

    method: str
    url: str
    key: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False, default=())
    body: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without the key; header names are in small letters. `cut` says that the body was longer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


def url_of(endpoint: str, path: str) -> str:
    """The URL of a path below the endpoint, which may have a query; raises Usage for one that could lead elsewhere."""
    step = "Give the path below the API's endpoint, such as /items?page=2."
    if "://" in path or path.startswith("//"):
        raise Usage("PATH must not have a scheme or a host.", step=step)
    if _UNSAFE.search(path) or "#" in path:
        raise Usage(
            "PATH must not have spaces, control characters, backslashes or a fragment; write them as %XX.", step=step
        )
    plain = path.partition("?")[0]
    for _ in range(3):
        # A server may decode a path more than once.
        if any(part in (".", "..") for part in plain.replace("\\", "/").split("/")):
            raise Usage("PATH must not have . or .. in it.", step=step)
        plain = unquote(plain)
    return f"{endpoint.rstrip('/')}/{path.lstrip('/')}" if path else endpoint


def check_endpoint(endpoint: str) -> None:
    """Raise GatewayFault for an endpoint that no key may be sent to."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise GatewayFault(
            "The Contract's status.endpoint is no URL that a key may be sent to.",
            step="Look at the RuntimeGateway's publicEndpoint.",
        )


def in_the_clear(endpoint: str) -> bool:
    """Whether the key crosses a network without TLS."""
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def method_of(wanted: str, *, has_body: bool) -> str:
    """The HTTP method; raises Usage for one that is none."""
    method = wanted.upper() or ("POST" if has_body else "GET")
    if not _METHOD.fullmatch(method):
        raise Usage(f"{method} is no HTTP method.", step="For example: -X POST.")
    return method


def headers_of(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Headers as `Name: value` each; raises Usage for what is none, and for the key's own header."""
    rows = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER.fullmatch(name) or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise Usage(
                "-H needs a header of the form Name: value, on one line.", step="For example: -H 'Accept: text/plain'."
            )
        if name.lower() == HEADER_NAME.lower():
            raise Usage(
                f"The header {HEADER_NAME} is set by this command.",
                step="Use --key-file for another key than the Secret's.",
            )
        rows.append((name, value.strip()))
    return tuple(rows)


async def send(request: Request, *, ca_bundle: str, timeout: float) -> Answer:
    """Make the call; raises GatewayFault when there is no answer. `timeout` is in seconds."""
    host = urlsplit(request.url).hostname
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=_trust(ca_bundle)),
                timeout=aiohttp.ClientTimeout(total=timeout),
                headers={"User-Agent": FIELD_MANAGER},
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.request(
                request.method,
                URL(request.url),
                headers=[(HEADER_NAME, request.key), *request.headers],
                data=request.body,
                allow_redirects=False,
            ) as response,
        ):
            body = b""
            while len(body) <= LARGEST_BODY + len(request.key) and (chunk := await response.content.read(65_536)):
                body += chunk
            return without(request.key, response.status, response.headers, body)
    except aiohttp.ClientConnectorCertificateError as error:
        raise GatewayFault(
            f"The certificate of the gateway at {host} is not trusted.",
            step="Add its authority to this machine, or to apiman.caBundle of the RuntimeGateway.",
        ) from error
    except aiohttp.ClientConnectorError as error:
        raise GatewayFault(
            f"The gateway at {host} can't be reached from here ({type(error.os_error).__name__}).",
            step="The key was not sent. If only the cluster can reach it, call it from a pod.",
        ) from error
    except TimeoutError as error:
        raise GatewayFault(
            f"The gateway at {host} gave no answer in {timeout:g} s.", step="Try again, or with a longer --timeout."
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise GatewayFault(
            f"The gateway at {host} gave no usable answer ({type(error).__name__}).", step="Try again."
        ) from error


def _trust(ca_bundle: str) -> ssl.SSLContext:
    """This machine's authorities, and those of the RuntimeGateway."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_bundle:
        try:
            context.load_verify_locations(cadata=ca_bundle)
        except ssl.SSLError as error:
            raise GatewayFault(
                "apiman.caBundle of the RuntimeGateway is no PEM certificate.",
                step="Have the platform team correct it.",
            ) from error
    return context


def without(key: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer without the key: the gateway repeats a key that it does not know. A body past the bound is cut, and a key that is cut is no longer to be seen."""
    clean = {name.lower(): value.replace(key, HIDDEN) for name, value in headers.items()}
    hidden, cut = body.replace(key.encode(), HIDDEN.encode()), len(body) > LARGEST_BODY
    if cut:
        hidden = hidden[: 1 - len(key)][:LARGEST_BODY]
    return Answer(status, clean, hidden, cut=cut)
