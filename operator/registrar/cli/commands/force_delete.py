"""`force-delete`: let Clients go that wait for a gateway, although the gateway may still have them.

The operator remembers what it could not take off and goes on trying (`status.owed` of the RuntimeGateway), so the key works until then. That is said before it asks.

Invariants: only objects that are being deleted are touched, and only under the UID that was read: one that was made anew under the name is left alone.
What this module deliberately does not do: delete anything, or remove a finalizer.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from registrar.cli import options
from registrar.cli.commands.actions import All, Names
from registrar.cli.options import Target

if TYPE_CHECKING:
    from registrar.cli.cluster import Session
    from registrar.cli.reading import Json


def force_delete(
    clients: Names = None,
    every: All = False,
    yes: options.Yes = False,
    timeout: options.Timeout = 30.0,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Let Clients that are being deleted go at once, although a gateway that does not answer may still have them."""
    from registrar.cli.cluster import run
    from registrar.cli.errors import Usage

    names = tuple(clients or ())
    if bool(names) == every:
        raise Usage(
            "Name Clients, or use --all.", step="For example: kubectl registrar force-delete --all -n NAMESPACE"
        )
    if every and not namespace:
        raise Usage("--all needs a namespace to be named.", step="Add -n NAMESPACE.")

    async def work(session: Session) -> int:
        return await _let_go(session, names, yes=yes, timeout=timeout)

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))


async def _let_go(session: Session, names: tuple[str, ...], *, yes: bool, timeout: float) -> int:
    from registrar.cli.errors import Exit
    from registrar.cli.output import say
    from registrar.cli.progress import confirm
    from registrar.cli.reading import name, namespace

    found = await _terminating(session, names)
    if not found:
        say(f"No Client of namespace {session.namespace} is being deleted.", stream=sys.stderr)
        return int(Exit.OK)
    for row in found:
        say(f"{namespace(row)}/{name(row)}  {_holder(row)}", stream=sys.stderr)
    count = f"{len(found)} Clients" if len(found) > 1 else "this Client"
    question = (
        f"Let {count} go? A gateway that can't be reached may still have the registration, and its key works there until the operator "
        "could take it off; that is remembered in status.owed of the RuntimeGateway."
    )
    if not confirm(question, yes=yes):
        say("Nothing was done.", stream=sys.stderr)
        return int(Exit.NOT_AS_WANTED)
    return await _force(session, found, timeout=timeout)


def _holder(client: Json) -> str:
    """What the deletion waits for, in the operator's words."""
    from registrar.cli.reading import condition

    message = condition(client, "Ready").message
    return message.splitlines()[0] if message else "is being deleted"


async def _terminating(session: Session, names: tuple[str, ...]) -> list[Json]:
    """The Clients that are being deleted; raises Usage when a named one is not."""
    from registrar.cli.acting import choose
    from registrar.cli.errors import Usage
    from registrar.cli.reading import deleting, name
    from registrar.kube.client import CLIENTS

    if not names:
        return [row for row in await session.items(CLIENTS) if deleting(row)]
    found = await choose(session, names)
    for row in found:
        if not deleting(row):
            called = name(row)
            raise Usage(
                f"Client {session.namespace}/{called} is not being deleted.",
                step=f"Delete it first: kubectl -n {session.namespace} delete client {called} --wait=false",
            )
    return found


async def _force(session: Session, found: list[Json], *, timeout: float) -> int:
    """Set the annotation on each, and wait until they are gone."""
    import asyncio
    import time

    from registrar.cli.errors import Exit
    from registrar.cli.output import say
    from registrar.cli.reading import name, word
    from registrar.errors import KubeNotFound
    from registrar.kube.client import CLIENTS
    from registrar.resources.base import GROUP

    open_ = {name(row): word(row, "metadata", "uid") for row in found}
    for called, uid in open_.items():
        try:
            await session.annotate(called, {f"{GROUP}/force-delete": uid}, uid=uid)
        except KubeNotFound:
            # Gone in between: the look below sees it.
            continue
    deadline = time.monotonic() + timeout
    while open_:
        for called, uid in list(open_.items()):
            now = await session.find(CLIENTS, called)
            if now is None or word(now, "metadata", "uid") != uid:
                del open_[called]
                say(f"{session.namespace}/{called}  gone")
        if not open_ or time.monotonic() >= deadline:
            break
        await asyncio.sleep(0.25)  # between two looks
    for called in open_:
        say(
            f"{session.namespace}/{called}  was not let go in {timeout:.0f} s; see: kubectl registrar why {called} -n {session.namespace}",
            "red",
        )
    return int(Exit.TIMED_OUT if open_ else Exit.OK)
