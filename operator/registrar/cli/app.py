"""The commands of `kubectl registrar`, put together.

Invariants: no module of a command imports anything slow at its top, so `--help` answers at once. What this module deliberately does not do: anything itself.
"""

from __future__ import annotations

from typing import Annotated

import typer

from registrar import __version__
from registrar.cli.commands import actions, call, consumers, diff, force_delete, import_, log, status, subscribe, why

PROGRAM = "kubectl registrar"
COMPLETE_VARIABLE = "_KUBECTL_REGISTRAR_COMPLETE"

app = typer.Typer(
    name=PROGRAM,
    help="See and act on the Clients, Contracts and Policies of gateway-registrar, with your own kubeconfig and rights.",
    epilog=(
        "Exit codes: 0 as wanted, 1 not as wanted (a difference, a problem, an action that did not succeed), 2 wrong usage, 3 no cluster, 4 no rights, "
        "5 no CRDs or another version of them, 6 not found, 7 time is up, 8 a gateway, 9 refused by the API server, 10 a defect, 130 interrupted, 141 nobody reads."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("status")(status.status)
app.command("why")(why.why)
app.command("diff")(diff.diff)
app.command("log")(log.log)
app.command("consumers")(consumers.consumers)
app.command("reregister")(actions.reregister)
app.command("unregister")(actions.unregister)
app.command("rotate-key")(actions.rotate_key)
app.command("force-delete")(force_delete.force_delete)
app.command("subscribe")(subscribe.subscribe)
app.command("call")(call.call)
app.command("import")(import_.import_)
