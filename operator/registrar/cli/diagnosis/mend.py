"""How a mend is written down: who does it, what it is in words, and a command with every value quoted.

Invariants: a command is what a POSIX shell can run as it stands; a value can't leave its quotes. What this module deliberately does not do: know a reason.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from registrar.cli.reading import Json, name, namespace, section

YOU = "you"
PLATFORM = "the platform team"
OWNER = "the API's owner"


@dataclass(frozen=True, slots=True)
class Mend:
    """One way to mend it: `who` can, `what` it does as a sentence, and the `command`, which may have several lines."""

    who: str
    what: str
    command: str = ""


def kubectl(*words: str, namespace: str = "") -> str:
    """A command of kubectl; each word is quoted."""
    scope = ("-n", namespace) if namespace else ()
    return " ".join(("kubectl", *(shlex.quote(word) for word in (*scope, *words))))


def registrar(*words: str, namespace: str) -> str:
    """A command of this plugin; each word is quoted."""
    return " ".join(("kubectl registrar", *(shlex.quote(word) for word in (*words, "-n", namespace))))


def merge_patch(resource: str, found: Json, body: Json) -> str:
    """A command that changes some fields of an object."""
    return kubectl(
        "patch", resource, name(found), "--type", "merge", "-p", json.dumps(body), namespace=namespace(found)
    )


def json_patch(resource: str, found: Json, operations: list[Json]) -> str:
    """A command that changes an object where it still is as it was read."""
    text = json.dumps(operations)
    return kubectl("patch", resource, name(found), "--type", "json", "-p", text, namespace=namespace(found))


def apply(*manifests: Json) -> str:
    """A command that applies manifests."""
    documents = "---\n".join(yaml.safe_dump(row, sort_keys=False, width=160) for row in manifests)
    return f"kubectl apply -f - <<'EOF'\n{documents}EOF"


_CALL = re.compile(r"(^|\| )kubectl ")
_OURS = "kubectl registrar "
_HERE = " <<'EOF'"


def aimed(command: str, flags: tuple[str, ...]) -> str:
    """The command with the flags that aim each of its kubectl calls at the cluster that was asked; what is applied stays as it is."""
    if not flags:
        return command
    shown = " ".join(shlex.quote(word) for word in flags)
    lines: list[str] = []
    inside = False
    for line in command.splitlines():
        if inside:
            inside = line != "EOF"
            lines.append(line)
            continue
        inside = line.endswith(_HERE)
        # kubectl hands on to a plugin what follows its name, and refuses flags before it.
        ours = line.startswith(_OURS)
        lines.append(f"{line} {shown}" if ours else _CALL.sub(lambda call: f"{call[1]}kubectl {shown} ", line))
    return "\n".join(lines)


def manifest(kind: str, where: str, called: str, spec: Any) -> Json:
    """A manifest of one of our kinds."""
    return {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": called, "namespace": where},
        "spec": spec,
    }


def recreate(kind: str, resource: str, found: Json, changes: Json) -> str:
    """Commands that make the object anew with other fields of its spec, for those that can't be changed."""
    spec = {**section(found, "spec"), **changes}
    gone = kubectl("delete", resource, name(found), namespace=namespace(found))
    return f"{gone}\n{apply(manifest(kind, namespace(found), name(found), spec))}"
