"""Asks the operator for an action on Clients, by its annotation, and follows what becomes of it in their statuses.

Every call makes a token of its own, so that it fires once and is told apart from every other; all Clients of one call get the same one.

Invariants: nothing of a Client but the one annotation is written; what one Client refuses does not keep the others from being asked; an outcome is
the operator's own word, or says that none came in time. What this module deliberately does not do: carry anything out, or take an action back.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from registrar.cli.cluster import Session, explained
from registrar.cli.errors import Exit, NotFound
from registrar.cli.reading import Json, action, deleting, handled, name, namespace, word
from registrar.errors import KubeError, KubeNotFound, KubeUnavailable
from registrar.kube.client import CLIENTS
from registrar.resources.base import GROUP

_POLL = 0.5
"""Seconds between two looks at what is still under way."""
_ONE_BY_ONE = 20
"""Up to so many Clients are read each for itself; more of them by lists."""


class Result(StrEnum):
    """How it ended for one Client; the first three are the operator's words."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    ASKED = "Asked"
    WOULD_ASK = "WouldAsk"
    REFUSED = "Refused"
    GONE = "Gone"
    TIMED_OUT = "TimedOut"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one Client; `exit_code` is what the failure to ask ends with."""

    namespace: str
    name: str
    result: Result
    message: str = ""
    exit_code: Exit = Exit.OK


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: the verb, its token, and whether only to try whether the API server would take it."""

    verb: str
    token: str
    dry_run: bool = False


def new_token() -> str:
    """A token that no other call makes; it begins with the time, so that people can sort by it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(4)}"


async def choose(session: Session, names: tuple[str, ...], *, selector: str = "") -> list[Json]:
    """The Clients of those names, or all in scope that the selector selects and nobody deletes; raises NotFound when there is none."""
    if names:
        return [await session.get(CLIENTS, each) for each in dict.fromkeys(names)]
    rows = [row for row in await session.items(CLIENTS, label_selector=selector) if not deleting(row)]
    if not rows:
        where = "any namespace" if session.all_namespaces else f"namespace {session.namespace}"
        meant = f" with labels {selector}" if selector else ""
        raise NotFound(
            f"There is no Client{meant} in {where}.", step="See which there are: kubectl registrar status -A"
        )
    return sorted(rows, key=lambda row: (namespace(row), name(row)))


async def ask(session: Session, clients: list[Json], order: Order, *, done: Callable[[], None]) -> list[Outcome]:
    """Set the annotation on each Client; `done` is called after each of them."""

    async def one(found: Json) -> Outcome:
        where, called = namespace(found), name(found)
        try:
            await session.annotate(
                called, {f"{GROUP}/{order.verb}": order.token}, namespace=where, dry_run=order.dry_run
            )
        except KubeNotFound:
            return Outcome(where, called, Result.GONE, "It was deleted in between.", Exit.NOT_FOUND)
        except KubeError as error:
            said = explained(error, server=session.server)
            return Outcome(where, called, Result.REFUSED, f"{said.message} {said.step}".strip(), said.exit_code)
        finally:
            done()
        return Outcome(where, called, Result.WOULD_ASK if order.dry_run else Result.ASKED)

    return list(await asyncio.gather(*(one(found) for found in clients)))


async def follow(
    session: Session, asked: list[Outcome], order: Order, *, timeout: float, done: Callable[[], None]
) -> list[Outcome]:
    """Wait for at most `timeout` seconds until the operator has handled the token of each Client that was asked."""
    ended = {(row.namespace, row.name): row for row in asked if row.result is not Result.ASKED}
    open_ = {(row.namespace, row.name) for row in asked} - set(ended)
    deadline = time.monotonic() + timeout
    while open_:
        try:
            looked = await _look(session, open_)
        except KubeUnavailable:
            # An API server that restarts in the middle of a long wait is no reason to give up before the time is over.
            if time.monotonic() >= deadline:
                raise
            looked = {}
        for key, found in looked.items():
            if (outcome := outcome_of(found, order, key=key)) is not None:
                ended[key] = outcome
                open_.discard(key)
                done()
        if not open_ or time.monotonic() >= deadline:
            break
        await asyncio.sleep(_POLL)  # between two looks
    for where, called in open_:
        said = f"{order.verb} was not finished in {timeout:.0f} s; it may still be carried out. See: kubectl registrar why {called} -n {where}"
        ended[where, called] = Outcome(where, called, Result.TIMED_OUT, said)
    return [ended[row.namespace, row.name] for row in asked]


async def _look(session: Session, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Json | None]:
    """The Clients as they are now; None for one that is gone."""
    if len(wanted) <= _ONE_BY_ONE:
        order = sorted(wanted)
        found = await asyncio.gather(*(session.find(CLIENTS, called, namespace=where) for where, called in order))
        return dict(zip(order, found, strict=True))
    spaces = {where for where, _ in wanted}
    rows = await session.items(CLIENTS, namespace=spaces.pop() if len(spaces) == 1 else "")
    known = {(namespace(row), name(row)): row for row in rows}
    return {key: known.get(key) for key in wanted}


def outcome_of(found: Json | None, order: Order, *, key: tuple[str, str]) -> Outcome | None:
    """What the Client's status says of the token; None while it says nothing."""
    where, called = key
    if found is None:
        return Outcome(where, called, Result.GONE, "It was deleted in between.", Exit.NOT_FOUND)
    entry = action(found, order.verb)
    if word(entry, "inProgressToken") == order.token or not handled(found, order.verb, order.token):
        return None
    if word(entry, "lastHandledToken") != order.token:
        return Outcome(
            where, called, Result.SKIPPED, "A later token was handled after this one; see status for its outcome."
        )
    said = word(entry, "outcome")
    known = Result(said) if said in (Result.SUCCEEDED, Result.FAILED, Result.SKIPPED) else Result.SKIPPED
    return Outcome(where, called, known, word(entry, "message"))


def exit_code(outcomes: list[Outcome]) -> Exit:
    """One code for all: what could not be asked for comes before what failed, and that before what was not finished in time."""
    for row in outcomes:
        if row.exit_code is not Exit.OK:
            return row.exit_code
    results = {row.result for row in outcomes}
    if results & {Result.FAILED, Result.SKIPPED}:
        return Exit.NOT_AS_WANTED
    return Exit.TIMED_OUT if Result.TIMED_OUT in results else Exit.OK
