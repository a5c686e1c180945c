"""The whole life of a Client, on a real API server and a real gateway, narrated and checked: `make demo`.

Exits 0 only if every call was answered as it must. KEEP=1 leaves everything up afterwards.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.errors import LocalEnvError
from localenv.operator import Operator

NAMESPACE = "team-shop"
SHOP = "shop"
APIS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}
ROOM = 4
"""How many calls the tightened limit leaves."""

console = Console(highlight=False, width=120)


@dataclass(slots=True)
class Demo:
    """The state of the walk: the environment, the operator, and what was seen."""

    cluster: Cluster
    operator: Operator
    seen: list[tuple[str, str]] = field(default_factory=list)
    key: str = ""
    used: int = 0

    # Steps ------------------------------------------------------------------------------------------------------

    def created(self) -> str:
        """A Client alone is Created, and no key works"""
        self.cluster.apply(client(NAMESPACE, SHOP))
        found = self.cluster.wait_phase(NAMESPACE, SHOP, "Created")
        message = condition(found, "Ready")["message"]
        self._say(message)
        self._check("kind: Contract" in message, "the condition shows a manifest that would do")
        self.key = self.cluster.key(NAMESPACE, f"{SHOP}-api-key")
        return self._codes({api: 404 for api in APIS})

    def registered(self) -> str:
        """Three Contracts and a Policy in one apply register it, together"""
        manifests = [contract(NAMESPACE, api, client=SHOP, api=api, version=APIS[api]) for api in APIS]
        self.cluster.apply(*manifests, rate_limit(NAMESPACE, "limit", client=SHOP, limit=1000, period="Hour"))
        found = self.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
        self._check(found["status"]["contracts"]["summary"] == "3/3", "all three Contracts are live")
        self._check(len(found["status"]["changeLog"]) == 1, "they were registered together, in one push")
        for api in APIS:
            endpoint = self._active(api)["status"]["endpoint"]
            code = self._count(self.cluster.call(endpoint, self.key))
            self._check(code == 200, f"{endpoint} answers {code} to the key of the Secret")
        return self._codes({api: 200 for api in APIS}) + f"; without a key {self.cluster.call('acme/orders/1.0')}"

    def unpublished(self) -> str:
        """A rate limit is tightened: UnpublishedChanges, and the old limit still holds"""
        tries = 7
        # The gateway counts the calls of the hour so far, whatever the limit was when they were made.
        limit = self.used + tries + ROOM
        self._hour_has_time()
        self.cluster.apply(rate_limit(NAMESPACE, "limit", client=SHOP, limit=limit, period="Hour"))
        found = self.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
        words = found["status"]["pendingChanges"][0]["message"]
        self._say(words)
        self._check(f"limit 1000 -> {limit}" in words, "status.pendingChanges says so in words")
        codes = [self._call("orders") for _ in range(tries)]
        self._check(codes == [200] * len(codes), f"{len(codes)} calls pass under the old limit")
        return f"{words}; calls: {_short(codes)}"

    def reregistered(self) -> str:
        """Reregister publishes it: 200 up to the limit, then 429"""
        self._ask("reregister", "publish-1")
        self.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
        codes = [self._call("orders") for _ in range(ROOM + 2)]
        self._check(codes == [200] * ROOM + [429] * 2, f"calls answer {_short(codes)}")
        return f"calls: {_short(codes)}"

    def revoked(self) -> str:
        """A Contract is deleted: its API is closed at once, the others stay open"""
        self.cluster.delete("Policy", NAMESPACE, "limit")
        self.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
        self._ask("reregister", "publish-2")
        self.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
        self.cluster.delete("Contract", NAMESPACE, "billing")
        began = time.monotonic()
        until(lambda: self._call("billing") == 404, what="acme/billing/1.0 being closed", seconds=10)
        took = time.monotonic() - began
        return self._codes({"billing": 404, "orders": 200, "catalog": 200}) + f" ({took:.1f} s after the deletion)"

    def unregistered(self) -> str:
        """Unregister: Retired, and the key is dead"""
        self._ask("unregister", "retire-1")
        self.cluster.wait_phase(NAMESPACE, SHOP, "Retired")
        return self._codes({"orders": 404, "catalog": 404})

    def undone(self) -> str:
        """Reregister undoes it, with the same key"""
        self._ask("reregister", "publish-3")
        self.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
        self._check(self.cluster.key(NAMESPACE, f"{SHOP}-api-key") == self.key, "the Secret holds the same key")
        return self._codes({"orders": 200, "catalog": 200})

    def restarted(self) -> str:
        """The operator restarts: nothing is written, nothing changes"""
        before = self._versions()
        calls = self._changing_calls()
        self.operator.stop()
        self.operator.start()
        self._all_looked_at()
        self._check(self._versions() == before, "no object's resourceVersion moved")
        self._check(calls == self._changing_calls(), "no call changed the gateway")
        return f"{len(before)} objects untouched; " + self._codes({"orders": 200, "catalog": 200})

    def healed(self) -> str:
        """The gateway restarts empty: the registrations come back by themselves"""
        environment = self.cluster.environment
        environment.reset_gateway()
        self._check(self._call("orders") == 404, "the fresh gateway does not know the key")
        began = time.monotonic()
        until(lambda: self._call("orders") == 200, what="the registration coming back", seconds=60)
        took = time.monotonic() - began
        return self._codes({"orders": 200, "catalog": 200}) + f" (after {took:.1f} s)"

    def deleted(self) -> str:
        """The Client is deleted: nothing of it is left"""
        self.cluster.delete("Client", NAMESPACE, SHOP)
        self.cluster.wait_gone("Client", NAMESPACE, SHOP)
        self._check(self.cluster.registration(NAMESPACE, SHOP) is None, "the gateway has no registration of it")
        self.cluster.wait_gone("Secret", NAMESPACE, f"{SHOP}-api-key")
        return self._codes({"orders": 404, "catalog": 404}) + "; the Secret is gone"

    # What the steps share ---------------------------------------------------------------------------------------

    def _call(self, api: str) -> int:
        return self._count(self.cluster.call(f"acme/{api}/{APIS[api]}", self.key))

    def _count(self, code: int) -> int:
        self.used += code == 200
        return code

    def _codes(self, expected: dict[str, int]) -> str:
        """Call the APIs and check the codes; the gateway's data plane follows its configuration within a moment."""
        for api, code in expected.items():
            until(lambda api=api, code=code: self._call(api) == code, what=f"{code} from {api}", seconds=5)  # type: ignore[misc]
        text = ", ".join(f"{api} {code}" for api, code in expected.items())
        self._check(True, f"calls with the key: {text}")
        return text

    def _active(self, contract_: str) -> Json:
        return self.cluster.wait(
            "Contract", NAMESPACE, contract_, lambda o: o["status"].get("phase") == "Active", what="phase Active"
        )

    def _ask(self, verb: str, token: str) -> None:
        console.print(f"  [dim]$ kubectl annotate client {SHOP} gateway-registrar.dev/{verb}={token} --overwrite[/]")
        self.cluster.annotate("Client", NAMESPACE, SHOP, verb, token)
        self.cluster.wait(
            "Client",
            NAMESPACE,
            SHOP,
            lambda o: any(
                a["name"] == verb and a.get("lastHandledToken") == token and a["outcome"] == "Succeeded"
                for a in o["status"].get("actions", [])
            ),
            what=f"{verb} {token} handled",
        )

    def _versions(self) -> dict[str, str]:
        """The resourceVersion of every object that the operator may write."""
        rows = {}
        for kind in ("Client", "Contract", "Policy", "Secret"):
            for item in self.cluster.list(kind, NAMESPACE):
                rows[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
        return rows

    def _changing_calls(self) -> int:
        """How many effects on a gateway the audit log has, from all lives of the operator."""
        return len(self.operator.audit.read_text().splitlines())

    def _all_looked_at(self) -> None:
        """Wait until the restarted operator has looked at everything once."""

        def quiet() -> bool:
            text = self.operator.metrics()
            return 'leader_election_master_status{name="gateway-registrar"} 1.0' in text and (
                'workqueue_depth{name="clients"} 0.0' in text
                and 'controller_runtime_reconcile_total{controller="Client",result="success"}' in text
            )

        until(quiet, what="the operator having looked at everything")

    def _hour_has_time(self) -> None:
        """The gateway counts by the clock's hour; a count that an hour's end cuts in two would prove nothing."""
        left = 3600 - time.time() % 3600
        if left < 15:
            until(lambda: time.time() % 3600 < 60, what="the next hour", seconds=20)

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise LocalEnvError(f"This must hold and does not: {what}")
        console.print(f"  [green]✓[/] {what}")

    def _say(self, text: str) -> None:
        for line in text.splitlines():
            console.print(f"  [dim]│ {line}[/]")


STEPS: tuple[Callable[[Demo], str], ...] = (
    Demo.created,
    Demo.registered,
    Demo.unpublished,
    Demo.reregistered,
    Demo.revoked,
    Demo.unregistered,
    Demo.undone,
    Demo.restarted,
    Demo.healed,
    Demo.deleted,
)


def _short(codes: list[int]) -> str:
    return " ".join(str(code) for code in codes)


def walk(demo: Demo) -> bool:
    """All steps, one after the other; whether all of them held."""
    for number, step in enumerate(STEPS, start=1):
        title = (step.__doc__ or "").strip()
        console.print(f"\n[bold]{number}. {title}[/]")
        try:
            demo.seen.append((title, step(demo)))
        except LocalEnvError as error:
            console.print(f"  [red]✗ {error}[/]")
            console.print(f"\nThe end of the operator's log:\n{demo.operator.tail()}", markup=False)
            return False
    return True


def clean(cluster: Cluster) -> None:
    """Remove what a walk that was interrupted has left."""
    for kind in ("Contract", "Policy", "Client"):
        for item in cluster.list(kind, NAMESPACE):
            cluster.delete(kind, NAMESPACE, item["metadata"]["name"])
            cluster.wait_gone(kind, NAMESPACE, item["metadata"]["name"])


def summary(demo: Demo) -> None:
    """The table at the end."""
    table = Table(title="What was seen", show_lines=True, width=118)
    for heading in ("", "Step", "Seen"):
        table.add_column(heading)
    for number, (title, seen) in enumerate(demo.seen, start=1):
        table.add_row(str(number), title, seen)
    console.print(table)


def main() -> int:
    """Bring everything up, walk, and stop what was started."""
    keep = os.environ.get("KEEP") == "1"
    began = time.monotonic()
    try:
        environment = Environment.up()
    except LocalEnvError as error:
        console.print(f"error: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what was started is stopped")
        return 130
    operator = Operator(environment)
    good = False
    try:
        cluster = Cluster(environment)
        cluster.namespace(NAMESPACE)
        operator.start()
        clean(cluster)
        demo = Demo(cluster, operator)
        good = walk(demo)
        summary(demo)
    except LocalEnvError as error:
        console.print(f"error: {error}", markup=False)
    except KeyboardInterrupt:
        console.print("interrupted")
    finally:
        operator.stop()
        if not keep:
            environment.down()
    took = time.monotonic() - began
    console.print(f"{'All steps held' if good else 'A step did not hold'}; {took:.0f} s in all.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
