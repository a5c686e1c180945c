"""`log CLIENT`: what was done for a Client on its gateways, by whom, and how it ended; the newest last.

Invariants: it reads and never writes. What this module deliberately does not do: show more than the twenty entries that the status keeps; the audit log has all.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from registrar.cli import options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from registrar.cli.cluster import Session


def log(
    client: options.ClientName,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Show what was done for a Client: when, what, who asked for it, and how it ended."""
    from registrar.cli.cluster import run

    async def work(session: Session) -> int:
        from registrar.cli.output import data, say, show, table, text
        from registrar.cli.reading import rows, word
        from registrar.kube.client import CLIENTS

        entries = rows(await session.get(CLIENTS, client), "status", "changeLog")
        if output in (Form.JSON, Form.YAML):
            data(entries, output)
            return 0
        if not entries:
            say(f"Nothing was done for Client {session.namespace}/{client} yet.", stream=sys.stderr)
            return 0
        made = table("TIME", "WHAT", "BY", "OUTCOME", "DETAIL")
        styles = {"Succeeded": "green", "Failed": "red"}
        for row in entries:
            outcome = word(row, "outcome")
            cells = [text(word(row, field)) for field in ("time", "what", "by")]
            made.add_row(*cells, text(outcome, styles.get(outcome, "yellow")), text(word(row, "detail")))
        show(made)
        return 0

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))
