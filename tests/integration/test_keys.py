"""Keys on the real pair: rotated with an overlap, revoked, changed by hand, restored; no moment without a key that works, and no dead key that does."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from localenv.cluster import API, Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import Environment
from localenv.operator import Operator

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
ORDERS = "acme/orders/1.0"
BILLING = "acme/billing/1.0"
OVERLAP = {"rotation": {"interval": "1h", "overlap": "5s"}}


def registered(cluster: Cluster, namespace: str, **api_key: Any) -> str:
    """A registered Client with two Contracts; returns its key."""
    cluster.apply(
        client(namespace, "shop", **({"apiKey": api_key} if api_key else {})),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
        contract(namespace, "billing", client="shop", api="billing", version="1.0"),
        rate_limit(namespace, "limit", client="shop", limit=1000),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    secret = api_key.get("secretName", "shop-api-key")
    until(lambda: cluster.call(ORDERS, cluster.key(namespace, secret)) == 200, what="the key opening orders")
    return cluster.key(namespace, secret)


def asked(cluster: Cluster, namespace: str, verb: str, token: str, outcome: str = "Succeeded") -> Json:
    """Ask for an action and wait for its outcome."""
    cluster.annotate("Client", namespace, "shop", verb, token)
    return handled(cluster, namespace, verb, token, outcome)


def handled(cluster: Cluster, namespace: str, verb: str, token: str, outcome: str = "Succeeded") -> Json:
    """Wait for the outcome of an action."""

    def done(found: Json) -> bool:
        rows = {a["name"]: a for a in found["status"].get("actions", [])}
        row = rows.get(verb, {})
        return bool(row.get("lastHandledToken") == token and row.get("outcome") == outcome)

    return cluster.wait("Client", namespace, "shop", done, what=f"{verb} {token} {outcome}")


def entries(cluster: Cluster, namespace: str, name: str = "shop-api-key") -> dict[str, str]:
    """The entries of a Secret."""
    found = cluster.get("Secret", namespace, name) or {}
    return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}


def opens(cluster: Cluster, key: str, code: int, api: str = ORDERS, *, seconds: float = 10) -> None:
    """Wait until a call with the key gets that answer."""
    until(lambda: cluster.call(api, key) == code, what=f"{code} from {api}", seconds=seconds)


def existing(cluster: Cluster, namespace: str, key: str, name: str = "mine") -> None:
    """A Secret of the user's with that key."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"gateway-registrar.dev/allow-use": "true"},
            },
            "stringData": {"apiKey": key},
        }
    )


def test_a_rotation_with_an_overlap_and_back(cluster: Cluster, namespace: str) -> None:
    """Fails when a key of an overlap does not work, when the old one outlives it, or when the second rotation does not go back."""
    first = registered(cluster, namespace, **OVERLAP)
    found = asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    assert second != first
    assert found["status"]["apiKey"]["overlapEndsAt"]
    assert (cluster.call(ORDERS, first), cluster.call(ORDERS, second)) == (200, 200)
    assert entries(cluster, namespace)["previousApiKey"] == first
    opens(cluster, first, 404)
    opens(cluster, second, 200)
    until(lambda: "previousApiKey" not in entries(cluster, namespace), what="the old key leaving the Secret")
    assert cluster.registration(namespace, "shop") is None
    assert (cluster.registration(namespace, "shop", "1.0.r") or {})["apiKey"] == second
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: "overlapEndsAt" not in o["status"]["apiKey"], what="no overlap"
    )
    whats = [entry["what"] for entry in found["status"]["changeLog"]]
    assert whats == ["Registered", "KeyRotated", "KeyOverlapEnded"]
    assert found["status"]["phase"] == "Registered"

    asked(cluster, namespace, "rotate-key", "two")
    third = cluster.key(namespace, "shop-api-key")
    assert third not in (first, second)
    assert (cluster.registration(namespace, "shop") or {})["apiKey"] == third
    opens(cluster, second, 404)
    assert cluster.registration(namespace, "shop", "1.0.r") is None
    assert cluster.call(ORDERS, third) == 200


def test_a_token_put_back_rotates_nothing(cluster: Cluster, namespace: str) -> None:
    """Fails when an old token of rotate-key fires again."""
    registered(cluster, namespace, **OVERLAP)
    asked(cluster, namespace, "rotate-key", "one")
    asked(cluster, namespace, "rotate-key", "two")
    key = cluster.key(namespace, "shop-api-key")
    cluster.annotate("Client", namespace, "shop", "rotate-key", "one")
    asked(cluster, namespace, "reregister", "after")
    assert cluster.key(namespace, "shop-api-key") == key


def test_a_revoked_key_is_dead_at_once(cluster: Cluster, namespace: str) -> None:
    """Fails when revoke-key leaves the old key, or a key of a running overlap, working."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    assert (cluster.call(ORDERS, first), cluster.call(ORDERS, second)) == (200, 200)
    asked(cluster, namespace, "revoke-key", "two")
    third = cluster.key(namespace, "shop-api-key")
    opens(cluster, first, 404, seconds=3)
    opens(cluster, second, 404, seconds=3)
    opens(cluster, third, 200, seconds=3)
    until(lambda: "previousApiKey" not in entries(cluster, namespace), what="the old key leaving the Secret")


def test_an_existing_key_that_changes(cluster: Cluster, namespace: str) -> None:
    """Fails when a key's change is not pushed at once, or publishes what waits."""
    first, second = "a" * 24, "b" * 24
    existing(cluster, namespace, f"{first}{namespace[2:]}")
    old = registered(cluster, namespace, source="Existing", secretName="mine")
    cluster.apply(rate_limit(namespace, "limit", client="shop", limit=1))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    existing(cluster, namespace, f"{second}{namespace[2:]}")
    opens(cluster, old, 404)
    opens(cluster, f"{second}{namespace[2:]}", 200)
    found = cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    assert cluster.call(ORDERS, f"{second}{namespace[2:]}") == 200, "the limit of one call was not published"
    cluster.wait(
        "Client", namespace, "shop", lambda o: o["status"]["changeLog"][-1]["what"] == "KeyChanged", what="a log entry"
    )
    assert "createdAt" not in found["status"].get("apiKey", {})
    refusal = asked(cluster, namespace, "rotate-key", "one", "Failed")
    message = next(a["message"] for a in refusal["status"]["actions"] if a["name"] == "rotate-key")
    assert "Existing" in message


def test_a_bad_key_leaves_what_is_live(cluster: Cluster, namespace: str) -> None:
    """Fails when an invalid key, or one that another Client has, reaches the gateway or takes the old one off."""
    good = f"{'g' * 24}{namespace[2:]}"
    existing(cluster, namespace, good)
    registered(cluster, namespace, source="Existing", secretName="mine")
    existing(cluster, namespace, "API::acme|orders|1.0")
    found = cluster.wait(
        "Client", namespace, "shop", lambda o: condition(o, "ResolvedRefs").get("status") == "False", what="a refusal"
    )
    assert condition(found, "ResolvedRefs")["reason"] == "KeyInvalid"
    assert cluster.call(ORDERS, good) == 200
    cluster.apply(client(namespace, "other"), contract(namespace, "other", client="other", api="orders", version="1.0"))
    cluster.wait_phase(namespace, "other", "Registered")
    existing(cluster, namespace, cluster.key(namespace, "other-api-key"))
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: condition(o, "ResolvedRefs").get("reason") == "KeyInUse",
        what="KeyInUse",
    )
    assert (cluster.registration(namespace, "shop") or {})["apiKey"] == good
    assert cluster.call(ORDERS, good) == 200


def test_a_generated_key_that_is_edited(cluster: Cluster, namespace: str) -> None:
    """Fails when a key that somebody puts into the generated Secret is ignored, or undone."""
    first = registered(cluster, namespace)
    mine = f"{'e' * 24}{namespace[2:]}"
    answer = cluster.patch("Secret", namespace, "shop-api-key", {"stringData": {"apiKey": mine}})
    assert answer.status == 200
    opens(cluster, mine, 200)
    opens(cluster, first, 404)


def test_a_deleted_secret_comes_back(cluster: Cluster, namespace: str) -> None:
    """Fails when a deleted Secret comes back with another key, or a rotated Client's is looked for under the wrong identity."""
    registered(cluster, namespace, **OVERLAP)
    asked(cluster, namespace, "rotate-key", "one")
    key = cluster.key(namespace, "shop-api-key")
    before = (cluster.get("Client", namespace, "shop") or {})["status"]["apiKey"]["createdAt"]
    until(lambda: "previousApiKey" not in entries(cluster, namespace), what="the end of the overlap")
    cluster.delete("Secret", namespace, "shop-api-key")
    until(lambda: entries(cluster, namespace).get("apiKey") == key, what="the Secret coming back")
    assert cluster.call(ORDERS, key) == 200
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert found["status"]["apiKey"]["createdAt"] == before


def test_a_secret_deleted_while_no_operator_runs(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when only deletions that were watched are mended, or in an overlap one of the two keys is lost."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    operator.kill()
    cluster.delete("Secret", namespace, "shop-api-key")
    operator.start()
    until(lambda: entries(cluster, namespace).get("apiKey") == second, what="the Secret coming back")
    assert entries(cluster, namespace)["previousApiKey"] == first
    assert (cluster.call(ORDERS, first), cluster.call(ORDERS, second)) == (200, 200)


def test_the_secret_follows_its_template(cluster: Cluster, namespace: str) -> None:
    """Fails when a change of secretTemplate or secretKey does not reach the Secret, or somebody else's label is taken off."""
    key = registered(cluster, namespace, secretTemplate={"labels": {"team": "a", "old": "x"}})
    cluster.patch("Secret", namespace, "shop-api-key", {"metadata": {"labels": {"theirs": "kept"}}})
    cluster.apply(
        client(
            namespace,
            "shop",
            apiKey={"secretKey": "token", "secretTemplate": {"labels": {"team": "b"}, "annotations": {"a": "1"}}},
        )
    )

    def follows() -> bool:
        meta = (cluster.get("Secret", namespace, "shop-api-key") or {})["metadata"]
        return bool(
            meta["labels"].get("team") == "b"
            and "old" not in meta["labels"]
            and meta["labels"]["theirs"] == "kept"
            and meta["annotations"].get("a") == "1"
        )

    until(follows, what="the template's labels and annotations")
    found = entries(cluster, namespace)
    assert (found["token"], "apiKey" in found, found["headerName"]) == (key, False, "X-API-Key")
    assert cluster.call(ORDERS, key) == 200


def test_an_entry_of_the_operators_is_no_key(cluster: Cluster, namespace: str) -> None:
    """Fails when secretKey may name an entry that is overwritten with something else."""
    manifest = client(namespace, "shop", apiKey={"secretKey": "headerName"})
    path = f"/apis/{API}/namespaces/{namespace}/clients"
    answer = cluster.request("POST", path, manifest)
    assert answer.status == 422
    assert "secretKey" in answer.body["message"]


def test_a_publish_in_an_overlap_reaches_both_keys(cluster: Cluster, namespace: str) -> None:
    """Fails when only one of the two registrations gets what is published or what is revoked."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    cluster.apply(contract(namespace, "catalog", client="shop", api="catalog", version="2.0"))
    cluster.wait_phase(namespace, "shop", "UnpublishedChanges")
    asked(cluster, namespace, "reregister", "two")
    for key in (first, second):
        opens(cluster, key, 200, "acme/catalog/2.0")
    cluster.delete("Contract", namespace, "billing")
    for key in (first, second):
        opens(cluster, key, 404, BILLING)
        assert cluster.call(ORDERS, key) == 200


def test_a_deletion_in_an_overlap_leaves_nothing(cluster: Cluster, namespace: str) -> None:
    """Fails when one of the two registrations, or the Secret, outlives the Client."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.registration(namespace, "shop") is None
    assert cluster.registration(namespace, "shop", "1.0.r") is None
    assert (cluster.call(ORDERS, first), cluster.call(ORDERS, second)) == (404, 404)
    assert cluster.get("Secret", namespace, "shop-api-key") is None


def test_unregister_beats_a_rotation(cluster: Cluster, namespace: str) -> None:
    """Fails when a key verb beside an unregister is carried out, or one of an unregistered Client does more than change the Secret."""
    key = registered(cluster, namespace)
    body = {"gateway-registrar.dev/unregister": "u", "gateway-registrar.dev/rotate-key": "r"}
    cluster.patch("Client", namespace, "shop", {"metadata": {"annotations": body}})
    cluster.wait_phase(namespace, "shop", "Retired")
    handled(cluster, namespace, "rotate-key", "r", "Skipped")
    assert cluster.key(namespace, "shop-api-key") == key
    asked(cluster, namespace, "rotate-key", "again")
    assert cluster.key(namespace, "shop-api-key") != key
    assert cluster.registration(namespace, "shop") is None
    assert cluster.registration(namespace, "shop", "1.0.r") is None


def test_a_status_wiped_in_an_overlap(cluster: Cluster, namespace: str) -> None:
    """Fails when without a status one of the two registrations is not recognised by its key."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    found = cluster.get("Client", namespace, "shop") or {}
    wiped = cluster.request(
        "PUT", cluster.path("Client", namespace, "shop") + "/status", {**found, "status": {"observedGeneration": -1}}
    )
    assert wiped.status == 200
    found = cluster.wait_phase(namespace, "shop", "Registered")
    until(
        lambda: "overlapEndsAt" in (cluster.get("Client", namespace, "shop") or {})["status"]["apiKey"],
        what="the overlap being known again",
    )
    assert (cluster.call(ORDERS, first), cluster.call(ORDERS, second)) == (200, 200)
    assert cluster.key(namespace, "shop-api-key") == second
    asked(cluster, namespace, "revoke-key", "two")
    opens(cluster, first, 404)
    opens(cluster, second, 404)


def test_the_gateway_lost_both(cluster: Cluster, env: Environment, namespace: str) -> None:
    """Fails when only one of the two registrations of an overlap is put back after a reset."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    second = cluster.key(namespace, "shop-api-key")
    env.reset_gateway()
    opens(cluster, first, 200, seconds=30)
    opens(cluster, second, 200, seconds=30)
    assert (cluster.registration(namespace, "shop") or {})["apiKey"] == first
    assert (cluster.registration(namespace, "shop", "1.0.r") or {})["apiKey"] == second


def test_one_registration_of_an_overlap_is_lost(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when after a start only the published one of the two registrations is looked for."""
    first = registered(cluster, namespace, rotation={"interval": "2h", "overlap": "1h"})
    asked(cluster, namespace, "rotate-key", "one")
    operator.kill()
    cluster.gateway_request("DELETE", f"/organizations/{namespace}/clients/shop/versions/1.0")
    until(lambda: cluster.call(ORDERS, first) == 404, what="the key being gone", seconds=5)
    operator.start()
    opens(cluster, first, 200)


def test_a_scheduled_rotation(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when a key that is older than the interval is not replaced by itself, or its age is the Secret's."""
    first = registered(cluster, namespace)
    body = {"metadata": {"annotations": {"gateway-registrar.dev/key-created-at": "2026-01-01T00:00:00Z"}}}
    assert cluster.patch("Secret", namespace, "shop-api-key", body).status == 200
    operator.stop()
    found = cluster.get("Client", namespace, "shop") or {}
    status = {**found["status"], "apiKey": {**found["status"]["apiKey"], "createdAt": "2026-01-01T00:00:00Z"}}
    cluster.request("PUT", cluster.path("Client", namespace, "shop") + "/status", {**found, "status": status})
    operator.start()
    cluster.apply(client(namespace, "shop", apiKey=OVERLAP))
    until(lambda: cluster.key(namespace, "shop-api-key") != first, what="the key being replaced")
    second = cluster.key(namespace, "shop-api-key")
    assert cluster.call(ORDERS, second) == 200
    opens(cluster, first, 404)
    found = cluster.wait_phase(namespace, "shop", "Registered")
    assert found["status"]["apiKey"]["createdAt"] > "2026-01-02"
    assert found["status"]["apiKey"]["nextRotationAt"] > found["status"]["apiKey"]["createdAt"]


def test_a_version_that_somebody_wrote_into_the_status(cluster: Cluster, namespace: str) -> None:
    """Fails when a status written by hand can have another registration taken off."""
    key = registered(cluster, namespace)
    theirs = {"organizationId": namespace, "clientId": "shop", "version": "9.9", "apiKey": f"{namespace}-theirs-theirs"}
    ours = (cluster.registration(namespace, "shop") or {})["contracts"]
    assert cluster.gateway_request("PUT", "/clients", {**theirs, "contracts": ours}).status < 300
    forged = (cluster.get("Client", namespace, "shop") or {})["status"]["gateways"]
    forged[0] |= {"version": "9.9", "second": {"hash": "0", "copyOf": "0"}}
    assert (
        cluster.patch("Client", namespace, "shop", {"status": {"gateways": forged}}, subresource="status").status < 300
    )
    cluster.delete("Client", namespace, "shop")
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.registration(namespace, "shop", "9.9") is not None
    assert cluster.registration(namespace, "shop") is None
    assert cluster.call(ORDERS, key) == 404
    cluster.gateway_request("DELETE", f"/organizations/{namespace}/clients/shop/versions/9.9")


def test_a_deletion_without_a_status_after_a_rotation(cluster: Cluster, namespace: str, operator: Operator) -> None:
    """Fails when what stands under the other identity outlives a Client whose status was lost."""
    registered(cluster, namespace, rotation={"interval": "1h", "overlap": "0s"})
    asked(cluster, namespace, "rotate-key", "one")
    key = cluster.key(namespace, "shop-api-key")
    until(lambda: "previousApiKey" not in entries(cluster, namespace), what="the end of the rotation")
    assert cluster.registration(namespace, "shop", "1.0.r") is not None
    operator.kill()
    found = cluster.get("Client", namespace, "shop") or {}
    cluster.request(
        "PUT", cluster.path("Client", namespace, "shop") + "/status", {**found, "status": {"observedGeneration": -1}}
    )
    cluster.delete("Client", namespace, "shop")
    operator.start()
    cluster.wait_gone("Client", namespace, "shop")
    assert cluster.registration(namespace, "shop", "1.0.r") is None
    assert cluster.call(ORDERS, key) == 404
