"""A Client as a tree for people: what `status CLIENT` shows.

Invariants: a pure function of objects that were read, and of the time; what a tenant wrote goes through `output.text`, never into markup.
What this module deliberately does not do: ask the cluster, or judge (see `diagnosis.walk`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text
from rich.tree import Tree

from registrar.cli.output import clean, text
from registrar.cli.reading import (
    Json,
    age,
    api,
    behind,
    condition,
    deleting,
    label,
    name,
    namespace,
    newest,
    phase,
    rows,
    section,
    token,
    until,
    word,
)
from registrar.resources.objects import VERBS

GOOD, BAD, WAITS, QUIET = "green", "red", "yellow", "dim"
PHASE_STYLES = {
    "Registered": GOOD,
    "Active": GOOD,
    "UnpublishedChanges": WAITS,
    "Ready": WAITS,
    "Pending": WAITS,
    "Created": WAITS,
    "Rejected": BAD,
    "Retired": QUIET,
}
_MARKS = {"Added": ("+", GOOD), "Removed": ("-", BAD)}


@dataclass(frozen=True, slots=True)
class ClientView:
    """What the tree is made of. `gateways` has the RuntimeGateways that the user may read; `now` is in seconds since the epoch."""

    client: Json
    contracts: tuple[Json, ...]
    now: float
    gateways: Mapping[str, Json] = field(default_factory=dict)


def client_tree(view: ClientView, *, wide: bool = False) -> Tree:
    """The whole tree; `wide` adds ids, hashes and conditions."""
    client = view.client
    tree = Tree(_head(client), guide_style=QUIET)
    _about(tree, view)
    for snapshot in rows(client, "status", "gateways"):
        _gateway(tree, view, snapshot, wide=wide)
    _unpublished(tree, view)
    _pending(tree, client)
    _actions(tree, client, view.now)
    if wide:
        _conditions(tree, client)
    return tree


def _head(client: Json) -> Text:
    word_ = "Terminating" if deleting(client) else phase(client) or "Unknown"
    head = Text.assemble(
        text("Client ", QUIET),
        text(f"{namespace(client)}/{name(client)}", "bold"),
        text(f"  {word_}", PHASE_STYLES.get(word_, BAD)),
    )
    ready = condition(client, "Ready")
    if ready.reason and ready.reason != word_:
        head.append_text(text(f" ({ready.reason})", QUIET))
    if behind(client):
        head.append_text(text("  the operator has not seen the latest change yet", WAITS))
    return head


def _about(tree: Tree, view: ClientView) -> None:
    identity = section(view.client, "status", "identity")
    if identity:
        who = "/".join(word(identity, part) for part in ("organization", "clientId", "version"))
        tree.add(Text.assemble(text("Identity  ", QUIET), text(f"{who} on gateway {word(identity, 'gateway')}")))
    if key := _key(view):
        tree.add(Text.assemble(text("Key       ", QUIET), text(key)))
    ready = condition(view.client, "Ready")
    if ready.message and not ready.true:
        tree.add(Text.assemble(text("Message   ", QUIET), text(ready.message.splitlines()[0], WAITS)))


def _key(view: ClientView) -> str:
    """Where the key is, its age, and what is going to happen to it."""
    status = section(view.client, "status", "apiKey")
    if not word(status, "secretName"):
        return ""
    parts = [f"Secret {word(status, 'secretName')}"]
    if old := age(word(status, "createdAt"), now=view.now):
        parts.append(f"{old} old")
    if due := until(word(status, "nextRotationAt"), now=view.now):
        parts.append(f"replaced in {due}")
    if left := until(word(status, "overlapEndsAt"), now=view.now):
        parts.append(f"the previous key works for another {left}")
    return ", ".join(parts)


def _gateway(tree: Tree, view: ClientView, snapshot: Json, *, wide: bool) -> None:
    """One gateway with what is published there."""
    named = word(snapshot, "name")
    line = Text.assemble(
        text("Gateway ", QUIET), text(named, "bold"), text(f"  {word(snapshot, 'state') or 'Registered'}")
    )
    if since := age(word(snapshot, "registeredAt"), now=view.now):
        line.append_text(text(f" {since} ago", QUIET))
    ready = condition(view.gateways.get(named), "Ready")
    if ready.false:
        line.append_text(text(f"  the gateway is not ready: {ready.reason}", BAD))
    if wide and word(snapshot, "hash"):
        line.append_text(
            text(f"  version {word(snapshot, 'version') or 'own'}, hash {word(snapshot, 'hash')[:12]}", QUIET)
        )
    branch = tree.add(line)
    policies = {word(row, "id"): row for row in rows(snapshot, "policies")}
    by_uid = {word(row, "metadata", "uid"): row for row in view.contracts}
    for entry in rows(snapshot, "contracts"):
        _contract(branch, entry, by_uid.get(word(entry, "uid")), policies)


def _contract(branch: Tree, entry: Json, found: Json | None, policies: Mapping[str, Json]) -> None:
    """One published contract with its chain, in the order in which it runs."""
    live = entry.get("live") is not False
    word_ = phase(found) if found is not None else "Deleted"
    line = Text.assemble(
        text("Contract ", QUIET),
        text(word(entry, "name"), "bold"),
        text(f"  {label(section(entry, 'api'))} plan {word(entry, 'plan') or '(none)'}"),
        text(
            f"  {word_ if live else 'its API is gone from the gateway'}", PHASE_STYLES.get(word_, BAD) if live else BAD
        ),
    )
    if endpoint := word(found, "status", "endpoint"):
        line.append_text(text(f"  {endpoint}", QUIET))
    for type_ in ("Expiring", "Deprecated"):
        if condition(found, type_).true:
            line.append_text(text(f"  {condition(found, type_).message}", WAITS))
    node = branch.add(line)
    ids = entry.get("policies")
    for place, id_ in enumerate(ids if isinstance(ids, list) else (), start=1):
        node.add(_policy(place, policies.get(str(id_), {})))


def _policy(place: int, policy: Json) -> Text:
    config = policy.get("config")
    shown = _config(config) if isinstance(config, Mapping) else "another namespace's; its configuration is not shown"
    level, _, source = word(policy, "id").rpartition(":")
    line = Text.assemble(
        text(f"{place}. ", QUIET),
        text(word(policy, "type"), "cyan"),
        text(f" {source}"),
        text(f" on {level}  " if level else "  ", QUIET),
        text(shown),
    )
    if word(policy, "rollout") == "Immediate":
        line.append_text(text("  Immediate", QUIET))
    return line


_CONFIG_LENGTH = 120


def _config(config: Mapping[str, Any]) -> str:
    """A configuration on one line, cut."""
    line = ", ".join(f"{key} {_value(value)}" for key, value in config.items())
    return line if len(line) <= _CONFIG_LENGTH else f"{line[:_CONFIG_LENGTH]}..."


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return str(value)


def _unpublished(tree: Tree, view: ClientView) -> None:
    """The Contracts that no gateway has."""
    published = {
        word(row, "uid") for snapshot in rows(view.client, "status", "gateways") for row in rows(snapshot, "contracts")
    }
    waiting = [row for row in view.contracts if word(row, "metadata", "uid") not in published]
    if not waiting:
        return
    branch = tree.add(text("Contracts that are not published", "bold"))
    for row in waiting:
        ready = condition(row, "Ready")
        line = Text.assemble(
            text("Contract ", QUIET),
            text(name(row), "bold"),
            text(f"  {api(row)} plan {word(row, 'spec', 'plan')}"),
            text(f"  {phase(row) or 'Unknown'}", PHASE_STYLES.get(phase(row), BAD)),
        )
        if ready.reason:
            line.append_text(text(f" ({ready.reason})", QUIET))
        branch.add(line)


def change_line(change: Json) -> Text:
    """One pending change as a line of a difference: + added, - removed, ~ changed."""
    kind = word(change, "type")
    mark, style = next((row for end, row in _MARKS.items() if kind.endswith(end)), ("~", WAITS))
    said = word(change, "message") or " ".join(filter(None, (kind, word(change, "subject"), word(change, "detail"))))
    gateway = word(change, "gateway")
    return text(f"{mark} {said}" + (f"  (gateway {gateway})" if gateway else ""), style)


def _pending(tree: Tree, client: Json) -> None:
    changes = rows(client, "status", "pendingChanges")
    if not changes:
        return
    hidden = int(section(client, "status").get("pendingChangesTruncated") or 0)
    head = f"Pending changes ({len(changes) + hidden}); publish them with: kubectl registrar reregister {name(client)} -n {namespace(client)}"
    branch = tree.add(text(head, "bold"))
    for change in changes:
        branch.add(change_line(change))
    if hidden:
        branch.add(text(f"and {hidden} more", QUIET))


def _actions(tree: Tree, client: Json, now: float) -> None:
    """What became of the action annotations, the newest first."""
    lines = [_asked(verb) for verb in VERBS if (asked := token(client, verb)) and not _known(client, verb, asked)]
    for entry in newest(rows(client, "status", "actions"), "completedAt"):
        lines.append(_done(entry, now))
    if lines:
        branch = tree.add(text("Last actions", "bold"))
        for line in lines:
            branch.add(line)


def _known(client: Json, verb: str, asked: str) -> bool:
    from registrar.cli.reading import action, handled

    return handled(client, verb, asked) or word(action(client, verb), "inProgressToken") == asked


def _asked(verb: str) -> Text:
    return text(f"{verb}  asked for; the operator has not begun", WAITS)


def _done(entry: Json, now: float) -> Text:
    outcome = "InProgress" if word(entry, "inProgressToken") else word(entry, "outcome")
    style = {"Succeeded": GOOD, "Failed": BAD}.get(outcome, WAITS)
    when = age(word(entry, "completedAt") or word(entry, "startedAt"), now=now)
    return Text.assemble(
        text(f"{word(entry, 'name')}  "),
        text(outcome, style),
        text(f"  {when} ago" if when else "", QUIET),
        text(f"  {clean(word(entry, 'message'))}", QUIET),
    )


def _conditions(tree: Tree, client: Json) -> None:
    found: Sequence[Json] = rows(client, "status", "conditions")
    if not found:
        return
    branch = tree.add(text("Conditions", "bold"))
    for row in found:
        style = GOOD if row.get("status") == "True" else QUIET
        branch.add(
            Text.assemble(
                text(f"{word(row, 'type')}={word(row, 'status')}", style),
                text(
                    f"  {word(row, 'reason')}: {word(row, 'message').splitlines()[0] if word(row, 'message') else ''}"
                ),
            )
        )
