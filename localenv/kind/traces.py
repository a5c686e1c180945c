"""What a Docker engine leaves on a machine when it has stopped, and how it is taken away: chains and rules of iptables, the bridge docker0, kernel settings.

Invariants: what was there before stays, and so does what somebody else adds meanwhile: only chains called DOCKER…, rules that name one of them or docker0, the bridge
itself and the settings below are touched. What this module deliberately does not do: end processes or mounts, which have namespaces of their own (`engine`),
unload kernel modules, remove an empty table, or put back a rule that the engine removed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localenv.errors import LocalEnvError

BRIDGE = "docker0"
_FIREWALLS = ("iptables", "ip6tables")
_OF_DOCKER = re.compile(rf"(?:^| )(?:DOCKER[A-Z0-9-]*|{BRIDGE})(?= |$)")
_SYSCTL = Path("/proc/sys")
_SETTINGS = (
    # The engine's.
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/default/forwarding",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    # The kubelet's: a node in a container is privileged, and these belong to no namespace.
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


@dataclass(frozen=True, slots=True)
class Traces:
    """The state of the machine, as far as an engine changes it.

    `firewalls` is what `iptables-save` and `ip6tables-save` print, `bridge` whether docker0 is there, `settings` the kernel's, by their path below /proc/sys.
    """

    firewalls: Mapping[str, str] = field(default_factory=dict)
    bridge: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Traces:
        """The state of this moment; raises LocalEnvError when iptables can't be asked."""
        return cls(
            firewalls={name: _run([f"{name}-save"]) for name in _FIREWALLS},
            bridge=_has_bridge(),
            settings={name: text for name in _SETTINGS if (text := _setting(name)) is not None},
        )

    @classmethod
    def read(cls, file: Path) -> Traces:
        """What `write` wrote."""
        return cls(**json.loads(file.read_text()))

    def write(self, file: Path) -> None:
        """Keep it, so that a later run can put back what this one could not; the file appears whole or not at all."""
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(file)


def put_back(before: Traces) -> None:
    """Take away what an engine has added since `before`, which must not run any more; raises LocalEnvError when a command fails."""
    for name in _FIREWALLS:
        if script := undo(before.firewalls.get(name, ""), _run([f"{name}-save"])):
            _run([f"{name}-restore", "--noflush"], stdin=script)
    if not before.bridge and _has_bridge():
        _run(["ip", "link", "delete", BRIDGE, "type", "bridge"])
    for name, text in before.settings.items():
        if _setting(name) not in (text, None):
            (_SYSCTL / name).write_text(text)


def undo(before: str, after: str) -> str:
    """The input of `iptables-restore --noflush` that takes away what Docker has added; empty when that is nothing.

    Both texts are what `iptables-save` printed.
    """
    former, parts = _tables(before), []
    for name, table in _tables(after).items():
        if lines := list(_undo_table(former.get(name, _Table()), table)):
            parts += [f"*{name}", *lines, "COMMIT"]
    return "".join(f"{line}\n" for line in parts)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table: its chains with their policies (`-` for a chain of a user), and its rules in order."""

    policies: dict[str, str] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)


def _undo_table(before: _Table, after: _Table) -> Iterator[str]:
    added = {chain for chain in after.policies.keys() - before.policies.keys() if _OF_DOCKER.search(chain)}
    # Docker forbids forwarding. Where the table was not there yet, the kernel allowed it.
    if after.policies.get("FORWARD") == "DROP" and (former := before.policies.get("FORWARD", "ACCEPT")) != "DROP":
        yield f":FORWARD {former} [0:0]"
    known = Counter(before.rules)
    for rule in after.rules:
        known[rule] -= 1
        if known[rule] < 0 and _chain(rule) not in added and _OF_DOCKER.search(rule):
            yield f"-D{rule.removeprefix('-A')}"
    # A chain is deleted after everything that jumps to it, be it in another one of these.
    yield from (f"-F {chain}" for chain in sorted(added))
    yield from (f"-X {chain}" for chain in sorted(added))


def _tables(text: str) -> dict[str, _Table]:
    tables: dict[str, _Table] = {}
    table = _Table()
    for line in text.splitlines():
        if line.startswith("*"):
            table = tables.setdefault(line[1:], _Table())
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table.policies[chain] = policy
        elif line.startswith("-A"):
            table.rules.append(line)
    return tables


def _chain(rule: str) -> str:
    return rule.split(maxsplit=2)[1]


def _has_bridge() -> bool:
    return any(line.strip().startswith(f"{BRIDGE}:") for line in Path("/proc/self/net/dev").read_text().splitlines())


def _setting(name: str) -> str | None:
    """The kernel's setting; None where the kernel has none of that name, as before br_netfilter is loaded."""
    try:
        return (_SYSCTL / name).read_text().strip()
    except FileNotFoundError:
        return None


def _run(command: list[str], *, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalEnvError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
