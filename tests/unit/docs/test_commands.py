"""Every `kubectl registrar` command that a page shows is one that the plugin takes: its name, its options, its arguments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from docs.generate.cli import commands, render
from registrar.cli.app import PROGRAM
from registrar.cli.errors import Exit
from tests.unit.docs.test_pages import DOCS, PAGES, blocks

KNOWN = commands()
_ENDS = re.compile(r"\s(?:&&|\|\||[|;>#])\s?")


def shown(page: Path) -> list[str]:
    """The commands in shell blocks and in the running text, without what a shell does with their output. A bare name in the text only names the command."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line for block in blocks(text, "sh", "bash", "console") for line in block.replace("\\\n", " ").splitlines()
    ]
    spans = re.findall(rf"`({PROGRAM} [^`\n]+)`", text)
    found = [line[line.index(PROGRAM) :] for line in [*lines, *spans] if f"{PROGRAM} " in line]
    return [_ENDS.split(command)[0].strip() for command in found]


COMMANDS = sorted(
    {(str(page.relative_to(DOCS)), each) for page in PAGES if page.parent.name != "decisions" for each in shown(page)}
)


def test_there_are_commands() -> None:
    """Fails when the search finds too few, and so would hold for anything; or a command is shown in no page at all."""
    assert len(COMMANDS) > 30
    assert {shlex.split(command)[2] for _, command in COMMANDS} >= KNOWN.keys()


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_the_plugin_takes_it(page: str, command: str) -> None:
    """Fails when a reader who types what the page shows gets a usage error."""
    words = shlex.split(command)[2:]
    if words[0].isupper():
        return  # a placeholder for any of them
    assert words[0] in KNOWN, f"{page}: there is no command {words[0]}"
    if len(words) == 1 and f"`{command}`" in (DOCS / page).read_text(encoding="utf-8"):
        return
    # Raises a usage error of the parser's when an option or argument is not one of the command's.
    KNOWN[words[0]].make_context(words[0], words[1:])


def test_a_wrong_option_is_seen() -> None:
    """Fails when the check above would take anything."""
    with pytest.raises(Exception, match="--no-such-option"):
        KNOWN["status"].make_context("status", ["--no-such-option"])


def test_every_command_and_code_is_on_the_page() -> None:
    """Fails when a command or an exit code is left out of the reference."""
    text = render()
    assert re.findall(r"^## (\S+)$", text, flags=re.MULTILINE) == list(KNOWN)
    for each in Exit:
        assert f"| `{int(each)}` |" in text
