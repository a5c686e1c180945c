"""Reading a list ahead, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from registrar.errors import KubeGone
from registrar.kube.client import Page
from registrar.kube.pages import ahead

pytestmark = pytest.mark.looptime


async def slow(*, fail_at: int = 99, asked: list[int] | None = None) -> AsyncIterator[Page]:
    """Five pages that take a second each."""
    for number in range(5):
        if asked is not None:
            asked.append(number)
        await asyncio.sleep(1)
        if number == fail_at:
            raise KubeGone("the list got too old")
        yield Page([{"number": number}], "7")


async def test_the_next_page_is_made_while_one_is_used() -> None:
    """Fails when reading and taking in wait for each other, or a page is lost, doubled or out of order."""
    began, seen = asyncio.get_running_loop().time(), []
    async for page in ahead(slow()):
        seen.append(page.items[0]["number"])
        await asyncio.sleep(1)
    assert seen == [0, 1, 2, 3, 4]
    assert asyncio.get_running_loop().time() - began == pytest.approx(6)


async def test_an_error_comes_after_the_pages_before_it() -> None:
    """Fails when an error is swallowed, or takes a good page with it."""
    seen = []
    with pytest.raises(KubeGone):
        async for page in ahead(slow(fail_at=2)):
            seen.append(page.items[0]["number"])
    assert seen == [0, 1]


async def test_who_stops_reading_stops_the_calls() -> None:
    """Fails when calls go on for a reader that has gone, or more than one page is read ahead."""
    asked: list[int] = []
    pages = ahead(slow(asked=asked))
    assert (await anext(pages)).items == [{"number": 0}]
    await asyncio.sleep(10)
    assert asked == [0, 1]
    await pages.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(10)
    assert asked == [0, 1]
