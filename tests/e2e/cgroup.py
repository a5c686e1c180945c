"""What the kernel counted for a pod's container: its memory at the highest, and whether a limit was ever met.

Invariant: it is read in the container, whose control group is all that it sees, so it works in any cluster; in version 1 and 2 of control groups alike.
What this module deliberately does not do: judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localenv.cluster import Json
from localenv.errors import LocalEnvError

if TYPE_CHECKING:
    from tests.e2e.site import Site

_MOUNT = "/sys/fs/cgroup"
_VERSION_1 = (
    "memory/memory.max_usage_in_bytes",
    "memory/memory.limit_in_bytes",
    "memory/memory.failcnt",
    "cpu/cpu.stat",
)
_VERSION_2 = ("memory.peak", "memory.max", "memory.events", "cpu.stat")


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in bytes, caches included; how often the limit was met; and in how many periods the CPU was withheld."""

    peak: int
    limit: int
    refused: int
    throttled: int


def usage(site: Site, pod: Json) -> Usage:
    """What was counted since the pod's container started. Raises LocalEnvError when its control group can't be read."""
    shell = f'cd {_MOUNT}; for f in {" ".join([*_VERSION_1, *_VERSION_2])}; do echo "file $f"; cat $f 2>/dev/null; done; true'
    meta = pod["metadata"]
    told = site.run_kubectl("exec", f"--namespace={meta['namespace']}", meta["name"], "--", "sh", "-c", shell)
    files = {name: text for name, _, text in (part.partition("\n") for part in told.split("file ")[1:]) if text.strip()}
    for peak, limit, refused, throttled in (_VERSION_1, _VERSION_2):
        if peak in files:
            return Usage(
                peak=int(files[peak]),
                limit=int(files[limit]),
                refused=_number(files[refused], "max"),
                throttled=_number(files[throttled], "nr_throttled"),
            )
    raise LocalEnvError(f"The control group of {meta['name']} tells no peak of its memory; it has {sorted(files)}.")


def _number(text: str, key: str) -> int:
    """The number behind the key, or the only one that there is."""
    words = text.split()
    return int(words[words.index(key) + 1] if key in words else words[0])
