"""`python -m tests.bench [--clients N | --large]`: the numbers of the design's section 7 that exist by now, as a table and as `.localenv/bench.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from localenv.environment import ROOT, Environment
from localenv.operator import Operator
from tests.bench.api import Api
from tests.bench.load import APIS, Load
from tests.bench.load import ROOT as KINDS
from tests.bench.replay import prepare, replay

console = Console(highlight=False)
CHANGES = 100
IDLE_SECONDS = 30.0
TARGETS = {
    "cold_ratio": "0.6 or more",
    "writes_per_client": "3",
    "writes_per_contract": "1",
    "restart_seconds": "30 or less",
    "restart_writes": "0",
    "restart_gateway_changes": "0",
    "rss_mib": "225 or less",
    "change_p99_ms": "500 or less",
    "idle_cpu_percent": "3 or less",
}
Numbers = dict[str, float]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000, help="how many Clients, with five Contracts each (1000)")
    parser.add_argument("--large", action="store_true", help="10,000 Clients")
    wanted = parser.parse_args()
    clients = 10_000 if wanted.large else wanted.clients
    environment = Environment.up(ROOT / ".localenv" / "bench", apis=APIS, gateway_heap="1g")
    try:
        numbers = asyncio.run(measure(environment, clients))
    finally:
        environment.down()
    table(numbers)
    target = ROOT / ".localenv" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(numbers, indent=1) + "\n")
    console.print(f"written to {target.relative_to(ROOT)}")
    return 0


async def measure(environment: Environment, clients: int) -> Numbers:
    """All numbers, in one run on one server."""
    api = Api(environment)
    operator = Operator(environment, name="bench")
    done, fresh = Load(clients, "done-"), Load(clients, "fresh-")
    try:
        say(f"creating {clients} Clients and {done.contracts} Contracts")
        await done.create(api)
        numbers: Numbers = {"clients": clients, "contracts": done.contracts}
        events = await cold(api, operator, done, numbers)
        await restart(api, operator, done, numbers)
        await changes(environment, api, done, numbers)
        await idle(api, operator, numbers)
        numbers["rss_mib"] = round(memory(operator, "VmRSS"), 1)
        numbers["rss_peak_mib"] = round(memory(operator, "VmHWM"), 1)
        operator.stop()
        say("creating the same objects afresh, for the replay")
        await fresh.create(api)
        batches = await prepare(api, done=done, fresh=fresh, events=events)
        say(f"replaying {sum(len(batch) for batch in batches)} writes")
        numbers["replay_seconds"] = round(await replay(api, batches), 2)
        numbers["cold_ratio"] = round(numbers["replay_seconds"] / numbers["cold_seconds"], 3)
        return numbers
    finally:
        operator.stop()
        await api.close()


async def cold(api: Api, operator: Operator, load: Load, numbers: Numbers) -> int:
    """From the start of the process until every Contract is live; returns how many Events were sent."""
    before = await api.writes()
    say("cold start")
    began = time.monotonic()
    operator.start(wait=False)
    await reached(
        lambda: (
            objects(operator, "Contract", "Active") == load.contracts
            and objects(operator, "Client", "Registered") == load.clients
        ),
        what="everything live",
    )
    numbers["cold_seconds"] = round(time.monotonic() - began, 2)
    counts = delta(before, await api.writes())
    numbers["writes_per_client"] = round((counts.get("clients", 0) + counts.get("secrets", 0)) / load.clients, 4)
    numbers["writes_per_contract"] = round(counts.get("contracts", 0) / load.contracts, 4)
    say(f"cold: {numbers['cold_seconds']} s; writes {counts}")
    await reached(lambda: quiet(operator, load.clients), what="the policies' counters")
    return counts.get("events", 0)


async def restart(api: Api, operator: Operator, load: Load, numbers: Numbers) -> None:
    """Stop and start with nothing changed."""
    await settled_writes(api)
    operator.stop()
    before = await api.writes()
    say("restart with nothing changed")
    began = time.monotonic()
    operator.start(wait=False)
    await reached(lambda: quiet(operator, load.clients), what="everything looked at")
    numbers["restart_seconds"] = round(time.monotonic() - began, 2)
    counts = delta(before, await api.writes())
    numbers["restart_writes"] = sum(count for resource, count in counts.items() if resource != "leases")
    numbers["restart_gateway_changes"] = calls(operator, "gateway.register") + calls(operator, "gateway.unregister")
    say(f"restart: {numbers['restart_seconds']} s; writes {counts}")


async def changes(environment: Environment, api: Api, load: Load, numbers: Numbers) -> None:
    """Single changes of a Contract's plan, one after the other: from the write to the Client's status."""
    say(f"{CHANGES} single changes")
    took = []
    for number in range(1, CHANGES + 1):
        space, name = load.namespace(number), f"client-{number}"
        path = f"{KINDS}/namespaces/{space}"
        began = time.monotonic()
        await api.send(
            "PATCH", f"{path}/contracts/{name}-orders", b'{"spec":{"plan":"silver"}}', "application/merge-patch+json"
        )
        while True:
            found = await api.send("GET", f"{path}/clients/{name}")
            if found["status"]["phase"] == "UnpublishedChanges":
                break
        took.append((time.monotonic() - began) * 1000)
    numbers["change_p50_ms"] = round(statistics.median(took), 1)
    numbers["change_p99_ms"] = round(statistics.quantiles(took, n=100)[98], 1)


async def idle(api: Api, operator: Operator, numbers: Numbers) -> None:
    """CPU and writes while nothing happens."""
    await settled_writes(api)
    say(f"idle for {IDLE_SECONDS:.0f} s")
    before, cpu = await api.writes(), cpu_seconds(operator)
    await asyncio.sleep(IDLE_SECONDS)
    numbers["idle_cpu_percent"] = round((cpu_seconds(operator) - cpu) / IDLE_SECONDS * 100, 2)
    counts = delta(before, await api.writes())
    numbers["idle_writes"] = sum(count for resource, count in counts.items() if resource != "leases")


# Reading -------------------------------------------------------------------------------------------------------------


async def reached(check: Callable[[], bool], *, what: str, seconds: float = 3600.0) -> None:
    """Wait for a state of the operator; asked four times a second, because rendering the metrics takes time from what is measured."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(check):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen in {seconds:.0f} s")
        await asyncio.sleep(0.25)


async def settled_writes(api: Api) -> None:
    """Wait until no counter is written any more: two looks, twelve seconds apart, that see the same."""
    while True:
        before = await api.writes()
        await asyncio.sleep(12)
        if not {resource for resource in delta(before, await api.writes()) if resource != "leases"}:
            return


def metric(operator: Operator, start: str) -> float:
    """The value of the first metric line that begins so; 0 when there is none, or no answer yet."""
    try:
        text = operator.metrics()
    except OSError:
        return 0.0
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(start)), 0.0)


def objects(operator: Operator, kind: str, phase: str) -> float:
    """How many objects of a kind are in a phase."""
    return metric(operator, f'gateway_registrar_objects{{kind="{kind}",phase="{phase}"}}')


def calls(operator: Operator, site: str) -> int:
    """How many calls were made at a site of the seam."""
    return int(metric(operator, f'gateway_registrar_calls_total{{outcome="ok",site="{site}"}}'))


def quiet(operator: Operator, clients: int) -> bool:
    """Whether every Client was looked at and nothing waits."""
    looked = metric(operator, 'controller_runtime_reconcile_total{controller="Client",result="success"}')
    return looked >= clients and metric(operator, 'workqueue_depth{name="clients"}') == 0.0


def memory(operator: Operator, field: str) -> float:
    """A line of /proc/PID/status, in MiB."""
    text = Path(f"/proc/{operator.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(f"{field}:"))


def cpu_seconds(operator: Operator) -> float:
    """The process's CPU time so far."""
    fields = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def delta(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What has been counted since."""
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


def say(text: str) -> None:
    """A line of progress."""
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {text}")


def table(numbers: Numbers) -> None:
    """The result, beside what was aimed at."""
    made = Table(title=f"{numbers['clients']:.0f} Clients, {numbers['contracts']:.0f} Contracts")
    for heading in ("what", "measured", "aimed at"):
        made.add_column(heading)
    for name, value in numbers.items():
        made.add_row(name, f"{value:g}", TARGETS.get(name, ""))
    console.print(made)


if __name__ == "__main__":
    sys.exit(main())
