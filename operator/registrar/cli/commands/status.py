"""`status [CLIENT]`: everything about one Client as a tree, or all Clients as a table.

Invariants: it reads and never writes. What this module deliberately does not do: say what to do about a problem; `why` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from registrar.cli import options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from rich.table import Table

    from registrar.cli.cluster import Session
    from registrar.cli.reading import Json


def status(
    client: options.OptionalClientName = None,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Show a Client with its contracts, policies, gateways, key and pending changes; without CLIENT a table of all."""
    from registrar.cli.cluster import run
    from registrar.cli.errors import Usage

    if client is not None and all_namespaces:
        raise Usage("A Client's name and -A don't go together.", step="Use -n NAMESPACE.")
    target = Target(context=context, namespace=namespace, all_namespaces=all_namespaces, kubeconfig=kubeconfig)

    async def work(session: Session) -> int:
        if client is None:
            await _all(session, output)
        else:
            await _one(session, client, output)
        return 0

    raise typer.Exit(run(target, work))


async def _one(session: Session, client: str, output: Form | None) -> None:
    """The tree of one Client, or the objects that it is made of."""
    import time

    from registrar.cli.clienttree import ClientView, client_tree
    from registrar.cli.gather import contracts_of, readable_gateways
    from registrar.cli.output import data, show
    from registrar.kube.client import CLIENTS

    found = await session.get(CLIENTS, client)
    contracts = await contracts_of(session, client)
    if output in (Form.JSON, Form.YAML):
        data({"client": found, "contracts": list(contracts)}, output)
        return
    gateways = await readable_gateways(session) or {}
    view = ClientView(client=found, contracts=contracts, gateways=gateways, now=time.time())
    show(client_tree(view, wide=output is Form.WIDE))


async def _all(session: Session, output: Form | None) -> None:
    """The table of all Clients in scope."""
    import sys
    import time

    from registrar.cli.output import data, say, show
    from registrar.kube.client import CLIENTS

    rows = await session.items(CLIENTS)
    if output in (Form.JSON, Form.YAML):
        data({"apiVersion": CLIENTS.api_version, "kind": "ClientList", "items": rows}, output)
        return
    if not rows:
        where = "any namespace" if session.all_namespaces else f"namespace {session.namespace}"
        say(f"There is no Client in {where}.", stream=sys.stderr)
        return
    show(_table(rows, wide=output is Form.WIDE, namespaces=session.all_namespaces, now=time.time()))


def _table(found: list[Json], *, wide: bool, namespaces: bool, now: float) -> Table:
    """The table; `now` is in seconds since the epoch."""
    from registrar.cli.clienttree import BAD, PHASE_STYLES
    from registrar.cli.output import table, text
    from registrar.cli.reading import age, condition, deleting, name, namespace, phase, word

    columns = ["NAME", "PHASE", "LIVE", "PENDING", "GATEWAY", "KEY AGE", "REASON", "AGE"]
    columns = ["NAMESPACE", *columns] if namespaces else columns
    made = table(*columns, *(("ORGANIZATION", "CLIENT ID", "VERSION") if wide else ()))
    for row in sorted(found, key=lambda each: (namespace(each), name(each))):
        word_ = "Terminating" if deleting(row) else phase(row) or "Unknown"
        cells = [
            text(name(row)),
            text(word_, PHASE_STYLES.get(word_, BAD)),
            text(word(row, "status", "contracts", "summary")),
            text(word(row, "status", "contracts", "pendingChanges")),
            text(word(row, "status", "identity", "gateway")),
            text(age(word(row, "status", "apiKey", "createdAt"), now=now)),
            text(condition(row, "Ready").reason),
            text(age(word(row, "metadata", "creationTimestamp"), now=now)),
        ]
        identity = [text(word(row, "status", "identity", part)) for part in ("organization", "clientId", "version")]
        made.add_row(*([text(namespace(row))] if namespaces else ()), *cells, *(identity if wide else ()))
    return made
