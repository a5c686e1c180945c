"""Reads the API server's answers: up to a bound, as JSON, or as the exception that says what a caller can do.

Invariants: no message holds a byte of a Secret: what the API server says about a Secret is not repeated, because an admission webhook or a decoder
may quote the object. What this module deliberately does not do: send, retry, or wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from registrar.errors import KubeConflict, KubeError, KubeGone, KubeNotFound, KubeRefused, KubeUnavailable

Json = dict[str, Any]
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; a page of 500 objects, each of the size that etcd takes at most (1.5 MiB), would be larger, but none of ours are near that."""
_MESSAGE = 512


async def read(response: aiohttp.ClientResponse, *, largest: int = LARGEST_ANSWER) -> bytes:
    """The body; raises KubeUnavailable when it has more than `largest` bytes."""
    length = response.content_length
    if length is not None and length <= largest:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    if length is None:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > largest:
                break
            chunks.append(chunk)
    if length is not None or size > largest:
        raise KubeUnavailable(
            f"{response.method} {response.url.raw_path}: the answer is too large", status=response.status
        )
    return b"".join(chunks)


def parse(call: str, text: bytes) -> Json:
    """The JSON object in `text`; raises KubeUnavailable when there is none. `call` is `METHOD /path`, for the message."""
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise KubeUnavailable(f"{call}: the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise KubeUnavailable(f"{call}: the answer is no object")
    return answer


def failure(call: str, status: int, headers: Mapping[str, str], text: bytes, *, confidential: bool) -> KubeError:
    """The exception for an answer that is no success; with `confidential` the API server's message is left out."""
    message = "" if confidential else _message(text)
    said = f"{call}: {status} {message}".rstrip()
    match status:
        case 404:
            return KubeNotFound(said, status=status)
        case 409 | 412:
            return KubeConflict(said, status=status)
        case 410:
            return KubeGone(said, status=status)
        case 408 | 429:
            return KubeUnavailable(said, status=status, retry_after=_retry_after(headers))
        case _ if status >= 500:
            return KubeUnavailable(said, status=status, retry_after=_retry_after(headers))
        case _:
            return KubeRefused(said, status=status)


def _message(text: bytes) -> str:
    """The `message` of a `Status`, on one line and not longer than 512 characters; empty when the answer is none."""
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    said = answer.get("message") if isinstance(answer, dict) else None
    if not isinstance(said, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in said[:_MESSAGE])


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks for; the form with a date is not used by the API server."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
