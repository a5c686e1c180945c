"""Reads audit lines back: who could call what at a moment (`python -m registrar.engine.audit_reader TIME FILE...`).

It answers from what the gateways were told. Between a gateway's reset and its healing fewer calls passed than it says; never more, but for what others than the
operator put on a gateway.

Invariants: an attempt whose outcome is not known adds what it may have opened and removes nothing, until a later line settles it; a line that can't be read is
counted, never skipped in silence. What this module deliberately does not do: write lines (see `audit`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from registrar.engine.audit import SCHEMA
from registrar.resources.times import parse_timestamp

Grant = tuple[str, str]
"""An API (organization/name/version) and a plan."""


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """One Client that could call one API; not `certain` where the gateway's answer was lost. `since` is an RFC 3339 time."""

    client: str
    gateway: str
    identity: str
    api: str
    plan: str
    since: str
    certain: bool = True
    uid: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """All lines that could be read, in the order of their times; `unreadable` counts the others."""

    lines: tuple[Mapping[str, Any], ...]
    unreadable: int

    @classmethod
    def read(cls, texts: Iterable[str]) -> History:
        """Read lines of one or several logs; those of another schema count as unreadable."""
        lines, unreadable = [], 0
        for text in texts:
            line = _parsed(text)
            if line is not None:
                lines.append(line)
            elif text.strip():
                unreadable += 1
        return cls(lines=tuple(sorted(lines, key=lambda line: parse_timestamp(line["time"]))), unreadable=unreadable)

    def access_at(self, when: str) -> tuple[Access, ...]:
        """Who could call what at that RFC 3339 time, by Client."""
        moment = parse_timestamp(when)
        holders: dict[tuple[str, str], dict[Grant, Access]] = {}
        for line in self.lines:
            if parse_timestamp(line["time"]) > moment:
                break
            if line.get("gateway") and line["outcome"] != "Failed":
                key = (line["gateway"], line.get("identity", ""))
                holders[key] = _after(holders.get(key, {}), line)
        return tuple(sorted(access for grants in holders.values() for access in grants.values()))


def _after(before: Mapping[Grant, Access], line: Mapping[str, Any]) -> dict[Grant, Access]:
    """What one registration could call after the line."""
    told = {(row["api"], row["plan"]): _access(line, row) for row in line.get("contracts", ())}
    if line["outcome"] != "Succeeded":
        doubted = {grant: replace(access, certain=grant in told) for grant, access in before.items()}
        return {**{grant: replace(access, certain=False) for grant, access in told.items()}, **doubted}
    return {grant: replace(access, since=_since(before.get(grant), access)) for grant, access in told.items()}


def _since(before: Access | None, now: Access) -> str:
    """Since when without a break: a Client that was made again is another one."""
    return before.since if before is not None and before.uid == now.uid else now.since


def _access(line: Mapping[str, Any], row: Mapping[str, Any]) -> Access:
    return Access(
        client=line["client"],
        gateway=line["gateway"],
        identity=line.get("identity", ""),
        api=row["api"],
        plan=row["plan"],
        since=line["time"],
        uid=line["uid"],
    )


def _parsed(text: str) -> Mapping[str, Any] | None:
    """The line; None when it is none of ours. Whatever stands before the JSON (a collector's prefix) is passed over."""
    try:
        line = orjson.loads(text[max(text.find("{"), 0) :])
    except orjson.JSONDecodeError:
        return None
    whole = (
        isinstance(line, dict) and line.get("schema") == SCHEMA and {"time", "client", "uid", "outcome"} <= set(line)
    )
    return line if whole else None


def main(arguments: list[str]) -> int:
    """Print the table; 2 for a wrong command line, 1 when some lines could not be read."""
    if len(arguments) < 2:
        print("usage: python -m registrar.engine.audit_reader TIME FILE...", file=sys.stderr)
        return 2
    history = History.read(line for name in arguments[1:] for line in Path(name).read_text().splitlines())
    for access in history.access_at(arguments[0]):
        doubt = "" if access.certain else "  (perhaps: the gateway's answer was lost)"
        print(f"{access.client}  {access.api}  plan {access.plan}  on {access.gateway}  since {access.since}{doubt}")
    if history.unreadable:
        print(f"{history.unreadable} lines could not be read", file=sys.stderr)
    return 1 if history.unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
