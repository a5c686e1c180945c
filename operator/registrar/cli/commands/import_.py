"""`import --gateway NAME`: the registrations that a gateway has already, as manifests that adopt them.

Invariants: it changes nothing, neither in the cluster nor on the gateway; secrets go to standard output only when that is asked for. What this module deliberately
does not do: apply the manifests.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import completion, options
from registrar.cli.options import Target

if TYPE_CHECKING:
    from registrar.cli.importing.model import Outcome, Wishes


def import_(
    gateway: Annotated[
        str,
        typer.Option(
            "--gateway", help="The RuntimeGateway to read.", autocompletion=completion.gateways, show_default=False
        ),
    ],
    organization: Annotated[
        list[str] | None,
        typer.Option("--organization", help="Only this organization; may be given several times.", show_default=False),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="A new or empty directory; - for standard output.")
    ] = "imported",
    into_namespace: Annotated[
        str,
        typer.Option(
            "--into-namespace",
            help="The namespace for all; when left out, the one that owns the organization.",
            show_default=False,
        ),
    ] = "",
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="ORGANIZATION=NAMESPACE",
            help="The namespace for one organization; may be given several times.",
            show_default=False,
        ),
    ] = None,
    generated_keys: Annotated[
        bool,
        typer.Option(
            "--generated-keys",
            help="Write no keys: the operator takes each from the gateway into a Secret that it owns, so it can rotate it.",
        ),
    ] = False,
    operator_namespace: options.OperatorNamespace = options.OPERATOR_NAMESPACE,
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint",
            help="Another URL of the gateway's configuration API, such as that of a port-forward.",
            show_default=False,
        ),
    ] = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Write the registrations that a gateway has already as manifests with `adopt: true`; what the operator has registered is left out.

    Applied, each Client is Registered with nothing pending, and its calls are answered as before. Exit code 1 when a registration could not be imported.
    """
    from registrar.cli.cluster import Session, run
    from registrar.cli.importing.outcome import outcome_of
    from registrar.cli.importing.reading import Source, read_facts

    wishes = _wishes(organization or [], into_namespace, map_ or [], generated_keys=generated_keys)

    async def work(session: Session) -> int:
        facts = await read_facts(session, Source(gateway, operator_namespace, endpoint), wishes)
        outcome = outcome_of(facts, wishes)
        _write(outcome, gateway, output, generated_keys=generated_keys)
        return _report(outcome, gateway, output)

    raise typer.Exit(run(Target(context=context, kubeconfig=kubeconfig), work))


def _wishes(organizations: list[str], into: str, pairs: list[str], *, generated_keys: bool) -> Wishes:
    from registrar.cli.errors import Usage
    from registrar.cli.importing.model import Wishes
    from registrar.cli.importing.placing import is_label
    from registrar.gateways.apiman.driver import NAME

    if wrong := [name for name in organizations if not NAME.fullmatch(name)]:
        raise Usage(f"--organization {wrong[0]} can't be an organization.", step="Use the id that the gateway has.")
    namespaces = {}
    for pair in pairs:
        name, _, namespace = pair.partition("=")
        if not name or not namespace:
            raise Usage(
                f"--map {pair} is not of the form ORGANIZATION=NAMESPACE.", step="For example: --map acme=team-a."
            )
        namespaces[name] = namespace
    if wrong := [name for name in (into, *namespaces.values()) if name and not is_label(name)]:
        raise Usage(f"{wrong[0]} can't be a namespace.", step="Use small letters, digits and hyphens.")
    return Wishes(frozenset(organizations), into, namespaces, generated_keys)


def _write(outcome: Outcome, gateway: str, output: str, *, generated_keys: bool) -> None:
    import sys

    from registrar.cli.importing.writing import files_of, write
    from registrar.cli.manifest_yaml import as_yaml

    files = files_of(outcome, gateway=gateway, generated_keys=generated_keys)
    if output == "-":
        sys.stdout.write(as_yaml(manifest for manifests in files.values() for manifest in manifests) if files else "")
    elif files:
        write(files, Path(output))


def _report(outcome: Outcome, gateway: str, output: str) -> int:
    """Say on standard error what was done, and what to do next; returns the exit code."""
    import sys
    from json import dumps
    from shlex import quote

    from registrar.cli.diagnosis.mend import kubectl
    from registrar.cli.errors import Exit
    from registrar.cli.output import clean, say

    def tell(line: str, style: str = "") -> None:
        # One line each: an id on a gateway may have a line break in it.
        say(clean(line), style, stream=sys.stderr)

    for client in outcome.clients:
        rows = f"{len(client.contracts)} contracts, {len(client.policies)} policies"
        kept = f", {client.kept} kept as they are" if client.kept else ""
        tell(f"{client.registration.identity}: Client {client.namespace}/{client.name}, {rows}{kept}")
    own = [row for row in outcome.skipped if row.own]
    left = [row for row in outcome.skipped if not row.own]
    if own:
        tell(f"{len(own)} registrations are the operator's already.")
    for row in left:
        tell(f"{row.identity}: not imported: {row.why}", "yellow")
    for note in outcome.notes:
        tell(f"note: {note}")
    if outcome.patch:
        tell("First, as the platform team:")
        patch = dumps({"spec": outcome.patch})
        tell(f"  {kubectl('patch', 'runtimegateway', gateway, '--type', 'merge', '-p', patch)}")
    if outcome.grants:
        tell("The owners of these APIs must agree to the APIGrants; without them the contracts would be taken off.")
    if outcome.clients and output != "-":
        tell(f"Look at the manifests, then: kubectl apply -R -f {quote(output)}")
        tell("Once they are Registered, take adopt out of the Clients that keep nothing: it has done its work.")
    if not outcome.clients and not left:
        tell("There is nothing to import.")
    return int(Exit.NOT_AS_WANTED if left else Exit.OK)
