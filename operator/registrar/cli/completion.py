"""Completion of words: for bash, zsh and fish by typer's own scripts, and for `kubectl registrar` by kubectl's protocol.

kubectl runs the executable `kubectl_complete-registrar` with the words typed so far, and wants one completion with its description in each line, and a
directive at the end. That is the form that typer prints for fish, so this entry point asks for it.

Invariants: completion never fails, is never slower than its time limit, and prints nothing but completions: a shell in the middle of a line can't
show an error.
What this module deliberately does not do: offer names from a cluster that does not answer in time.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import typer
import typer.completion

if TYPE_CHECKING:
    from registrar.kube.client import Resource

_SECONDS = 2.0
_NO_FILES = ":4"
"""Cobra's ShellCompDirectiveNoFileComp: don't offer the names of files."""
_MOST = 500


def clients(ctx: typer.Context, incomplete: str) -> list[str]:
    """The Clients of the namespace."""
    from registrar.kube.client import CLIENTS

    return _names(ctx, (CLIENTS,), incomplete)


def contracts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The Contracts of the namespace."""
    from registrar.kube.client import CONTRACTS

    return _names(ctx, (CONTRACTS,), incomplete)


def clients_and_contracts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The Clients and Contracts of the namespace."""
    from registrar.kube.client import CLIENTS, CONTRACTS

    return _names(ctx, (CLIENTS, CONTRACTS), incomplete)


def gateways(ctx: typer.Context, incomplete: str) -> list[str]:
    """The RuntimeGateways."""
    from registrar.kube.client import GATEWAYS

    return _names(ctx, (GATEWAYS,), incomplete)


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """The namespaces, where the user may list them."""
    from registrar.kube.client import NAMESPACES

    return _names(ctx, (NAMESPACES,), incomplete)


def contexts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig."""
    from registrar.errors import SettingsError
    from registrar.kube.config import load_contexts

    try:
        names = load_contexts(str(ctx.params.get("kubeconfig") or ""))
    except SettingsError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _names(ctx: typer.Context, resources: tuple[Resource, ...], incomplete: str) -> list[str]:
    """The names of objects, from metadata alone; none when the cluster can't be asked."""
    import asyncio

    from registrar.cli.cluster import connect
    from registrar.cli.errors import CliError
    from registrar.cli.options import Target

    target = Target(
        context=str(ctx.params.get("context") or ""),
        namespace=str(ctx.params.get("namespace") or ""),
        all_namespaces=bool(ctx.params.get("all_namespaces")),
        kubeconfig=str(ctx.params.get("kubeconfig") or ""),
    )

    async def ask() -> list[str]:
        found: set[str] = set()
        async with asyncio.timeout(_SECONDS), connect(target) as session:
            for resource in resources:
                where = session.scope if resource.namespaced else ""
                async for page in session.kube.list_pages(resource, namespace=where, chunk=_MOST, metadata_only=True):
                    found |= {str(row["metadata"]["name"]) for row in page.items}
                    break
        return sorted(name for name in found if name.startswith(incomplete))

    try:
        return asyncio.run(ask())
    except (CliError, TimeoutError):
        return []


def main() -> int:
    """`kubectl_complete-registrar WORD...`: the completions of the last word."""
    from registrar.cli.app import COMPLETE_VARIABLE, PROGRAM, app

    # Registers typer's classes for the shells, which it does otherwise only for a program with --install-completion.
    typer.completion.get_completion_inspect_parameters()
    words = sys.argv[1:]
    os.environ |= {
        COMPLETE_VARIABLE: "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"{shlex.quote(PROGRAM)} {' '.join(shlex.quote(word) for word in words[:-1])} {words[-1] if words else ''}",
    }
    try:
        app(prog_name=PROGRAM, args=[], complete_var=COMPLETE_VARIABLE)
    except SystemExit:
        print(_NO_FILES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
