"""`python -m tests.bench [--clients N | --large]`: the numbers of the design's section 7 that exist by now, as a table and as `.localenv/bench.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time

from rich.console import Console
from rich.table import Table

from localenv.cluster import Cluster
from localenv.environment import ROOT, Environment
from localenv.operator import Operator
from tests.bench.api import Api
from tests.bench.load import APIS, REACHED, REACHED_PLAN, Load
from tests.bench.load import ROOT as KINDS
from tests.bench.reading import (
    NO_OBJECTS,
    calls,
    cpu_seconds,
    delta,
    memory,
    objects,
    quiet,
    reached,
    registrations,
    resting,
    settled_writes,
)
from tests.bench.replay import Record, prepare, record, send

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
    "policy_seconds": "20 or less for 5,000 contracts",
    "reset_seconds": "60 or less",
    "delete_left": "0",
}
Numbers = dict[str, float]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000, help="how many Clients, with five Contracts each (1000)")
    parser.add_argument("--large", action="store_true", help="10,000 Clients")
    wanted = parser.parse_args()
    clients = 10_000 if wanted.large else wanted.clients
    if clients <= CHANGES:
        parser.error(f"--clients must be more than {CHANGES}: that many single changes are measured")
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
        # What an operator makes once for an installation (its signing Secret) is no part of what a load costs.
        operator.start()
        operator.stop()
        say(f"creating {clients} Clients and {done.contracts} Contracts")
        await done.create(api)
        numbers: Numbers = {"clients": clients, "contracts": done.contracts}
        recorded = await cold(api, operator, done, numbers)
        await restart(api, operator, done, numbers)
        await changes(api, done, numbers)
        await idle(api, operator, numbers)
        numbers["rss_mib"] = round(memory(operator, "VmRSS"), 1)
        numbers["rss_peak_mib"] = round(memory(operator, "VmHWM"), 1)
        await owner_policy(api, operator, numbers)
        await reset(environment, operator, done, numbers)
        await mass_delete(api, environment, done, numbers)
        operator.stop()
        say("creating the same objects afresh, for the replay")
        await fresh.create(api)
        batches = await prepare(api, recorded, done=done, fresh=fresh)
        say(f"replaying {sum(len(batch) for batch in batches)} writes")
        numbers["replay_seconds"] = round(await send(api, batches), 2)
        numbers["cold_ratio"] = round(numbers["replay_seconds"] / numbers["cold_seconds"], 3)
        return numbers
    finally:
        operator.stop()
        await api.close()


async def cold(api: Api, operator: Operator, load: Load, numbers: Numbers) -> Record:
    """From the start of the process until every Contract is live; returns what was written."""
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
    return await record(api, load, events=counts.get("events", 0))


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
    numbers["restart_writes"] = sum(count for resource, count in counts.items() if resource not in NO_OBJECTS)
    numbers["restart_gateway_changes"] = calls(operator, "gateway.register") + calls(operator, "gateway.unregister")
    say(f"restart: {numbers['restart_seconds']} s; writes {counts}")
    await resting(operator)
    numbers["rest_seconds"] = round(time.monotonic() - began, 2)


async def changes(api: Api, load: Load, numbers: Numbers) -> None:
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
    numbers["idle_writes"] = sum(count for resource, count in counts.items() if resource not in NO_OBJECTS)


async def owner_policy(api: Api, operator: Operator, numbers: Numbers) -> None:
    """An owner's limit on a plan, which bites at once: until the gateway has it for every Client of the plan."""
    say(f"an owner's policy for {REACHED} Clients")
    await api.send("POST", "/api/v1/namespaces", b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"acme"}}')
    spec = {
        "targetRefs": [{"kind": "Plan", "organization": "acme", "name": REACHED_PLAN}],
        "quota": {"limit": 1_000_000, "period": "Day", "granularity": "Api"},
    }
    body = {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": "fair"},
        "spec": spec,
    }
    before, began = calls(operator, "gateway.register"), time.monotonic()
    await api.send("POST", f"{KINDS}/namespaces/acme/policies", json.dumps(body).encode())
    wanted = before + min(REACHED, int(numbers["clients"]))
    await reached(lambda: calls(operator, "gateway.register") >= wanted, what="the policy everywhere")
    numbers["policy_contracts"] = min(REACHED, int(numbers["clients"])) * len(APIS)
    numbers["policy_seconds"] = round(time.monotonic() - began, 2)


async def reset(environment: Environment, operator: Operator, load: Load, numbers: Numbers) -> None:
    """The gateway loses everything: from when it answers again, with its APIs, until it has every Client again."""
    await reached(lambda: quiet(operator, load.clients), what="everything written")
    say("the gateway restarts empty")
    environment.stop_gateway()
    environment.start_gateway()
    environment.publish_apis(*APIS)
    began = time.monotonic()
    await reached(lambda: registrations(environment, load) == load.clients, what="every registration being back")
    numbers["reset_seconds"] = round(time.monotonic() - began, 2)


async def mass_delete(api: Api, environment: Environment, load: Load, numbers: Numbers) -> None:
    """All Clients are deleted at once: until the API server and the gateway have none."""
    say(f"deleting {load.clients} Clients")
    began = time.monotonic()
    for number in range(load.namespaces):
        await api.send("DELETE", f"{KINDS}/namespaces/{load.prefix}{number}/clients")
    cluster = Cluster(environment)
    await reached(
        lambda: not cluster.request("GET", f"{KINDS}/clients?limit=1").body["items"], what="every Client being gone"
    )
    numbers["delete_seconds"] = round(time.monotonic() - began, 2)
    numbers["delete_left"] = registrations(environment, load)


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
