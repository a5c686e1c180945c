"""`call CONTRACT [PATH]`: one call of the API with the Client's key, and what the answer means.

Invariants: the key is read with the user's own rights, and is never printed; the answer goes to standard output, what it means to standard error.
What this module deliberately does not do: change anything, or follow a redirect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import completion, options
from registrar.cli.options import Target

if TYPE_CHECKING:
    from registrar.cli.calling.explain import Explanation, KeyRole
    from registrar.cli.calling.request import Answer
    from registrar.cli.cluster import Json, Session


def call(
    contract: Annotated[
        str,
        typer.Argument(
            metavar="CONTRACT", help="The name of a Contract.", autocompletion=completion.contracts, show_default=False
        ),
    ],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="What to call below the API's endpoint, with a query.")
    ] = "",
    method: Annotated[
        str, typer.Option("--request", "-X", help="The HTTP method; GET, or POST with -d.", show_default=False)
    ] = "",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="A header, as Name: value.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="The body; @FILE reads it from a file.", show_default=False)
    ] = None,
    key_file: Annotated[
        str,
        typer.Option(
            "--key-file",
            help="A file with the key to call with, - for standard input; the Client's current key when left out.",
            show_default=False,
        ),
    ] = "",
    timeout: options.Timeout = 30.0,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Call an API with the Client's key, and say what the answer means.

    Exit codes: 0 the API answered below 400, 1 its own error, 8 the gateway can't be reached or failed, 20 not live (the Contract, the key or the API), 21 a limit is
    used up, 22 another policy refused.
    """
    from registrar.cli.cluster import run

    async def work(session: Session) -> int:
        from registrar.cli.calling.request import Request, check_endpoint, headers_of, method_of, send, url_of
        from registrar.kube.client import CONTRACTS

        body = _body(data)
        headers, verb = headers_of(header or []), method_of(method, has_body=body is not None)
        url_of("", path)
        found = await session.get(CONTRACTS, contract)
        endpoint = str((found.get("status") or {}).get("endpoint") or "")
        if not endpoint:
            return await _not_live(session, contract)
        check_endpoint(endpoint)
        client, key, role = await _key(session, found, key_file)
        request = Request(verb, url_of(endpoint, path), key, headers, body)
        answer = await send(request, ca_bundle=await _ca_bundle(session, found), timeout=timeout)
        return _tell(found, client, role, answer)

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))


def _body(data: str | None) -> bytes | None:
    from pathlib import Path

    from registrar.cli.errors import Usage

    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise Usage(f"{data[1:]} can't be read ({error.strerror}).", step="Name a file behind @.") from error


async def _not_live(session: Session, contract: str) -> int:
    """Say why nothing can be called yet."""
    from registrar.cli.blocked import say_why
    from registrar.cli.errors import Exit

    await say_why(session, f"contract/{contract}", instead=f"Contract {contract} is not live yet: nothing was called.")
    return int(Exit.NOT_LIVE)


async def _key(session: Session, contract: Json, key_file: str) -> tuple[Json, str, KeyRole]:
    """The Client, the key to call with, and which of the Client's keys it is."""
    from registrar.cli.calling.explain import secret_name
    from registrar.cli.calling.keys import key_from, keys_of, role_of
    from registrar.cli.errors import NotFound
    from registrar.kube.client import CLIENTS

    client = await session.get(CLIENTS, contract["spec"]["clientRef"]["name"])
    wanted = key_from(key_file) if key_file else ""
    known = await keys_of(session, client, needed=not wanted)
    key = wanted or known.get("current", "")
    if not key:
        raise NotFound(
            f"Secret {secret_name(client)} has no valid key.",
            step=f"kubectl registrar why client/{client['metadata']['name']} -n {session.namespace}",
        )
    return client, key, role_of(key, known)


async def _ca_bundle(session: Session, contract: Json) -> str:
    """What the RuntimeGateway trusts, where the user may read it."""
    from registrar.cli.gather import permitted
    from registrar.cli.reading import word
    from registrar.kube.client import GATEWAYS

    gateway = word(contract, "status", "gateway")
    found = await permitted(session.find(GATEWAYS, gateway)) if gateway else None
    return word(found, "spec", "apiman", "caBundle")


def _tell(contract: Json, client: Json, role: KeyRole, answer: Answer) -> int:
    import time

    from registrar.cli.calling.explain import Subject, explain

    explanation = explain(Subject(contract, client, role, time.time()), answer)
    _show_body(answer)
    _show(explanation, answer, endpoint=str(contract["status"]["endpoint"]))
    return int(explanation.exit_code)


def _show_body(answer: Answer) -> None:
    """The body: to a terminal with its control characters escaped, else byte for byte."""
    import sys

    from registrar.cli.output import say

    if sys.stdout.isatty():
        say(answer.body.decode(errors="replace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(answer.body)
    sys.stdout.buffer.flush()


def _show(explanation: Explanation, answer: Answer, *, endpoint: str) -> None:
    import sys

    from registrar.cli.calling.request import in_the_clear
    from registrar.cli.output import say

    fine = answer.status < 400
    say(f"{answer.status}: {explanation.said}", "green" if fine else "bold red", stream=sys.stderr)
    if explanation.step:
        say(explanation.step, stream=sys.stderr)
    if answer.cut:
        say("The answer was longer; its rest was left out.", stream=sys.stderr)
    if in_the_clear(endpoint):
        say("The endpoint is plain http: the key crossed the network in the clear.", "yellow", stream=sys.stderr)
