"""`status [CLIENT]`: everything about one Client as a tree, or all Clients as a table.

Invariants: it reads and never writes. What this module deliberately does not do: say what to do about a problem; `why` does.
"""

from __future__ import annotations

import typer

from registrar.cli import options
from registrar.cli.options import Form, Target


def status(
    client: options.OptionalClientName = None,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Show a Client with its contracts, policies, gateways, key and pending changes; without CLIENT a table of all."""
    from registrar.cli.cluster import Json, Session, run
    from registrar.cli.errors import Usage
    from registrar.cli.output import data, show, table, text
    from registrar.kube.client import CLIENTS

    if client is not None and all_namespaces:
        raise Usage("A Client's name and -A don't go together.", step="Use -n NAMESPACE.")

    async def work(session: Session) -> int:
        rows = [await session.get(CLIENTS, client)] if client is not None else await session.items(CLIENTS)
        if output in (Form.JSON, Form.YAML):
            data(rows, output)
            return 0
        made = table("NAMESPACE", "NAME", "PHASE")
        for row in rows:
            made.add_row(*(text(value) for value in _cells(row)))
        show(made)
        return 0

    def _cells(row: Json) -> tuple[str, str, str]:
        return row["metadata"]["namespace"], row["metadata"]["name"], row["status"].get("phase", "")

    target = Target(context=context, namespace=namespace, all_namespaces=all_namespaces, kubeconfig=kubeconfig)
    raise typer.Exit(run(target, work))
