"""Reads a list ahead: the API server makes the next page while the operator takes the last one in.

Invariants: one page ahead and no more, so that memory stays bounded; an error comes out where the page would have; nothing goes on once the reader has stopped.
What this module deliberately does not do: call the API server (see `KubeClient.list_pages`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from registrar.kube.client import Page


async def ahead(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The same pages in the same order, each asked for before the one before it is used up; raises what `pages` raises."""
    fetching = asyncio.create_task(_next(pages))
    try:
        while (page := await fetching) is not None:
            fetching = asyncio.create_task(_next(pages))
            yield page
    finally:
        fetching.cancel()
        # Its error, if it has one, belongs to a page that nobody wants any more.
        await asyncio.gather(fetching, return_exceptions=True)


async def _next(pages: AsyncIterator[Page]) -> Page | None:
    return await anext(pages, None)
