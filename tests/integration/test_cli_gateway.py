"""`import`, `subscribe` and `call` of the kubectl plugin, on the real API server and the real gateway."""

from __future__ import annotations

import base64
import io
import json
import shlex
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localenv.cluster import Answer, Cluster, Json, client, contract, policy
from localenv.environment import Environment
from localenv.gateway import Api
from localenv.install import runtime_gateway
from localenv.operator import Operator
from registrar.cli.__main__ import main
from registrar.cli.commands import subscribe

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

PACKAGE = "class:io.apiman.gateway.engine.policies."
ORDERS, BILLING = "acme/orders/1.0", "acme/billing/1.0"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Plugin = Callable[..., Done]


@pytest.fixture
def registrar(env: Environment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Runs the plugin with the kubeconfig of `user`, without a terminal; its entry point, in this process, because a process of its own takes a second each."""

    def run(*arguments: str, user: str = "admin", stdin: str = "") -> Done:
        kubeconfig = env.kubeconfig if user == "admin" else env.control_plane.kubeconfig(user)
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main([*arguments, "--kubeconfig", str(kubeconfig)])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of the test's own, which asks for the grants of a namespace that owns the APIs, and lets nobody adopt without a key."""
    owner = cluster.namespace(f"{namespace}-owner")
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    organizations = [{"name": "acme", "namespaces": [owner]}]
    manifest["spec"] |= {"default": False, "contracts": "Granted", "organizations": organizations}
    cluster.apply(manifest)
    yield namespace
    cluster.patch("RuntimeGateway", "", namespace, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", namespace)


# import --------------------------------------------------------------------------------------------------------------


def wire(name: str, config: Any) -> Json:
    """A policy as another tool puts it on the gateway."""
    return {"policyImpl": f"{PACKAGE}{name}", "policyJsonConfig": json.dumps(config)}


LIMIT = wire("RateLimitingPolicy", {"limit": 1000, "period": "Minute", "granularity": "Client"})
API_QUOTA = wire("QuotaPolicy", {"period": "Day", "limit": 50, "granularity": "Api", "headerLimit": "X-Mine"})
HIDDEN = wire("IgnoredResourcesPolicy", {"rules": [{"verb": "*", "pathPattern": "/secret.*"}]})
FOREIGN_FORM = wire("IPBlacklistPolicy", {"ipList": ["203.0.113.0/24"], "responseCode": 403})
LOGIN = wire(
    "BasicAuthenticationPolicy",
    {
        "realm": "shop",
        "requireTransportSecurity": False,
        "requireBasicAuth": True,
        "staticIdentity": {"identities": [{"username": "alice", "password": "correct-horse", "isHash": False}]},
    },
)
AUDIT = "class:com.example.AuditPolicy"
CUSTOM = {"policyImpl": AUDIT, "policyJsonConfig": json.dumps({"level": "full", "share": 0.5, "of": [1, {}]})}
WITH_NULL = {"policyImpl": AUDIT, "policyJsonConfig": json.dumps({"level": "full", "of": None})}
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"alice:correct-horse").decode()}


def by_hand(cluster: Cluster, organization: str, name: str, **policies: list[Json]) -> str:
    """Register a client as another tool would; `policies` are by API. Returns its key."""
    key = f"by-hand-{uuid4().hex}"
    rows = [
        {"apiOrgId": "acme", "apiId": api, "apiVersion": "1.0", "plan": "gold", "policies": found}
        for api, found in policies.items()
    ]
    body = {"organizationId": organization, "clientId": name, "version": "1.0", "apiKey": key, "contracts": rows}
    assert cluster.gateway_request("PUT", "/clients", body).status < 300
    return key


def seen(cluster: Cluster, key: str) -> list[tuple[int, str]]:
    """What calls with the key are answered, with and without the password."""
    calls: list[Answer] = [
        cluster.fetch(api, key, path, headers=headers)
        for api in (ORDERS, BILLING)
        for path in ("hello", "secret/1")
        for headers in ({}, PASSWORD)
    ]
    return [(answer.status, answer.headers.get("X-Policy-Failure-Code", "")) for answer in calls]


def test_what_is_on_the_gateway_becomes_objects(
    env: Environment, cluster: Cluster, namespace: str, gateway: str, registrar: Plugin, tmp_path: Path
) -> None:
    """Fails when an imported Client is not Registered with nothing pending, a call is answered otherwise than before, or a secret is in a readable file."""
    shop = by_hand(cluster, namespace, "Shop_Front", orders=[LIMIT, LOGIN, HIDDEN], billing=[LIMIT, API_QUOTA])
    other = by_hand(cluster, namespace, "till", orders=[FOREIGN_FORM, LIMIT, HIDDEN])
    by_hand(cluster, namespace, "audited", billing=[WITH_NULL, CUSTOM])
    before = {key: seen(cluster, key) for key in (shop, other)}
    assert (404, "10007") in before[shop] and (401, "10004") in before[shop] and (200, "") in before[shop]
    standing = [cluster.registration(namespace, name) for name in ("Shop_Front", "till", "audited")]
    folder = tmp_path / "out"
    done = registrar("import", "--gateway", gateway, "--organization", namespace, "-o", str(folder))
    assert done.code == 0, done.stderr
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*.yaml")}
    for name, path in files.items():
        mode = stat.S_IMODE(path.stat().st_mode)
        if "secrets" in name:
            assert mode == 0o600
        else:
            assert shop not in path.read_text() and "correct-horse" not in path.read_text()
    first = next(line for line in done.stderr.splitlines() if "kubectl patch" in line)
    env.run_kubectl(*shlex.split(first)[1:])
    env.run_kubectl("apply", "-R", "-f", str(folder))
    for row in cluster.list("Client", namespace):
        found = cluster.wait_phase(namespace, row["metadata"]["name"], "Registered", seconds=60)
        assert not found["status"].get("pendingChanges"), found["status"]["pendingChanges"]
    assert [cluster.registration(namespace, name) for name in ("Shop_Front", "till", "audited")] == standing
    assert {key: seen(cluster, key) for key in (shop, other)} == before
    cluster.patch("Client", namespace, "shop-front", {"spec": {"adopt": False}})
    assert not cluster.wait_phase(namespace, "shop-front", "Registered")["status"].get("pendingChanges")
    again = registrar("import", "--gateway", gateway, "--organization", namespace, "-o", "-")
    assert (again.code, again.stdout) == (0, "") and "3 registrations are the operator's already" in again.stderr


def test_keys_that_the_operator_takes_itself(
    env: Environment, cluster: Cluster, namespace: str, gateway: str, registrar: Plugin
) -> None:
    """Fails when --generated-keys writes a key, or when its Client does not end with the key that the gateway has; or when a user without rights sees a key."""
    organization = f"{namespace}-org"
    key = by_hand(cluster, organization, "till", orders=[])
    arguments = ("import", "--gateway", gateway, "--organization", organization, "-o", "-", "--generated-keys")
    refused = registrar(*arguments, "--into-namespace", namespace, user="team-a")
    assert refused.code == 4 and refused.stdout == "", refused.stderr
    assert registrar(*arguments, "--operator-namespace", namespace).code == 6
    assert registrar(*arguments, "--endpoint", "http://127.0.0.1:1").code == 8
    done = registrar(*arguments, "--map", f"{organization}={namespace}")
    assert done.code == 0 and key not in done.stdout and "kind: Secret" not in done.stdout, done.stderr
    first = next(line for line in done.stderr.splitlines() if "kubectl patch" in line)
    env.run_kubectl(*shlex.split(first)[1:])
    env.run_kubectl("apply", "-f", "-", stdin=done.stdout)
    found = cluster.wait_phase(namespace, "till", "Registered", seconds=60)
    assert not found["status"].get("pendingChanges")
    assert cluster.key(namespace, "till-api-key") == key and cluster.call(ORDERS, key) == 200


# subscribe and call --------------------------------------------------------------------------------------------------

WAREHOUSE = Api("acme", "warehouse", "1.0")


def test_from_a_client_to_the_first_answer(
    env: Environment, cluster: Cluster, namespace: str, registrar: Plugin
) -> None:
    """Fails when subscribe does not lead to a call that is answered, prints the key, or makes more of a change than was asked for."""
    cluster.apply(client(namespace, "shop"))
    where = ("-n", namespace)
    shown = registrar("subscribe", "shop", ORDERS, "--plan", "gold", "-o", "yaml", *where)
    assert shown.code == 0 and not cluster.list("Contract", namespace)
    done = registrar("subscribe", "shop", ORDERS, "--plan", "gold", *where)
    assert done.code == 0, done.stderr
    key = cluster.key(namespace, "shop-api-key")
    assert key not in done.stdout + done.stderr
    pipe = next(line.strip() for line in done.stdout.splitlines() if "curl" in line)
    read = env.run_kubectl(*shlex.split(pipe.partition(" | curl")[0])[1:])
    assert read == f"X-API-Key: {key}"
    called = registrar("call", "shop-orders", "/hello?a=1", *where)
    assert called.code == 0, called.stderr
    assert (json.loads(called.stdout)["path"], json.loads(called.stdout)["query"]) == ("/orders/hello", {"a": "1"})
    cluster.annotate("Client", namespace, "shop", "rotate-key", "first")
    cluster.wait("Client", namespace, "shop", lambda o: "overlapEndsAt" in o["status"]["apiKey"], what="an overlap")
    former = registrar("call", "shop-orders", "--key-file", "-", *where, stdin=key)
    assert former.code == 0 and "This is the former key; it stops working in" in former.stderr
    asking = registrar("subscribe", "shop", ORDERS, *where)
    assert asking.code == 2 and "gold" in asking.stderr
    unsure = registrar("subscribe", "shop", ORDERS, "--plan", "silver", *where)
    assert unsure.code == 2 and "plan gold -> silver" in unsure.stderr
    waiting = registrar("subscribe", "shop", ORDERS, "--plan", "silver", "--yes", *where)
    assert waiting.code == 1 and "reregister" in waiting.stderr, waiting.stderr
    rows = cluster.list("Contract", namespace)
    assert [(row["metadata"]["name"], row["spec"]["plan"]) for row in rows] == [("shop-orders", "silver")]
    called = registrar("call", "shop-orders", *where)
    assert called.code == 0 and "plan gold" in called.stderr
    missing = registrar("subscribe", "shop", "acme/nothing/1.0", "--plan", "gold", *where)
    assert missing.code == 1 and "acme/nothing/1.0" in missing.stderr, missing.stderr
    assert registrar("subscribe", "nobody", ORDERS, "--plan", "gold", *where).code == 6


def test_a_person_is_asked_for_what_is_missing(
    cluster: Cluster, namespace: str, registrar: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when nobody is asked on a terminal, an answer is not used, or a no is taken for a yes."""
    cluster.apply(client(namespace, "shop"))
    monkeypatch.setattr(subscribe, "_terminal", lambda: True)
    refused = registrar("subscribe", "shop", "-n", namespace, stdin=f"{BILLING}\ngold\nn\n")
    assert refused.code == 1 and not cluster.list("Contract", namespace)
    done = registrar("subscribe", "shop", "-n", namespace, stdin=f"{BILLING}\ngold\ny\n")
    assert done.code == 0 and BILLING in done.stdout, done.stderr
    spec = cluster.list("Contract", namespace)[0]["spec"]
    assert (spec["api"]["name"], spec["plan"]) == ("billing", "gold")


def test_every_answer_is_explained(env: Environment, cluster: Cluster, namespace: str, registrar: Plugin) -> None:
    """Fails when an answer of the real gateway is explained wrongly, has another exit code, or shows the key."""
    env.gateway_api.publish(WAREHOUSE, backend="http://127.0.0.1:1")
    quota = {"limit": 3, "period": "Year", "granularity": "Client", "headerReset": "X-Anew"}
    blocked = {"ipList": ["10.9.8.7"], "httpHeader": "X-Real-IP"}
    shop = {"kind": "Client", "name": "shop"}
    cluster.apply(
        policy(namespace, "few", shop, quota=quota, order=1),
        policy(namespace, "block", shop, ipBlockList=blocked, order=0),
        client(namespace, "shop"),
        *(contract(namespace, api, client="shop", api=api, version="1.0") for api in ("orders", "warehouse", "missing")),
    )  # fmt: skip
    cluster.wait_phase(namespace, "shop", "Registered")
    theirs = registrar("subscribe", "shop", ORDERS, "--plan", "silver", "--yes", "-n", namespace)
    assert theirs.code == 9 and "demo" in theirs.stderr and "-o yaml" in theirs.stderr, theirs.stderr
    key = cluster.key(namespace, "shop-api-key")
    outputs: list[str] = []

    def call(name: str, *arguments: str, user: str = "admin", stdin: str = "") -> tuple[int, str]:
        done = registrar("call", name, *arguments, "-n", namespace, user=user, stdin=stdin)
        outputs.append(done.stdout + done.stderr)
        return done.code, done.stderr

    assert call("orders", "../../billing/1.0/x")[0] == 2
    assert call("missing")[0] == 20
    assert call("orders", user="team-a")[0] == 4
    assert call("nothing")[0] == 6
    code, said = call("orders")
    assert code == 0 and "quota: 2 of 3 left, anew in" in said
    code, said = call("orders", "-H", "X-Real-IP: 10.9.8.7")
    assert code == 22 and f"{namespace}/block" in said
    assert call("orders")[0] == 0
    code, said = call("warehouse")
    assert code == 8 and "could not reach the API behind it" in said
    code, said = call("orders", "-X", "DELETE")
    assert code == 21 and f"{namespace}/few on Client (3 per Year)" in said and "starts anew in" in said
    code, said = call("orders", "--key-file", "-", stdin="not-a-key-of-anybody-0123")
    assert code == 20 and "none of the Client's" in said
    env.gateway_api.retire(WAREHOUSE)
    code, said = call("warehouse")
    assert code == 20 and "retired" in said
    cluster.annotate("Client", namespace, "shop", "revoke-key", "now")
    cluster.wait(
        "Secret", namespace, "shop-api-key", lambda o: cluster.key(namespace, "shop-api-key") != key, what="a new key"
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    code, said = call("orders", "--key-file", "-", stdin=key)
    assert code == 20 and ("none of the Client's" in said or "former one" in said)
    assert not any(secret in text for secret in (key, cluster.key(namespace, "shop-api-key")) for text in outputs)
    assert not any("Traceback" in text for text in outputs)


def test_the_operator_never_crashed(operator: Operator) -> None:
    """Fails when one of the above ended the operator, or surprised it."""
    assert not operator.ended
    assert "Traceback" not in operator.log.read_text()
