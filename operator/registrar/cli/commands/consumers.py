"""`consumers ORG/API[/VERSION]`: who has Contracts for an API, across all namespaces.

Invariants: it reads and never writes; a Contract counts for the version that it asks for and for the one that is live. What this module deliberately
does not do: show calls; the gateway counts them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from rich.table import Table

    from registrar.cli.cluster import Session
    from registrar.cli.reading import Json

Api = Annotated[
    str, typer.Argument(metavar="ORG/API[/VERSION]", help="The API; all versions without VERSION.", show_default=False)
]


def consumers(
    api: Api,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Show who may call an API: the Contracts for it in all namespaces, or in one with -n."""
    from registrar.cli.cluster import run
    from registrar.cli.errors import Usage

    parts = api.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise Usage(
            f"{api} is no API.", step="Write it as ORGANIZATION/API/VERSION, or ORGANIZATION/API for all versions."
        )
    organization, called, version = (*parts, "")[:3]

    async def work(session: Session) -> int:
        from registrar.cli.output import data, say, show
        from registrar.kube.client import CONTRACTS

        rows = [row for row in await session.items(CONTRACTS) if is_for(row, organization, called, version)]
        if output in (Form.JSON, Form.YAML):
            data({"apiVersion": CONTRACTS.api_version, "kind": "ContractList", "items": rows}, output)
        elif not rows:
            say(f"Nobody has a Contract for {api}.", stream=sys.stderr)
        else:
            show(_table(rows, wide=output is Form.WIDE))
        return 0

    target = Target(context=context, namespace=namespace, all_namespaces=not namespace, kubeconfig=kubeconfig)
    raise typer.Exit(run(target, work))


def is_for(contract: Json, organization: str, called: str, version: str) -> bool:
    """Whether a Contract asks for that API, or is live with it; an empty version means every one."""
    from registrar.cli.reading import section, word

    wanted = section(contract, "spec", "api")
    if (word(wanted, "organization"), word(wanted, "name")) != (organization, called):
        return False
    return not version or version in (word(wanted, "version"), word(contract, "status", "liveVersion"))


def _table(found: list[Json], *, wide: bool) -> Table:
    from registrar.cli.clienttree import BAD, PHASE_STYLES
    from registrar.cli.output import table, text
    from registrar.cli.reading import condition, name, namespace, phase, word

    more = ("LIVE PLAN", "LIVE VERSION", "GATEWAY", "EXPIRES") if wide else ()
    made = table("NAMESPACE", "CLIENT", "CONTRACT", "VERSION", "PLAN", "PHASE", "REASON", *more)
    for row in sorted(found, key=lambda each: (namespace(each), word(each, "spec", "clientRef", "name"), name(each))):
        cells = [
            text(namespace(row)),
            text(word(row, "spec", "clientRef", "name")),
            text(name(row)),
            text(word(row, "spec", "api", "version")),
            text(word(row, "spec", "plan")),
            text(phase(row) or "Unknown", PHASE_STYLES.get(phase(row), BAD)),
            text(condition(row, "Ready").reason),
        ]
        extra = [text(word(row, "status", field)) for field in ("livePlan", "liveVersion", "gateway")]
        made.add_row(*cells, *((*extra, text(word(row, "spec", "expiresAt"))) if wide else ()))
    return made
