"""A progress bar for many Clients, and the question before something that can't be taken back.

Invariants: a bar is drawn on a terminal only, on standard error; a question is asked of a terminal only. What this module deliberately does not do:
decide what needs a question.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from registrar.cli.errors import Usage
from registrar.cli.output import errors, say

_MANY = 2


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Gives a function to call after each of `total` steps."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    target = errors()
    shown = target.is_terminal and total >= _MANY
    with Progress(*columns, console=target, transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go on; raises Usage where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Usage(
            "This asks before it acts, and there is no terminal to ask at.",
            step="Add --yes to go on without being asked.",
        )
    say(f"{question} [y/N] ", stream=sys.stderr)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
