"""`why CLIENT|CONTRACT`: the first thing that blocks it, in words, and the command that mends it.

Invariants: it reads and never writes; the exit code is 0 only when nothing is in the way. What this module deliberately does not do: run the command that it prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from registrar.cli import completion, options
from registrar.cli.options import Form, Target

if TYPE_CHECKING:
    from registrar.cli.cluster import Session
    from registrar.cli.diagnosis.walk import Finding

Subject = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT|CONTRACT",
        help="The name of a Client or a Contract; client/NAME or contract/NAME where both have it.",
        autocompletion=completion.clients_and_contracts,
        show_default=False,
    ),
]


def why(
    subject: Subject,
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = None,
    operator_namespace: options.OperatorNamespace = options.OPERATOR_NAMESPACE,
) -> None:
    """Say what blocks a Client or Contract first, and which command mends it; the exit code is 1 if anything does."""
    from registrar.cli.cluster import run

    async def work(session: Session) -> int:
        from registrar.cli.diagnosis.walk import diagnose
        from registrar.cli.errors import Exit
        from registrar.cli.gather import facts

        known = await facts(session, subject, operator_namespace=operator_namespace)
        finding = diagnose(known)
        _print(finding, f"{known.kind} {known.namespace}/{known.name}", output)
        return int(Exit.OK if finding is None else Exit.NOT_AS_WANTED)

    raise typer.Exit(run(Target(context=context, namespace=namespace, kubeconfig=kubeconfig), work))


def _print(finding: Finding | None, about: str, output: Form | None) -> None:
    from dataclasses import asdict

    from registrar.cli.output import data, say

    if output in (Form.JSON, Form.YAML):
        found = None
        if finding is not None:
            found = asdict(finding) | {"mends": [asdict(mend) for mend in finding.mends]}
        data({"subject": about, "finding": found}, output)
        return
    if finding is None:
        say(f"Nothing blocks {about}: it is live as its objects ask for.", "green")
        return
    say(f"{finding.where}: {finding.reason}", "bold yellow" if finding.waits else "bold red")
    say(finding.message)
    for mend in finding.mends:
        say(f"\n{mend.who[0].upper()}{mend.who[1:]}: {mend.what}")
        if mend.command:
            say(
                "\n".join(f"  {line}" if "EOF" not in mend.command else line for line in mend.command.splitlines()),
                "cyan",
            )
    if finding.waits and not finding.mends:
        say("There is nothing to do but wait.")
