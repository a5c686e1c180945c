"""Attacks of one team on another, on the operator and on the gateway, with the API server's own RBAC: all refused with a reason, none of which tells anything.

Team A attacks. Team B has a registered Client, an organization of its own with an API, and a key; after each attack B's registration is as it was and its key works.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from localenv.cluster import Cluster, Json, condition, until
from localenv.environment import Environment
from localenv.gateway import Api
from localenv.install import CREDENTIALS, NAMESPACE, runtime_gateway
from localenv.operator import Operator
from tests.integration.tenants import ALLOW_USE, Team, said, team, unchanged

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]


@dataclass(frozen=True, slots=True)
class Scene:
    """The attacker, the victim, and what is the victim's."""

    a: Team
    b: Team
    gateway: str
    organization: str
    key: str


@pytest.fixture(scope="module")
def scene(env: Environment, cluster: Cluster, operator: Operator) -> Iterator[Scene]:
    """Two teams on a RuntimeGateway with `contracts: Granted`; the victim's organization is listed as its alone."""
    mark = uuid4().hex[:8]
    attacker, victim, organization = f"attacker-{mark}", f"victim-{mark}", f"org-{mark}"
    for name in (attacker, victim, organization):
        cluster.namespace(name)
    manifest = runtime_gateway(env)
    manifest["metadata"]["name"] = f"shared-{mark}"
    manifest["spec"] |= {
        "default": False,
        "contracts": "Granted",
        "organizations": [{"name": organization, "namespaces": [victim]}],
    }
    cluster.apply(manifest)
    env.publish_apis(Api(organization, "orders", "1.0"), Api(attacker, "orders", "1.0"))
    a, b = team(env, cluster, "team-a", attacker), team(env, cluster, "team-b", victim)
    gateway = manifest["metadata"]["name"]
    b.client("shop", gatewayRef={"name": gateway}, organization=organization)
    b.contract("orders", client="shop", organization=organization)
    b.made(
        "Policy",
        "limit",
        {
            "targetRefs": [{"kind": "Client", "name": "shop"}],
            "rateLimit": {"limit": 100000, "period": "Hour", "granularity": "Client"},
        },
    )
    cluster.wait_phase(victim, "shop", "Registered", seconds=60)
    yield Scene(a=a, b=b, gateway=gateway, organization=organization, key=cluster.key(victim, "shop-api-key"))
    cluster.delete("RuntimeGateway", "", gateway)


@pytest.fixture(autouse=True)
def victim_is_unharmed(scene: Scene, cluster: Cluster) -> Iterator[None]:
    """After every attack: B's registration, Secret and phase are as before, its key works, and A was told nothing of B's."""
    b = scene.b
    checks = [
        unchanged(lambda: cluster.registration(scene.organization, "shop")),
        unchanged(lambda: (cluster.get("Secret", b.namespace, "shop-api-key") or {})["metadata"]["resourceVersion"]),
        unchanged(lambda: (cluster.get("Client", b.namespace, "shop") or {})["status"]["phase"]),
    ]
    yield
    for check in checks:
        check()
    assert cluster.call(f"{scene.organization}/orders/1.0", scene.key) == 200
    told = said(scene.a)
    for secret in (
        b.namespace,
        scene.key,
        "team-b",
        "shop-api-key",
        NAMESPACE,
        scene.b.cluster.environment.gateway_password,
    ):
        assert secret not in told


def mine(scene: Scene, name: str, **spec: Any) -> str:
    """A Client of the attacker's on the shared gateway."""
    scene.a.client(name, gatewayRef={"name": scene.gateway}, **spec)
    return name


def registered(scene: Scene, cluster: Cluster, name: str, **spec: Any) -> str:
    """A Client of the attacker's that is rightly registered; returns its key."""
    mine(scene, name, **spec)
    scene.a.contract(name, client=name, organization=scene.a.namespace)
    cluster.wait_phase(scene.a.namespace, name, "Registered")
    return cluster.key(scene.a.namespace, f"{name}-api-key")


# What the API server itself refuses -----------------------------------------------------------------------------------


def test_the_other_namespace_is_closed(scene: Scene) -> None:
    """Fails when the role of one team opens anything of the other's: then none of these tests means anything."""
    a, b = scene.a.cluster, scene.b.namespace
    for kind, name in (("Client", "shop"), ("Contract", "orders"), ("Policy", "limit"), ("Secret", "shop-api-key")):
        assert a.request("GET", a.path(kind, b, name)).status == 403
        assert a.request("GET", a.path(kind, b)).status == 403
        assert a.request("DELETE", a.path(kind, b, name)).status == 403
    assert scene.a.post("Client", "mole", {}, namespace=b).status == 403


def test_a_token_forged_on_anothers_client(scene: Scene) -> None:
    """Fails when somebody else's annotation unregisters a Client."""
    for key in ("unregister", "reregister", "force-delete"):
        body = {"metadata": {"annotations": {f"gateway-registrar.dev/{key}": "forged"}}}
        assert scene.a.cluster.patch("Client", scene.b.namespace, "shop", body).status == 403


@pytest.mark.parametrize("user", ["a", "b"])
def test_a_status_written_by_hand(user: str, scene: Scene) -> None:
    """Fails when a tenant may write a status: a published snapshot there is what heals are made from."""
    attacker = getattr(scene, user)
    forged = {"status": {"phase": "Registered", "gateways": [{"name": scene.gateway, "hash": "0" * 64}]}}
    for kind, name in (("Client", "shop"), ("Contract", "orders"), ("Policy", "limit")):
        answer = attacker.cluster.patch(kind, scene.b.namespace, name, forged, subresource="status")
        assert answer.status == 403
    assert attacker.cluster.patch("Client", scene.b.namespace, "shop", forged).status in (200, 403)


def test_a_status_that_an_object_is_born_with(scene: Scene, cluster: Cluster) -> None:
    """Fails when a manifest with a status is believed: its snapshot would be pushed as if it had been published."""
    stolen = snapshot_of(scene, cluster)
    body = {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "Client",
        "metadata": {"name": "born", "namespace": scene.a.namespace},
        "spec": {"gatewayRef": {"name": scene.gateway}},
        "status": {"observedGeneration": 1, "phase": "Registered", "gateways": [stolen]},
    }
    answer = scene.a.cluster.request("POST", scene.a.cluster.path("Client", scene.a.namespace), body)
    assert (answer.status, answer.body["status"]) == (201, {"observedGeneration": -1})
    scene.a.refused("Client", "born", "NoContracts")
    assert cluster.registration(scene.a.namespace, "born") is None


def test_platform_objects_are_closed(scene: Scene, env: Environment) -> None:
    """Fails when a tenant can make the rules: a gateway of its own, entries in another's, the operator's Lease or secrets."""
    a = scene.a.cluster
    evil = runtime_gateway(env)
    assert scene.a.post("RuntimeGateway", "evil", evil["spec"]).status == 403
    change = {"spec": {"organizations": [{"name": scene.organization, "namespaces": [scene.a.namespace]}]}}
    assert a.patch("RuntimeGateway", "", scene.gateway, change).status == 403
    for kind, name in (("Secret", CREDENTIALS), ("Secret", "gateway-registrar-hash"), ("Lease", "gateway-registrar")):
        assert a.request("GET", a.path(kind, NAMESPACE, name)).status == 403


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "a%2Fb", "%2e%2e", "a\\b", "a\nb", "a b", "../clients", "a?b", "a#b", "ä", "${HOME}"]
)
def test_path_tricks_in_every_name(name: str, scene: Scene) -> None:
    """Fails when a name that leads elsewhere in a URL passes the schema, in whatever field it stands."""
    a, api = scene.a, {"organization": "acme", "name": "orders", "version": "1.0"}
    limit = {"rateLimit": {"limit": 1, "period": "Hour", "granularity": "Api"}}
    tries: list[tuple[str, str, Json]] = [
        *(("Client", field, {field: name}) for field in ("organization", "clientId", "version")),
        ("Client", "secretName", {"apiKey": {"secretName": name}}),
        ("Client", "secretKey", {"apiKey": {"secretKey": name}}),
        ("Client", "gatewayRef", {"gatewayRef": {"name": name}}),
        *(("Contract", field, {"clientRef": {"name": "x"}, "api": {**api, field: name}, "plan": "p"}) for field in api),
        ("Contract", "plan", {"clientRef": {"name": "x"}, "api": api, "plan": name}),
        ("Contract", "clientRef", {"clientRef": {"name": name}, "api": api, "plan": "p"}),
        ("Policy", "name", {"targetRefs": [{"kind": "Plan", "organization": "acme", "name": name}], **limit}),
        ("Policy", "organization", {"targetRefs": [{"kind": "Plan", "organization": name, "name": "p"}], **limit}),
        (
            "APIGrant",
            "organization",
            {"organization": name, "apis": [{"name": "a"}], "plans": ["p"], "from": {"namespaces": ["x"]}},
        ),
        (
            "APIGrant",
            "plans",
            {"organization": "acme", "apis": [{"name": "a"}], "plans": [name], "from": {"namespaces": ["x"]}},
        ),
    ]
    for kind, field, spec in tries:
        if field == "secretKey" and name in ("..", "."):
            continue  # an entry of a Secret is looked up in a map, and Kubernetes itself allows some dots
        answer = a.post(kind, "trick", spec)
        assert answer.status == 422, f"{kind} with {field} {name!r}: {answer.status}"
        assert field in answer.body["message"]
    assert a.post("Client", name, {}).status in (400, 404, 405, 422)


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("granularity", {"rateLimit": {"limit": 1, "period": "Second", "granularity": "Api"}}),
        ("${", {"ipAllowList": {"ipList": ["${env.SECRET}"]}}),
        ("userHeader", {"rateLimit": {"limit": 1, "period": "Second", "granularity": "User", "userHeader": "${x}"}}),
        ("${", {"basicAuthentication": {"realm": "${java.home}", "static": {"identitiesSecretRef": {"name": "x"}}}}),
    ],
)
def test_what_a_policy_may_not_say(what: str, spec: Json, scene: Scene) -> None:
    """Fails when a consumer's limit can count in the owner's bucket and reset it, or text is sent that the gateway would expand."""
    answer = scene.a.post("Policy", "nasty", {"targetRefs": [{"kind": "Client", "name": "x"}], **spec})
    assert answer.status == 422, answer.body
    assert what in json.dumps(answer.body)


def test_a_spec_of_a_megabyte(scene: Scene) -> None:
    """Fails when a tenant can make the operator keep a megabyte."""
    large = "x" * 1_048_576
    assert scene.a.post("Client", "large", {"description": large}).status in (413, 422)
    assert scene.a.post("Client", "large", {"apiKey": {"secretTemplate": {"annotations": {"a": large}}}}).status in (
        413,
        422,
    )
    assert scene.a.post("Client", "large", {}, annotations={"gateway-registrar.dev/reregister": large}).status in (
        413,
        422,
    )
    many = [{"kind": "Client", "name": f"c{number}"} for number in range(20_000)]
    limit = {"limit": 1, "period": "Hour", "granularity": "Client"}
    assert scene.a.post("Policy", "large", {"targetRefs": many, "rateLimit": limit}).status in (413, 422)


# What the operator refuses --------------------------------------------------------------------------------------------


def test_anothers_identity(scene: Scene, cluster: Cluster) -> None:
    """Fails when a Client can be registered under the name of another team's."""
    mine(scene, "thief", organization=scene.organization, clientId="shop")
    scene.a.contract("thief", client="thief", organization=scene.a.namespace)
    found = scene.a.refused("Client", "thief", "NotPermitted", type_="Accepted")
    assert condition(found, "Stalled")["status"] == "True"
    assert cluster.get("Secret", scene.a.namespace, "thief-api-key") is None, "not even a key is made"
    assert cluster.registration(scene.a.namespace, "thief") is None


def test_an_organization_that_is_the_victims_namespace(scene: Scene) -> None:
    """Fails when the organization that belongs to a namespace by its name is open to another."""
    mine(scene, "squatter", organization=scene.b.namespace)
    found = scene.a.cluster.wait(
        "Client", scene.a.namespace, "squatter", lambda o: condition(o, "Accepted").get("status") == "False", what="no"
    )
    assert condition(found, "Accepted")["reason"] == "NotPermitted"
    scene.a.cluster.delete("Client", scene.a.namespace, "squatter")
    scene.a.cluster.wait_gone("Client", scene.a.namespace, "squatter")
    for event in scene.a.cluster.list("Event", scene.a.namespace):
        assert scene.key not in json.dumps(event)


def test_a_namespace_under_the_organizations_name(scene: Scene, cluster: Cluster) -> None:
    """Fails when making a namespace that is called like an organization gives the organization to it."""
    manifest = {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "Client",
        "metadata": {"name": "usurper", "namespace": scene.organization},
        "spec": {"gatewayRef": {"name": scene.gateway}, "organization": scene.organization},
    }
    plain = {
        **manifest,
        "metadata": {"name": "plain", "namespace": scene.organization},
        "spec": {"gatewayRef": {"name": scene.gateway}},
    }
    cluster.apply(manifest, plain)
    for name, reason in (("usurper", "NotPermitted"), ("plain", "AmbiguousOrganization")):
        found = cluster.wait(
            "Client", scene.organization, name, lambda o: condition(o, "Accepted").get("status") == "False", what="no"
        )
        assert condition(found, "Accepted")["reason"] == reason
        assert scene.b.namespace not in json.dumps(found["status"]), "who owns it is not told"
        cluster.delete("Client", scene.organization, name)


def test_anothers_api(scene: Scene, cluster: Cluster) -> None:
    """Fails when a Contract opens an API that nobody granted."""
    key = registered(scene, cluster, "caller")
    scene.a.contract("steal", client="caller", organization=scene.organization)
    scene.a.refused("Contract", "steal", "NotGranted")
    scene.a.cluster.annotate("Client", scene.a.namespace, "caller", "reregister", "please")
    scene.a.cluster.wait(
        "Client", scene.a.namespace, "caller", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert cluster.call(f"{scene.organization}/orders/1.0", key) == 404
    assert cluster.call(f"{scene.a.namespace}/orders/1.0", key) == 200


def test_a_grant_that_one_gives_oneself(scene: Scene, cluster: Cluster) -> None:
    """Fails when an APIGrant counts in a namespace that does not own the organization."""
    answer = scene.a.post(
        "APIGrant",
        "self-service",
        {
            "organization": scene.organization,
            "apis": [{"name": "orders"}],
            "plans": ["gold"],
            "from": {"namespaces": [scene.a.namespace]},
        },
    )
    assert answer.status == 201, answer.body
    mine(scene, "granted")
    scene.a.contract("granted", client="granted", organization=scene.organization)
    scene.a.refused("Contract", "granted", "NotGranted")
    assert cluster.registration(scene.a.namespace, "granted") is None


@pytest.mark.parametrize(
    "target",
    [{"kind": "Plan", "name": "gold"}, {"kind": "API", "name": "orders", "version": "1.0"}],
    ids=lambda target: target["kind"],
)
def test_a_policy_on_anothers_plan_or_api(target: Json, scene: Scene) -> None:
    """Fails when a tenant's limit reaches the Clients of others."""
    name = f"choke-{target['kind'].lower()}"
    spec = {"targetRefs": [{**target, "organization": scene.organization}]}
    scene.a.made("Policy", name, {**spec, "rateLimit": {"limit": 1, "period": "Year", "granularity": "Api"}})
    found = scene.a.refused("Policy", name, "NotPermitted", type_="Accepted")
    assert found["status"]["contracts"] == {"effective": 0, "live": 0}, "how many there are is not told"


def test_a_policy_on_a_client_of_the_same_name_elsewhere(scene: Scene) -> None:
    """Fails when a target of kind Client or Contract is looked for outside the Policy's namespace."""
    spec = {"targetRefs": [{"kind": "Client", "name": "shop"}]}
    scene.a.made("Policy", "far", {**spec, "rateLimit": {"limit": 1, "period": "Year", "granularity": "Client"}})
    scene.a.refused("Policy", "far", "TargetNotFound", type_="Accepted")


def test_a_plugin_coordinate(scene: Scene, cluster: Cluster) -> None:
    """Fails when a tenant can make the gateway load code."""
    key = registered(scene, cluster, "loader")
    plugin = "plugin:io.example:evil:1.0:war/io.example.Evil"
    scene.a.made(
        "Policy",
        "evil",
        {
            "targetRefs": [{"kind": "Client", "name": "loader"}],
            "custom": {"implementation": plugin, "config": {"a": "b"}},
        },
    )
    found = scene.a.cluster.wait(
        "Policy", scene.a.namespace, "evil", lambda o: condition(o, "Accepted").get("status") == "False", what="refused"
    )
    assert condition(found, "Accepted")["reason"] in ("UnsupportedByGateway", "NotPermitted")
    scene.a.cluster.annotate("Client", scene.a.namespace, "loader", "reregister", "load it")
    scene.a.cluster.wait(
        "Client", scene.a.namespace, "loader", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert plugin not in json.dumps(cluster.registration(scene.a.namespace, "loader"))
    assert cluster.call(f"{scene.a.namespace}/orders/1.0", key) == 200


def test_an_expression_in_a_secret(scene: Scene, cluster: Cluster) -> None:
    """Fails when what the schema can't see, a Secret's content, is evaluated by the gateway with its own properties and environment."""
    key = registered(scene, cluster, "expressive")
    scene.a.secret("expressions", {"alice": "${java.home}"}, labels=ALLOW_USE)
    identity = {"username": "alice", "passwordSecretRef": {"name": "expressions", "key": "alice"}}
    rule = {"realm": "shop", "requireTransportSecurity": False, "staticIdentity": {"identities": [identity]}}
    target = {"kind": "Client", "name": "expressive"}
    scene.a.made("Policy", "expressive", {"targetRefs": [target], "basicAuthentication": rule})
    found = scene.a.refused("Policy", "expressive", "Invalid", type_="Accepted")
    assert "java.home" not in json.dumps(found["status"])
    scene.a.cluster.annotate("Client", scene.a.namespace, "expressive", "reregister", "evaluate it")
    scene.a.cluster.wait(
        "Client", scene.a.namespace, "expressive", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert "${" not in json.dumps(cluster.registration(scene.a.namespace, "expressive"))
    assert cluster.call(f"{scene.a.namespace}/orders/1.0", key) == 200


# Keys and Secrets -----------------------------------------------------------------------------------------------------


def existing(scene: Scene, name: str, secret: str, **spec: Any) -> None:
    """A Client of the attacker's with a key of its choice, and a Contract."""
    mine(scene, name, apiKey={"source": "Existing", "secretName": secret, **spec})
    scene.a.contract(name, client=name, organization=scene.a.namespace)


@pytest.mark.parametrize(
    "text", ["API::{o}|orders|1.0", "CLIENT::{o}|shop|1.0", "short", "a" * 129, "key with spaces and more", "ключ" * 8]
)
def test_a_key_that_is_an_id_of_the_gateway(text: str, scene: Scene, cluster: Cluster) -> None:
    """Fails when a key may overwrite what else the gateway keeps in the same map: the victim's API would be gone."""
    name = f"mapped-{uuid4().hex[:6]}"
    scene.a.secret(name, {"apiKey": text.format(o=scene.organization)}, labels=ALLOW_USE)
    existing(scene, name, name)
    found = scene.a.refused("Client", name, "KeyInvalid", type_="ResolvedRefs")
    assert text.format(o=scene.organization) not in json.dumps(found["status"])
    assert cluster.registration(scene.a.namespace, name) is None


def test_anothers_key(scene: Scene, cluster: Cluster, operator: Operator) -> None:
    """Fails when a copied key is registered a second time: the gateway would give the victim's calls to the thief. Also after a restart."""
    scene.a.secret("copied", {"apiKey": scene.key}, labels=ALLOW_USE)
    existing(scene, "copier", "copied")
    scene.a.refused("Client", "copier", "KeyInUse", type_="ResolvedRefs")
    operator.stop()
    operator.start()
    until(lambda: 'workqueue_depth{name="clients"} 0.0' in operator.metrics(), what="everything looked at")
    scene.a.cluster.annotate("Client", scene.a.namespace, "copier", "reregister", "now")
    found = scene.a.cluster.wait(
        "Client", scene.a.namespace, "copier", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert found["status"]["actions"][0]["outcome"] == "Failed"
    assert condition(found, "ResolvedRefs")["reason"] == "KeyInUse"
    assert cluster.registration(scene.a.namespace, "copier") is None
    scene.a.cluster.delete("Client", scene.a.namespace, "copier")
    scene.a.cluster.wait_gone("Client", scene.a.namespace, "copier")


@pytest.mark.parametrize("labels", [{}, {"gateway-registrar.dev/allow-use": "false"}, ALLOW_USE], ids=str)
def test_a_secret_is_no_key_without_its_owners_word(labels: dict[str, str], scene: Scene, cluster: Cluster) -> None:
    """Fails when naming a Secret is a way to read it: one without the label is as good as not there, whoever else has named it."""
    mark = uuid4().hex[:6]
    database = f"database-{mark}"
    scene.a.secret(database, {"apiKey": f"password-{mark}-{'x' * 20}"}, labels=labels)
    mine(scene, f"first-{mark}", apiKey={"secretName": database})
    scene.a.refused("Client", f"first-{mark}", "SecretNotOwned", type_="ResolvedRefs")
    existing(scene, f"second-{mark}", database)
    if labels == ALLOW_USE:
        cluster.wait_phase(scene.a.namespace, f"second-{mark}", "Registered")
        return
    scene.a.refused("Client", f"second-{mark}", "SecretNotFound", type_="ResolvedRefs")
    assert cluster.registration(scene.a.namespace, f"second-{mark}") is None


def test_a_key_secret_without_its_label(scene: Scene, cluster: Cluster, operator: Operator) -> None:
    """Fails when taking the label off a key Secret makes the operator ask for it again and again, or costs the Client its key."""
    key = registered(scene, cluster, "unlabelled")
    path = "unlabelled-api-key"
    before = attempts(operator)
    for label in (None, "true", None):
        body = {"metadata": {"labels": {"gateway-registrar.dev/allow-use": label}}}
        assert scene.a.cluster.patch("Secret", scene.a.namespace, path, body).status == 200
    scene.a.cluster.annotate("Client", scene.a.namespace, "unlabelled", "reregister", "one")
    found = scene.a.cluster.wait(
        "Client", scene.a.namespace, "unlabelled", lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert (found["status"]["phase"], found["status"]["actions"][0]["outcome"]) == ("Registered", "Succeeded")
    assert attempts(operator) <= before + 6
    assert cluster.key(scene.a.namespace, path) == key


def attempts(operator: Operator) -> int:
    """How often the operator has tried to make a Secret."""
    pattern = r'gateway_registrar_calls_total\{outcome="[A-Za-z]+",site="secret\.create"\} ([0-9.]+)'
    return sum(int(float(count)) for count in re.findall(pattern, operator.metrics()))


@pytest.mark.parametrize("name", [CREDENTIALS, "gateway-registrar-hash", "shop-api-key"])
def test_a_name_that_points_at_anothers_secret(name: str, scene: Scene, cluster: Cluster) -> None:
    """Fails when a Secret's name is looked up anywhere but in the Client's namespace."""
    client = f"pointer-{uuid4().hex[:6]}"
    existing(scene, client, name, secretKey="apiKey" if name == "shop-api-key" else "password")
    scene.a.refused("Client", client, "SecretNotFound", type_="ResolvedRefs")
    for path in (f"{NAMESPACE}/{name}", f"../{NAMESPACE}/secrets/{name}"):
        assert scene.a.post("Client", "path", {"apiKey": {"secretName": path}}).status == 422
    scene.a.cluster.delete("Client", scene.a.namespace, client)
    scene.a.cluster.wait_gone("Client", scene.a.namespace, client)


def test_a_spoofed_owner_reference(scene: Scene, cluster: Cluster) -> None:
    """Fails when a Secret becomes a Client's own, or is deleted, because it says so of itself."""
    uid = (cluster.get("Client", scene.b.namespace, "shop") or {})["metadata"]["uid"]
    owner = {"apiVersion": "gateway-registrar.dev/v1alpha1", "kind": "Client", "name": "shop", "uid": uid}
    forged = {"apiKey": f"forged-{'x' * 30}"}
    scene.a.secret("spoofed", forged, labels=ALLOW_USE, ownerReferences=[{**owner, "controller": True}])
    mine(scene, "spoofer", apiKey={"secretName": "spoofed"})
    scene.a.cluster.wait(
        "Client",
        scene.a.namespace,
        "spoofer",
        lambda o: condition(o, "ResolvedRefs").get("reason") in ("SecretNotOwned", "Resolved"),
        what="judged",
    )
    registered_key = (cluster.registration(scene.organization, "shop") or {})["apiKey"]
    assert registered_key == scene.key
    assert cluster.call(f"{scene.organization}/orders/1.0", forged["apiKey"]) == 404


def test_a_forged_force_delete(scene: Scene, cluster: Cluster) -> None:
    """Fails when an annotation with another object's UID lets a Client go while its key works."""
    uid = (cluster.get("Client", scene.b.namespace, "shop") or {})["metadata"]["uid"]
    key = registered(scene, cluster, "escapee")
    scene.a.cluster.annotate("Client", scene.a.namespace, "escapee", "force-delete", uid)
    scene.a.cluster.delete("Client", scene.a.namespace, "escapee")
    scene.a.cluster.wait_gone("Client", scene.a.namespace, "escapee")
    assert cluster.registration(scene.a.namespace, "escapee") is None, "it was taken off, not let go"
    assert cluster.call(f"{scene.a.namespace}/orders/1.0", key) == 404


# What is not the operator's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adopt", [False, True])
def test_a_registration_of_somebody_else(adopt: bool, scene: Scene, cluster: Cluster) -> None:
    """Fails when a Client takes over what stands under its identity without a proof that it is its own."""
    name = f"foreign-{uuid4().hex[:6]}"
    foreign_key = f"foreign-key-{uuid4().hex}"
    body = {
        "organizationId": scene.a.namespace,
        "clientId": name,
        "version": "1.0",
        "apiKey": foreign_key,
        "contracts": [
            {"apiOrgId": scene.organization, "apiId": "orders", "apiVersion": "1.0", "plan": "gold", "policies": []}
        ],
    }
    assert cluster.gateway_request("PUT", "/clients", body).status == 204
    untouched = unchanged(lambda: cluster.registration(scene.a.namespace, name))
    mine(scene, name, adopt=adopt)
    scene.a.contract(name, client=name, organization=scene.a.namespace)
    found = scene.a.refused("Client", name, "AlreadyExists", type_="Registered")
    assert foreign_key not in json.dumps(found["status"])
    scene.a.cluster.annotate("Client", scene.a.namespace, name, "reregister", "mine")
    found = scene.a.cluster.wait(
        "Client", scene.a.namespace, name, lambda o: bool(o["status"].get("actions")), what="the action handled"
    )
    assert found["status"]["actions"][0]["outcome"] == "Failed"
    untouched()
    scene.a.cluster.delete("Client", scene.a.namespace, name)
    scene.a.cluster.wait_gone("Client", scene.a.namespace, name)
    untouched()


def snapshot_of(scene: Scene, cluster: Cluster) -> Json:
    """The victim's published snapshot, as its status has it."""
    found: Json = (cluster.get("Client", scene.b.namespace, "shop") or {})["status"]["gateways"][0]
    return found


def test_a_snapshot_forged_with_all_rights(scene: Scene, cluster: Cluster, operator: Operator) -> None:
    """Fails when a published snapshot is believed because it is there, with a hash, even with a true one of somebody else's."""
    mine(scene, "forged")
    cluster.wait_phase(scene.a.namespace, "forged", "Created")
    identity = {"organization": scene.a.namespace, "clientId": "forged", "version": "1.0", "gateway": scene.gateway}
    status = {"phase": "Registered", "identity": identity, "gateways": [snapshot_of(scene, cluster)]}
    assert cluster.patch("Client", scene.a.namespace, "forged", {"status": status}, subresource="status").status == 200
    operator.stop()
    operator.start()
    found = cluster.wait_phase(scene.a.namespace, "forged", "Created")
    assert "gateways" not in found["status"]
    assert cluster.registration(scene.a.namespace, "forged") is None
    assert cluster.call(f"{scene.organization}/orders/1.0", cluster.key(scene.a.namespace, "forged-api-key")) == 404


def test_three_hundred_tokens_in_a_row(scene: Scene, cluster: Cluster, operator: Operator) -> None:
    """Fails when tokens make a storm of calls, or a status without a bound."""
    key = registered(scene, cluster, "noisy")
    lines = operator.audit.read_text().count("noisy")
    scene.a.cluster.annotate("Client", scene.a.namespace, "noisy", "reregister", "x" * 200_000)
    for number in range(300):
        scene.a.cluster.annotate("Client", scene.a.namespace, "noisy", "reregister", f"token-{number}")
    found = scene.a.cluster.wait(
        "Client",
        scene.a.namespace,
        "noisy",
        lambda o: any(a.get("lastHandledToken") == "token-299" for a in o["status"].get("actions", [])),
        what="the last token handled",
    )
    action = found["status"]["actions"][0]
    assert (action["outcome"], len(action["handledTokens"]) <= 32) == ("Succeeded", True)
    assert len(json.dumps(found["status"])) < 16_384
    assert operator.audit.read_text().count("noisy") == lines, "nothing differed, so nothing was called"
    assert cluster.call(f"{scene.a.namespace}/orders/1.0", key) == 200


def test_nothing_of_all_this_surprised_the_operator(operator: Operator) -> None:
    """Fails when an attack ended in an exception, or in the log as more than one line."""
    text = operator.log.read_text()
    assert not operator.ended
    assert "Traceback" not in text and "unexpected" not in text
