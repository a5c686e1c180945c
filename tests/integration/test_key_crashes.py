"""kill -9 of the operator before and behind each side effect of a key's change: after a restart the end is the same, and no moment was without a working key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.cluster import Cluster, Json, client, contract, until
from localenv.environment import Environment
from localenv.operator import Operator
from registrar.seam import Site
from tests.faults.plan import plan
from tests.integration.conftest import QUICK

pytestmark = pytest.mark.integration
ORDERS = "acme/orders/1.0"

ROTATION: tuple[tuple[Site, int], ...] = (
    (Site.CLIENT_STATUS, 0),  # the intent
    (Site.SECRET_UPDATE, 0),  # the next key is put beside the current one
    (Site.GATEWAY_REGISTER, 0),
    (Site.CLIENT_STATUS, 1),  # the gateway has it
    (Site.SECRET_UPDATE, 1),  # it becomes the current one
    (Site.CLIENT_STATUS, 2),  # done
    (Site.GATEWAY_UNREGISTER, 0),  # the end of the overlap
    (Site.CLIENT_STATUS, 3),
    (Site.SECRET_UPDATE, 2),  # the previous key leaves the Secret
)
REVOCATION: tuple[tuple[Site, int], ...] = (
    (Site.CLIENT_STATUS, 0),
    (Site.SECRET_UPDATE, 0),
    (Site.GATEWAY_REGISTER, 0),
    (Site.CLIENT_STATUS, 1),
    (Site.SECRET_UPDATE, 1),
)
PLANS = [
    pytest.param(verb, site, skip, mode, id=f"{verb}-{mode}-{site}-{skip}")
    for verb, sites in (("rotate-key", ROTATION), ("revoke-key", REVOCATION))
    for site, skip in sites
    for mode in ("before", "after")
]


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the next fault is written."""
    return tmp_path_factory.mktemp("fault") / "plan.json"


@pytest.fixture(scope="module")
def faulty(env: Environment, fault_file: Path) -> Iterator[Operator]:
    """The operator that crashes when it is told to."""
    running = Operator(env, name="key-crashing", module="tests.faults.operator", settings={"lease": "false", **QUICK})
    running.start(extra={"FAULT_FILE": str(fault_file)})
    yield running
    running.stop()


def keys(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The keys in the Secret, by entry."""
    found = cluster.get("Secret", namespace, "shop-api-key") or {}
    entries = {name: base64.b64decode(value).decode() for name, value in found.get("data", {}).items()}
    return {name: value for name, value in entries.items() if name.lower().endswith("apikey")}


def some_key_opens(cluster: Cluster, namespace: str) -> bool:
    """Whether a key of the Secret opens; asked twice, because the Secret may change between the reading and the call."""
    return any(cluster.call(ORDERS, key) == 200 for _ in range(2) for key in keys(cluster, namespace).values())


def settled(cluster: Cluster, namespace: str, verb: str) -> bool:
    """Whether the action is done, nothing is left of it in the Secret, and the status says where the Client is."""
    status = (cluster.get("Client", namespace, "shop") or {})["status"]
    action: Json = next((a for a in status.get("actions", []) if a["name"] == verb), {})
    alone = set(keys(cluster, namespace)) == {"apiKey"}
    return alone and action.get("outcome") == "Succeeded" and "second" not in status["gateways"][0]


@pytest.mark.parametrize(("verb", "site", "skip", "mode"), PLANS)
def test_a_crash_in_a_change_of_the_key(
    verb: str, site: Site, skip: int, mode: str, cluster: Cluster, namespace: str, faulty: Operator, fault_file: Path
) -> None:
    """Fails when a crash loses a key, makes one too many, leaves an old one alive, or leaves a moment in which no key works."""
    cluster.apply(
        client(namespace, "shop", apiKey={"rotation": {"interval": "1h", "overlap": "2s"}}),
        contract(namespace, "orders", client="shop", api="orders", version="1.0"),
    )
    cluster.wait_phase(namespace, "shop", "Registered")
    until(lambda: some_key_opens(cluster, namespace), what="the key opening")
    old, seen = cluster.key(namespace, "shop-api-key"), set(keys(cluster, namespace).values())
    plan(fault_file, site=site, mode=mode, subject=namespace, skip=skip)
    cluster.annotate("Client", namespace, "shop", verb, "one")

    def watched() -> bool:
        seen.update(keys(cluster, namespace).values())
        assert verb == "revoke-key" or some_key_opens(cluster, namespace), "a moment without a key that works"
        return faulty.ended

    until(watched, what="the crash")
    assert faulty.wait_ended() == -9
    watched()
    faulty.start(wait=False, extra={"FAULT_FILE": str(fault_file)})

    def done() -> bool:
        watched()
        return settled(cluster, namespace, verb)

    until(done, what="the end of the change")
    faulty.wait_ready()
    key = cluster.key(namespace, "shop-api-key")
    seen.add(key)  # a revocation may be over between the last look at the Secret and that at the status
    assert seen == {old, key}, "no more than one key was made"
    version = "1.0.r" if verb == "rotate-key" else "1.0"
    assert (cluster.registration(namespace, "shop", version) or {})["apiKey"] == key
    assert cluster.registration(namespace, "shop", "1.0" if verb == "rotate-key" else "1.0.r") is None
    until(lambda: cluster.call(ORDERS, key) == 200, what="the new key opening", seconds=5)
    assert cluster.call(ORDERS, old) == 404
