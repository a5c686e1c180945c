"""The page of the kubectl plugin's commands, from the typer application itself: what `--help` says, and the exit codes.

Invariants: every command and every exit code is on the page. What this module deliberately does not do: show what a command prints (see the how-to pages).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from docs.generate.markdown import code, page, table
from registrar.cli.app import PROGRAM, app
from registrar.cli.errors import CliError, Exit

_INTRO = """
`kubectl registrar` uses your own kubeconfig and your own rights, and nothing else. [Install](../install.md#the-kubectl-plugin) says how to get it; without an
installation `python -m registrar.cli` is the same.
An error is one line with the next step, never a traceback; the exit code tells a script what it was.
"""
_WITHOUT_ERROR = {
    Exit.OK: "Done, and everything is as wanted.",
    Exit.NOT_AS_WANTED: "There is a difference, a problem, or an action that did not succeed.",
    Exit.USAGE: "The command line can't be meant that way.",
    Exit.NOT_LIVE: "Only `call`: the Contract, the key or the API is not live.",
    Exit.LIMITED: "Only `call`: a limit is used up.",
    Exit.DENIED: "Only `call`: another policy refused the call.",
    Exit.INTERRUPTED: "Interrupted by the keyboard.",
    Exit.BROKEN_PIPE: "The reader of the output has gone.",
}
"""What the codes mean that no exception of the plugin stands for, or that the parser gives too."""


def commands() -> dict[str, Any]:
    """The commands by name, as typer parses them; typer's own classes of them are not public."""
    root: Any = typer.main.get_command(app)
    return {name: command for name, command in root.commands.items() if not command.hidden}


def render() -> str:
    """The whole page."""
    parts = [_command(name, command) for name, command in commands().items()]
    codes = table(("exit code", "means"), ((code(str(int(each))), _meaning(each)) for each in Exit))
    return page(
        "kubectl registrar",
        source="operator/registrar/cli",
        intro=_INTRO,
        body="\n".join([*parts, f"## Exit codes\n\n{codes}"]),
    )


def _command(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([PROGRAM, name, *command.collect_usage_pieces(context)])
    rows = table(("argument or option", "default", "what it is"), (_parameter(each) for each in command.params))
    return f"## {name}\n\n```text\n{usage}\n```\n\n{command.help}\n\n{rows}"


def _parameter(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return code(parameter.metavar or parameter.name.upper()), _default(parameter), parameter.help or ""
    names = ", ".join(code(name) for name in sorted(parameter.opts, key=len, reverse=True))
    return f"{names}{_values(parameter)}", _default(parameter), parameter.help or ""


def _values(parameter: Any) -> str:
    """What follows an option: nothing behind a flag, the choices where there are some."""
    if getattr(parameter, "is_flag", False):
        return ""
    choices = list(_choices(parameter))
    return " " + (
        " or ".join(code(choice) for choice in choices)
        if choices
        else code(parameter.metavar or parameter.name.upper())
    )


def _choices(parameter: Any) -> Iterator[str]:
    annotation = parameter.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        for choice in annotation:
            yield str(choice.value)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, "", False) else code(parameter.default)


def _meaning(each: Exit) -> str:
    """What is said above, or the first line of the docstring of the exception with this code; raises StopIteration when nobody says anything."""
    if each in _WITHOUT_ERROR:
        return _WITHOUT_ERROR[each]
    error = next(error for error in _errors(CliError) if error.exit_code is each)
    return str(error.__doc__).splitlines()[0]


def _errors(root: type[CliError]) -> Iterator[type[CliError]]:
    for error in root.__subclasses__():
        yield error
        yield from _errors(error)
