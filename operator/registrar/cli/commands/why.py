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
    from registrar.cli.diagnosis.facts import Facts
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

    target = Target(context=context, namespace=namespace, kubeconfig=kubeconfig)

    async def work(session: Session) -> int:
        from registrar.cli.diagnosis.walk import diagnose
        from registrar.cli.errors import Exit
        from registrar.cli.gather import facts

        known = await facts(session, subject, operator_namespace=operator_namespace)
        finding = _aimed(diagnose(known), target)
        _print(finding, known, output)
        return int(Exit.OK if finding is None else Exit.NOT_AS_WANTED)

    raise typer.Exit(run(target, work))


def _aimed(finding: Finding | None, target: Target) -> Finding | None:
    """The finding with commands that go to the cluster that was looked at."""
    from dataclasses import replace

    from registrar.cli.diagnosis.mend import aimed

    if finding is None:
        return None
    named = (("--kubeconfig", target.kubeconfig), ("--context", target.context))
    flags = tuple(word for flag, value in named if value for word in (flag, value))
    return replace(finding, mends=tuple(replace(mend, command=aimed(mend.command, flags)) for mend in finding.mends))


def _print(finding: Finding | None, facts: Facts, output: Form | None) -> None:
    from dataclasses import asdict

    from registrar.cli.output import data, say
    from registrar.cli.reading import phase

    about = f"{facts.kind} {facts.namespace}/{facts.name}"
    if output in (Form.JSON, Form.YAML):
        found = None
        if finding is not None:
            found = asdict(finding) | {"mends": [asdict(mend) for mend in finding.mends]}
        data({"subject": about, "finding": found}, output)
        return
    if finding is None:
        retired = facts.client is not None and phase(facts.client) == "Retired"
        say(
            f"Nothing blocks {about}: it is {'retired, as its spec asks' if retired else 'live as its objects ask'}.",
            "green",
        )
        if facts.lease is not None and facts.lease.age is not None and not facts.lease.held:
            lease = f"its Lease in namespace {facts.operator_namespace} is not renewed"
            say(f"But the operator does not run ({lease}), so it sees no change.", "yellow")
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
    if finding.waits:
        say("There is nothing to do but wait.")
