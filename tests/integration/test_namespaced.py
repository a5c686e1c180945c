"""The namespaced mode, with the roles that the chart makes for it and no right anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from localenv import account
from localenv.cluster import API, Cluster, Json, client, condition, contract, until
from localenv.environment import NAMESPACE, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from registrar.kube import rights
from tests.integration.access import AuditLog, Permission, Roles, permission
from tests.integration.conftest import QUICK

pytestmark = pytest.mark.integration

NAME = "audited"
ORDERS = "acme/orders/1.0"


@dataclass(frozen=True, slots=True)
class Spaces:
    """The watched namespaces, and one that is not."""

    first: str
    second: str
    third: str
    outside: str

    @property
    def watched(self) -> list[str]:
        """As the chart's watchNamespaces has them."""
        return [self.first, self.second, self.third]

    @property
    def settings(self) -> dict[str, str | float]:
        """As the chart passes them on."""
        return {"lease": "false", "watch_namespaces": ",".join(self.watched), **QUICK}


@pytest.fixture(scope="module")
def spaces(cluster: Cluster) -> Spaces:
    """Four new namespaces; RuntimeGateways of former tests, whose organizations belong to other namespaces, are removed."""
    for row in cluster.list("RuntimeGateway", ""):
        if row["metadata"]["name"] != "default":
            remove_gateway(cluster, row["metadata"]["name"])
    names = (cluster.namespace(f"n-{uuid4().hex[:10]}") for _ in range(4))
    return Spaces(*names)


@pytest.fixture(scope="module")
def roles(env: Environment, cluster: Cluster, spaces: Spaces) -> Iterator[Roles]:
    """The chart's account and roles for these namespaces."""
    values = {"fullnameOverride": NAME, "watchNamespaces": spaces.watched}
    asks = rights.asks(namespaces=tuple(sorted([*spaces.watched, NAMESPACE])), home=NAMESPACE, lease="")
    made = Roles(
        cluster,
        account.objects(values=values, release=NAME),
        kubeconfig=env.folder / "kubeconfig-namespaced",
        asks=asks,
    )
    with made.bound(env, name=NAME):
        yield made


@pytest.fixture(scope="module")
def audit(env: Environment) -> AuditLog:
    return AuditLog(env.control_plane.audit_log)


@pytest.fixture(scope="module")
def operator(env: Environment, roles: Roles, spaces: Spaces, audit: AuditLog) -> Iterator[Operator]:
    running = Operator(env, name="namespaced", settings=spaces.settings, kubeconfig=roles.kubeconfig).start()
    yield running
    running.stop()


def remove_gateway(cluster: Cluster, name: str) -> None:
    """Delete a RuntimeGateway, whatever is registered on it."""
    cluster.patch("RuntimeGateway", "", name, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", name)


def shop(cluster: Cluster, namespace: str, **spec: object) -> None:
    cluster.apply(
        client(namespace, "shop", **spec), contract(namespace, "orders", client="shop", api="orders", version="1.0")
    )


def test_only_what_is_watched_is_touched(
    cluster: Cluster, spaces: Spaces, operator: Operator, audit: AuditLog, env: Environment, roles: Roles
) -> None:
    """Fails when the operator tries a thing that its roles do not allow, or when they allow one outside its namespaces."""
    shop(cluster, spaces.outside)
    shop(cluster, spaces.first)
    cluster.wait_phase(spaces.first, "shop", "Registered")
    shop(cluster, NAMESPACE)
    cluster.wait_phase(NAMESPACE, "shop", "Registered")
    cluster.delete("Client", NAMESPACE, "shop")
    cluster.wait_gone("Client", NAMESPACE, "shop")
    cluster.delete("Contract", NAMESPACE, "orders")
    assert audit.refused() == set()
    assert {row.namespace for row in audit.rows()} <= {"", NAMESPACE, *spaces.watched}
    found = cluster.get("Client", spaces.outside, "shop")
    assert found is not None and found["status"] == {"observedGeneration": -1}
    asks = rights.asks(namespaces=(spaces.outside,), home=spaces.outside, lease="")
    elsewhere = Roles(cluster, [], kubeconfig=roles.kubeconfig, asks=asks)
    gateways = {permission(ask) for ask in asks if ask.resource.plural == "runtimegateways"}
    assert elsewhere.lacking() == {permission(ask) for ask in asks} - gateways


def test_labels_are_seen_without_a_stream(
    cluster: Cluster, env: Environment, spaces: Spaces, operator: Operator
) -> None:
    """Fails when a selector does not follow the labels of a namespace that is read by name only."""
    gateway = runtime_gateway(env)
    gateway["metadata"]["name"] = spaces.first
    gateway["spec"] |= {
        "default": False,
        "contracts": "Granted",
        "organizations": [{"name": "acme", "namespaces": [spaces.first]}],
    }
    spec = {
        "apis": [{"name": "orders"}],
        "plans": ["gold"],
        "from": {"namespaceSelector": {"matchLabels": {"tier": "partner"}}},
    }
    meta = {"name": "partners", "namespace": spaces.first}
    cluster.apply(gateway, {"apiVersion": API, "kind": "APIGrant", "metadata": meta, "spec": spec})
    shop(cluster, spaces.second, gatewayRef={"name": spaces.first})
    cluster.wait("Contract", spaces.second, "orders", lambda o: reason(o) == "NotGranted", what="NotGranted")
    label(cluster, spaces.second, "partner")
    cluster.wait_phase(spaces.second, "shop", "Registered")
    key = cluster.key(spaces.second, "shop-api-key")
    until(lambda: cluster.call(ORDERS, key) == 200, what="200")
    label(cluster, spaces.second, None)
    until(lambda: cluster.call(ORDERS, key) != 200, what="the key being refused")
    cluster.wait("Contract", spaces.second, "orders", lambda o: reason(o) == "NotGranted", what="NotGranted")


def reason(found: Json) -> str:
    """Why the Contract is not Ready."""
    return str(condition(found, "Ready").get("reason", ""))


def label(cluster: Cluster, namespace: str, tier: str | None) -> None:
    """Label a namespace, or take the label away."""
    answer = cluster.patch("Namespace", "", namespace, {"metadata": {"labels": {"tier": tier}}})
    assert answer.status == 200


def refused(env: Environment, roles: Roles, settings: dict[str, str | float]) -> list[str]:
    """What an operator says that ends at once with exit code 2; what it logs before is left out."""
    ending = Operator(env, name=f"refused-{uuid4().hex[:6]}", settings=settings, kubeconfig=roles.kubeconfig)
    assert ending.start(wait=False).wait_ended() == 2
    text = ending.log.read_text()
    assert "Traceback" not in text
    return [line for line in text.splitlines() if line.startswith("error: ")]


def test_an_owner_that_is_not_watched_stops_the_start(
    cluster: Cluster, env: Environment, spaces: Spaces, roles: Roles, operator: Operator
) -> None:
    """Fails when half of an organization can be left out in silence; the running one is not ended, but says it."""
    name = f"{spaces.first}-half"
    gateway = runtime_gateway(env)
    gateway["metadata"]["name"] = name
    gateway["spec"] |= {
        "default": False,
        "organizations": [{"name": "half", "namespaces": [spaces.first, spaces.outside]}],
    }
    cluster.apply(gateway)
    line = (
        f"RuntimeGateway {name}: organization half belongs to namespace {spaces.outside}, which the operator does not watch, so nothing"
        " that is there has an effect. Add the namespace to the chart's watchNamespaces (REGISTRAR_WATCH_NAMESPACES),"
        " or take it out of spec.organizations."
    )
    try:
        assert refused(env, roles, spaces.settings) == [f"error: {line}"]
        until(lambda: f"{line} The next start will stop for it." in operator.log.read_text(), what="the warning")
        assert not operator.ended
    finally:
        remove_gateway(cluster, name)


def test_a_namespace_that_the_roles_leave_out_stops_the_start(env: Environment, spaces: Spaces, roles: Roles) -> None:
    """Fails when the setting and the roles can differ without a word."""
    (line,) = refused(env, roles, {**spaces.settings, "watch_namespaces": spaces.outside})
    who = f"system:serviceaccount:{NAMESPACE}:{NAME}"
    assert line.startswith(f"error: {who} may not get namespaces {spaces.outside}; get, list, watch, patch clients.")
    assert f" in namespace {spaces.outside};" in line


def test_a_namespace_goes_and_comes_back(
    cluster: Cluster, env: Environment, spaces: Spaces, roles: Roles, operator: Operator
) -> None:
    """Fails when one namespace that is gone ends the streams of all, or when it stays unwatched once it is back."""
    cluster.delete("Namespace", "", spaces.third)
    cluster.wait_gone("Namespace", "", spaces.third)
    gone = f"namespace {spaces.third} is gone; take it out of the chart's watchNamespaces, or the next start will stop"
    until(lambda: gone in operator.log.read_text(), what="the warning")
    assert refused(env, roles, spaces.settings) == [
        f"error: --watch-namespaces (REGISTRAR_WATCH_NAMESPACES) names namespace {spaces.third}, which does not exist."
        " Create the namespace, or take it out of the chart's watchNamespaces."
    ]
    cluster.apply(
        client(spaces.first, "till"), contract(spaces.first, "till", client="till", api="orders", version="1.0")
    )
    cluster.wait_phase(spaces.first, "till", "Registered")
    cluster.namespace(spaces.third)
    roles.forget()
    roles.apply()
    shop(cluster, spaces.third)
    cluster.wait_phase(spaces.third, "shop", "Registered")
    assert not operator.ended


def test_a_namespace_that_took_its_role_along(
    cluster: Cluster, env: Environment, spaces: Spaces, roles: Roles, operator: Operator
) -> None:
    """Fails when the way out that the documentation gives (watch everything for a while) does not end a deletion that hangs."""
    shop(cluster, spaces.first)
    cluster.wait_phase(spaces.first, "shop", "Registered")
    key = cluster.key(spaces.first, "shop-api-key")
    # Deleting a namespace deletes its objects in no certain order; here the RoleBinding is the first.
    cluster.request("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{spaces.first}/rolebindings/{NAME}")
    until(lambda: Permission("gateway-registrar.dev", "clients", "patch") in roles.lacking(), what="no rights there")
    start = operator.log.stat().st_size
    cluster.delete("Namespace", "", spaces.first)
    clients = f"PATCH /apis/{API}/namespaces/{spaces.first}/clients/"
    until(lambda: clients in operator.log.read_bytes()[start:].decode(), what="a 403 for the finalizer")
    assert cluster.call(ORDERS, key) != 200, "the key is off all the same"
    everywhere = account.objects(values={"fullnameOverride": f"{NAME}-everywhere", "serviceAccount": {"name": NAME}})
    wide = Roles(cluster, everywhere, kubeconfig=roles.kubeconfig, asks=())
    try:
        wide.apply()
        cluster.wait_gone("Namespace", "", spaces.first, seconds=60)
    finally:
        wide.remove()
