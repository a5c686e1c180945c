"""`diff CLIENT`: what reregister would change, as the operator works it out, in the manner of a diff.

Invariants: it reads and never writes; exit code 0 when there is nothing to publish, 1 when there is. What this module deliberately does not do: work
the difference out itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from registrar.cli import options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from registrar.cli.cluster import Session
    from registrar.cli.reading import Json


def diff(
    client: options.ClientName,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
    timeout: options.Timeout = 15.0,
) -> None:
    """Show what reregister would change; the exit code is 1 if there is anything.

    If the Client itself was changed a moment ago, the operator gets --timeout seconds to see it.
    """
    from registrar.cli.cluster import run

    async def work(session: Session) -> int:
        found = await _seen(session, client, timeout)
        return _print(found, output)

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))


async def _seen(session: Session, client: str, timeout: float) -> Json:
    """The Client, once the operator has seen its present generation; raises TimedOut when it does not within `timeout` seconds."""
    import asyncio
    import time

    from registrar.cli.errors import TimedOut
    from registrar.cli.reading import behind
    from registrar.kube.client import CLIENTS

    deadline = time.monotonic() + timeout
    while True:
        found = await session.get(CLIENTS, client)
        if not behind(found):
            return found
        if time.monotonic() >= deadline:
            raise TimedOut(
                f"The operator has not seen the latest change of Client {client} in {timeout:.0f} s.",
                step=f"See why: kubectl registrar why {client} -n {session.namespace}",
            )
        await asyncio.sleep(0.25)  # between two looks


def _print(found: Json, output: Form | None) -> int:
    from registrar.cli.clienttree import change_line
    from registrar.cli.errors import Exit
    from registrar.cli.output import data, say, show
    from registrar.cli.reading import name, namespace, rows, section

    changes = rows(found, "status", "pendingChanges")
    hidden = int(section(found, "status").get("pendingChangesTruncated") or 0)
    code = int(Exit.NOT_AS_WANTED if changes else Exit.OK)
    if output in (Form.JSON, Form.YAML):
        data({"pendingChanges": changes, "pendingChangesTruncated": hidden}, output)
        return code
    if not changes:
        say(f"Client {namespace(found)}/{name(found)} has no pending changes.", stream=sys.stderr)
    for change in changes:
        show(change_line(change))
    if hidden:
        say(f"and {hidden} more", "dim")
    return code
