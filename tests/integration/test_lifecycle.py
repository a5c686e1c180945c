"""The ten steps of the demo, each as a test of its own on the real pair."""

from __future__ import annotations

import pytest

from localenv.cluster import Cluster, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
APIS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}


def registered(cluster: Cluster, namespace: str, *, limit: int = 1000) -> str:
    """A registered Client with three Contracts and a limit; returns its key."""
    cluster.apply(
        client(namespace, "shop"),
        *(contract(namespace, api, client="shop", api=api, version=version) for api, version in APIS.items()),
        rate_limit(namespace, "limit", client="shop", limit=limit, period="Hour"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    for api in APIS:
        cluster.wait("Contract", namespace, api, lambda o: o["status"].get("phase") == "Active", what="Active")
    return cluster.key(namespace, "shop-api-key")


def answers(cluster: Cluster, key: str, **codes: int) -> None:
    """Each API answers that code to the key; the gateway's data plane follows its configuration within a moment."""
    for api, code in codes.items():
        path = f"acme/{api}/{APIS[api]}"
        until(lambda path=path, code=code: cluster.call(path, key) == code, what=f"{code} from {path}", seconds=5)  # type: ignore[misc]


def asked(cluster: Cluster, namespace: str, verb: str, token: str) -> None:
    """Ask for an action and wait until it has succeeded."""
    cluster.annotate("Client", namespace, "shop", verb, token)
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: any(
            a["name"] == verb and a.get("lastHandledToken") == token and a["outcome"] == "Succeeded"
            for a in o["status"].get("actions", [])
        ),
        what=f"{verb} {token}",
    )


def test_a_client_alone_is_created(cluster: Cluster, namespace: str) -> None:
    """Fails when a Client is registered without a Contract: its key would be known to the gateway."""
    cluster.apply(client(namespace, "shop"))
    found = cluster.wait_phase(namespace, "shop", "Created")
    ready = condition(found, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NoContracts")
    assert "kind: Contract" in ready["message"]
    assert cluster.registration(namespace, "shop") is None
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 404


def test_one_apply_is_one_registration(cluster: Cluster, namespace: str) -> None:
    """Fails when the settle time is ignored: the log would show a first push with fewer Contracts."""
    key = registered(cluster, namespace)
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert [entry["what"] for entry in found["status"]["changeLog"]] == ["Registered"]
    assert found["status"]["contracts"]["summary"] == "3/3"
    for api in APIS:
        endpoint = (cluster.get("Contract", namespace, api) or {})["status"]["endpoint"]
        assert cluster.call(endpoint, key) == 200
    answers(cluster, key, orders=200, billing=200, catalog=200)


def test_a_tightened_limit_waits(cluster: Cluster, namespace: str) -> None:
    """Fails when a Policy's change is pushed unasked: calls would be refused."""
    key = registered(cluster, namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1, period="Hour"))
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert [c["message"] for c in found["status"]["pendingChanges"]] == [
        "PolicyChanged limit: rateLimit.limit 1000 -> 1"
    ]
    assert condition(found, "Ready")["reason"] == "ServingPrevious"
    assert [cluster.call("acme/orders/1.0", key) for _ in range(4)] == [200] * 4


def test_reverting_a_change_is_no_call(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when going back to what is published pushes it again."""
    registered(cluster, namespace)
    effects = operator.audit.read_text().count(namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1, period="Hour"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1000, period="Hour"))
    cluster.wait_phase(namespace, "shop", "Registered")
    assert operator.audit.read_text().count(namespace) == effects


def test_reregister_publishes(cluster: Cluster, namespace: str) -> None:
    """Fails when the reregister action does not push: calls past the limit would still pass."""
    key = registered(cluster, namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=3, period="Hour"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    asked(cluster, namespace, "reregister", "one")
    cluster.wait_phase(namespace, "shop", "Registered")
    codes = [cluster.call("acme/orders/1.0", key) for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


def test_a_deleted_contract_is_closed_at_once(cluster: Cluster, namespace: str) -> None:
    """Fails when a revocation waits for a publish, or takes unpublished changes with it."""
    key = registered(cluster, namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1, period="Hour"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    cluster.delete("Contract", namespace, "billing")
    answers(cluster, key, billing=404, orders=200, catalog=200)
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: o["status"]["contracts"]["published"] == 2, what="two published"
    )
    assert found["status"]["phase"] == "UnpublishedChanges"
    assert [c["type"] for c in found["status"]["pendingChanges"]] == ["PolicyChanged"]


def test_the_last_contract_takes_the_registration_with_it(cluster: Cluster, namespace: str) -> None:
    """Fails when a Client without Contracts stays registered."""
    key = registered(cluster, namespace)
    for api in APIS:
        cluster.delete("Contract", namespace, api)
    found = cluster.wait_phase(namespace, "shop", "Created")
    assert cluster.registration(namespace, "shop") is None
    assert "gateways" not in found["status"]
    assert cluster.call("acme/orders/1.0", key) == 404


def test_unregister_and_its_undoing(cluster: Cluster, namespace: str) -> None:
    """Fails when a retired key still works, or when reregister brings another key."""
    key = registered(cluster, namespace)
    asked(cluster, namespace, "unregister", "one")
    found = cluster.wait_phase(namespace, "shop", "Retired")
    assert found["status"]["retiredBy"] == "Annotation"
    answers(cluster, key, orders=404, catalog=404)
    asked(cluster, namespace, "reregister", "two")
    cluster.wait_phase(namespace, "shop", "Registered")
    assert cluster.key(namespace, "shop-api-key") == key
    answers(cluster, key, orders=200, billing=200, catalog=200)


def test_state_retired(cluster: Cluster, namespace: str) -> None:
    """Fails when the declared state is not reached, or reregister overrides it."""
    key = registered(cluster, namespace)
    cluster.patch("Client", namespace, "shop", {"spec": {"state": "Retired"}})
    found = cluster.wait_phase(namespace, "shop", "Retired")
    assert (condition(found, "Ready")["status"], found["status"]["retiredBy"]) == ("True", "Spec")
    answers(cluster, key, orders=404)
    cluster.annotate("Client", namespace, "shop", "reregister", "one")
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert (found["status"]["actions"][0]["outcome"], found["status"]["phase"]) == ("Failed", "Retired")
    cluster.patch("Client", namespace, "shop", {"spec": {"state": "Registered"}})
    cluster.wait_phase(namespace, "shop", "Registered")
    answers(cluster, key, orders=200)


def test_publish_automatic(cluster: Cluster, namespace: str) -> None:
    """Fails when `publish: Automatic` waits for a token."""
    cluster.apply(
        client(namespace, "shop", publish="Automatic"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    cluster.wait("Client", namespace, "shop", lambda o: o["status"]["contracts"]["live"] == 2, what="two live")
    answers(cluster, cluster.key(namespace, "shop-api-key"), billing=200)


def test_a_gateway_that_lost_everything_is_healed(cluster: Cluster, namespace: str, env: Environment) -> None:
    """Fails when a reset is not noticed, or when unpublished changes are published by it."""
    key = registered(cluster, namespace)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1, period="Hour"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    env.reset_gateway()  # the new process has nothing, but it may be healed before the next line
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="the registration coming back", seconds=60)
    assert [cluster.call("acme/orders/1.0", key) for _ in range(3)] == [200] * 3
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")


def test_deletion_leaves_nothing(cluster: Cluster, namespace: str) -> None:
    """Fails when the finalizer goes before the registration."""
    key = registered(cluster, namespace)
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.registration(namespace, "shop") is None
    assert cluster.call("acme/orders/1.0", key) == 404
    cluster.wait_gone("Secret", namespace, "shop-api-key")
    found = cluster.wait(
        "Contract",
        namespace,
        "orders",
        lambda o: condition(o, "Ready").get("reason") == "ClientNotFound",
        what="ClientNotFound",
    )
    assert found["status"]["phase"] == "Pending"


def test_a_restart_writes_nothing(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when a start rewrites statuses, or pushes what is already there."""
    key = registered(cluster, namespace)
    until(
        lambda: (cluster.get("Policy", namespace, "limit") or {})["status"].get("contracts", {}).get("live") == 3,
        what="the Policy's count",
        seconds=20,
    )
    before, effects = versions(cluster, namespace), audited(operator, namespace)
    operator.stop()
    operator.start()
    until(lambda: quiet(operator), what="everything looked at")
    assert versions(cluster, namespace) == before
    assert audited(operator, namespace) == effects
    answers(cluster, key, orders=200)


def audited(operator: Operator, namespace: str) -> list[str]:
    """What the operator did for the Clients of the namespace; what other tests have left may still be tried again."""
    return [line for line in operator.audit.read_text().splitlines() if f'"client":"{namespace}/' in line]


def quiet(operator: Operator) -> bool:
    """Whether the operator has looked at everything since its start."""
    text = operator.metrics()
    return 'controller_runtime_reconcile_total{controller="Client",result="success"} 0.0' not in text and (
        'workqueue_depth{name="clients"} 0.0' in text
    )


def versions(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The resourceVersions of all objects that the operator may write in the namespace."""
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in ("Client", "Contract", "Policy", "Secret")
        for item in cluster.list(kind, namespace)
    }
