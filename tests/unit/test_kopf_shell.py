"""What Kopf is told not to keep, and not to ask for."""

from __future__ import annotations

import asyncio
import getpass
import inspect
import logging
import threading
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from registrar.clock import Jitter
from registrar.kopf_shell import KopfShell, _NoMemories
from registrar.kube.client import KubeClient
from registrar.kube.config import KubeAccess
from registrar.seam import direct


def _shell(access: KubeAccess) -> KopfShell:
    return KopfShell(
        access=access,
        client=KubeClient(access, seam=direct),
        deliver=lambda kind, type_, raw: None,
        relisted=lambda: None,
        restarted=lambda: None,
        jitter=Jitter(),
        watched=None,
    )


def test_kopf_keeps_no_memory_of_an_object() -> None:
    """Fails when each of 60,000 objects costs a kilobyte for handlers that are not used, or when Kopf asks its memories in another way."""

    async def seen_twice() -> list[int]:
        memories = _NoMemories()
        body: kopf.RawBody = {"metadata": {"uid": "u1"}}
        await memories.recall(body, noticed_by_listing=True, memobase=kopf.Memo())
        await memories.recall(body, noticed_by_listing=False, memobase=kopf.Memo())
        await memories.forget(body)
        return [len(list(memories.iter_all_memories())), len(list(memories.iter_all_daemon_memories()))]

    assert asyncio.run(seen_twice()) == [0, 0]
    assert "memories" in inspect.signature(kopf.operator).parameters


async def test_a_kopf_that_can_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a process that watches nothing calls itself ready, or does not when the streams have started after all."""
    shell = _shell(KubeAccess(server="http://127.0.0.1:1", ssl=None, authorization=lambda: ""))
    seen: list[bool] = []

    async def operator(*, ready_flag: threading.Event, **_: Any) -> None:
        seen.append(shell.failing)
        if len(seen) == 1:
            raise KeyError("anything")
        ready_flag.set()
        seen.append(shell.failing)

    monkeypatch.setattr(kopf, "operator", operator)
    loop = asyncio.get_running_loop()
    assert not shell.failing
    await shell._once(loop)
    assert shell.failing
    await shell._once(loop)
    assert seen == [False, True, False]
    assert not shell.failing
    await shell.client.close()


async def test_kopf_runs_as_a_user_without_a_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when a container's user, of whom /etc/passwd knows nothing, ends Kopf before its first request."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.setattr(getpass, "getuser", nameless)
    asked = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/apis":  # Kopf alone asks for this, when it looks for the kinds that it shall watch
            asked.set()
        return web.json_response({"items": [], "metadata": {}, "groups": [], "versions": [], "resources": []})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        access = KubeAccess(server=str(server.make_url("")), ssl=None, authorization=lambda: "Bearer invented")
        shell = _shell(access)
        running = asyncio.create_task(shell.run())
        try:
            with caplog.at_level(logging.WARNING, logger="registrar.kopf_shell"):
                await asyncio.wait_for(asked.wait(), timeout=20)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await shell.client.close()
    assert not [record for record in caplog.records if "Kopf ended" in record.getMessage()]
