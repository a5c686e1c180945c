"""The watched namespaces and the start that needs them, in virtual time, on an API server in memory."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from registrar.clock import Jitter, LoopClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import Memory
from registrar.engine.namespaces import INTERVAL, WatchedNamespaces
from registrar.engine.queue import WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.startup import PATIENCE, check
from registrar.engine.store import Store
from registrar.errors import KubeNotFound, KubeRefused, KubeUnavailable, SettingsError
from registrar.kube.client import NAMESPACES, Resource
from registrar.resources.objects import NamespaceObject
from tests.faults.discovery import documents

pytestmark = pytest.mark.looptime


class Server:
    """Namespaces, and who may ask what: `refusing` answers every question about rights with that error, `denied` are refused rights."""

    def __init__(self, *names: str) -> None:
        self.labels: dict[str, dict[str, str]] = {name: {} for name in names}
        self.version = 1
        self.down = 0
        self.forbidden: set[str] = set()
        self.refusing: KubeRefused | None = None
        self.denied: set[tuple[str, str]] = set()
        self.asked: list[dict[str, Any]] = []
        self.documents = documents()
        self.hidden: KubeRefused | None = None

    async def about(self, path: str) -> dict[str, Any]:
        if self.down:
            self.down -= 1
            raise KubeUnavailable("no network")
        if self.hidden is not None:
            raise self.hidden
        if path not in self.documents:
            raise KubeNotFound("none", status=404)
        return self.documents[path]

    async def get(
        self, resource: Resource, *, namespace: str, name: str, metadata_only: bool = False
    ) -> dict[str, Any]:
        assert resource is NAMESPACES
        if self.down:
            self.down -= 1
            raise KubeUnavailable("no network")
        if name in self.forbidden:
            raise KubeRefused("forbidden", status=403)
        if name not in self.labels:
            raise KubeNotFound("none", status=404)
        self.version += 1
        stamp = "2026-01-01T00:00:00Z"
        meta = {"name": name, "uid": name, "resourceVersion": str(self.version), "creationTimestamp": stamp}
        return {"metadata": meta | {"labels": dict(self.labels[name])}}

    async def create(self, resource: Resource, *, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        if resource.kind == "SelfSubjectReview":
            return {"status": {"userInfo": {"username": "system:serviceaccount:home:registrar"}}}
        if self.refusing is not None:
            raise self.refusing
        asked = body["spec"]["resourceAttributes"]
        self.asked.append(asked)
        return {"status": {"allowed": (asked["verb"], asked["resource"]) not in self.denied}}


def jitter() -> Jitter:
    return Jitter(random.Random(1))


def watched(server: Server, *names: str) -> tuple[WatchedNamespaces, Store, list[tuple[str, ...]]]:
    """The namespaces under test, the store that they feed, and what was there each time that they changed."""
    store, clock = Store(), LoopClock()
    queue = WorkQueue(clock=clock, jitter=jitter(), base=1, maximum=60)
    arrivals = Arrivals(clock=clock, settle=2, longest=10)
    ingest = Ingest(store=store, queue=queue, arrivals=arrivals, memory=Memory(), clock=clock, home="system")
    changes: list[tuple[str, ...]] = []
    made = WatchedNamespaces(client=server, store=store, ingest=ingest, jitter=jitter(), names=names)  # type: ignore[arg-type]
    made.changed = lambda: changes.append(made.present())
    return made, store, changes


async def test_labels_are_read_by_name() -> None:
    server = Server("a", "b", "other")
    made, store, changes = watched(server, "a", "b")
    await made.load()
    server.labels["a"]["tier"] = "gold"
    looking = asyncio.create_task(made.run())
    await asyncio.sleep(INTERVAL * 1.2)
    looking.cancel()
    found = store.find("Namespace", "", "a")
    assert isinstance(found, NamespaceObject) and found.labels == {"tier": "gold"}
    assert store.find("Namespace", "", "other") is None
    assert changes == []


async def test_one_that_goes_takes_its_objects_along_and_comes_back() -> None:
    server = Server("a", "b")
    made, store, changes = watched(server, "a", "b")
    await made.load()
    for space in ("a", "b"):
        made.ingest.apply("Client", None, client(space))
    looking = asyncio.create_task(made.run())
    del server.labels["a"]
    await asyncio.sleep(INTERVAL * 1.2)
    assert (made.present(), changes) == (("b",), [("b",)])
    assert [row.meta.namespace for row in store.all("Client")] == ["b"]
    assert store.find("Namespace", "", "a") is None
    server.labels["a"] = {}
    await asyncio.sleep(INTERVAL * 1.2)
    looking.cancel()
    assert (made.present(), changes) == (("a", "b"), [("b",), ("a", "b")])


def client(namespace: str) -> dict[str, Any]:
    """A Client as the API server has it."""
    stamp = "2026-01-01T00:00:00Z"
    meta = {"name": "shop", "namespace": namespace, "uid": f"uid-{namespace}", "resourceVersion": "1", "generation": 1}
    return {"metadata": meta | {"creationTimestamp": stamp}, "spec": {}, "status": {"observedGeneration": -1}}


async def test_a_fault_of_the_api_server_makes_nothing_go() -> None:
    server = Server("a")
    made, _, changes = watched(server, "a")
    await made.load()
    server.down = 2
    looking = asyncio.create_task(made.run())
    await asyncio.sleep(INTERVAL * 5)
    assert not looking.done()
    looking.cancel()
    assert (made.present(), changes, server.down) == (("a",), [], 0)


async def start(server: Server, *namespaces: str) -> None:
    """The start's check."""
    await check(server, namespaces=namespaces, home="home", lease="lease", jitter=jitter())  # type: ignore[arg-type]


async def test_the_start_waits_for_an_api_server() -> None:
    server = Server("a", "home")
    server.down = 3
    await start(server, "a", "home")
    assert server.down == 0 and server.asked


async def test_a_cluster_that_is_too_old_ends_the_start_at_once() -> None:
    server = Server("home")
    server.documents = documents(version="v1.27.3")
    before = asyncio.get_running_loop().time()
    with pytest.raises(SettingsError, match=r"Kubernetes v1\.27, and 1\.28 or newer"):
        await start(server)
    assert (asyncio.get_running_loop().time(), server.asked) == (before, [])


async def test_crds_that_do_not_come_end_the_start() -> None:
    server = Server("home")
    server.documents = documents([])
    before = asyncio.get_running_loop().time()
    with pytest.raises(SettingsError, match=r"does not serve gateway-registrar\.dev/v1alpha1"):
        await start(server)
    assert 0 <= asyncio.get_running_loop().time() - before - PATIENCE < 5 and server.asked == []


async def test_crds_that_come_a_little_later_are_waited_for() -> None:
    """Fails when a release that brings its CRDs makes its own pods end at their first start."""
    server = Server("home")
    server.documents = documents([])
    starting = asyncio.create_task(start(server))
    await asyncio.sleep(PATIENCE - 1)
    server.documents = documents()
    await starting
    assert server.asked


async def test_a_cluster_that_hides_what_it_serves_is_no_obstacle(caplog: pytest.LogCaptureFixture) -> None:
    server = Server("home")
    server.hidden = KubeRefused("GET /version: 403", status=403)
    await start(server)
    assert server.asked and "CRDs are not checked" in caplog.text


async def test_the_start_names_every_namespace_that_is_missing() -> None:
    with pytest.raises(SettingsError, match=r"names namespaces a, b, which do not exist\. Create the namespace, or"):
        await start(Server("home"), "a", "b", "home")


async def test_a_namespace_that_may_not_be_read_is_a_missing_right() -> None:
    server = Server("home")
    server.forbidden = {"a"}
    server.denied = {("get", "namespaces")}
    with pytest.raises(
        SettingsError, match=r"^system:serviceaccount:home:registrar may not get namespaces a; get namespaces home\. "
    ):
        await start(server, "a", "home")


async def test_who_may_not_ask_is_not_stopped(caplog: pytest.LogCaptureFixture) -> None:
    server = Server("home")
    server.refusing = KubeRefused("POST /apis/authorization.k8s.io: 403", status=403)
    await start(server, "home")
    assert "may not ask for its own rights" in caplog.text


async def test_an_api_server_that_has_not_read_its_roles_is_asked_again() -> None:
    """Fails when an operator that starts together with its API server ends, or goes on unchecked, because everything is refused at first."""
    server = Server("home")
    server.hidden = KubeRefused("GET /version: 403", status=403)
    starting = asyncio.create_task(start(server, "home"))
    await asyncio.sleep(3)
    server.hidden, server.denied = None, {("list", "clients")}
    await asyncio.sleep(3)
    assert server.asked and not starting.done()
    server.denied = set()
    await asyncio.wait_for(starting, 3)


async def test_a_refusal_for_another_reason_is_tried_again() -> None:
    server = Server("home")
    server.refusing = KubeRefused("401", status=401)
    starting = asyncio.create_task(start(server, "home"))
    await asyncio.sleep(60)
    assert not starting.done()
    server.refusing = None
    await asyncio.wait_for(starting, 5)
