"""Grants on the real pair: who gets in, who is taken off at once, and what consumers are told; and Contracts that end by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localenv.cluster import API, Cluster, Json, client, condition, contract, until
from localenv.environment import Environment
from localenv.install import NAMESPACE, runtime_gateway
from localenv.operator import Operator
from registrar.seam import Site
from tests.faults.plan import plan
from tests.integration.conftest import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

SETTINGS: dict[str, str | float] = {"lease": "false", **QUICK, "counter_interval_seconds": 1}


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a fault is written; without one the operator is as any other."""
    return tmp_path_factory.mktemp("fault") / "plan.json"


@pytest.fixture(scope="module")
def operator(env: Environment, fault_file: Path) -> Iterator[Operator]:
    """An operator that counts often, and crashes when it is told to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAULT_FILE", str(fault_file))
        running = Operator(env, name="grants", module="tests.faults.operator", settings=SETTINGS).start()
        yield running
        running.stop()


@pytest.fixture
def owner(cluster: Cluster, namespace: str) -> str:
    """A namespace that owns organization acme on the test's gateway, by its label."""
    labelled(cluster, f"{namespace}-o", owner=namespace)
    return f"{namespace}-o"


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str, owner: str) -> Iterator[str]:
    """A RuntimeGateway, named as the namespace, that wants grants."""
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"] |= {
        "default": False,
        "contracts": "Granted",
        "organizations": [{"name": "acme", "namespaceSelector": {"matchLabels": {"owner": namespace}}}],
    }
    cluster.apply(manifest)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)


def labelled(cluster: Cluster, name: str, **labels: str) -> None:
    """Make a namespace, or give one exactly these labels."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def grant(
    owner: str, name: str, source: Json, *, api: str = "orders", plans: tuple[str, ...] = ("gold",), **spec: Any
) -> Json:
    """An APIGrant's manifest."""
    base = {"apis": [{"name": api}], "plans": list(plans), "from": source}
    return {
        "apiVersion": API,
        "kind": "APIGrant",
        "metadata": {"name": name, "namespace": owner},
        "spec": base | spec,
    }


def to(namespace: str) -> Json:
    """For that namespace by name."""
    return {"namespaces": [namespace]}


def ask(cluster: Cluster, namespace: str, gateway: str, *apis: str, plan: str = "gold", **spec: Any) -> None:
    """A Client on the gateway with a Contract for each API."""
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": gateway}, **spec),
        *(contract(namespace, api, client="shop", api=api, version="1.0", plan=plan) for api in apis),
    )


def answers(cluster: Cluster, namespace: str, api: str, code: int, *, seconds: float = 15) -> None:
    """The API answers that code to the Client's key."""
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: cluster.call(f"acme/{api}/1.0", key) == code, what=f"{code} from {api}", seconds=seconds)


def says(cluster: Cluster, namespace: str, name: str, phase: str, reason: str) -> Json:
    """The Contract says so."""
    return cluster.wait(
        "Contract",
        namespace,
        name,
        lambda o: (o["status"].get("phase"), condition(o, "Ready").get("reason")) == (phase, reason),
        what=f"{phase}/{reason}",
    )


def pending(cluster: Cluster, namespace: str, *messages: str) -> None:
    """The Client's pending changes are these."""
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: [c["message"] for c in o["status"].get("pendingChanges") or ()] == list(messages),
        what=f"pending {messages}",
    )


def test_not_granted_and_then_granted(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a Contract gets in without a grant, or is not picked up when one comes."""
    ask(cluster, namespace, gateway, "orders")
    found = says(cluster, namespace, "orders", "Rejected", "NotGranted")
    assert "acme/orders/1.0" in condition(found, "Ready")["message"]
    assert condition(found, "Stalled")["reason"] == "NotGranted"
    assert condition(cluster.wait_phase(namespace, "shop", "Created"), "Ready")["reason"] == "NoValidContract"
    assert cluster.registration(namespace, "shop") is None
    answers(cluster, namespace, "orders", 404)
    cluster.apply(grant(owner, "stranger", to("nobody")), grant(owner, "billing", to(namespace), api="billing"))
    cluster.apply(grant(owner, "orders", to(namespace)))
    cluster.wait_phase(namespace, "shop", "Registered")
    says(cluster, namespace, "orders", "Active", "Active")
    answers(cluster, namespace, "orders", 200)


def test_unknown_plan(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a misspelled plan, which would be an unlimited one, gets in."""
    cluster.apply(grant(owner, "orders", to(namespace), plans=("silver", "gold")))
    ask(cluster, namespace, gateway, "orders", plan="gld")
    found = says(cluster, namespace, "orders", "Rejected", "UnknownPlan")
    assert "gold, silver" in condition(found, "Ready")["message"]
    assert cluster.registration(namespace, "shop") is None
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0", plan="silver"))
    says(cluster, namespace, "orders", "Active", "Active")
    answers(cluster, namespace, "orders", 200)


def test_a_selector_of_namespaces(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a label opens nothing, or when its loss closes nothing."""
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "silver"]}]}
    cluster.apply(grant(owner, "orders", {"namespaceSelector": selector}))
    ask(cluster, namespace, gateway, "orders")
    says(cluster, namespace, "orders", "Rejected", "NotGranted")
    labelled(cluster, namespace, tier="gold")
    cluster.wait_phase(namespace, "shop", "Registered")
    answers(cluster, namespace, "orders", 200)
    labelled(cluster, namespace, tier="bronze")
    answers(cluster, namespace, "orders", 404)
    says(cluster, namespace, "orders", "Rejected", "NotGranted")


@pytest.mark.parametrize("publish", ["Manual", "Automatic"])
def test_withdrawal_revokes_at_once(publish: str, cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a withdrawn grant waits for a publish, takes another contract along, or comes back unasked."""
    both: Json = {"apis": [{"name": "orders"}, {"name": "billing"}]}
    cluster.apply(grant(owner, "both", to(namespace), **both), grant(owner, "orders", to(namespace)))
    ask(cluster, namespace, gateway, "orders", "billing", publish=publish)
    cluster.wait_phase(namespace, "shop", "Registered")
    answers(cluster, namespace, "billing", 200)
    cluster.delete("APIGrant", owner, "both")
    answers(cluster, namespace, "billing", 404)
    answers(cluster, namespace, "orders", 200)
    says(cluster, namespace, "billing", "Rejected", "NotGranted")
    found = cluster.wait_phase(namespace, "shop", "Registered")
    last = found["status"]["changeLog"][-1]
    assert (last["what"], last["detail"]) == ("Revoked", "contract billing taken off: it is no longer granted")
    cluster.apply(grant(owner, "both", to(namespace), **both))
    if publish == "Manual":
        pending(cluster, namespace, "ContractAdded billing: acme/billing/1.0 on plan gold")
        answers(cluster, namespace, "billing", 404)
        cluster.annotate("Client", namespace, "shop", "reregister", "one")
    answers(cluster, namespace, "billing", 200)
    cluster.wait_phase(namespace, "shop", "Registered")


CRASHES = [
    (Site.GATEWAY_REGISTER, "before"),
    (Site.GATEWAY_REGISTER, "after"),
    (Site.CLIENT_STATUS, "before"),
    (Site.CONTRACT_STATUS, "after"),
]


@pytest.mark.parametrize(("site", "mode"), CRASHES, ids=str)
def test_a_withdrawal_that_crosses_a_crash(
    site: Site,
    mode: str,
    cluster: Cluster,
    namespace: str,
    owner: str,
    gateway: str,
    operator: Operator,
    fault_file: Path,
) -> None:
    """Fails when a crash within a revocation leaves open what is withdrawn, takes off what is not, or publishes what is pending."""
    cluster.apply(grant(owner, "billing", to(namespace), api="billing"), grant(owner, "orders", to(namespace)))
    ask(cluster, namespace, gateway, "orders", "billing")
    cluster.wait_phase(namespace, "shop", "Registered")
    says(cluster, namespace, "billing", "Active", "Active")
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0", plan="none"))
    says(cluster, namespace, "orders", "Active", "UnknownPlan")
    pending(cluster, namespace, "ContractRemoved orders: acme/orders/1.0 on plan gold")
    plan(fault_file, site=site, mode=mode, subject=namespace)
    cluster.delete("APIGrant", owner, "billing")
    assert operator.wait_ended() == -9, "the operator must have been killed at that site"
    operator.start()
    answers(cluster, namespace, "billing", 404)
    says(cluster, namespace, "billing", "Rejected", "NotGranted")
    found = says(cluster, namespace, "orders", "Active", "UnknownPlan")
    assert found["status"]["livePlan"] == "gold"
    answers(cluster, namespace, "orders", 200)
    pending(cluster, namespace, "ContractRemoved orders: acme/orders/1.0 on plan gold")


def test_an_edit_to_a_plan_that_is_not_granted(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when an edit in place takes the published plan off while that is still granted, or keeps it when it no longer is."""
    cluster.apply(grant(owner, "orders", to(namespace)))
    ask(cluster, namespace, gateway, "orders")
    cluster.wait_phase(namespace, "shop", "Registered")
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0", plan="platinum"))
    found = says(cluster, namespace, "orders", "Active", "UnknownPlan")
    assert found["status"]["livePlan"] == "gold"
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    answers(cluster, namespace, "orders", 200)
    cluster.apply(grant(owner, "orders", to(namespace), plans=("silver",)))
    answers(cluster, namespace, "orders", 404)
    says(cluster, namespace, "orders", "Rejected", "UnknownPlan")
    until(lambda: cluster.registration(namespace, "shop") is None, what="the registration being gone")


def test_a_grant_of_a_stranger_has_no_effect(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when somebody grants what is not theirs, or is not told that it counts for nothing."""
    cluster.apply(grant(namespace, "mine", to(namespace), organization="acme"))
    ask(cluster, namespace, gateway, "orders")
    found = cluster.wait(
        "APIGrant", namespace, "mine", lambda o: condition(o, "Accepted").get("status") == "False", what="refused"
    )
    assert condition(found, "Accepted")["reason"] == "NotPermitted"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert found["status"]["consumers"] == 0
    says(cluster, namespace, "orders", "Rejected", "NotGranted")
    assert cluster.registration(namespace, "shop") is None


def consumers(cluster: Cluster, owner: str, name: str, count: int) -> Json:
    """The grant counts so many."""
    return cluster.wait(
        "APIGrant", owner, name, lambda o: o["status"].get("consumers") == count, what=f"{count} consumers"
    )


def test_consumers_are_counted(cluster: Cluster, namespace: str, owner: str, gateway: str, operator: Operator) -> None:
    """Fails when the count is wrong, is not kept up, or is written again though nothing changed."""
    cluster.apply(
        grant(owner, "all", {"namespaceSelector": {}}), grant(owner, "silver", to(namespace), plans=("silver",))
    )
    found = consumers(cluster, owner, "all", 0)
    assert (condition(found, "Ready")["status"], condition(found, "Accepted")["reason"]) == ("True", "Valid")
    ask(cluster, namespace, gateway, "orders", "billing")
    consumers(cluster, owner, "all", 1)
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0", plan="silver"))
    consumers(cluster, owner, "silver", 1)
    consumers(cluster, owner, "all", 0)
    cluster.delete("Contract", namespace, "orders")
    consumers(cluster, owner, "silver", 0)
    before = {row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("APIGrant", owner)}
    operator.kill()
    operator.start()
    cluster.apply(grant(owner, "late", to(namespace), api="billing"))
    consumers(cluster, owner, "late", 1)
    after = {row["metadata"]["name"]: row["metadata"]["resourceVersion"] for row in cluster.list("APIGrant", owner)}
    assert {name: after[name] for name in before} == before, "a restart counts the same, and writes nothing"


def events(cluster: Cluster, namespace: str, name: str, reason: str) -> list[Json]:
    """The Events of that reason on the Contract."""
    return [
        row
        for row in cluster.list("Event", namespace)
        if (row["regarding"]["kind"], row["regarding"]["name"], row["reason"]) == ("Contract", name, reason)
    ]


def test_deprecated(cluster: Cluster, namespace: str, owner: str, gateway: str, operator: Operator) -> None:
    """Fails when consumers are not told that an API will go, are told twice, or are cut off by the news."""
    cluster.apply(grant(owner, "orders", to(namespace)))
    ask(cluster, namespace, gateway, "orders")
    cluster.wait_phase(namespace, "shop", "Registered")
    says(cluster, namespace, "orders", "Active", "Active")
    notice = {"sunset": "2099-01-31T12:00:00Z", "replacedBy": "orders 2.0"}
    cluster.apply(grant(owner, "orders", to(namespace), deprecated=notice))
    found = cluster.wait("Contract", namespace, "orders", lambda o: bool(condition(o, "Deprecated")), what="Deprecated")
    row = condition(found, "Deprecated")
    assert (row["status"], row["reason"]) == ("True", "ApiDeprecated")
    assert "2099-01-31T12:00:00Z" in row["message"] and "orders 2.0" in row["message"]
    assert condition(found, "Ready")["status"] == "True"
    answers(cluster, namespace, "orders", 200)
    until(lambda: len(events(cluster, namespace, "orders", "ApiDeprecated")) == 1, what="the Event")
    operator.kill()
    operator.start()
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    says(cluster, namespace, "billing", "Rejected", "NotGranted")
    assert len(events(cluster, namespace, "orders", "ApiDeprecated")) == 1
    log = (cluster.get("Client", namespace, "shop") or {})["status"]["changeLog"]
    assert [entry["what"] for entry in log] == ["Registered"], "nothing is revoked before the grants are loaded"
    cluster.apply(grant(owner, "orders", to(namespace)))
    cluster.wait("Contract", namespace, "orders", lambda o: not condition(o, "Deprecated"), what="the news being gone")


def test_an_owner_by_its_labels(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a selected owner can't use its own API, or when its grants outlive its ownership."""
    cluster.apply(grant(owner, "orders", to(namespace)))
    ask(cluster, namespace, gateway, "orders")
    ask(cluster, owner, gateway, "billing", plan="internal")
    cluster.wait_phase(namespace, "shop", "Registered")
    found = cluster.wait_phase(owner, "shop", "Registered")
    assert found["status"]["identity"]["organization"] == "acme"
    answers(cluster, owner, "billing", 200)
    labelled(cluster, owner)
    answers(cluster, namespace, "orders", 404)
    answers(cluster, owner, "billing", 404)
    cluster.wait(
        "APIGrant",
        owner,
        "orders",
        lambda o: condition(o, "Accepted").get("status") == "True",
        what="another organization",
    )
    cluster.wait(
        "Client", owner, "shop", lambda o: condition(o, "Accepted").get("reason") == "NotPermitted", what="refused"
    )


def ends_in(seconds: float) -> Json:
    """The part of a Contract's spec that ends it so many seconds from now, and at what time it does."""
    return {"expiresAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}


def ending(namespace: str, name: str, **spec: Any) -> Json:
    """A Contract with an end."""
    made = contract(namespace, name, client="shop", api=name, version="1.0")
    made["spec"] |= spec
    return made


def test_a_contract_ends_by_itself(cluster: Cluster, namespace: str, owner: str, gateway: str) -> None:
    """Fails when a Contract outlives its end by more than a moment, does not say so before, or can't be brought back."""
    both: Json = {"apis": [{"name": "orders"}, {"name": "billing"}]}
    cluster.apply(grant(owner, "both", to(namespace), **both))
    end = ends_in(8)
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": gateway}),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        ending(namespace, "billing", **end),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    found = says(cluster, namespace, "billing", "Active", "Active")
    assert end["expiresAt"] in condition(found, "Expiring")["message"]
    assert cluster.call("acme/billing/1.0", cluster.key(namespace, "shop-api-key")) == 200
    until(lambda: len(events(cluster, namespace, "billing", "Expiring")) == 1, what="the Event")
    answers(cluster, namespace, "billing", 404)
    found = says(cluster, namespace, "billing", "Rejected", "Expired")
    assert not condition(found, "Expiring")
    answers(cluster, namespace, "orders", 200)
    consumers(cluster, owner, "both", 1)
    until(lambda: len(events(cluster, namespace, "billing", "Expired")) == 1, what="the Event")
    cluster.apply(ending(namespace, "billing", **ends_in(1_000_000)))
    pending(cluster, namespace, "ContractAdded billing: acme/billing/1.0 on plan gold")
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    answers(cluster, namespace, "billing", 200)
    assert not condition(says(cluster, namespace, "billing", "Active", "Active"), "Expiring")


def test_an_end_that_nobody_saw(cluster: Cluster, namespace: str, owner: str, gateway: str, operator: Operator) -> None:
    """Fails when a Contract that ended while no operator ran stays open, or one that is created expired is registered."""
    cluster.apply(grant(owner, "orders", to(namespace)))
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": gateway}),
        ending(namespace, "orders", **ends_in(6)),
        ending(namespace, "billing", expiresAt="2020-01-01T00:00:00Z"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    says(cluster, namespace, "billing", "Rejected", "Expired")
    operator.kill()
    end = time.time() + 7
    until(lambda: time.time() > end, what="the end passing by")
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200
    operator.start()
    answers(cluster, namespace, "orders", 404)
    says(cluster, namespace, "orders", "Rejected", "Expired")


def test_an_operator_of_some_namespaces(
    cluster: Cluster, namespace: str, owner: str, gateway: str, operator: Operator, env: Environment
) -> None:
    """Fails when an operator that watches only some namespaces does not know their labels."""
    operator.kill()
    watched = f"{namespace},{owner},{NAMESPACE}"
    alone = Operator(env, name="namespaced", settings={**SETTINGS, "watch_namespaces": watched}).start()
    try:
        cluster.apply(grant(owner, "orders", {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}))
        ask(cluster, namespace, gateway, "orders")
        says(cluster, namespace, "orders", "Rejected", "NotGranted")
        labelled(cluster, namespace, tier="gold")
        answers_when_made(cluster, namespace)
        labelled(cluster, namespace)
        answers(cluster, namespace, "orders", 404)
    finally:
        alone.kill()
        operator.start()


def answers_when_made(cluster: Cluster, namespace: str) -> None:
    """The Client ends registered, and its key opens the API."""
    cluster.wait_phase(namespace, "shop", "Registered")
    answers(cluster, namespace, "orders", 200)


def test_the_operator_was_never_surprised(operator: Operator) -> None:
    """Fails when one of the tests above hit a bug that a retry covered up."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
