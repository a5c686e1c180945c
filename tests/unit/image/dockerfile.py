"""Reads the Dockerfile as a list of instructions; knows no more of the syntax than it uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name in capitals, and the rest on one line."""

    name: str
    text: str


def instructions() -> list[Instruction]:
    """All instructions, in their order, continuation lines joined and comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    rows = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [Instruction(name, text.strip()) for name, _, text in rows]
