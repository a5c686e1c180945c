"""The kubectl plugin on the real pair: each command, each exit code, and set-ups broken on purpose that `why` alone leads out of."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, rate_limit, until
from localenv.environment import NAMESPACE, Environment
from localenv.install import runtime_gateway
from tests.faults.gateway_proxy import Fault, GatewayProxy
from tests.integration.plugin import Plugin, kubeconfig
from tests.integration.tenants import team

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]
GROUP = "gateway-registrar.dev"


@pytest.fixture
def plugin(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """The administrator."""
    variables = {"GATEWAY_USER": env.gateway_user, "GATEWAY_PASSWORD": env.gateway_password}
    return Plugin(env, env.kubeconfig, tmp_path_factory.getbasetemp() / "bin", variables)


def as_user(
    env: Environment, folder: Path, *, token: str, server: str = "", namespace: str = "default", trusted: bool = True
) -> Plugin:
    """Somebody with a token, who may talk to another address, or not know the API server's CA."""
    ca = env.control_plane.ca_file if trusted else None
    file = kubeconfig(folder / "config", server=server or env.apiserver_url, ca=ca, token=token, namespace=namespace)
    return Plugin(env, file, folder / "bin")


def shop(cluster: Cluster, namespace: str, name: str = "shop", **spec: object) -> None:
    """A registered Client with one Contract and a limit."""
    cluster.apply(
        client(namespace, name, **spec),
        contract(namespace, f"{name}-orders", client=name, api="orders", version="1.0"),
        rate_limit(namespace, f"{name}-limit", client=name, limit=100, period="Hour"),
    )
    cluster.wait_phase(namespace, name, "Registered", seconds=60)


def changed(cluster: Cluster, namespace: str, name: str = "shop") -> None:
    """Change the limit, and wait until that is pending."""
    cluster.apply(rate_limit(namespace, f"{name}-limit", client=name, limit=50, period="Hour"))
    cluster.wait_phase(namespace, name, "UnpublishedChanges")


def limit_of(cluster: Cluster, namespace: str) -> int:
    """The limit that the gateway has."""
    found = cluster.registration(namespace, "shop") or {}
    return int(json.loads(found["contracts"][0]["policies"][0]["policyJsonConfig"])["limit"])


# The commands --------------------------------------------------------------------------------------------------------


def test_a_change_from_difference_to_log(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """status, diff, reregister, log and consumers say what the gateway has."""
    shop(cluster, namespace)
    here = ("shop", "-n", namespace)
    assert plugin("diff", *here).code == 0
    changed(cluster, namespace)
    said = plugin("diff", *here)
    assert (said.code, said.out) == (
        1,
        "~ PolicyChanged shop-limit: rateLimit.limit 100 -> 50  (gateway default)\n",
    )
    tried = plugin("reregister", *here, "--dry-run")
    assert tried.code == 0 and "limit 100 -> 50" in tried.out
    assert limit_of(cluster, namespace) == 100, "a dry run publishes nothing"
    done = plugin("reregister", *here, "--wait", "-o", "json")
    assert done.code == 0 and done.data["clients"][0]["result"] == "Succeeded"
    assert limit_of(cluster, namespace) == 50
    tree = plugin("status", *here).out
    for part in ("Registered", "Secret shop-api-key", "acme/orders/1.0", "1. rateLimit", "limit 50", "reregister"):
        assert part in tree, tree
    log = plugin("log", *here).out
    assert done.data["token"] in log and "by kubectl-registrar" in log and "Reregistered" in log
    rows = plugin("consumers", "acme/orders/1.0", "-o", "json").data["items"]
    assert (namespace, "shop-orders") in {(row["metadata"]["namespace"], row["metadata"]["name"]) for row in rows}
    assert plugin("consumers", "acme/orders/7.7", "-o", "json").data["items"] == []


def test_unregister_and_a_leaked_key(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """The key is dead when `unregister --wait` or `rotate-key --revoke --wait` has ended, and not before a rotation's overlap has."""
    shop(cluster, namespace)
    here = ("shop", "-n", namespace)
    first = cluster.key(namespace, "shop-api-key")
    assert plugin("rotate-key", *here, "--wait").code == 0
    second = cluster.key(namespace, "shop-api-key")
    assert (cluster.call("acme/orders/1.0", first), cluster.call("acme/orders/1.0", second)) == (200, 200)
    assert plugin("rotate-key", *here, "--revoke", "--wait").code == 0
    third = cluster.key(namespace, "shop-api-key")
    answers = [cluster.call("acme/orders/1.0", key) for key in (first, second, third)]
    assert answers[2] == 200 and all(code >= 400 for code in answers[:2]), answers
    assert plugin("unregister", *here, "--wait").code == 0
    assert cluster.call("acme/orders/1.0", third) >= 400
    assert plugin.follow_why("shop", "-n", namespace) == ["Retired"]
    assert cluster.call("acme/orders/1.0", third) == 200


def test_many_at_once(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """One that refuses is said, does not keep the others, and makes the exit code 1."""
    for name in ("a", "b"):
        shop(cluster, namespace, name)
    cluster.apply(client(namespace, "c", paused=True))
    cluster.wait_phase(namespace, "c", "Created")
    for name in ("a", "c"):
        cluster.patch("Client", namespace, name, {"metadata": {"labels": {"part": "one"}}})
    changed(cluster, namespace, "a")
    changed(cluster, namespace, "b")
    said = plugin("reregister", "-l", "part=one", "-n", namespace, "--wait", "-o", "json")
    results = {row["name"]: row["result"] for row in said.data["clients"]}
    assert (said.code, results) == (1, {"a": "Succeeded", "c": "Failed"})
    assert cluster.get("Client", namespace, "b")["status"]["phase"] == "UnpublishedChanges"  # type: ignore[index]
    asked = plugin("unregister", "--all", "-n", namespace)
    assert asked.code == 2 and "--yes" in asked.problem, "nobody is there to be asked"
    assert plugin("unregister", "--all", "-n", namespace, "--yes", "--wait").code == 0


def test_force_delete_only_what_is_being_deleted(
    cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy, plugin: Plugin
) -> None:
    """A Client that waits for a dead gateway goes when it is forced; one that nobody deletes is left alone."""
    shop(cluster, namespace, gatewayRef={"name": gateway})
    refused = plugin("force-delete", "shop", "-n", namespace, "--yes")
    assert refused.code == 2 and "is not being deleted" in refused.problem
    proxy.script(Fault("DELETE", "/", "status", times=1000, status=503))
    cluster.delete("Client", namespace, "shop")
    assert plugin("force-delete", "--all", "-n", namespace).code == 2, "nobody is there to be asked"
    assert cluster.get("Client", namespace, "shop") is not None
    assert plugin("why", "shop", "-n", namespace).code == 1
    gone = plugin("force-delete", "--all", "-n", namespace, "--yes")
    assert (gone.code, gone.out) == (0, f"{namespace}/shop  gone\n"), gone.err
    assert cluster.get("Client", namespace, "shop") is None
    proxy.clear()
    owed = lambda o: (o["status"].get("owed") or {}).get("count") == 0  # noqa: E731 - read by the wait alone
    until(lambda: cluster.registration(namespace, "shop") is None, what="the debt being paid", seconds=60)
    cluster.wait("RuntimeGateway", "", gateway, owed, what="nothing owed", seconds=30)


def test_a_tenant_sees_only_what_is_theirs(env: Environment, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Without rights on RuntimeGateways or the Lease, status and why still work in the tenant's namespace."""
    mine = team(env, cluster, "team-a", namespace)
    shop(cluster, namespace)
    tenant = as_user(env, tmp_path, token=env.control_plane.token(mine.user), namespace=namespace)
    assert tenant("status", "shop").code == 0 and tenant("why", "shop").code == 0
    assert tenant("consumers", "acme/orders/1.0").code == 4
    assert tenant("consumers", "acme/orders/1.0", "-n", namespace).code == 0


def test_names_are_completed_through_kubectl(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """Kubectl itself asks the plugin's completion, whatever shell it completes for."""
    cluster.apply(client(namespace, "checkout"), client(namespace, "shop"))
    said = plugin.shell(f"kubectl __complete registrar why -n {namespace} che")
    assert said.out.split() == ["checkout", ":4"], said


# The exit codes ------------------------------------------------------------------------------------------------------


def test_no_cluster(env: Environment, tmp_path: Path) -> None:
    absent = Plugin(env, tmp_path / "nothing", tmp_path)("status")
    assert absent.code == 3 and "does not exist" in absent.problem
    dead = as_user(env, tmp_path, token="x", server="https://127.0.0.1:1")
    assert dead("status").code == 3 and "does not answer" in dead("status").problem
    untrusted = as_user(env, tmp_path, token="x", trusted=False)("status")
    assert untrusted.code == 3 and "is not trusted" in untrusted.problem
    unknown = dead("status", "--context", "nowhere")
    assert unknown.code == 3 and "there is no nowhere among its contexts" in unknown.problem


def test_no_rights(env: Environment, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A real ServiceAccount without any role, and a token that is none."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    cluster.request("POST", path, {"metadata": {"name": "nobody"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = cluster.request("POST", f"{path}/nobody/token", request)
    nobody = as_user(env, tmp_path, token=answer.body["status"]["token"])
    for words in (("status",), ("why", "shop"), ("reregister", "shop"), ("diff", "shop"), ("log", "shop")):
        said = nobody(*words)
        assert said.code == 4 and "You may not do this" in said.problem, words
    stranger = as_user(env, tmp_path, token="stranger")("status")
    assert stranger.code == 4 and "does not accept your credentials" in stranger.problem


def test_no_kinds(env: Environment, tmp_path: Path) -> None:
    """The real API server at a path below which it serves nothing, as one without the CRDs."""
    token = env.control_plane.token("admin")
    bare = as_user(env, tmp_path, token=token, server=f"{env.apiserver_url}/apis/apps")
    for words in (("status",), ("status", "shop"), ("why", "shop"), ("consumers", "acme/orders")):
        said = bare(*words)
        assert said.code == 5 and "no CRDs of gateway-registrar.dev" in said.problem, words


def test_unknown_names_and_refusals(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    for words in (("status", "nope"), ("why", "nope"), ("diff", "nope"), ("log", "nope"), ("reregister", "nope")):
        said = plugin(*words, "-n", namespace)
        assert said.code == 6 and "nope" in said.problem, words
    assert plugin("reregister", "-l", "a=b", "-n", namespace).code == 6
    said = plugin("reregister", "-l", "=;x", "-n", namespace)
    assert said.code == 9 and "refuses this" in said.problem


def test_time_is_up(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """The settle time is longer than what this waits."""
    shop(cluster, namespace)
    said = plugin("reregister", "shop", "-n", namespace, "--wait", "--timeout", "0.1")
    assert said.code == 7 and "was not finished" in said.out


def test_interrupted(cluster: Cluster, namespace: str, gateway: str, proxy: GatewayProxy, plugin: Plugin) -> None:
    """Ctrl-C ends a wait that would not end by itself, quietly, with the code that shells give it."""
    shop(cluster, namespace, gatewayRef={"name": gateway})
    changed(cluster, namespace)
    proxy.script(Fault("PUT", "/", "status", times=1000, status=503))
    waiting = plugin.start("reregister", "shop", "-n", namespace, "--wait", "--timeout", "600")
    cluster.wait(
        "Client",
        namespace,
        "shop",
        lambda o: f"{GROUP}/reregister" in (o["metadata"].get("annotations") or {}),
        what="the action asked for",
    )
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("form", [(), ("-o", "json")])
def test_a_reader_that_has_gone(plugin: Plugin, form: tuple[str, ...]) -> None:
    """As `| head` does it: no message, and a code of its own."""
    reading, writing = os.pipe()
    os.close(reading)
    running = plugin.start("consumers", "acme/orders", *form, stdout=writing)
    os.close(writing)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (141, "")


# Broken on purpose, mended by `why` alone ----------------------------------------------------------------------------


@pytest.fixture
def own_gateway(env: Environment, cluster: Cluster, namespace: str) -> Iterator[str]:
    """A RuntimeGateway of this test's own with credentials of its own, named as the namespace."""
    name = f"{namespace}-credentials"
    credentials = {"username": env.gateway_user, "password": env.gateway_password}
    labels = {f"{GROUP}/allow-use": "true"}
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = namespace
    manifest["spec"]["default"] = False
    manifest["spec"]["apiman"]["credentialsSecretRef"] = {"name": name}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": credentials}, manifest)
    cluster.wait("RuntimeGateway", "", namespace, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    yield namespace
    cluster.delete("RuntimeGateway", "", namespace)
    cluster.delete("Secret", NAMESPACE, name)


def _ready(cluster: Cluster, gateway: str, reason: str) -> None:
    cluster.wait(
        "RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("reason") == reason, what=f"Ready/{reason}"
    )


@pytest.mark.parametrize("broken", ["password", "deleted"])
def test_the_gateways_credentials(
    cluster: Cluster, namespace: str, own_gateway: str, plugin: Plugin, broken: str
) -> None:
    """A wrong password, and a deleted Secret."""
    secret = f"{namespace}-credentials"
    if broken == "deleted":
        cluster.delete("Secret", NAMESPACE, secret)
    else:
        cluster.patch("Secret", NAMESPACE, secret, {"stringData": {"password": "wrong"}})
    reason = "GatewayUnauthorized" if broken == "password" else "CredentialsNotFound"
    _ready(cluster, own_gateway, reason)
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": own_gateway}),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    assert plugin.follow_why("shop", "-n", namespace)[0] == reason
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200


def test_a_missing_api(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """A version that the gateway does not have; another Contract shows which there is."""
    shop(cluster, namespace, "neighbour")
    cluster.apply(client(namespace, "shop"), contract(namespace, "orders", client="shop", api="orders", version="9.9"))
    assert plugin.follow_why("shop", "-n", namespace) == ["ApiNotPublished"]
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200


def test_a_deleted_secret(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """The Secret of an Existing key; its value is the user's, so the command reads it from the shell."""
    key = "a-key-of-the-users-own-0123456789"
    plugin.variables["API_KEY"] = f"{key}-{namespace}"
    secret = {"name": "own", "namespace": namespace, "labels": {f"{GROUP}/allow-use": "true"}}
    value = {"apiKey": plugin.variables["API_KEY"]}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": value})
    shop(cluster, namespace, apiKey={"source": "Existing", "secretName": "own"})
    cluster.delete("Secret", namespace, "own")
    assert plugin.follow_why("shop", "-n", namespace) == ["SecretNotFound"]
    assert cluster.call("acme/orders/1.0", plugin.variables["API_KEY"]) == 200


def test_a_missing_client(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    cluster.apply(contract(namespace, "orders", client="shop", api="orders", version="1.0"))
    assert plugin.follow_why("orders", "-n", namespace) == ["ClientNotFound"]
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200


def test_an_operator_that_stopped(cluster: Cluster, namespace: str, plugin: Plugin) -> None:
    """All is well so far, but its Lease is old: nothing will be seen any more."""
    cluster.apply(_lease(namespace, "2020-01-01T00:00:00.000000Z"))
    shop(cluster, namespace)
    asked = plugin("why", "shop", "-n", namespace, "--operator-namespace", namespace)
    assert asked.code == 0 and "the operator does not run" in asked.out
    cluster.delete("Lease", namespace, "gateway-registrar")


def _lease(namespace: str, renewed: str) -> Json:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "gateway-registrar", "namespace": namespace},
        "spec": {"holderIdentity": "gone", "leaseDurationSeconds": 15, "renewTime": renewed},
    }


def test_several_things_at_once(cluster: Cluster, namespace: str, own_gateway: str, plugin: Plugin) -> None:
    """Paused, blocked, not granted and a plan that nobody names: one mend after the other, each found by itself."""
    cluster.namespace(owner := f"{namespace}-owner")
    body: Json = {"contracts": "Granted", "organizations": [{"name": "acme", "namespaces": [owner]}]}
    block = {"organization": namespace, "clientId": "shop", "reason": "a drill"}
    cluster.patch("RuntimeGateway", "", own_gateway, {"spec": body | {"blocked": [block]}})
    cluster.apply(
        client(namespace, "shop", gatewayRef={"name": own_gateway}, paused=True),
        contract(namespace, "orders", client="shop", api="orders", version="1.0", plan="golden"),
    )
    given = plugin.follow_why("shop", "-n", namespace)
    assert set(given) >= {"Paused", "NotGranted"} and "Blocked" in given, given
    assert cluster.call("acme/orders/1.0", cluster.key(namespace, "shop-api-key")) == 200
