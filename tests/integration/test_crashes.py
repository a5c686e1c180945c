"""kill -9 of the operator between each of its side effects: after a restart the end is the same as without the crash.

The reference of a workload is a run without a fault. What must be equal: the Client's and the Contracts' statuses but for times, ids and hashes; what the gateway
has; and whether the key opens what it should.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.operator import Operator
from registrar.seam import Site
from tests.faults.plan import plan
from tests.integration.conftest import QUICK

pytestmark = pytest.mark.integration

Step = Callable[[Cluster, str], None]


def create(cluster: Cluster, namespace: str) -> None:
    """A Client with two Contracts and a limit."""
    cluster.apply(
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        contract(namespace, "billing", client="shop", api="billing", version="1.0"),
        rate_limit(namespace, "limit", client="shop", limit=1000),
    )


def registered(cluster: Cluster, namespace: str) -> None:
    """The same, registered."""
    create(cluster, namespace)
    wait_for(cluster, namespace, "Registered")


def changed(cluster: Cluster, namespace: str) -> None:
    """The same, with an unpublished change."""
    registered(cluster, namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=500))
    wait_for(cluster, namespace, "UnpublishedChanges")


def reregister(cluster: Cluster, namespace: str) -> None:
    """Ask for a publish."""
    cluster.annotate("Client", namespace, "shop", "reregister", "one")


def unregister(cluster: Cluster, namespace: str) -> None:
    """Ask for retirement."""
    cluster.annotate("Client", namespace, "shop", "unregister", "one")


def revoke(cluster: Cluster, namespace: str) -> None:
    """Delete one of two Contracts."""
    cluster.delete("Contract", namespace, "billing")


def delete(cluster: Cluster, namespace: str) -> None:
    """Delete the Client."""
    cluster.delete("Client", namespace, "shop")


def nothing(cluster: Cluster, namespace: str) -> None:
    """No preparation."""


FIRST = (
    Site.CLIENT_FINALIZER_ADD,
    Site.SECRET_CREATE,
    Site.GATEWAY_READ,
    Site.GATEWAY_REGISTER,
    Site.CLIENT_STATUS,
    Site.CONTRACT_STATUS,
)
WORKLOADS: dict[str, tuple[Step, Step, tuple[Site, ...]]] = {
    "register": (nothing, create, FIRST),
    "reregister": (changed, reregister, (Site.CLIENT_STATUS, Site.GATEWAY_REGISTER)),
    "revoke": (registered, revoke, (Site.GATEWAY_READ, Site.GATEWAY_REGISTER, Site.CLIENT_STATUS)),
    "unregister": (registered, unregister, (Site.GATEWAY_UNREGISTER, Site.CLIENT_STATUS, Site.CONTRACT_STATUS)),
    "delete": (registered, delete, (Site.GATEWAY_UNREGISTER, Site.SECRET_DELETE, Site.CLIENT_FINALIZER_REMOVE)),
}
END = {
    "register": "Registered",
    "reregister": "Registered",
    "revoke": "Registered",
    "unregister": "Retired",
    "delete": "",
}
PLANS = [
    pytest.param(name, site, mode, id=f"{name}-{mode}-{site}")
    for name, (_, _, sites) in WORKLOADS.items()
    for site in sites
    for mode in ("before", "after")
]


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the next fault is written."""
    return tmp_path_factory.mktemp("fault") / "plan.json"


@pytest.fixture(scope="module")
def faulty(env: Environment, fault_file: Path) -> Iterator[Operator]:
    """The operator that crashes when it is told to."""
    running = Operator(env, name="crashing", module="tests.faults.operator", settings={"lease": "false", **QUICK})
    running.start(extra={"FAULT_FILE": str(fault_file)})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def references() -> dict[str, Json]:
    """The ends without a fault, by workload."""
    return {}


def wait_for(cluster: Cluster, namespace: str, phase: str) -> None:
    """Wait until the Client has the phase (none: until it is gone), nothing is in progress and every Contract agrees."""
    if not phase:
        cluster.wait_gone("Client", namespace, "shop")
        until(
            lambda: all(reason_of(c) == "ClientNotFound" for c in cluster.list("Contract", namespace)),
            what="all Contracts without their Client",
        )
        return
    contracts = len(cluster.list("Contract", namespace))
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: settled(o, phase) and (phase == "Retired" or o["status"]["contracts"]["published"] == contracts),
        what=f"phase {phase}, nothing in progress",
    )
    expected = "Pending" if phase == "Retired" else "Active"
    until(
        lambda: all(c["status"].get("phase") == expected for c in cluster.list("Contract", namespace)),
        what=f"all Contracts {expected}",
    )


def reason_of(found: Json) -> str:
    """The reason of the Ready condition."""
    return str(condition(found, "Ready").get("reason", ""))


def settled(found: Json, phase: str) -> bool:
    """Whether the Client has the phase, and no token is new or in progress."""
    status, annotations = found["status"], found["metadata"].get("annotations") or {}
    handled = {a["name"]: a.get("lastHandledToken") for a in status.get("actions", [])}
    asked = {k.partition("/")[2]: v for k, v in annotations.items() if k.startswith("gateway-registrar.dev/")}
    return status.get("phase") == phase and all(handled.get(verb) == token for verb, token in asked.items())


def end_state(cluster: Cluster, namespace: str) -> Json:
    """All that must be equal, with the names that differ from run to run taken out."""
    objects = {
        f"{kind}/{item['metadata']['name']}": cleaned(item["status"])
        for kind in ("Client", "Contract")
        for item in cluster.list(kind, namespace)
    }
    found = cluster.registration(namespace, "shop")
    secret = cluster.get("Secret", namespace, "shop-api-key")
    key = cluster.key(namespace, "shop-api-key") if secret else ""
    if found:
        assert found.pop("apiKey") == key, "the gateway has another key than the Secret"
        found["contracts"].sort(key=lambda c: c["apiId"])
    codes = {api: cluster.call(f"acme/{api}/1.0", key) for api in ("orders", "billing")} if key else {}
    state = {"objects": objects, "gateway": found, "secret": secret is not None, "codes": codes}
    loaded: Json = json.loads(json.dumps(state).replace(namespace, "NAMESPACE"))
    return loaded


VARYING = {
    "lastTransitionTime",
    "uid",
    "hash",
    "registeredAt",
    "time",
    "startedAt",
    "completedAt",
    "createdAt",
    "changeLog",
}


def cleaned(value: Any) -> Any:
    """A status without times, ids and hashes; the change log tells how the end was reached, so it may differ."""
    if isinstance(value, dict):
        return {key: cleaned(inner) for key, inner in value.items() if key not in VARYING}
    return [cleaned(inner) for inner in value] if isinstance(value, list) else value


def reference(cluster: Cluster, name: str, references: dict[str, Json]) -> Json:
    """The end of the workload without a fault."""
    if name not in references:
        namespace = cluster.namespace(f"ref-{uuid4().hex[:10]}")
        prepare, act, _ = WORKLOADS[name]
        prepare(cluster, namespace)
        act(cluster, namespace)
        wait_for(cluster, namespace, END[name])
        references[name] = end_state(cluster, namespace)
    return references[name]


@pytest.mark.parametrize(("name", "site", "mode"), PLANS)
def test_a_crash_changes_nothing_in_the_end(
    name: str,
    site: Site,
    mode: str,
    cluster: Cluster,
    namespace: str,
    faulty: Operator,
    fault_file: Path,
    references: dict[str, Json],
) -> None:
    """Fails when an effect is not found again after a crash before or behind it: a key that lives on, a status that lies, a token lost."""
    expected = reference(cluster, name, references)
    prepare, act, _ = WORKLOADS[name]
    prepare(cluster, namespace)
    plan(fault_file, site=site, mode=mode, subject=namespace)
    act(cluster, namespace)
    assert faulty.wait_ended() == -9, "the operator must have been killed at that site"
    faulty.start(extra={"FAULT_FILE": str(fault_file)})
    wait_for(cluster, namespace, END[name])
    assert end_state(cluster, namespace) == expected


def test_a_lost_status_and_a_contract_deleted_meanwhile(
    cluster: Cluster, namespace: str, faulty: Operator, fault_file: Path
) -> None:
    """Fails when a registration that no status records outlives its last Contract: its key would work for ever."""
    cluster.apply(client(namespace, "shop"))
    cluster.wait_phase(namespace, "shop", "Created")
    key = cluster.key(namespace, "shop-api-key")
    plan(fault_file, site=Site.CLIENT_STATUS, mode="before", subject=namespace)
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    assert faulty.wait_ended() == -9
    assert cluster.registration(namespace, "shop") is not None, "the gateway took the registration"
    cluster.delete("Contract", namespace, "orders")
    faulty.start(extra={"FAULT_FILE": str(fault_file)})
    until(lambda: cluster.registration(namespace, "shop") is None, what="the registration being taken off")
    assert cluster.call("acme/orders/1.0", key) == 404
    cluster.wait_phase(namespace, "shop", "Created")


def test_a_contract_deleted_while_no_operator_runs(
    cluster: Cluster, namespace: str, faulty: Operator, fault_file: Path
) -> None:
    """Fails when only deletions that were watched are carried out."""
    registered(cluster, namespace)
    key = cluster.key(namespace, "shop-api-key")
    faulty.kill()
    cluster.delete("Contract", namespace, "billing")
    assert cluster.call("acme/billing/1.0", key) == 200, "nobody is there to close it"
    faulty.start(extra={"FAULT_FILE": str(fault_file)})
    until(lambda: cluster.call("acme/billing/1.0", key) == 404, what="billing being closed")
    assert cluster.call("acme/orders/1.0", key) == 200


@pytest.mark.parametrize("site", [Site.GATEWAY_REGISTER, Site.CLIENT_STATUS, Site.SECRET_CREATE], ids=str)
def test_a_lost_answer_is_found_out(
    site: Site, cluster: Cluster, namespace: str, faulty: Operator, fault_file: Path
) -> None:
    """Fails when a call that worked, but whose answer was lost, is taken for one that did not."""
    plan(fault_file, site=site, mode="lose", subject=namespace)
    registered(cluster, namespace)
    assert not fault_file.exists(), "the fault must have happened"
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200


def test_a_status_wiped_by_hand(cluster: Cluster, namespace: str, faulty: Operator) -> None:
    """Fails when the gateway is not read after the status is lost: the registration would be pushed as a first one, or forgotten."""
    registered(cluster, namespace)
    before = end_state(cluster, namespace)
    found = cluster.get("Client", namespace, "shop") or {}
    wiped = cluster.request(
        "PUT", cluster.path("Client", namespace, "shop") + "/status", {**found, "status": {"observedGeneration": -1}}
    )
    assert wiped.status == 200
    wait_for(cluster, namespace, "Registered")
    assert end_state(cluster, namespace) == before


def test_a_status_forged_by_hand(cluster: Cluster, namespace: str, faulty: Operator) -> None:
    """Fails when a snapshot that the operator did not write is believed."""
    registered(cluster, namespace)
    before = end_state(cluster, namespace)
    found = cluster.get("Client", namespace, "shop") or {}
    forged = found["status"]["gateways"]
    forged[0]["contracts"] = [{**row, "plan": "platinum"} for row in forged[0]["contracts"]]
    answer = cluster.patch("Client", namespace, "shop", {"status": {"gateways": forged}}, subresource="status")
    assert answer.status == 200
    faulty.stop()
    faulty.start(extra={"FAULT_FILE": "none"})
    wait_for(cluster, namespace, "Registered")
    until(lambda: end_state(cluster, namespace) == before, what="the status being as it was", seconds=10)
