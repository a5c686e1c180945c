"""What a gateway has in place of what is published, in words.

Judged on typed policies, read back from the wire form. What a gateway was found to have may hold somebody's secret, and it goes into a status that a
tenant reads: so texts are never shown, only that they differ, and numbers only where the tenant's own snapshot has one in the same place.

Invariants: equal readings give equal words; no text of the gateway's but the names of APIs and plans, which the schema's alphabet bounds.
What this module deliberately does not do: decide whether a difference is mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from registrar.lifecycle.model import LiveContract, LivePolicy
from registrar.resources.status import PublishedContract, PublishedPolicy, Snapshot

SHOWN = 8
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,160}")


def drift(snapshot: Snapshot, found: Iterable[LiveContract], *, key_differs: bool) -> tuple[str, ...]:
    """How what was found differs from the snapshot, at most eight phrases; never empty, because something does."""
    phrases = list(_phrases(snapshot, tuple(found), key_differs=key_differs))
    if not phrases:
        return ("a policy's configuration differs",)
    return (*phrases[:SHOWN], f"and {len(phrases) - SHOWN} more") if len(phrases) > SHOWN else tuple(phrases)


def _phrases(snapshot: Snapshot, found: tuple[LiveContract, ...], *, key_differs: bool) -> Iterator[str]:
    if key_differs:
        yield "the API key is another one"
    expected = {(e.organization, e.api, e.version): e for e in snapshot.contracts if e.live}
    seen = {(c.api.organization, c.api.name, c.api.version): c for c in found}
    for name, entry in sorted(expected.items()):
        if name not in seen:
            yield f"contract {entry.name} is gone"
        else:
            yield from _of_contract(snapshot, entry, seen[name])
    for name in sorted(seen.keys() - expected.keys()):
        yield f"a contract for {_shown('/'.join(name))} is there that is not published"


def _of_contract(snapshot: Snapshot, entry: PublishedContract, found: LiveContract) -> Iterator[str]:
    if entry.plan != found.plan:
        yield f"contract {entry.name} is on plan {_shown(found.plan) or '(none)'} instead of {entry.plan or '(none)'}"
    if len(entry.policies) != len(found.policies):
        yield f"contract {entry.name} has {len(found.policies)} policies instead of {len(entry.policies)}"
        return
    for identifier, live in zip(entry.policies, found.policies, strict=True):
        policy = snapshot.policy(identifier)
        if policy is not None and (phrase := _of_policy(policy, live)):
            yield f"contract {entry.name}: {phrase}"


def _of_policy(policy: PublishedPolicy, live: LivePolicy) -> str:
    name = policy.id.rpartition("/")[2]
    if policy.type != live.type:
        return f"in place of policy {name} is one of another type"
    if not policy.config:
        return ""
    wanted, seen = dict(_leaves(orjson.loads(policy.config))), dict(_leaves(orjson.loads(live.config)))
    changes = [_change(path, wanted[path], seen.get(path)) for path in sorted(wanted) if _differ(wanted, seen, path)]
    return f"policy {name}: {policy.type}.{', '.join(changes)}" if changes else ""


def _differ(wanted: dict[str, Any], seen: dict[str, Any], path: str) -> bool:
    """Whether a field is another one; one that the gateway's form does not have can't be compared."""
    return path in seen and wanted[path] != seen[path]


def _change(path: str, wanted: Any, seen: Any) -> str:
    numbers = isinstance(wanted, int | float) and isinstance(seen, int | float)
    return f"{path} {wanted} -> {seen}" if numbers else f"{path} differs"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of a configuration that hold a value; a list counts as one value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _shown(text: str) -> str:
    """A name as it is, or nothing of it when it is no name."""
    return text if _NAME.fullmatch(text) or not text else "(no name)"
