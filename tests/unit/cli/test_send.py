"""The call itself, against a server of the test's own: where the key goes, and what is trusted."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from registrar.cli.calling import request
from registrar.cli.calling.request import HIDDEN, Request, send
from registrar.cli.errors import GatewayFault

KEY = "0123456789abcdef0123456789"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[..., Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a server with one handler for every path; returns its URL."""
    runners = []

    async def run(handler: Handler, *, tls: ssl.SSLContext | None = None) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

    yield run
    for runner in runners:
        await runner.cleanup()


async def test_the_key_goes_to_one_place(start: Start) -> None:
    """Fails when a redirect is followed, the path is changed on its way, or an echoed key is shown."""
    seen: list[tuple[str, str, str, bytes]] = []

    async def handler(asked: web.Request) -> web.Response:
        seen.append((asked.method, asked.raw_path, asked.headers["X-API-Key"], await asked.read()))
        return web.Response(status=302, headers={"Location": "/elsewhere", "X-Echo": KEY}, text=f"key {KEY}")

    url = await start(handler)
    sent = Request("POST", f"{url}/a%2Fb?c=%20d", KEY, (("X-More", "1"),), b"body")
    answer = await send(sent, ca_bundle="", timeout=5)
    assert seen == [("POST", "/a%2Fb?c=%20d", KEY, b"body")]
    assert (answer.status, answer.body, answer.headers["x-echo"]) == (302, f"key {HIDDEN}".encode(), HIDDEN)


async def test_a_long_answer_is_cut(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when an endless answer is read to its end, or a key shows at the cut."""
    monkeypatch.setattr(request, "LARGEST_BODY", 100)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 90 + KEY.encode() + b"x" * 1_000_000)

    answer = await send(Request("GET", await start(handler), KEY), ca_bundle="", timeout=5)
    assert answer.cut and len(answer.body) <= 100 and KEY[:8].encode() not in answer.body


async def test_no_answer_is_a_fault_of_the_gateway(start: Start) -> None:
    """Fails when a gateway that is not there, or cuts the line, ends in anything but one line."""

    async def handler(asked: web.Request) -> web.Response:
        assert asked.transport is not None
        asked.transport.close()
        return web.Response()

    url = await start(handler)
    with pytest.raises(GatewayFault, match="no usable answer"):
        await send(Request("GET", url, KEY), ca_bundle="", timeout=5)
    with pytest.raises(GatewayFault, match="can't be reached"):
        await send(Request("GET", "http://127.0.0.1:1", KEY), ca_bundle="", timeout=5)


async def test_tls_is_verified(start: Start, tmp_path: Path) -> None:
    """Fails when a certificate that nobody vouches for is accepted, or the RuntimeGateway's authorities are not."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=gateway -addext subjectAltName=IP:127.0.0.1"
    arguments = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, arguments, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="fine")

    url = await start(handler, tls=context)
    with pytest.raises(GatewayFault, match="is not trusted"):
        await send(Request("GET", url, KEY), ca_bundle="", timeout=5)
    answer = await send(Request("GET", url, KEY), ca_bundle=certificate.read_text(), timeout=5)
    assert answer.body == b"fine"
    with pytest.raises(GatewayFault, match="no PEM"):
        await send(Request("GET", url, KEY), ca_bundle="-----BEGIN CERTIFICATE-----\nx\n", timeout=5)
