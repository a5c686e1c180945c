"""The rules of action annotations on the real pair: what fires, what does not, and how often the gateway is called for it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.operator import Operator
from registrar.engine.audit_reader import History
from tests.faults.gateway_proxy import Fault, GatewayProxy

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
GROUP = "gateway-registrar.dev"


def calls(operator: Operator) -> int:
    """How many calls that change a gateway have worked, by the operator's own metrics."""
    pattern = r'gateway_registrar_calls_total\{outcome="ok",site="gateway\.(?:un)?register"\} ([0-9.]+)'
    return sum(int(float(count)) for count in re.findall(pattern, operator.metrics()))


def registered(cluster: Cluster, namespace: str, **spec: Any) -> str:
    """A registered Client with one Contract and a limit; returns its key."""
    cluster.apply(
        client(namespace, "shop", **spec),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        rate_limit(namespace, "limit", client="shop", limit=1000, period="Hour"),
    )
    cluster.wait_phase(namespace, "shop", "Registered", seconds=60)
    return cluster.key(namespace, "shop-api-key")


def changed(cluster: Cluster, namespace: str, limit: int) -> None:
    """Change the limit, and wait until that is pending."""
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=limit, period="Hour"))
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: f"-> {limit}" in json.dumps(o["status"].get("pendingChanges", [])),
        what="the change pending",
    )


def action(found: Json, verb: str) -> Json:
    """What became of a verb."""
    rows: list[Json] = found["status"].get("actions") or []
    return next((row for row in rows if row["name"] == verb), {})


def handled(cluster: Cluster, namespace: str, verb: str, token: str, outcome: str = "Succeeded") -> Json:
    """Wait until the token is handled, with that outcome."""
    found = cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: action(o, verb).get("lastHandledToken") == token and not action(o, verb).get("inProgressToken"),
        what=f"{verb} {token} handled",
        seconds=60,
    )
    assert action(found, verb)["outcome"] == outcome, action(found, verb)
    return found


def settled(cluster: Cluster, namespace: str) -> None:
    """Wait for longer than the settle time: another Client, made now, is registered."""
    name = f"clock-{len(cluster.list('Client', namespace))}"
    cluster.apply(client(namespace, name), contract(namespace, name, client=name, api="catalog", version="2.0"))
    cluster.wait_phase(namespace, name, "Registered")


def limit_of(cluster: Cluster, namespace: str) -> int:
    """The limit that the gateway has."""
    found = cluster.registration(namespace, "shop") or {}
    return int(json.loads(found["contracts"][0]["policies"][0]["policyJsonConfig"])["limit"])


def both(cluster: Cluster, namespace: str, **tokens: str) -> None:
    """Set several annotations in one request."""
    body = {"metadata": {"annotations": {f"{GROUP}/{verb}": token for verb, token in tokens.items()}}}
    assert cluster.patch("Client", namespace, "shop", body).status == 200


def test_one_token_a_hundred_times_is_one_effect(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when a controller that applies its manifest again and again has it carried out again and again."""
    registered(cluster, namespace)
    changed(cluster, namespace, 900)
    before = calls(operator)
    manifest = client(namespace, "shop")
    manifest["metadata"]["annotations"] = {f"{GROUP}/reregister": "release-42"}
    for _ in range(50):
        cluster.apply(manifest)
    handled(cluster, namespace, "reregister", "release-42")
    for _ in range(50):
        cluster.apply(manifest)
    changed(cluster, namespace, 800)
    settled(cluster, namespace)
    assert calls(operator) == before + 2, "one for the token, one for the Client that the clock is"
    assert limit_of(cluster, namespace) == 900


def test_old_tokens_put_back_do_nothing(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when a revert in the repository publishes, or retires, a second time."""
    key = registered(cluster, namespace)
    for token in ("one", "two", "three"):
        cluster.annotate("Client", namespace, "shop", "reregister", token)
        handled(cluster, namespace, "reregister", token)
    both(cluster, namespace, unregister="four")
    handled(cluster, namespace, "unregister", "four")
    both(cluster, namespace, reregister="five")
    handled(cluster, namespace, "reregister", "five")
    changed(cluster, namespace, 900)
    before = calls(operator)
    for token in ("one", "three", "two"):
        both(cluster, namespace, reregister=token, unregister="four")
    settled(cluster, namespace)
    assert calls(operator) == before + 1, "only the Client that the clock is"
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert action(found, "reregister")["lastHandledToken"] == "five"
    assert cluster.call("acme/orders/1.0", key) == 200


def test_one_commit_with_a_policy_and_a_token(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when the token is carried out before the Policy of the same commit has arrived."""
    registered(cluster, namespace)
    before = calls(operator)
    both(cluster, namespace, reregister="one")
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=700, period="Hour"))
    found = handled(cluster, namespace, "reregister", "one")
    assert (limit_of(cluster, namespace), calls(operator)) == (700, before + 1)
    assert found["status"]["phase"] == "Registered"


def test_the_log_names_who_asked(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when the field managers of a change are lost on the way to the log, the Event or the audit line."""
    registered(cluster, namespace)
    changed(cluster, namespace, 900)
    manifest = client(namespace, "shop")
    manifest["metadata"]["annotations"] = {f"{GROUP}/reregister": "release-42"}
    cluster.apply(manifest, manager="argocd-controller")
    found = handled(cluster, namespace, "reregister", "release-42")
    first, second = found["status"]["changeLog"]
    assert (first["what"], first["by"]) == ("Registered", "demo")
    assert (second["what"], second["by"]) == ("Reregistered", "reregister release-42 by argocd-controller")
    assert "limit" in second["detail"]
    lines = [json.loads(line) for line in operator.audit.read_text().splitlines()]
    line = next(row for row in lines if row["client"] == f"{namespace}/shop" and row["verb"] == "Reregistered")
    assert (line["action"], line["by"], len(line["token"])) == ("reregister", ["argocd-controller"], 16)
    assert line["token"] in action(found, "reregister")["handledTokens"]
    until(
        lambda: (
            {"Registered", "Reregistered", "ActionSucceeded"}
            <= {event["reason"] for event in cluster.list("Event", namespace)}
        ),
        what="the Events",
    )


def test_the_audit_lines_tell_who_can_call_what(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when what is read back from the lines is not what the gateway lets through."""

    def access() -> set[str]:
        history = History.read(operator.audit.read_text().splitlines())
        assert history.unreadable == 0
        now = datetime.now(UTC).isoformat()
        return {a.api for a in history.access_at(now) if a.client == f"{namespace}/shop" and a.certain}

    registered(cluster, namespace)
    assert access() == {"acme/orders/1.0"}
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    both(cluster, namespace, reregister="one")
    handled(cluster, namespace, "reregister", "one")
    assert access() == {"acme/orders/1.0", "acme/billing/1.0"}
    cluster.delete("Contract", namespace, "orders")
    until(lambda: access() == {"acme/billing/1.0"}, what="the revocation in the lines")
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert access() == set()


def test_two_verbs_at_once(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when both are carried out, or the order of the annotations decides."""
    key = registered(cluster, namespace)
    before = calls(operator)
    both(cluster, namespace, reregister="one", unregister="one")
    found = handled(cluster, namespace, "unregister", "one")
    assert (action(found, "reregister")["outcome"], found["status"]["phase"]) == ("Skipped", "Retired")
    settled(cluster, namespace)
    assert calls(operator) == before + 2
    until(lambda: cluster.call("acme/orders/1.0", key) == 404, what="the key being dead", seconds=5)
    log = (cluster.get("Client", namespace, "shop") or {})["status"]["changeLog"]
    assert [(e["what"], e["outcome"]) for e in log] == [
        ("Registered", "Succeeded"),
        ("reregister", "Skipped"),
        ("Unregistered", "Succeeded"),
    ]


def test_a_token_while_paused(cluster: Cluster, namespace: str) -> None:
    """Fails when a refused token fires later, or a pause keeps a key alive that its owner wants dead."""
    key = registered(cluster, namespace)
    cluster.patch("Client", namespace, "shop", {"spec": {"paused": True}})
    changed(cluster, namespace, 900)
    both(cluster, namespace, reregister="one")
    found = handled(cluster, namespace, "reregister", "one", "Failed")
    assert "paused" in action(found, "reregister")["message"]
    assert condition(found, "Paused")["status"] == "True"
    cluster.patch("Client", namespace, "shop", {"spec": {"paused": False}})
    settled(cluster, namespace)
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert limit_of(cluster, namespace) == 1000
    cluster.patch("Client", namespace, "shop", {"spec": {"paused": True}})
    both(cluster, namespace, unregister="two")
    handled(cluster, namespace, "unregister", "two")
    until(lambda: cluster.call("acme/orders/1.0", key) == 404, what="the key being dead", seconds=5)


def test_what_another_client_held_is_taken_when_it_is_free(cluster: Cluster, namespace: str) -> None:
    """Fails when a Client stays refused after the one that held its identity is gone."""
    registered(cluster, namespace)
    cluster.apply(
        client(namespace, "next", clientId="shop"),
        contract(namespace, "next", client="next", api="orders", version="1.0"),
    )
    cluster.wait(
        "Client",
        namespace,
        "next",
        lambda o: condition(o, "Accepted").get("reason") == "IdentityTaken",
        what="IdentityTaken",
    )
    cluster.delete("Client", namespace, "shop")
    cluster.wait_phase(namespace, "next", "Registered")
    key = cluster.key(namespace, "next-api-key")
    until(lambda: cluster.call("acme/orders/1.0", key) == 200, what="200", seconds=5)


def test_restored_from_a_backup(cluster: Cluster, namespace: str) -> None:
    """Fails when a restore carries out the tokens of the object's former life, or brings a retired key back to life."""
    manifest = client(namespace, "shop")
    manifest["metadata"]["annotations"] = {f"{GROUP}/reregister": "old", f"{GROUP}/unregister": "old"}
    cluster.apply(manifest, contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    found = cluster.wait_phase(namespace, "shop", "Retired")
    assert (found["status"]["retiredBy"], condition(found, "Ready")["reason"]) == ("Restored", "Restored")
    assert {a["name"]: a["outcome"] for a in found["status"]["actions"]} == {
        "reregister": "Skipped",
        "unregister": "Skipped",
    }
    assert cluster.registration(namespace, "shop") is None
    both(cluster, namespace, reregister="new")
    handled(cluster, namespace, "reregister", "new")
    cluster.wait_phase(namespace, "shop", "Registered")
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200


def test_a_status_wiped_under_a_handled_token(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when the token is carried out again because nobody remembers that it was."""
    registered(cluster, namespace)
    both(cluster, namespace, reregister="one")
    handled(cluster, namespace, "reregister", "one")
    changed(cluster, namespace, 900)
    before = calls(operator)
    found = cluster.get("Client", namespace, "shop") or {}
    path = cluster.path("Client", namespace, "shop") + "/status"
    assert cluster.request("PUT", path, {**found, "status": {"observedGeneration": -1}}).status == 200
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert (action(found, "reregister")["outcome"], calls(operator)) == ("Skipped", before)
    assert [e["what"] for e in found["status"]["changeLog"]] == ["TakenOver"]


# With a gateway that does not answer as it should ---------------------------------------------------------------------


def refusing(proxy: GatewayProxy) -> Fault:
    """From now on the gateway refuses registrations, and answers everything else."""
    header = {"X-API-Gateway-Error": "true"}
    return proxy.script(Fault("PUT", "/clients", "status", times=1_000_000, status=500, headers=header))


def in_progress(cluster: Cluster, namespace: str, token: str) -> None:
    """Wait until the token's action has begun."""
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: action(o, "reregister").get("inProgressToken") == token,
        what=f"{token} in progress",
    )


def test_what_does_not_work_is_said_once_and_then_done(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a refused push is never said, is said with every retry, or is never done; and when a change meanwhile is lost."""
    registered(cluster, namespace, gatewayRef={"name": gateway})
    changed(cluster, namespace, 900)
    fault = refusing(proxy)
    both(cluster, namespace, reregister="one")

    def failures(found: Json) -> list[tuple[str, str, str]]:
        log = found["status"].get("changeLog", [])
        return [(e["what"], e["detail"], e["by"].split()[1]) for e in log if e["outcome"] == "Failed"]

    said = [("Reregistered", f"on gateway {gateway}: GatewayRefused", "one")]
    cluster.wait("Client", namespace, "shop", lambda o: failures(o) == said, what="the failure in the log", seconds=60)
    seen = fault.happened
    until(lambda: fault.happened >= seen + 2, what="two more tries", seconds=90)
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=800, period="Hour"))
    proxy.clear()
    found = handled(cluster, namespace, "reregister", "one")
    assert failures(found) == said
    assert (found["status"]["phase"], limit_of(cluster, namespace)) == ("Registered", 800)
    until(
        lambda: sum(event["reason"] == "ChangeFailed" for event in cluster.list("Event", namespace)) == 1,
        what="one Event",
    )


def test_an_unregister_supersedes_a_reregister_in_progress(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy
) -> None:
    """Fails when a push that waits for its gateway goes on after its owner wanted the key dead."""
    key = registered(cluster, namespace, gatewayRef={"name": gateway})
    changed(cluster, namespace, 900)
    refusing(proxy)
    both(cluster, namespace, reregister="one")
    in_progress(cluster, namespace, "one")
    both(cluster, namespace, unregister="two")
    found = handled(cluster, namespace, "unregister", "two")
    assert action(found, "reregister")["outcome"] == "Skipped"
    proxy.clear()
    until(lambda: cluster.call("acme/orders/1.0", key) == 404, what="the key being dead", seconds=5)
    assert cluster.wait_phase(namespace, "shop", "Retired")["status"]["retiredBy"] == "Annotation"


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
