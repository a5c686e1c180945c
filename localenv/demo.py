"""The whole life of a Client, on a real API server and a real gateway, narrated and checked: `make demo`.

Exits 0 only if every call was answered as it must. KEEP=1 leaves everything up afterwards.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable

from rich.table import Table

from localenv import first_act, second_act
from localenv.cluster import Cluster
from localenv.environment import Environment
from localenv.errors import LocalEnvError
from localenv.operator import Operator
from localenv.second_gateway import SecondGateway
from localenv.stage import NAMESPACE, Stage, console

FIRST_ACT: tuple[Callable[[Stage], str], ...] = (
    first_act.created,
    first_act.registered,
    first_act.unpublished,
    first_act.reregistered,
    first_act.revoked,
    first_act.unregistered,
    first_act.undone,
    first_act.restarted,
    first_act.healed,
    first_act.deleted,
)
SECOND_ACT: tuple[Callable[[Stage], str], ...] = (
    second_act.owner_limit,
    second_act.granted,
    second_act.rotated,
    second_act.withdrawn,
    second_act.cleared,
)


def walk(stage: Stage) -> bool:
    """All steps, one after the other; whether all of them held."""
    for number, step in enumerate(FIRST_ACT + SECOND_ACT, start=1):
        title = (step.__doc__ or "").strip().removesuffix(".")
        console.print(f"\n[bold]{number}. {title}[/]")
        try:
            stage.seen.append((title, step(stage)))
        except LocalEnvError as error:
            console.print(f"  [red]✗ {error}[/]")
            console.print(f"\nThe end of the operator's log:\n{stage.operator.tail()}", markup=False)
            return False
    return True


def clean(cluster: Cluster) -> None:
    """Remove what a walk that was interrupted has left."""
    for namespace in (NAMESPACE, second_act.OWNER):
        for kind in ("Contract", "Policy", "APIGrant", "Client"):
            for item in cluster.list(kind, namespace):
                cluster.delete(kind, namespace, item["metadata"]["name"])
                cluster.wait_gone(kind, namespace, item["metadata"]["name"])


def summary(stage: Stage) -> None:
    """The table at the end."""
    table = Table(title="What was seen", show_lines=True, width=118)
    for heading in ("", "Step", "Seen"):
        table.add_column(heading)
    for number, (title, seen) in enumerate(stage.seen, start=1):
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
        stage = Stage(cluster, operator, functools.cache(lambda: SecondGateway.start(environment)))
        good = walk(stage)
        summary(stage)
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
