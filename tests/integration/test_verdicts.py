"""The demo's steps, with what kstatus, Argo CD and Flux say of every object after each of them, and what kstatus says of every version in between."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.cluster import Cluster, Json, until
from localenv.demo import FIRST_ACT, SECOND_ACT, clean
from localenv.environment import ROOT, Environment
from localenv.errors import LocalEnvError
from localenv.operator import Operator
from localenv.second_act import OWNER
from localenv.second_gateway import SecondGateway
from localenv.stage import NAMESPACE, Stage
from tests.integration.conftest import QUICK
from tests.verdicts.contrib import judge
from tests.verdicts.kstatus import Result, Status, compute

pytestmark = pytest.mark.integration
KINDS = ("Client", "Contract", "Policy", "APIGrant")
DONE = "Current Healthy Current"
CHOSEN = "InProgress Healthy Current"
WAITING = "InProgress Progressing InProgress"
FAILED = "Failed Degraded Failed"

SHOP, LIMIT, OWN_LIMIT, GRANT = "Client shop", "Policy limit", "Policy own-limit", "APIGrant billing"
ORDERS, CATALOG, BILLING, THERE = "Contract orders", "Contract catalog", "Contract billing", "Contract billing-there"
ALL = {SHOP: DONE, ORDERS: DONE, CATALOG: DONE, BILLING: DONE, LIMIT: DONE}
TWO = {SHOP: DONE, ORDERS: DONE, CATALOG: DONE}
EXPECTED: dict[str, dict[str, str]] = {
    "created": {SHOP: CHOSEN},
    "registered": ALL,
    "unpublished": ALL,
    "reregistered": ALL,
    "revoked": TWO,
    "unregistered": {SHOP: CHOSEN, ORDERS: CHOSEN, CATALOG: CHOSEN},
    "undone": TWO,
    "restarted": TWO,
    "healed": TWO,
    "deleted": {ORDERS: WAITING, CATALOG: WAITING},
    "owner_limit": TWO | {OWN_LIMIT: DONE},
    "granted": TWO | {OWN_LIMIT: DONE, THERE: DONE, GRANT: DONE},
    "rotated": TWO | {OWN_LIMIT: DONE, THERE: DONE, GRANT: DONE},
    "withdrawn": TWO | {OWN_LIMIT: DONE, THERE: FAILED},
    "cleared": {CATALOG: WAITING},
}
"""What stands after each step, by the step's name; `kstatus`, Argo CD and Flux, in this order."""
MAY_FAIL = {("Contract", "NotGranted")}
"""What may be Failed at any moment of the demo: a Contract that the API's owner lets nobody have."""


@pytest.fixture(scope="module")
def env() -> Iterator[Environment]:
    """An environment of its own: the default gateway is looked at too, and what other tests have left on it is not the demo's."""
    kept = os.environ.get("TEST_LOCALENV_DIR")
    environment = Environment.up(Path(f"{kept}-verdicts") if kept else ROOT / ".localenv" / "verdicts")
    yield environment
    environment.down()


@pytest.fixture(scope="module")
def cluster(env: Environment) -> Cluster:
    """The administrator's view of it."""
    return Cluster(env)


@pytest.fixture(scope="module")
def stage(env: Environment, cluster: Cluster) -> Iterator[Stage]:
    """The demo's stage. The settle time is the demo's own: its steps count on one apply being one push."""
    quick = {name: value for name, value in QUICK.items() if not name.startswith("settle")}
    running = Operator(env, name="verdicts", settings=quick)
    cluster.namespace(NAMESPACE)
    cluster.namespace(OWNER)
    running.start()
    clean(cluster)
    yield Stage(cluster, running, functools.cache(lambda: SecondGateway.start(env)))
    running.stop()


def seen(cluster: Cluster) -> dict[str, str]:
    """The verdicts on all that stands in the demo's two namespaces, and on the default gateway."""
    gateway = cluster.get("RuntimeGateway", "", "default")
    assert gateway is not None
    return {"RuntimeGateway default": str(judge(gateway))} | {
        f"{kind} {item['metadata']['name']}": str(judge(item))
        for kind in KINDS
        for namespace in (NAMESPACE, OWNER)
        for item in cluster.list(kind, namespace)
    }


def versions(env: Environment, cluster: Cluster, kind: str, since: str) -> list[Json]:
    """Every version of every object of the kind in the demo's namespace since then, as a watch tells it."""
    path = cluster.path(kind, NAMESPACE)
    told = env.run_kubectl("get", "--raw", f"{path}?watch=1&timeoutSeconds=1&resourceVersion={since}")
    events = [json.loads(line) for line in told.splitlines()]
    assert {event["type"] for event in events} <= {"ADDED", "MODIFIED", "DELETED"}, "the watch cache has lost the start"
    return [event["object"] for event in events if event["type"] != "DELETED"]


def too_early(found: Json) -> bool:
    """Whether the object is not yet what its spec asks for, or serves nothing."""
    spec, status = found["spec"], found["status"]
    match found["kind"]:
        case "Client":
            return status["phase"] not in ("Registered", "UnpublishedChanges")
        case "Contract":
            live = [status["phase"], status.get("livePlan"), status.get("liveVersion")]
            return bool(live != ["Active", spec["plan"], spec["api"]["version"]])
        case _:
            return all((row["type"], row["status"]) != ("Accepted", "True") for row in status["conditions"])


def test_every_step_of_the_demo(stage: Stage, env: Environment, cluster: Cluster) -> None:
    """Fails when a tool would go on too early, wait for ever or give up at any step, or when kstatus would at any moment in between."""
    since = cluster.request("GET", cluster.path("Client", NAMESPACE)).body["metadata"]["resourceVersion"]
    for step in FIRST_ACT + SECOND_ACT:
        step(stage)
        expected = {"RuntimeGateway default": DONE} | EXPECTED[step.__name__]
        try:
            until(lambda expected=expected: seen(cluster) == expected, what=step.__name__, seconds=15)  # type: ignore[misc]
        except LocalEnvError:
            assert seen(cluster) == expected, f"after step {step.__name__}"
    judged = [
        (found, compute(found))
        for kind in ("Client", "Contract", "Policy")
        for found in versions(env, cluster, kind, since)
    ]
    assert len(judged) > 50, "a walk of fifteen steps has many versions"
    assert {Status.CURRENT, Status.IN_PROGRESS, Status.TERMINATING, Status.FAILED} == {r.status for _, r in judged}
    assert [_line(f, r) for f, r in judged if r.status is Status.CURRENT and too_early(f)] == []
    assert [_line(f, r) for f, r in judged if r.status is Status.FAILED and (f["kind"], r.reason) not in MAY_FAIL] == []


def _line(found: Json, result: Result) -> str:
    return (
        f"{found['kind']} {found['metadata']['name']}: {result.status} {result.reason}: {json.dumps(found['status'])}"
    )
