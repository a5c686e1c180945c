"""Each policy type on the real gateway: what it lets through and what it stops, called with a real key.

The directory is a small one of the test's own. A database needs a data source on the gateway, so JDBC has only its wire form tested (tests/unit/gateways/test_wire.py).
"""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from localenv.cluster import Answer, Cluster, client, condition, contract, policy, secret, until
from tests.integration.directory import Directory, User

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
ORDERS = "acme/orders/1.0"
SHOP = {"kind": "Client", "name": "shop"}


def published(cluster: Cluster, namespace: str, *policies: dict[str, Any]) -> str:
    """A registered Client with one Contract and these policies; returns its key once the gateway's data plane has it."""
    cluster.apply(
        *policies, client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="1.0")
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    return cluster.key(namespace, "shop-api-key")


def settled(cluster: Cluster, key: str, path: str, **call: Any) -> Answer:
    """The first answer that is not the gateway's 404 for a key that its data plane does not know yet."""
    answers: list[Answer] = []

    def known() -> bool:
        answers.append(cluster.fetch(ORDERS, key, path, **call))
        return "X-Gateway-Error" not in answers[-1].headers

    until(known, what="an answer", seconds=5)
    return answers[-1]


def failure(answer: Answer) -> tuple[int, str]:
    """Status and failure code of a refusal."""
    return answer.status, answer.headers.get("X-Policy-Failure-Code", "")


def login(name: str, password: str) -> dict[str, str]:
    """The header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(("member", "code"), [("rateLimit", "10005"), ("quota", "10012")])
def test_requests_are_limited(cluster: Cluster, namespace: str, member: str, code: str) -> None:
    """Fails when more calls than the limit pass, or fewer."""
    spec: dict[str, Any] = {member: {"limit": 2, "period": "Day", "granularity": "Client"}}
    key = published(cluster, namespace, policy(namespace, "limit", SHOP, **spec))
    first = settled(cluster, key, "hello")
    header = "X-RateLimit" if member == "rateLimit" else "X-Quota"
    assert (first.status, first.headers[f"{header}-Limit"], first.headers[f"{header}-Remaining"]) == (200, "2", "1")
    assert cluster.fetch(ORDERS, key).status == 200
    assert failure(cluster.fetch(ORDERS, key)) == (429, code)


def test_a_limit_for_each_user(cluster: Cluster, namespace: str) -> None:
    """Fails when users share a count; a call that names no user is a 500 of the gateway."""
    limit = {"limit": 1, "period": "Day", "granularity": "User", "userHeader": "X-User"}
    key = published(cluster, namespace, policy(namespace, "limit", SHOP, rateLimit=limit))
    assert failure(settled(cluster, key, "hello")) == (500, "10006")
    assert cluster.fetch(ORDERS, key, headers={"X-User": "alice"}).status == 200
    assert cluster.fetch(ORDERS, key, headers={"X-User": "alice"}).status == 429
    assert cluster.fetch(ORDERS, key, headers={"X-User": "bob"}).status == 200


def test_bytes_are_limited(cluster: Cluster, namespace: str) -> None:
    """Fails when the direction is not taken over; the call that goes past the limit still passes, only the next one is stopped."""
    limit = {"limit": 100, "period": "Day", "granularity": "Client", "direction": "Upload"}
    key = published(cluster, namespace, policy(namespace, "limit", SHOP, transferQuota=limit))
    assert settled(cluster, key, "hello").status == 200, "a large answer is no upload"
    sent = [cluster.fetch(ORDERS, key, method="POST", data=b"x" * 60) for _ in range(3)]
    assert [answer.status for answer in sent] == [200, 200, 429]
    assert sent[0].headers["X-TransferQuota-Remaining"] == "40"
    assert failure(sent[2]) == (429, "10013")


def test_addresses_are_allowed(cluster: Cluster, namespace: str) -> None:
    """Fails when an address that is not in the list passes."""
    rule = {"ipList": ["10.1.0.0/16"], "httpHeader": "X-Real-IP", "responseCode": 404}
    key = published(cluster, namespace, policy(namespace, "list", SHOP, ipAllowList=rule))
    assert failure(settled(cluster, key, "hello")) == (404, "10001"), (
        "without the header the connection's address counts"
    )
    assert cluster.fetch(ORDERS, key, headers={"X-Real-IP": "10.1.2.3"}).status == 200
    assert cluster.fetch(ORDERS, key, headers={"X-Real-IP": "10.2.2.3"}).status == 404
    assert cluster.fetch(ORDERS, key, headers={"X-Real-IP": "10.1.2.3, 10.1.2.4"}).status == 404, "a list is no address"


def test_addresses_are_blocked(cluster: Cluster, namespace: str) -> None:
    """Fails when an address in the list passes, or another one does not."""
    rule = {"ipList": ["10.1.2.1-10.1.2.5", "10.1.16.0/20", "10.9.*"], "httpHeader": "X-Real-IP"}
    key = published(cluster, namespace, policy(namespace, "list", SHOP, ipBlockList=rule))
    assert settled(cluster, key, "hello").status == 200
    for address in ("10.1.2.3", "10.1.31.255", "10.9.8.7"):
        assert failure(cluster.fetch(ORDERS, key, headers={"X-Real-IP": address})) == (403, "10002")
    for address in ("10.1.2.6", "10.1.32.0", "10.8.8.7"):
        assert cluster.fetch(ORDERS, key, headers={"X-Real-IP": address}).status == 200


def test_callers_log_in(cluster: Cluster, namespace: str) -> None:
    """Fails when a wrong or missing password passes, or the right one from the Secret does not."""
    users = [{"username": "alice", "passwordSecretRef": {"name": "users", "key": "alice"}}]
    rule = {
        "realm": "shop",
        "requireTransportSecurity": False,
        "forwardIdentityHttpHeader": "X-User",
        "staticIdentity": {"identities": users},
    }
    key = published(
        cluster,
        namespace,
        secret(namespace, "users", alice="correct-horse"),
        policy(namespace, "users", SHOP, basicAuthentication=rule),
    )
    refused = settled(cluster, key, "hello")
    assert failure(refused) == (401, "10004") and refused.headers["WWW-Authenticate"] == 'Basic realm="shop"'
    assert failure(cluster.fetch(ORDERS, key, headers=login("alice", "wrong"))) == (401, "10003")
    passed = cluster.fetch(ORDERS, key, headers=login("alice", "correct-horse"))
    assert passed.status == 200 and passed.body["headers"]["X-User"] == "alice"
    assert "Authorization" not in passed.body["headers"], "the password stays at the gateway"


BASE = "dc=example,dc=com"
PEOPLE = {
    f"uid=alice,{BASE}": User("correct-horse", (f"cn=admin,ou=groups,{BASE}",)),
    f"uid=bob,{BASE}": User("battery-staple", (f"cn=reader,ou=groups,{BASE}",)),
}


def people(directory: Directory, **changes: Any) -> dict[str, Any]:
    """Login with the users of a directory."""
    ldap = {
        "url": directory.url,
        "dnPattern": f"uid={{username}},{BASE}",
        "bindAs": "UserAccount",
        "membershipAttribute": "memberOf",
        "rolenameAttribute": "cn",
        **changes,
    }
    return {"realm": "shop", "requireTransportSecurity": False, "ldapIdentity": ldap}


def test_users_of_a_directory_log_in(cluster: Cluster, namespace: str) -> None:
    """Fails when a wrong password passes, also with a directory that lets anybody read."""
    with Directory(PEOPLE, anonymous=True) as directory:
        key = published(cluster, namespace, policy(namespace, "users", SHOP, basicAuthentication=people(directory)))
        assert failure(settled(cluster, key, "hello", headers=login("alice", "wrong"))) == (401, "10003")
        assert cluster.fetch(ORDERS, key, headers=login("alice", "correct-horse")).status == 200


def test_roles_of_a_directory_decide(cluster: Cluster, namespace: str) -> None:
    """Fails when a user of the directory is not let in, when a role is not asked for, or when one that a group gives does not open."""
    with Directory(PEOPLE) as directory:
        rules = [{"verb": "*", "pathPattern": "/admin", "role": "admin"}]
        roles = {"rules": rules, "requestUnmatched": "Pass", "multiMatch": "All"}
        key = published(
            cluster,
            namespace,
            policy(namespace, "users", SHOP, order=1, basicAuthentication=people(directory, extractRoles=True)),
            policy(namespace, "roles", SHOP, order=2, authorization=roles),
        )
        alice, bob = login("alice", "correct-horse"), login("bob", "battery-staple")
        assert settled(cluster, key, "hello", headers=alice).status == 200
        assert cluster.fetch(ORDERS, key, "admin", headers=alice).status == 200
        assert cluster.fetch(ORDERS, key, headers=bob).status == 200
        assert failure(cluster.fetch(ORDERS, key, "admin", headers=bob)) == (403, "10009")
        assert cluster.fetch(ORDERS, key, headers=login("alice", "wrong")).status == 500
        assert failure(cluster.fetch(ORDERS, key)) == (401, "10004")


def test_passwords_that_the_gateway_does_not_look_at(cluster: Cluster, namespace: str) -> None:
    """Fails when a Policy that a directory open to all would turn into no protection at all says nothing of it; or when the gateway is mended, and the warning can go."""
    with Directory(PEOPLE, anonymous=True) as directory:
        rule = people(directory, extractRoles=True)
        key = published(cluster, namespace, policy(namespace, "users", SHOP, basicAuthentication=rule))
        assert settled(cluster, key, "hello", headers=login("alice", "wrong")).status == 200
    found = cluster.wait(
        "Policy", namespace, "users", lambda o: condition(o, "Accepted").get("status") == "True", what="Accepted"
    )
    assert "anonymous searches" in condition(found, "Accepted")["message"]


def test_tls_is_asked_for_by_default(cluster: Cluster, namespace: str) -> None:
    """Fails when a Policy that says nothing of TLS takes passwords in the clear."""
    users = [{"username": "alice", "passwordSecretRef": {"name": "users", "key": "alice"}}]
    key = published(
        cluster,
        namespace,
        secret(namespace, "users", alice="correct-horse"),
        policy(
            namespace, "users", SHOP, basicAuthentication={"realm": "shop", "staticIdentity": {"identities": users}}
        ),
    )
    settled(cluster, key, "hello")
    assert failure(cluster.fetch(ORDERS, key, headers=login("alice", "correct-horse"))) == (401, "10011")


def test_authorization_without_roles_stops_everything(cluster: Cluster, namespace: str) -> None:
    """Fails when calls pass though nothing before has found out the caller's roles."""
    rule = {"rules": [{"pathPattern": "/admin/.*", "role": "admin"}], "requestUnmatched": "Pass"}
    key = published(cluster, namespace, policy(namespace, "roles", SHOP, authorization=rule))
    assert failure(settled(cluster, key, "admin/x")) == (500, "10010")
    assert failure(cluster.fetch(ORDERS, key, "open")) == (500, "10010")


def test_answers_are_kept(cluster: Cluster, namespace: str) -> None:
    """Fails when an answer that shall be kept is asked for again, or one that shall not is kept."""
    rule = {"ttl": 300, "entries": [{"pathPattern": "/products/.*"}]}
    key = published(cluster, namespace, policy(namespace, "cache", SHOP, caching=rule))
    settled(cluster, key, "hello")

    def seen(path: str, number: str) -> Any:
        return cluster.fetch(ORDERS, key, path, headers={"X-Number": number}).body["headers"]["X-Number"]

    assert [seen("products/1", number) for number in "123"] == ["1", "1", "1"], "headers are no part of what is kept"
    assert [seen("products/1?page=2", number) for number in "45"] == ["4", "4"], "the query is"
    assert [seen("other/1", number) for number in "67"] == ["6", "7"]
    assert cluster.fetch(ORDERS, key, "products/1").headers["Cache-Control"] == "max-age=300"


def test_a_kept_answer_knows_no_api(cluster: Cluster, namespace: str) -> None:
    """Fails when the gateway begins to tell APIs apart here: then the warning on the page can go."""
    rule = {"ttl": 300, "entries": [{"pathPattern": "/products/.*"}]}
    cluster.apply(contract(namespace, "billing", client="shop", api="billing", version="1.0"))
    key = published(cluster, namespace, policy(namespace, "cache", SHOP, caching=rule))
    assert settled(cluster, key, "products/1").body["path"].startswith("/orders/")
    assert cluster.fetch("acme/billing/1.0", key, "products/1").body["path"].startswith("/orders/")
    assert cluster.fetch("acme/billing/1.0", key, "other/1").body["path"].startswith("/billing/")


PAGES = Path(__file__).parents[2] / "docs" / "policies"


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.md")))
def test_the_manifests_in_the_documentation(cluster: Cluster, page: str) -> None:
    """Fails when the API server refuses what a page shows, by a rule that only it knows."""
    for block in re.findall(r"```yaml\n(.*?)```", (PAGES / f"{page}.md").read_text(), flags=re.DOTALL):
        for manifest in yaml.safe_load_all(block):
            meta = manifest["metadata"]
            if "namespace" in meta:
                cluster.namespace(meta["namespace"])
            path = cluster.path(manifest["kind"], meta.get("namespace", ""), meta["name"])
            answer = cluster.request(
                "PATCH",
                f"{path}?fieldManager=page&force=true&dryRun=All",
                manifest,
                content_type="application/apply-patch+yaml",
            )
            assert answer.status < 300, answer.body


def test_resources_are_hidden(cluster: Cluster, namespace: str) -> None:
    """Fails when a hidden resource answers, or the verb does not count."""
    rule = {"rules": [{"verb": "GET", "pathPattern": "/internal/.*"}]}
    key = published(cluster, namespace, policy(namespace, "hidden", SHOP, ignoredResources=rule))
    assert settled(cluster, key, "hello").status == 200
    assert failure(cluster.fetch(ORDERS, key, "internal/x")) == (404, "10007")
    assert cluster.fetch(ORDERS, key, "internal/x", method="POST", data=b"").status == 200


def test_times_are_kept(cluster: Cluster, namespace: str) -> None:
    """Fails when a call at another time passes; the gateway answers 500 though its text speaks of a time."""
    tomorrow = (time.gmtime().tm_wday + 1) % 7 + 1
    closed = {"timeStart": "00:00:00", "timeEnd": "23:59:59", "dayStart": tomorrow, "dayEnd": tomorrow}
    always = {"timeStart": "00:00:00", "timeEnd": "23:59:59", "dayStart": 1, "dayEnd": 7}
    rule = {"rules": [closed | {"pathPattern": "/closed/.*"}, always | {"pathPattern": "/always/.*"}]}
    key = published(cluster, namespace, policy(namespace, "times", SHOP, timeRestrictedAccess=rule))
    assert settled(cluster, key, "always/x").status == 200
    assert failure(cluster.fetch(ORDERS, key, "closed/x")) == (500, "10014")
    assert cluster.fetch(ORDERS, key, "elsewhere").status == 200, "what no rule names is allowed"


def test_urls_are_rewritten(cluster: Cluster, namespace: str) -> None:
    """Fails when the back end sees the URL that the caller used."""
    rule = {"fromRegex": "/public/([a-z]+)", "toReplacement": "/private/$1", "processRequestUrl": True}
    key = published(cluster, namespace, policy(namespace, "urls", SHOP, urlRewriting=rule))
    assert settled(cluster, key, "public/x").body["path"].endswith("/private/x")
    assert cluster.fetch(ORDERS, key, "other/x").body["path"].endswith("/other/x")


CACHING = "class:io.apiman.gateway.engine.policies.CachingPolicy"


def test_custom_policies_need_the_platforms_word(cluster: Cluster, namespace: str) -> None:
    """Fails when a tenant can have the gateway run code that the platform team has not allowed."""
    rule = {"implementation": CACHING, "config": {"ttl": 300, "statusCodes": ["200"]}}
    cluster.apply(
        policy(namespace, "own", SHOP, custom=rule),
        client(namespace, "shop"),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    # For a moment the operator may know of the one and not yet of the others.
    cluster.wait_refused("Policy", namespace, "own", "NotPermitted", type_="Accepted")
    cluster.wait_refused("Contract", namespace, "orders", "PolicyUnresolved")
    assert cluster.registration(namespace, "shop") is None
    cluster.patch("RuntimeGateway", "", "default", {"spec": {"customPolicies": {"allow": [CACHING]}}})
    try:
        cluster.wait_phase(namespace, "shop", "Registered")
        key = cluster.key(namespace, "shop-api-key")
        settled(cluster, key, "hello")
        bodies = [cluster.fetch(ORDERS, key, "a", headers={"X-Number": n}).body["headers"] for n in "12"]
        assert [body["X-Number"] for body in bodies] == ["1", "1"]
    finally:
        cluster.patch("RuntimeGateway", "", "default", {"spec": {"customPolicies": None}})
