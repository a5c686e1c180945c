"""What the demo's steps stand on: the cluster, the operator, one Client's key, and the checks that are told while they are made.

What this module deliberately does not do: any step; those are `first_act` and `second_act`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console

from localenv.cluster import Cluster, Json, until
from localenv.errors import LocalEnvError
from localenv.second_gateway import SecondGateway

NAMESPACE = "team-shop"
SHOP = "shop"
APIS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}

console = Console(highlight=False, width=120)


def _one_gateway() -> SecondGateway:
    raise LocalEnvError("This stage has only one gateway; the second act needs another one.")


class Runs(Protocol):
    """The operator, be it a process or the pods of a release."""

    def start(self) -> object:
        """Start it, and wait until it is ready."""

    def stop(self) -> object:
        """Have all of it stop, and wait for that."""

    def metrics(self) -> str:
        """What /metrics of the leader says."""

    def changing_calls(self) -> int:
        """How many effects on a gateway there were in all its lives."""

    def tail(self) -> str:
        """The end of its log."""


@dataclass(slots=True)
class Stage:
    """The state of the walk: the environment, the operator, and what was seen."""

    cluster: Cluster
    operator: Runs
    second_gateway: Callable[[], SecondGateway] = _one_gateway
    """A second real gateway, started when it is first asked for."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    key: str = ""
    used: int = 0

    def call(self, api: str) -> int:
        """Call an API with the Client's key; returns the status code."""
        return self.count(self.cluster.call(f"acme/{api}/{APIS[api]}", self.key))

    def count(self, code: int) -> int:
        """Remember that the gateway counted a call; returns its code."""
        self.used += code == 200
        return code

    def codes(self, expected: dict[str, int]) -> str:
        """Call the APIs and check the codes; the gateway's data plane follows its configuration within a moment."""
        for api, code in expected.items():
            until(lambda api=api, code=code: self.call(api) == code, what=f"{code} from {api}", seconds=5)  # type: ignore[misc]
        text = ", ".join(f"{api} {code}" for api, code in expected.items())
        self.check(True, f"calls with the key: {text}")
        return text

    def active(self, contract_: str) -> Json:
        """Wait until the Contract is Active."""
        return self.cluster.wait(
            "Contract", NAMESPACE, contract_, lambda o: o["status"].get("phase") == "Active", what="phase Active"
        )

    def ask(self, verb: str, token: str) -> None:
        """Ask for an action by annotation, and wait until it has succeeded."""
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

    def versions(self) -> dict[str, str]:
        """The resourceVersion of every object that the operator may write."""
        rows = {}
        for kind in ("Client", "Contract", "Policy", "Secret"):
            for item in self.cluster.list(kind, NAMESPACE):
                rows[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
        return rows

    def all_looked_at(self) -> None:
        """Wait until the restarted operator has looked at everything once."""

        def quiet() -> bool:
            text = self.operator.metrics()
            return 'leader_election_master_status{name="gateway-registrar"} 1.0' in text and (
                'workqueue_depth{name="clients"} 0.0' in text
                and 'controller_runtime_reconcile_total{controller="Client",result="success"} 0.0' not in text
            )

        until(quiet, what="the operator having looked at everything")

    def hour_has_time(self) -> None:
        """The gateway counts by the clock's hour; a count that an hour's end cuts in two would prove nothing."""
        left = 3600 - time.time() % 3600
        if left < 15:
            until(lambda: time.time() % 3600 < 60, what="the next hour", seconds=20)

    def check(self, holds: bool, what: str) -> None:
        """Say what holds; raises LocalEnvError when it does not."""
        if not holds:
            raise LocalEnvError(f"This must hold and does not: {what}")
        console.print(f"  [green]✓[/] {what}")

    def say(self, text: str) -> None:
        """Show a text of the operator's."""
        for line in text.splitlines():
            console.print(f"  [dim]│ {line}[/]")


def short(codes: list[int]) -> str:
    """The codes in a line."""
    return " ".join(str(code) for code in codes)
