"""`reregister`, `unregister` and `rotate-key`: ask the operator for an action, and with `--wait` say what came of it.

Invariants: the same options and exit codes for all three; what stops keys of several Clients from working is asked about first. What this module
deliberately does not do: the action itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import completion, options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from registrar.cli.acting import Order, Outcome
    from registrar.cli.cluster import Session
    from registrar.cli.reading import Json

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CLIENT", help="The names of Clients.", autocompletion=completion.clients, show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="All Clients of the namespace; with -A of all namespaces.")]
Selector = Annotated[str, typer.Option("--selector", "-l", help="Only Clients with these labels.", show_default=False)]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the operator is done, and report the outcome.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and let the API server check your rights.")
]
Revoke = Annotated[
    bool, typer.Option("--revoke", help="Stop every present key at once, without an overlap: for a leaked key.")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    verb: str
    names: tuple[str, ...]
    every: bool
    selector: str
    wait: bool
    timeout: float
    dry_run: bool
    yes: bool
    output: Form | None


def reregister(
    clients: Names = None,
    every: All = False,
    selector: Selector = "",
    wait: Wait = False,
    timeout: options.Timeout = 60.0,
    dry_run: DryRun = False,
    yes: options.Yes = False,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Publish the pending changes of Clients, or register retired ones again."""
    target = Target(context=context, namespace=namespace, all_namespaces=all_namespaces, kubeconfig=kubeconfig)
    _do(target, Wanted("reregister", tuple(clients or ()), every, selector, wait, timeout, dry_run, yes, output))


def unregister(
    clients: Names = None,
    every: All = False,
    selector: Selector = "",
    wait: Wait = False,
    timeout: options.Timeout = 60.0,
    dry_run: DryRun = False,
    yes: options.Yes = False,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Retire Clients: their keys open nothing until they are reregistered."""
    target = Target(context=context, namespace=namespace, all_namespaces=all_namespaces, kubeconfig=kubeconfig)
    _do(target, Wanted("unregister", tuple(clients or ()), every, selector, wait, timeout, dry_run, yes, output))


def rotate_key(
    clients: Names = None,
    every: All = False,
    selector: Selector = "",
    revoke: Revoke = False,
    wait: Wait = False,
    timeout: options.Timeout = 60.0,
    dry_run: DryRun = False,
    yes: options.Yes = False,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
) -> None:
    """Give Clients a new key; the present one works until the overlap ends, or with --revoke not a moment longer."""
    target = Target(context=context, namespace=namespace, all_namespaces=all_namespaces, kubeconfig=kubeconfig)
    verb = "revoke-key" if revoke else "rotate-key"
    _do(target, Wanted(verb, tuple(clients or ()), every, selector, wait, timeout, dry_run, yes, output))


def _do(target: Target, wanted: Wanted) -> None:
    """Check the arguments, then act."""
    from registrar.cli.cluster import run
    from registrar.cli.errors import Usage

    if wanted.names and (wanted.every or wanted.selector or target.all_namespaces):
        raise Usage("Names don't go together with --all, -l or -A.", step="Name Clients, or select them.")
    if not wanted.names and not wanted.every and not wanted.selector:
        raise Usage("No Client is named.", step="Name one or more, or use --all or -l SELECTOR.")

    async def work(session: Session) -> int:
        return await _act(session, wanted)

    raise typer.Exit(run(target, work))


_STOPS = {
    "unregister": "The keys of {count} Clients will open nothing until they are reregistered. Go on?",
    "revoke-key": "The present keys of {count} Clients will stop at once. Go on?",
}


async def _act(session: Session, wanted: Wanted) -> int:
    from registrar.cli.acting import Order, ask, choose, exit_code, follow, new_token
    from registrar.cli.errors import Exit
    from registrar.cli.output import say
    from registrar.cli.progress import confirm, counted

    found = await choose(session, wanted.names, selector=wanted.selector)
    order = Order(wanted.verb, new_token(), wanted.dry_run)
    question = _STOPS.get(wanted.verb, "")
    if (
        question
        and len(found) > 1
        and not wanted.dry_run
        and not confirm(question.format(count=len(found)), yes=wanted.yes)
    ):
        say("Nothing was done.", stream=sys.stderr)
        return int(Exit.NOT_AS_WANTED)
    with counted(f"asking for {order.verb}", len(found)) as done:
        outcomes = await ask(session, found, order, done=done)
    if wanted.wait and not wanted.dry_run:
        with counted(order.verb, len(found)) as done:
            outcomes = await follow(session, outcomes, order, timeout=wanted.timeout, done=done)
    _print(outcomes, order, found, wanted.output)
    return int(exit_code(outcomes))


def _print(outcomes: list[Outcome], order: Order, found: list[Json], output: Form | None) -> None:
    """One line for each Client, or all of it as data."""
    from dataclasses import asdict

    from registrar.cli.acting import Result
    from registrar.cli.output import data, say

    if output in (Form.JSON, Form.YAML):
        rows = [{key: value for key, value in asdict(row).items() if key != "exit_code"} for row in outcomes]
        data({"verb": order.verb, "token": order.token, "dryRun": order.dry_run, "clients": rows}, output)
        return
    styles = {Result.SUCCEEDED: "green", Result.ASKED: "", Result.WOULD_ASK: ""}
    for row, client in zip(outcomes, found, strict=True):
        said = {Result.ASKED: f"asked for, token {order.token}", Result.WOULD_ASK: "would be asked for (dry run)"}.get(
            row.result, f"{row.result}: {row.message}" if row.message else row.result.value
        )
        say(f"{row.namespace}/{row.name}  {order.verb} {said}", styles.get(row.result, "red"))
        if row.result is Result.WOULD_ASK:
            _preview(order.verb, client)


def _preview(verb: str, client: Json) -> None:
    """What the action would do, as far as the status says."""
    from registrar.cli.clienttree import change_line
    from registrar.cli.output import say, show
    from registrar.cli.reading import rows, word

    changes = rows(client, "status", "pendingChanges")
    live = word(client, "status", "contracts", "live") or "0"
    match verb:
        case "reregister" if changes:
            for change in changes:
                show(change_line(change))
        case "reregister":
            say("  nothing is pending")
        case "unregister":
            say(f"  {live} live contracts would be taken off; the key would open nothing")
        case "rotate-key":
            say("  a new key would be put into the Secret; the present one works until the overlap ends")
        case _:
            say("  a new key would be put into the Secret, and every present one would stop at once")
