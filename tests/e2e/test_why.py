"""`kubectl registrar why` through the real kubectl, asked by somebody who may edit one namespace, of set-ups that are broken on purpose.

Each is mended by the printed text alone, run by whom it names. Whether the mend has worked is asked of the gateway: a call with the key is answered.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from localenv.cluster import Cluster, Json, client, condition, contract, secret
from tests.e2e import workloads
from tests.e2e.people import OWNER, PLATFORM, YOU, People
from tests.e2e.release import NAMESPACE, Release, runtime_gateway
from tests.e2e.site import Site
from tests.integration.plugin import Plugin

pytestmark = pytest.mark.e2e
ORDERS = "acme/orders/1.0"
MISSPELT = "apiman-gatway"


@pytest.fixture
def developer(operator: Release, namespace: str) -> Cluster:
    """The view of who may edit the namespace."""
    return operator.site.developer(namespace)


@pytest.fixture
def shells(
    site: Site, developer: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Plugin]:
    """Those who can do something: the developer knows the key, the platform team the gateway's password and how to spell."""
    programs = tmp_path_factory.getbasetemp() / "bin"
    key = {"API_KEY": f"a-key-of-the-users-own-{namespace}"}
    known = {
        "GATEWAY_USER": site.gateway_user,
        "GATEWAY_PASSWORD": site.gateway_password,
        "KUBE_EDITOR": f"sed -i s/{MISSPELT}/{workloads.GATEWAY}/",
    }
    return {
        YOU: Plugin(site, site.kubeconfig_of_developer(namespace), programs, key),
        PLATFORM: Plugin(site, site.kubeconfig, programs, known),
    }


@pytest.fixture
def own_gateway(operator: Release, namespace: str) -> Iterator[Json]:
    """The manifest of a RuntimeGateway of the test's own, named as its namespace, with credentials of its own; it is there, and Ready.

    In the end it works again, whatever the test has made of it: else the Clients on it could not go.
    """
    cluster, site, credentials = operator.cluster, operator.site, f"{namespace}-credentials"
    manifest = runtime_gateway(site, namespace, credentialsSecretRef={"name": credentials})
    good = (
        secret(NAMESPACE, credentials, username=site.gateway_user, password=site.gateway_password),
        copy.deepcopy(manifest),
    )
    cluster.apply(*good)
    wait_ready(cluster, namespace, "Ready")
    yield manifest
    cluster.apply(*good)
    for row in cluster.list("Client", namespace):
        cluster.delete("Client", namespace, row["metadata"]["name"])
        cluster.wait_gone("Client", namespace, row["metadata"]["name"])
    cluster.delete("RuntimeGateway", "", namespace)
    cluster.wait_gone("RuntimeGateway", "", namespace)
    cluster.delete("Secret", NAMESPACE, credentials)


@pytest.fixture
def owner(site: Site, namespace: str) -> Iterator[str]:
    """The namespace of who owns an API, and an account that has `admin` in it."""
    name = f"{namespace}-owner"
    site.apply(workloads.namespace(name))
    site.developer(name, role="admin")
    yield name
    site.run_kubectl("delete", "namespace", name, "--wait=false")


def wait_ready(cluster: Cluster, gateway: str, reason: str) -> None:
    """Wait until the RuntimeGateway's condition Ready has that reason."""
    cluster.wait(
        "RuntimeGateway", "", gateway, lambda o: condition(o, "Ready").get("reason") == reason, what=f"Ready/{reason}"
    )


def shop(developer: Cluster, namespace: str, *, version: str = "1.0", **spec: object) -> None:
    """A Client with one Contract, as its developer applies them."""
    developer.apply(
        client(namespace, "shop", **spec),
        contract(namespace, "orders", client="shop", api="orders", version=version),
    )


def wait_told(developer: Cluster, namespace: str, type_: str, reason: str) -> None:
    """Wait until the Client says what is wrong."""
    developer.wait(
        "Client", namespace, "shop", lambda o: condition(o, type_).get("reason") == reason, what=f"{type_}/{reason}"
    )


def assert_answered(developer: Cluster, namespace: str, *, secret: str = "shop-api-key") -> None:
    """The key of the Client opens the API."""
    assert developer.call(ORDERS, developer.key(namespace, secret)) == 200


def test_a_wrong_password(
    developer: Cluster, namespace: str, own_gateway: Json, shells: dict[str, Plugin], site: Site
) -> None:
    """Fails when a developer is not led to the platform team, or when what that is told does not make the credentials right."""
    administrator = Cluster(site)
    administrator.patch("Secret", NAMESPACE, f"{namespace}-credentials", {"stringData": {"password": "wrong"}})
    wait_ready(administrator, namespace, "GatewayUnauthorized")
    shop(developer, namespace, gatewayRef={"name": namespace})
    wait_told(developer, namespace, "Registered", "GatewayUnauthorized")
    assert People(shells).follow("shop") == [(YOU, "GatewayUnauthorized"), (PLATFORM, "GatewayUnauthorized")]
    assert_answered(developer, namespace)


def test_a_service_that_is_not_there(
    developer: Cluster, namespace: str, own_gateway: Json, shells: dict[str, Plugin], site: Site
) -> None:
    """Fails when nobody is told to look for the Service that the endpoint names, or a corrected endpoint is not taken up."""
    administrator = Cluster(site)
    own_gateway["spec"]["apiman"]["endpoint"] = workloads.GATEWAY_CONFIG_URL.replace(workloads.GATEWAY, MISSPELT)
    administrator.apply(own_gateway)
    wait_ready(administrator, namespace, "GatewayUnreachable")
    shop(developer, namespace, gatewayRef={"name": namespace})
    wait_told(developer, namespace, "Registered", "GatewayUnreachable")
    assert People(shells).follow("shop") == [(YOU, "GatewayUnreachable"), (PLATFORM, "GatewayUnreachable")]
    assert_answered(developer, namespace)


def test_an_api_that_is_not_published(developer: Cluster, namespace: str, shells: dict[str, Plugin]) -> None:
    """Fails when a developer can't find out by themselves which version there is, and take it."""
    developer.apply(
        client(namespace, "neighbour"),
        contract(namespace, "neighbours-orders", client="neighbour", api="orders", version="1.0"),
    )
    developer.wait_phase(namespace, "neighbour", "Registered")
    shop(developer, namespace, version="9.9")
    assert People(shells).follow("shop") == [(YOU, "ApiNotPublished")]
    assert_answered(developer, namespace)


def test_a_key_secret_that_was_deleted(developer: Cluster, namespace: str, shells: dict[str, Plugin]) -> None:
    """Fails when a developer can't put the Secret of an Existing key back with the rights of `edit`."""
    developer.apply(secret(namespace, "own", apiKey=shells[YOU].variables["API_KEY"]))
    shop(developer, namespace, apiKey={"source": "Existing", "secretName": "own"})
    developer.wait_phase(namespace, "shop", "Registered")
    developer.delete("Secret", namespace, "own")
    wait_told(developer, namespace, "ResolvedRefs", "SecretNotFound")
    assert People(shells).follow("shop") == [(YOU, "SecretNotFound")]
    assert_answered(developer, namespace, secret="own")


def test_an_api_that_nobody_grants(
    developer: Cluster, namespace: str, own_gateway: Json, owner: str, shells: dict[str, Plugin], site: Site
) -> None:
    """Fails when the way from who may not see the API's owner to the owner's own grant is not printed whole."""
    shells[OWNER] = Plugin(site, site.kubeconfig_of_developer(owner), shells[YOU].folder)
    own_gateway["spec"] |= {"contracts": "Granted", "organizations": [{"name": "acme", "namespaces": [owner]}]}
    Cluster(site).apply(own_gateway)
    shop(developer, namespace, gatewayRef={"name": namespace})
    assert People(shells).follow("shop") == [(YOU, "NotGranted"), (PLATFORM, "NotGranted")]
    assert_answered(developer, namespace)


def test_an_operator_that_is_scaled_to_nothing(
    developer: Cluster, namespace: str, operator: Release, shells: dict[str, Plugin]
) -> None:
    """Fails when who may not read the Lease is not led to who may, or when the printed command does not bring the operator back."""
    operator.stop()
    try:
        shop(developer, namespace)
        assert People(shells).follow("shop") == [(YOU, "NotSeen"), (PLATFORM, "OperatorNotRunning")]
    finally:
        operator.start()
        operator.disown_scaling()
    assert_answered(developer, namespace)
