"""Each answer that a gateway can give, as the error that it is; and nothing of it, and no key, in a message."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from registrar.errors import (
    GatewayAmbiguous,
    GatewayApiNotPublished,
    GatewayError,
    GatewayRefused,
    GatewayThrottled,
    GatewayUnauthorized,
    GatewayUnreachable,
)
from registrar.gateways.apiman.driver import ApimanDriver
from registrar.gateways.base import Identity, Registration, WireContract, WirePolicy
from registrar.seam import direct

KEY = "canary-key-canary-key-canary-key-canary-key"
WHO = Identity("acme", "shop", "1.0")
REGISTRATION = Registration(
    organization="acme",
    client_id="shop",
    version="1.0",
    api_key=KEY,
    contracts=(WireContract("acme", "orders", "1.0", "gold", (WirePolicy("class:X", '{"a":1}'),)),),
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[..., Awaitable[ApimanDriver]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a server with one handler, and gives a driver for it."""
    ends: list[Callable[[], Awaitable[None]]] = []

    async def begin(
        handler: Handler,
        *,
        timeout: float = 0.5,
        endpoint: str = "",
        public: str = "",
        answered: Callable[[str, str, float], None] = lambda operation, code, seconds: None,
    ) -> ApimanDriver:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        driver = ApimanDriver(
            endpoint=endpoint or f"http://127.0.0.1:{port}",
            public_endpoint=public,
            username="admin",
            password="secret",
            seam=direct,
            timeout=timeout,
            answered=answered,
        )
        ends.extend((driver.close, runner.cleanup))
        return driver

    yield begin
    for end in ends:
        await end()


def answering(status: int, text: str = "", **headers: str) -> Handler:
    """A gateway that always answers so."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


TRACE = f'{{"message":"{KEY}","stacktrace":"at io.apiman.Secret"}}'


@pytest.mark.parametrize(
    ("handler", "reading", "changing"),
    [
        (answering(401, "Unauthorized"), GatewayUnauthorized, GatewayUnauthorized),
        (answering(403, TRACE), GatewayUnauthorized, GatewayUnauthorized),
        (answering(429, Retry_After="7"), GatewayThrottled, GatewayThrottled),
        (answering(503, Retry_After="7"), GatewayThrottled, GatewayThrottled),
        (answering(500, TRACE), GatewayUnreachable, GatewayAmbiguous),
        (answering(502, TRACE), GatewayUnreachable, GatewayAmbiguous),
        (answering(500, TRACE, X_API_Gateway_Error="true"), GatewayRefused, GatewayRefused),
        (answering(400, TRACE), GatewayRefused, GatewayRefused),
        (answering(302, Location="http://elsewhere"), GatewayRefused, GatewayRefused),
    ],
)
async def test_refusals(
    handler: Handler, reading: type[GatewayError], changing: type[GatewayError], start: Start
) -> None:
    """Fails when an answer is taken for another one, or its text gets into the message."""
    driver = await start(handler)
    with pytest.raises(reading) as read:
        await driver.read(WHO)
    with pytest.raises(changing) as changed:
        await driver.register(REGISTRATION)
    for caught in (read.value, changed.value):
        assert KEY not in str(caught) and "apiman" not in str(caught)
    if reading is GatewayThrottled:
        assert isinstance(read.value, GatewayError) and read.value.retry_after == 7


async def test_an_api_that_is_not_published(start: Start) -> None:
    """Fails when the one refusal that has its own mend is not told apart."""
    driver = await start(answering(404, TRACE, X_API_Gateway_Error="true"))
    with pytest.raises(GatewayApiNotPublished):
        await driver.register(REGISTRATION)


async def test_what_is_not_there_is_done_or_absent(start: Start) -> None:
    """Fails when taking off what is not there is an error, or an absent API counts as there."""
    driver = await start(answering(404, TRACE, X_API_Gateway_Error="true"))
    await driver.unregister(WHO)
    assert await driver.read(WHO) is None
    silent = await start(answering(404))
    assert await silent.read(WHO) is None
    assert not await driver.api_published(organization="acme", api="orders", version="1.0")


async def test_somebody_elses_404(start: Start) -> None:
    """Fails when a proxy's 404 is taken for the gateway's: a live registration would count as gone, and its Client be let go."""
    driver = await start(answering(404, "<html>no such host</html>"))
    for call in (driver.unregister(WHO), driver.read(WHO), driver.register(REGISTRATION)):
        with pytest.raises(GatewayUnreachable):
            await call
    bare = await start(answering(404))
    with pytest.raises(GatewayUnreachable):
        await bare.unregister(WHO)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"organizationId":1}', '{"organizationId":"acme","clientId":"shop"}', "null"]
)
async def test_garbage(text: str, start: Start) -> None:
    """Fails when an answer that makes no sense is believed: the Client would be taken for absent or changed."""
    driver = await start(answering(200, text))
    with pytest.raises(GatewayUnreachable):
        await driver.read(WHO)


async def test_a_list_that_is_none(start: Start) -> None:
    """Fails when a list of something else is taken for a list of names."""
    driver = await start(answering(200, '[{"a":1}]'))
    with pytest.raises(GatewayUnreachable):
        await driver.client_ids("acme")


async def test_an_endless_answer(start: Start) -> None:
    """Fails when a gateway can fill the operator's memory."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 65536)
        return response

    driver = await start(handler, timeout=5)
    with pytest.raises(GatewayUnreachable, match="larger"):
        await driver.read(WHO)


async def test_no_answer_in_time(start: Start) -> None:
    """Fails when a call outlives its limit, or a change that may have happened counts as one that did not."""
    held = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    driver = await start(handler, timeout=0.2)
    with pytest.raises(GatewayAmbiguous):
        await driver.register(REGISTRATION)
    with pytest.raises(GatewayUnreachable):
        await driver.read(WHO)
    held.set()


async def test_a_cut_answer(start: Start) -> None:
    """Fails when a connection that was cut in the middle counts as never made."""

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    driver = await start(handler)
    with pytest.raises(GatewayAmbiguous):
        await driver.unregister(WHO)


async def test_nobody_listens(start: Start, unused_tcp_port: int) -> None:
    """Fails when a call that was never sent counts as one that may have happened."""
    driver = await start(answering(204), endpoint=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(GatewayUnreachable):
        await driver.register(REGISTRATION)


async def test_a_driver_that_was_closed(start: Start) -> None:
    """Fails when a RuntimeGateway that is deleted in the middle of a check ends the operator."""
    driver = await start(answering(204))
    await driver.close()
    with pytest.raises(GatewayUnreachable, match="closed"):
        await driver.client_ids("acme")
    with pytest.raises(GatewayUnreachable, match="closed"):
        await driver.register(REGISTRATION)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2Fb", "-a", "a b", "a" * 129, "a\n"])
async def test_names_that_could_lead_elsewhere(name: str, start: Start) -> None:
    """Fails when a tenant's name gets into a URL unchecked."""
    driver = await start(answering(200, "[]"))
    with pytest.raises(GatewayRefused):
        await driver.read(Identity(name, "shop", "1.0"))
    with pytest.raises(GatewayRefused):
        await driver.unregister(Identity("acme", "shop", name))
    with pytest.raises(GatewayRefused):
        await driver.client_ids(name)


@pytest.mark.parametrize("key", ["", "short", "API::acme|orders|1.0", "x" * 129, "with space " * 3, f"{KEY}\n"])
async def test_keys_that_could_be_something_else(key: str, start: Start) -> None:
    """Fails when a key can overwrite the gateway's own entries."""
    driver = await start(answering(204))
    bad = Registration(organization="acme", client_id="shop", version="1.0", api_key=key, contracts=())
    with pytest.raises(GatewayRefused) as caught:
        await driver.register(bad)
    assert not key or key not in str(caught.value)


async def test_endpoints(start: Start) -> None:
    """Fails when the URL to call is not the public one, or one that makes no sense is handed to consumers."""
    driver = await start(answering(200, '{"endpoint":"http://said/x"}'), public="https://public/")
    assert await driver.endpoint(organization="acme", api="orders", version="1.0") == "https://public/acme/orders/1.0"
    asking = await start(answering(200, '{"endpoint":"http://said/x"}'))
    assert await asking.endpoint(organization="acme", api="orders", version="1.0") == "http://said/x"
    wrong = await start(answering(200, '{"endpoint":"javascript:alert(1)"}'))
    with pytest.raises(GatewayUnreachable):
        await wrong.endpoint(organization="acme", api="orders", version="1.0")


def test_nothing_secret_in_a_repr() -> None:
    """Fails when a registration in a log shows its key, or a policy its configuration."""
    assert KEY not in repr(REGISTRATION) and '{"a":1}' not in repr(REGISTRATION)


async def test_tls(tmp_path: Path, start: Start) -> None:
    """Fails when a certificate is not checked against the bundle, or the bundle is ignored."""
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=gateway -addext subjectAltName=IP:127.0.0.1"
    arguments = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, arguments, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answering(200, "[]"))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"

    def driver(bundle: str | None) -> ApimanDriver:
        return ApimanDriver(endpoint=url, public_endpoint="", username="u", password="p", seam=direct, ca_bundle=bundle)

    trusted, untrusted = driver(certificate.read_text()), driver(None)
    assert await trusted.organizations() == ()
    with pytest.raises(GatewayUnreachable):
        await untrusted.organizations()
    with pytest.raises(GatewayUnreachable, match="caBundle"):
        driver("no certificate")
    for one in (trusted, untrusted):
        await one.close()
    await runner.cleanup()


async def test_each_call_is_counted(start: Start, unused_tcp_port: int) -> None:
    """Fails when a call, or one without an answer, is left out of the metrics, or a 404 that is an answer is called an error."""
    seen: list[tuple[str, str]] = []

    def answered(operation: str, code: str, seconds: float) -> None:
        assert 0 <= seconds < 5
        seen.append((operation, code))

    there = await start(answering(404), answered=answered)
    assert await there.read(WHO) is None
    refusing = await start(answering(500, TRACE), answered=answered)
    with pytest.raises(GatewayAmbiguous):
        await refusing.register(REGISTRATION)
    nobody = await start(answering(200), endpoint=f"http://127.0.0.1:{unused_tcp_port}", answered=answered)
    with pytest.raises(GatewayUnreachable):
        await nobody.probe()
    assert seen == [("read", "404"), ("register", "500"), ("probe", "<error>")]
