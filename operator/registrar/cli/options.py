"""The options that commands share, named as kubectl names them.

Invariants: nothing slow is imported here, because every `--help` loads it. What this module deliberately does not do: resolve a default; an empty text
means what the kubeconfig says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from registrar.cli import completion


class Form(StrEnum):
    """The forms of an answer."""

    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster and which namespace a command is about; empty texts mean what the kubeconfig says."""

    context: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    kubeconfig: str = ""


_WHERE = "Where"

Context = Annotated[
    str,
    typer.Option(
        "--context",
        help="The kubeconfig's context to use.",
        show_default=False,
        rich_help_panel=_WHERE,
        autocompletion=completion.contexts,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace; the context's when left out.",
        show_default=False,
        rich_help_panel=_WHERE,
        autocompletion=completion.namespaces,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.", rich_help_panel=_WHERE)]
Kubeconfig = Annotated[
    str,
    typer.Option(
        "--kubeconfig",
        help="Path of a kubeconfig; KUBECONFIG when left out.",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
Output = Annotated[Form | None, typer.Option("--output", "-o", help="Another form of the answer.", show_default=False)]
ClientName = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT", help="The name of a Client.", autocompletion=completion.clients, show_default=False
    ),
]
OptionalClientName = Annotated[
    str | None,
    typer.Argument(
        metavar="CLIENT", help="The name of a Client.", autocompletion=completion.clients, show_default=False
    ),
]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait at most.", min=0.1, max=86_400)]
OPERATOR_NAMESPACE = "gateway-registrar-system"
OperatorNamespace = Annotated[
    str,
    typer.Option(
        "--operator-namespace",
        help="Where the operator runs, if its Lease can't be found.",
        envvar="KUBECTL_REGISTRAR_OPERATOR_NAMESPACE",
        rich_help_panel=_WHERE,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before what can't be taken back.")]
