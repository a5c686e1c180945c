"""What reaches the terminal: text without control characters, colours where they are wanted, JSON and YAML for machines.

Invariants: nothing that somebody wrote into an object reaches the terminal unchecked: control characters and those that turn the direction of writing are
shown as escapes; no markup of rich is read out of it. Colours are used on a terminal only, and never with NO_COLOR. Output to a file or a pipe is not cut to a width.
What this module deliberately does not do: decide what is said.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import IO, Any, NoReturn

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from registrar.cli.errors import Exit
from registrar.cli.options import Form

_NOT_A_TERMINAL = 10_000
"""Columns of a console that is no terminal: enough for no line to be folded."""


class _Console(Console):
    """A console that ends quietly, with a code of its own, when nobody reads any more."""

    def on_broken_pipe(self) -> NoReturn:
        broken_pipe()


def broken_pipe() -> NoReturn:
    """End as a program does whose reader has gone; what is still buffered goes nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    raise SystemExit(int(Exit.BROKEN_PIPE))


def console(stream: IO[str] | None = None) -> Console:
    """A console on `stream`, standard output when left out."""
    target = stream or sys.stdout
    width = None if target.isatty() else _NOT_A_TERMINAL
    return _Console(file=target, width=width, markup=False, highlight=False, emoji=False)


def errors() -> Console:
    """A console on standard error."""
    return console(sys.stderr)


def clean(value: object, *, lines: bool = False) -> str:
    """The text with each control, format or surrogate character shown as an escape; with `lines` line breaks stay."""
    return "".join(_visible(letter, lines) for letter in str(value))


def _visible(letter: str, lines: bool) -> str:
    if lines and letter == "\n":
        return letter
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
    return letter


def text(value: object, style: str = "") -> Text:
    """A cleaned text in a style, for tables and trees."""
    return Text(clean(value), style=style)


def table(*columns: str) -> Table:
    """A table as kubectl prints it."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=True)
    return made


def show(renderable: RenderableType, *, stream: IO[str] | None = None) -> None:
    """Print something, without cutting long lines."""
    console(stream).print(renderable, soft_wrap=isinstance(renderable, str | Text))


def say(line: str, style: str = "", *, stream: IO[str] | None = None) -> None:
    """Print text that may have several lines; its control characters are shown as escapes."""
    console(stream).print(Text(clean(line, lines=True), style=style), soft_wrap=True)


def data(value: Any, form: Form) -> None:
    """Print a value as JSON or YAML."""
    if form is Form.JSON:
        import json

        # ASCII only, so a control character is an escape whatever the terminal thinks of it.
        rendered = json.dumps(value, indent=2)
    else:
        import yaml

        rendered = yaml.safe_dump(value, sort_keys=False, width=160).rstrip("\n")
    try:
        sys.stdout.write(rendered + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        broken_pipe()
