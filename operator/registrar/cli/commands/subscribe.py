"""`subscribe CLIENT API --plan PLAN`: writes or applies the Contract, waits until it is live, and shows the call to try.

Invariants: with -o nothing is changed; a Contract that exists is changed only after a yes; the key is never read. What this module deliberately does not do: publish
what else waits (see `reregister`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import completion, options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registrar.cli.cluster import Json, Session
    from registrar.cli.subscription import Offers, Wanted

_POLL = 0.3
"""Seconds between two looks at the Contract."""


def subscribe(
    client: options.ClientName,
    api: Annotated[
        str,
        typer.Argument(
            metavar="API", help="ORGANIZATION/NAME/VERSION; asked for on a terminal when left out.", show_default=False
        ),
    ] = "",
    plan: Annotated[
        str,
        typer.Option("--plan", help="The API owner's plan; asked for on a terminal when left out.", show_default=False),
    ] = "",
    gateway: Annotated[
        str,
        typer.Option(
            "--gateway",
            help="The RuntimeGateway that the API is on, if it is not the Client's.",
            autocompletion=completion.gateways,
            show_default=False,
        ),
    ] = "",
    name: Annotated[
        str, typer.Option("--name", help="The Contract's name; CLIENT-API when left out.", show_default=False)
    ] = "",
    expires_at: Annotated[
        str,
        typer.Option("--expires-at", help="When the Contract ends, such as 2027-01-31T12:00:00Z.", show_default=False),
    ] = "",
    output: Annotated[
        Form | None,
        typer.Option(
            "--output", "-o", help="Print the manifest (yaml or json) and change nothing.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before a Contract is made or changed.")] = False,
    timeout: options.Timeout = 60.0,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Let a Client call an API: make the Contract, wait until it is live, and show the call to try.

    A Contract that the Client has for the API already is changed in place. Exit code 1 when it can't become live as things are, with the reason.
    """
    from registrar.cli.cluster import run
    from registrar.cli.errors import Usage

    if output is Form.WIDE:
        raise Usage("A manifest is printed as yaml or json.", step="Use -o yaml.")

    async def work(session: Session) -> int:
        from registrar.cli.subscription import existing, home_of, manifest
        from registrar.kube.client import CLIENTS, CONTRACTS

        # A manifest may be wanted before there is a Client.
        owner = await (session.get(CLIENTS, client) if output is None else session.find(CLIENTS, client))
        wanted = await _wanted(session, client, api, plan, gateway=gateway, name=name, expires_at=expires_at)
        found = existing(wanted, await session.items(CONTRACTS, namespace=session.namespace), home=home_of(owner))
        body = manifest(wanted, found)
        if output is not None:
            return _print(body, output)
        _agree(wanted, body, found, yes=yes)
        await _apply(session, body)
        return await _live(session, str(body["metadata"]["name"]), timeout)

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))


def _print(body: Json, output: Form) -> int:
    import sys

    from registrar.cli.manifest_yaml import as_yaml
    from registrar.cli.output import data

    if output is Form.YAML:
        sys.stdout.write(as_yaml([body]))
    else:
        data(body, output)
    return 0


# What is asked for ---------------------------------------------------------------------------------------------------


async def _wanted(
    session: Session, client: str, api: str, plan: str, *, gateway: str, name: str, expires_at: str
) -> Wanted:
    """What the user wants, with the answers to what was left out."""
    from registrar.cli.subscription import Wanted, apis, check_time, parse_api, plans

    check_time(expires_at)
    if api:
        parse_api(api)
    offers = await _offers(session) if not (api and plan) else None
    if offers is not None and not api:
        api = _ask("API", "Which API", apis(offers))
    reference = parse_api(api)
    if offers is not None and not plan:
        plan = _ask("--plan", f"Which plan for {reference}", plans(offers, reference))
    return Wanted(client, session.namespace, reference, plan, gateway, name, expires_at)


async def _offers(session: Session) -> Offers:
    from registrar.cli.gather import permitted
    from registrar.cli.subscription import Offers
    from registrar.kube.client import CONTRACTS, GRANTS

    everywhere = await permitted(session.items(CONTRACTS, namespace=""))
    contracts = await session.items(CONTRACTS, namespace=session.namespace) if everywhere is None else everywhere
    grants = await permitted(session.items(GRANTS, namespace=""))
    return Offers(tuple(grants or ()), tuple(contracts), session.namespace)


def _terminal() -> bool:
    import sys

    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(argument: str, question: str, known: Sequence[str]) -> str:
    """Ask for what was left out; raises Usage where nobody can be asked."""
    from registrar.cli.errors import Usage
    from registrar.cli.output import clean

    shown = ", ".join(clean(row) for row in known)
    if not _terminal():
        step = f"Known ones: {shown}." if known else "Ask the API's owner which there are."
        raise Usage(f"{argument} is missing, and there is no terminal to ask on.", step=step)
    hint = f" ({shown})" if known else ""
    return str(typer.prompt(f"{question}{hint}", default=known[0] if len(known) == 1 else None, err=True))


def _agree(wanted: Wanted, body: Json, found: Json | None, *, yes: bool) -> None:
    """Make sure that the user wants it: a change of what exists needs a yes, also where nobody can be asked."""
    import sys

    from registrar.cli.errors import Usage
    from registrar.cli.output import say
    from registrar.cli.subscription import changes

    name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
    differs = changes(wanted, found) if found is not None else ()
    if found is not None and differs and not yes and not _terminal():
        raise Usage(f"Contract {name} exists, and would change: {'; '.join(differs)}.", step="Say --yes to change it.")
    what = f"Contract {name}: {wanted.api} on plan {wanted.plan}"
    say(f"{what} ({'; '.join(differs)})" if differs else what, stream=sys.stderr)
    if not yes and _terminal() and (found is None or differs):
        typer.confirm("Change it?" if found is not None else "Make it?", default=True, abort=True, err=True)


async def _apply(session: Session, body: Json) -> None:
    from registrar.cli.cluster import FIELD_MANAGER
    from registrar.cli.errors import Refused
    from registrar.errors import KubeConflict
    from registrar.kube.client import CONTRACTS
    from registrar.seam import Site

    try:
        await session.kube.apply(
            CONTRACTS, namespace=session.namespace, body=body, field_manager=FIELD_MANAGER, site=Site.CLI_WRITE
        )
    except KubeConflict as error:
        raise Refused(
            f"Contract {body['metadata']['name']} is managed by somebody else: {error}.",
            step="Change it where it is managed; -o yaml prints what it should be.",
        ) from error


# Waiting -------------------------------------------------------------------------------------------------------------


async def _live(session: Session, name: str, timeout: float) -> int:
    """Wait until the Contract is live, or can't become so; says which."""
    import asyncio
    import time

    from registrar.cli.blocked import finding, say_why
    from registrar.cli.errors import Exit, TimedOut
    from registrar.cli.reading import behind, condition
    from registrar.kube.client import CONTRACTS

    subject, deadline = f"contract/{name}", time.monotonic() + timeout
    while True:
        found = await session.get(CONTRACTS, name)
        ready = condition(found, "Ready")
        if not behind(found) and ready.true:
            await _show(session, found)
            return int(Exit.OK)
        if not behind(found) and ready.reason:
            blocks = await finding(session, subject)
            if blocks is not None and not blocks.waits:
                await say_why(
                    session, subject, instead=f"Contract {name} is made, and can't become live as things are:"
                )
                return int(Exit.NOT_AS_WANTED)
        if time.monotonic() >= deadline:
            await say_why(session, subject, instead=f"Contract {name} is made, and not live yet.")
            raise TimedOut(
                f"Contract {name} was not live within {timeout:g} s.",
                step=f"It may still become so: kubectl registrar why {subject} -n {session.namespace}",
            )
        await asyncio.sleep(_POLL)


async def _show(session: Session, contract: Json) -> None:
    """The endpoint and the call to try."""
    from registrar.cli.calling.explain import secret_name
    from registrar.cli.output import say
    from registrar.cli.reading import word
    from registrar.cli.subscription import to_try
    from registrar.kube.client import CLIENTS
    from registrar.kube.secrets import HEADER_NAME

    client = await session.get(CLIENTS, word(contract, "spec", "clientRef", "name"))
    say(f"Live: {word(contract, 'status', 'endpoint')}", "green")
    say("To try it:")
    for line in to_try(contract, client, secret=secret_name(client), header=HEADER_NAME).splitlines():
        say(f"  {line}", "cyan")
