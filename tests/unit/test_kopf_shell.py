"""What Kopf is told not to keep."""

from __future__ import annotations

import asyncio
import inspect

import kopf

from registrar.kopf_shell import _NoMemories


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
