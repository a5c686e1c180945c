"""The chart's roles are what the operator needs, and nothing else: each right is used, each is taken away in turn, and nothing else is ever tried.

The API server's audit log is the witness: it has every request of the operator's account, with the decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from localenv import account
from localenv.cluster import API, Cluster, Json, client, condition, contract, rate_limit, secret, until
from localenv.environment import NAMESPACE, Environment
from localenv.install import runtime_gateway
from localenv.operator import Operator
from registrar.clock import Jitter
from registrar.engine.startup import check
from registrar.errors import SettingsError
from registrar.kube import rights
from registrar.kube.client import KubeClient
from registrar.kube.config import load_access
from registrar.seam import direct
from tests.faults.gateway_proxy import GatewayProxy
from tests.integration.access import AuditLog, Permission, Roles, granted, permission, said
from tests.integration.conftest import QUICK

pytestmark = pytest.mark.integration

NAME = "audited"
"""The one account whose requests the API server writes down (`localenv.controlplane.AUDITED`)."""
LEASE = "gateway-registrar"
OURS = "gateway-registrar.dev"
SETTINGS: dict[str, str | float] = {
    **QUICK,
    "settle_seconds": 0.3,
    "resync_interval_seconds": 1,
    "counter_interval_seconds": 0.5,
    "backoff_base_seconds": 0.2,
    "backoff_max_seconds": 1,
    "gateway_timeout_seconds": 2,
    # Longer than the API server needs to start again.
    "lease_duration_seconds": 60,
    "lease_renew_seconds": 50,
    "lease_retry_seconds": 1,
}
BRIEF: dict[str, str | float] = {"lease_duration_seconds": 6, "lease_renew_seconds": 3}
ASKS = rights.asks(namespaces=(), home=NAMESPACE, lease=LEASE)
ALL = frozenset(map(permission, ASKS))


@pytest.fixture(scope="module")
def roles(env: Environment, cluster: Cluster) -> Iterator[Roles]:
    """The chart's account and roles under another name than the usual one."""
    objects = account.objects(values={"fullnameOverride": NAME}, release=NAME)
    made = Roles(cluster, objects, kubeconfig=env.folder / "kubeconfig-audited", asks=ASKS)
    with made.bound(env, name=NAME):
        yield made


@pytest.fixture(scope="module")
def audit(env: Environment) -> AuditLog:
    """What the operator of this module asks of the API server, from its start on."""
    return AuditLog(env.control_plane.audit_log)


@pytest.fixture(scope="module")
def operator(env: Environment, roles: Roles, audit: AuditLog) -> Iterator[Operator]:
    """An operator with that account, and with a Lease."""
    running = Operator(env, name="rbac", settings=SETTINGS, kubeconfig=roles.kubeconfig).start()
    yield running
    running.stop()


@dataclass(frozen=True, slots=True)
class World:
    """What a trigger works with."""

    cluster: Cluster
    env: Environment
    proxy: GatewayProxy
    namespace: str

    def shop(self, gateway: str = "default") -> None:
        """A Client with one Contract."""
        self.cluster.apply(
            client(self.namespace, "shop", gatewayRef={"name": gateway}),
            contract(self.namespace, "orders", client="shop", api="orders", version="1.0"),
        )

    def shop_is(self, phase: str) -> None:
        """Wait for the Client's phase."""
        self.cluster.wait_phase(self.namespace, "shop", phase)

    def gateway(self, url: str = "") -> None:
        """A RuntimeGateway with the namespace's name."""
        manifest = runtime_gateway(self.env)
        manifest["metadata"]["name"] = self.namespace
        manifest["spec"] |= {"default": False}
        manifest["spec"]["apiman"] |= {"endpoint": url or self.env.gateway_config_url}
        self.cluster.apply(manifest)

    def ready(self, kind: str, name: str, *, type_: str = "Ready", namespace: str | None = None) -> None:
        """Wait until the object has that condition."""
        where = self.namespace if namespace is None else namespace
        self.cluster.wait(kind, where, name, lambda o: condition(o, type_).get("status") == "True", what=type_)


@pytest.fixture
def world(
    cluster: Cluster, env: Environment, operator: Operator, proxy: GatewayProxy, namespace: str
) -> Iterator[World]:
    """A namespace of its own for the test; the RuntimeGateway of its name goes with it."""
    yield World(cluster, env, proxy, namespace)
    cluster.patch("RuntimeGateway", "", namespace, {"metadata": {"finalizers": None}})
    cluster.delete("RuntimeGateway", "", namespace)


def grant(namespace: str, name: str) -> Json:
    """An APIGrant's manifest."""
    spec = {"apis": [{"name": "orders"}], "plans": ["gold"], "from": {"namespaces": [namespace]}}
    return {"apiVersion": API, "kind": "APIGrant", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


# Every right at the start ---------------------------------------------------------------------------------------------


def started(roles: Roles) -> str:
    """What the start's own check says; empty when it lets the operator start."""

    async def run() -> str:
        access_ = KubeClient(load_access(str(roles.kubeconfig)), seam=direct)
        try:
            await check(access_, namespaces=(), home=NAMESPACE, lease=LEASE, jitter=Jitter(), patience=0)
        except SettingsError as error:
            return str(error)
        finally:
            await access_.close()
        return ""

    return asyncio.run(run())


def test_the_start_names_each_right_that_is_missing(roles: Roles) -> None:
    """Fails when a right can be missing without a word, or when the line names another one."""
    who = f"system:serviceaccount:{NAMESPACE}:{NAME}"
    assert started(roles) == ""
    by_permission: dict[Permission, list[rights.Ask]] = {}
    for ask in ASKS:
        by_permission.setdefault(permission(ask), []).append(ask)
    for dropped, asked in by_permission.items():
        wanted = f"{who} may not {' '.join((asked[0].verb, asked[0].what))}{asked[0].where}"
        roles.apply(frozenset({dropped}))
        until(
            lambda wanted=wanted: len(lines := started(roles).splitlines()) == 1 and lines[0].startswith(wanted + ". "),  # type: ignore[misc]
            what=f"the line `{wanted}`",
        )
    roles.apply()
    until(lambda: started(roles) == "", what="all rights being back")


def test_an_operator_without_rights_ends_with_one_line(roles: Roles, env: Environment) -> None:
    """Fails when such a process stays alive, prints a traceback, or says less than what is missing and what to do."""
    refused = Operator(env, name="rbac-refused", settings=SETTINGS, kubeconfig=roles.kubeconfig)
    missing = Permission("", "secrets", "delete"), Permission(OURS, "contracts/status", "patch")
    with roles.without(*missing):
        refused.log.unlink(missing_ok=True)
        refused.start(wait=False)
        assert refused.wait_ended() == 2
    assert refused.log.read_text().splitlines() == [
        f"error: system:serviceaccount:{NAMESPACE}:{NAME} may not patch contracts.{OURS}/status in all namespaces;"
        " delete secrets in all namespaces. Install the chart with rbac.create=true, or bind roles with these rights."
    ]


# A run with all of them -----------------------------------------------------------------------------------------------


def test_with_all_rights_nothing_is_refused(world: World, roles: Roles, audit: AuditLog) -> None:
    """Fails when the operator tries what the chart does not grant."""
    world.gateway(world.proxy.url)
    world.ready("RuntimeGateway", world.namespace, namespace="")
    world.shop(world.namespace)
    world.cluster.apply(
        rate_limit(world.namespace, "limit", client="shop", limit=9), grant(world.namespace, "partners")
    )
    world.shop_is("Registered")
    world.ready("Policy", "limit", type_="Accepted")
    world.ready("APIGrant", "partners")
    world.cluster.annotate("Client", world.namespace, "shop", "rotate-key", "one")
    until(lambda: handled(world, "one"), what="the key being rotated")
    world.proxy.stop()
    force_deletion(world)
    world.cluster.wait_gone("Client", world.namespace, "shop")
    world.gateway()
    until(lambda: owed(world) == 0, what="the debt being paid")
    assert audit.refused() == set()
    assert granted(roles.objects) == ALL


def handled(world: World, token: str) -> bool:
    """Whether the action with that token has succeeded."""
    found = world.cluster.get("Client", world.namespace, "shop") or {}
    rows = found.get("status", {}).get("actions", [])
    return any(row.get("lastHandledToken") == token and row["outcome"] == "Succeeded" for row in rows)


def owed(world: World) -> int:
    """How many registrations the RuntimeGateway says are owed to it."""
    found = world.cluster.get("RuntimeGateway", "", world.namespace) or {}
    return int((found.get("status", {}).get("owed") or {}).get("count", 0))


def force_deletion(world: World) -> None:
    """Delete the Client and force it, as its message says."""
    world.cluster.delete("Client", world.namespace, "shop")
    found = world.cluster.get("Client", world.namespace, "shop")
    assert found is not None
    world.cluster.annotate("Client", world.namespace, "shop", "force-delete", found["metadata"]["uid"])


# Each writing right taken away in turn ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A right that is taken away: what is there `before`, what then makes the operator need it, and what is reached when it is back."""

    lost: Permission
    trigger: Callable[[World], None]
    healed: Callable[[World], None]
    before: Callable[[World], None] = lambda world: None


def registered(world: World) -> None:
    world.shop()
    world.shop_is("Registered")


def registered_by_proxy(world: World) -> None:
    world.gateway(world.proxy.url)
    world.shop(world.namespace)
    world.shop_is("Registered")
    world.proxy.stop()


def gone(world: World) -> None:
    world.cluster.wait_gone("Client", world.namespace, "shop")


def gone_and_paid(world: World) -> None:
    gone(world)
    world.gateway()
    until(lambda: owed(world) == 0, what="the debt being paid")


def lease_is_held(world: World) -> None:
    def held() -> bool:
        found = world.cluster.get("Lease", NAMESPACE, LEASE)
        return found is not None and bool(found["spec"].get("holderIdentity"))

    until(held, what="the Lease being held")


def limited(world: World) -> None:
    world.cluster.apply(rate_limit(world.namespace, "limit", client="shop", limit=9))


def opened(world: World) -> None:
    world.cluster.apply(grant(world.namespace, "partners"))


def on_a_new_gateway(world: World) -> None:
    world.gateway()
    world.shop(world.namespace)


CASES = (
    Case(Permission(OURS, "clients", "patch"), World.shop, lambda w: w.shop_is("Registered")),
    Case(Permission(OURS, "clients/status", "patch"), World.shop, lambda w: w.shop_is("Registered")),
    Case(Permission(OURS, "contracts/status", "patch"), World.shop, lambda w: w.ready("Contract", "orders")),
    Case(
        Permission(OURS, "policies/status", "patch"),
        limited,
        lambda w: w.ready("Policy", "limit", type_="Accepted"),
        before=registered,
    ),
    Case(
        Permission(OURS, "apigrants/status", "patch"),
        opened,
        lambda w: w.ready("APIGrant", "partners"),
    ),
    Case(
        Permission(OURS, "runtimegateways/status", "patch"),
        World.gateway,
        lambda w: w.ready("RuntimeGateway", w.namespace, namespace=""),
    ),
    Case(Permission(OURS, "runtimegateways", "patch"), on_a_new_gateway, lambda w: w.shop_is("Registered")),
    Case(Permission("", "secrets", "create"), World.shop, lambda w: w.shop_is("Registered")),
    Case(
        Permission("", "secrets", "patch"),
        lambda w: w.cluster.annotate("Client", w.namespace, "shop", "rotate-key", "one"),
        lambda w: until(lambda: handled(w, "one"), what="the key being rotated"),
        before=registered,
    ),
    Case(
        Permission("", "secrets", "delete"),
        lambda w: w.cluster.delete("Client", w.namespace, "shop"),
        gone,
        before=registered,
    ),
    Case(Permission("", "configmaps", "create"), force_deletion, gone_and_paid, before=registered_by_proxy),
    Case(Permission("", "configmaps", "patch"), force_deletion, gone_and_paid, before=registered_by_proxy),
    Case(Permission("events.k8s.io", "events", "create"), World.shop, lambda w: w.shop_is("Registered")),
    Case(Permission("coordination.k8s.io", "leases", "get"), lambda w: None, lease_is_held),
    Case(Permission("coordination.k8s.io", "leases", "update"), lambda w: None, lease_is_held),
    Case(
        Permission("coordination.k8s.io", "leases", "create"),
        lambda w: w.cluster.delete("Lease", NAMESPACE, LEASE),
        lease_is_held,
    ),
)
WATCHED = frozenset(row for row in ALL if row.verb == "watch")
LISTED = frozenset(Permission(row.group, row.resource, "list") for row in WATCHED)
READ = frozenset(Permission(row.group, row.resource, "get") for row in WATCHED)
AT_THE_START = frozenset({Permission("", "configmaps", "list")})
"""Needed once, before the first pass; a start without it is what `test_the_start_names_each_right_that_is_missing` shows."""


def test_every_right_has_its_case() -> None:
    """Fails when somebody grants a right without showing what it is for."""
    assert {case.lost for case in CASES} | WATCHED | LISTED | READ | AT_THE_START == ALL


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.lost))
def test_what_breaks_without(case: Case, world: World, roles: Roles, operator: Operator, audit: AuditLog) -> None:
    """Fails when the operator does without the right, when it says nothing, or when it does not go on once the right is back."""
    case.before(world)
    start, dropped = operator.log.stat().st_size, events_dropped(operator)
    times = sum(1 for row in audit.rows() if row.permission == case.lost and not row.allowed)

    def noticed() -> bool:
        tried = sum(1 for row in audit.rows() if row.permission == case.lost and not row.allowed) > times
        if case.lost.resource == "events":
            return tried and events_dropped(operator) > dropped  # what an Event says is in the status too
        return tried and said(operator.log.read_bytes()[start:].decode(), case.lost)

    with roles.without(case.lost):
        case.trigger(world)
        until(noticed, what=f"a 403 for {case.lost}")
    case.healed(world)
    assert not operator.ended


def events_dropped(operator: Operator) -> float:
    """How many Events could not be sent."""
    rows = operator.metrics().splitlines()
    return next(float(row.split()[1]) for row in rows if row.startswith("gateway_registrar_events_dropped_total"))


# Each reading right ------------------------------------------------------------------------------------------------------


def test_what_breaks_without_lists(roles: Roles, operator: Operator, audit: AuditLog, world: World) -> None:
    """Fails when a kind is not swept, or when nobody is told that it can't be."""
    start = operator.log.stat().st_size

    def noticed() -> bool:
        text = operator.log.read_bytes()[start:].decode()
        return audit.refused() >= LISTED and all(said(text, row) for row in LISTED)

    with roles.without(*LISTED):
        until(noticed, what="each kind being refused")
    registered(world)


def test_what_breaks_without_watches(
    roles: Roles, operator: Operator, audit: AuditLog, world: World, env: Environment
) -> None:
    """Fails when the loss of the streams is more than lateness, or when what the sweep finds is not read by name."""
    manifests = (
        rate_limit(world.namespace, "limit", client="shop", limit=9),
        grant(world.namespace, "partners"),
        secret(world.namespace, "note", text="read by its label"),
    )
    with roles.without(*WATCHED):
        env.control_plane.stop_apiserver()
        env.control_plane.start_apiserver()
        until(lambda: audit.refused() >= WATCHED, what="each stream being refused")
        world.gateway()
        world.cluster.namespace(f"{world.namespace}-seen")
        world.cluster.apply(*manifests)
        world.shop(world.namespace)
        world.shop_is("Registered")
        until(lambda: audit.allowed() >= READ, what="each kind being read by name")
        start = operator.log.stat().st_size

        def noticed() -> bool:
            text = operator.log.read_bytes()[start:].decode()
            return audit.refused() >= READ and all(said(text, row) for row in READ)

        # Within the other: a stream that comes back in between is asked about its right only at its beginning, and brings what the sweep is to find.
        with roles.without(*WATCHED, *READ):
            world.cluster.namespace(f"{world.namespace}-unseen")
            for kind, namespace, name in touched(world):
                world.cluster.annotate(kind, namespace, name, "touched", "yes")
            until(noticed, what="each kind being refused by name")
    assert not operator.ended


def touched(world: World) -> tuple[tuple[str, str, str], ...]:
    """One object of each kind."""
    space = world.namespace
    return (
        ("Client", space, "shop"),
        ("Contract", space, "orders"),
        ("Policy", space, "limit"),
        ("APIGrant", space, "partners"),
        ("Secret", space, "note"),
        ("RuntimeGateway", "", space),
    )


# The sum ----------------------------------------------------------------------------------------------------------------


def test_nothing_unused_is_granted(roles: Roles, audit: AuditLog, operator: Operator) -> None:
    """Fails when a right of the chart was not used in all of this, or one that nobody took away was missing."""
    assert audit.allowed() == granted(roles.objects)
    assert audit.refused() <= ALL - AT_THE_START
    home = granted(row for row in roles.objects if row["kind"] == "Role")
    assert {row.permission for row in audit.rows() if row.home} >= home
    everywhere = granted(row for row in roles.objects if row["kind"] == "ClusterRole")
    assert {row.permission for row in audit.rows() if not row.home} == everywhere


def test_a_leader_that_may_not_renew_steps_down(roles: Roles, operator: Operator, env: Environment) -> None:
    """Fails when an operator goes on although the Lease can't be its own any more, or starts over again and again without saying what is missing."""
    assert operator.stop() == 0
    leader = Operator(env, name="rbac-leader", settings=SETTINGS | BRIEF, kubeconfig=roles.kubeconfig)
    leader.log.unlink(missing_ok=True)
    leader.start()
    try:
        until(lambda: 'leader_election_master_status{name="gateway-registrar"} 1.0' in leader.metrics(), what="leading")
        with roles.without(Permission("coordination.k8s.io", "leases", "update")):
            assert leader.wait_ended(seconds=60) == 2
        log = leader.log.read_text()
        assert "The Lease could not be renewed for 3 s. Starting over" in log
        assert "may not update leases" in log
    finally:
        leader.kill()
