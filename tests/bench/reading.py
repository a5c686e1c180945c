"""What the benchmark reads: the operator's own metrics, the servers', and the kernel's word on memory and CPU.

What this module deliberately does not do: change anything.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from localenv.cluster import Cluster, Surroundings
from localenv.operator import Operator
from tests.bench.api import Api
from tests.bench.load import Load

NO_OBJECTS = frozenset({"leases", "selfsubjectaccessreviews"})
"""No writes: the Lease, which is renewed all the time, and questions about the operator's own rights, which are POSTs that the API server keeps nowhere."""
WINDOW = 5.0
"""Seconds over which the CPU of a process at rest is read."""
AT_REST = 0.03
"""The share of a core below which it counts as at rest."""


class Metered(Protocol):
    """An operator whose metrics can be read, be it a process or the pods of a release."""

    def metrics(self) -> str:
        """What /metrics of the leader says."""


async def reached(check: Callable[[], bool], *, what: str, seconds: float = 3600.0) -> None:
    """Wait for a state of the operator.

    Rendering the metrics takes time from what is measured, so it is asked four times a second at first, and then after each hundredth of the time that
    has passed: what is measured is at most a hundredth too long.
    """
    began = time.monotonic()
    while not await asyncio.to_thread(check):
        elapsed = time.monotonic() - began
        if elapsed > seconds:
            raise RuntimeError(f"{what} did not happen in {seconds:.0f} s")
        await asyncio.sleep(max(0.25, elapsed / 100))


async def settled_writes(api: Api) -> None:
    """Wait until no counter is written any more: two looks, twelve seconds apart, that see the same."""
    while True:
        before = await api.writes()
        await asyncio.sleep(12)
        if not {resource for resource in delta(before, await api.writes()) if resource not in NO_OBJECTS}:
            return


def metric(operator: Metered, start: str) -> float:
    """The value of the first metric line that begins so; 0 when there is none, or no answer yet."""
    try:
        text = operator.metrics()
    except OSError:
        return 0.0
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(start)), 0.0)


def objects(operator: Metered, kind: str, phase: str) -> float:
    """How many objects of a kind are in a phase."""
    return metric(operator, f'gateway_registrar_objects{{kind="{kind}",phase="{phase}"}}')


def calls(operator: Metered, site: str) -> int:
    """How many calls were made at a site of the seam."""
    return int(metric(operator, f'gateway_registrar_calls_total{{outcome="ok",site="{site}"}}'))


def quiet(operator: Metered, clients: int) -> bool:
    """Whether every Client was looked at and nothing waits."""
    looked = metric(operator, 'controller_runtime_reconcile_total{controller="Client",result="success"}')
    return looked >= clients and metric(operator, 'workqueue_depth{name="clients"}') == 0.0


def registrations(environment: Surroundings, load: Load) -> int:
    """How many Clients the gateway has, told by itself; -1 while it does not answer."""
    cluster = Cluster(environment)
    try:
        return sum(
            len(cluster.gateway_request("GET", f"/organizations/{load.prefix}{number}/clients/").body or ())
            for number in range(load.namespaces)
        )
    except OSError:
        return -1


def memory(operator: Operator, field: str) -> float:
    """A line of /proc/PID/status, in MiB."""
    text = Path(f"/proc/{operator.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(f"{field}:"))


def cpu_seconds(operator: Operator) -> float:
    """The process's CPU time so far."""
    fields = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


async def resting(operator: Operator) -> None:
    """Wait until the process is idle: Kopf's own listing, the sweep after it and the first drift check are over."""
    while True:
        before = cpu_seconds(operator)
        await asyncio.sleep(WINDOW)
        if cpu_seconds(operator) - before < AT_REST * WINDOW:
            return


def delta(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What has been counted since."""
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
