"""From an event to the name of who asked: noted at the event, kept until rest, forgotten then."""

from __future__ import annotations

import random
from typing import Any

import pytest

from registrar.clock import Jitter, SystemClock
from registrar.engine.arrivals import Arrivals
from registrar.engine.memory import ClientMemory, Memory
from registrar.engine.queue import Key, WorkQueue
from registrar.engine.source import Ingest
from registrar.engine.store import Store
from registrar.lifecycle.model import Asker, Failed, Fault, Live, LiveFact, Why

SHOP = Key("Client", "team", "shop")
GROUP = "gateway-registrar.dev"


@pytest.fixture
def arrivals() -> Arrivals:
    """Arrivals on the machine's clock."""
    return Arrivals(clock=SystemClock(), settle=2, longest=10)


@pytest.fixture
def ingest(arrivals: Arrivals) -> Ingest:
    """An ingest with a store of its own."""
    queue = WorkQueue(clock=SystemClock(), jitter=Jitter(random.Random(1)))
    return Ingest(store=Store(), queue=queue, arrivals=arrivals, memory=Memory(), clock=SystemClock(), home="system")


def raw(
    kind: str, name: str, *, manager: str, namespace: str = "team", version: int = 1, **more: Any
) -> dict[str, Any]:
    """An object that `manager` wrote, spec and annotations."""
    annotations = {f"{GROUP}/{verb}": token for verb, token in more.pop("tokens", {}).items()}
    fields: dict[str, Any] = {"f:spec": {}, "f:metadata": {"f:annotations": {f"f:{key}": {} for key in annotations}}}
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "resourceVersion": str(version),
            "generation": version,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": annotations,
            "managedFields": [{"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}],
        },
        **more,
    }


def policy(namespace: str, **target: str) -> dict[str, Any]:
    """A Policy's manifest, written by its team's tool."""
    spec = {"targetRefs": [target], "rateLimit": {"limit": 1, "period": "Hour", "granularity": "Client"}}
    return raw("Policy", "limit", manager=f"{namespace}-tool", namespace=namespace, spec=spec)


def contract() -> dict[str, Any]:
    """A Contract's manifest."""
    api = {"organization": "acme", "name": "orders", "version": "1.0"}
    return raw("Contract", "orders", manager="argocd", spec={"clientRef": {"name": "shop"}, "api": api, "plan": "gold"})


def test_who_changed_something_is_kept_until_rest(ingest: Ingest, arrivals: Arrivals) -> None:
    """Fails when an event's field managers are lost before the effect, or stay after it."""
    ingest.apply("Client", "ADDED", raw("Client", "shop", manager="helm"))
    ingest.apply("Contract", "ADDED", contract())
    ingest.apply("Policy", "ADDED", policy("team", kind="Client", name="shop"))
    changed = raw("Client", "shop", manager="kubectl-annotate", version=1, tokens={"reregister": "one"})
    changed["metadata"] |= {"resourceVersion": "2"}
    ingest.apply("Client", "MODIFIED", changed)
    known = arrivals.askers(SHOP)
    assert known == (
        Asker("Client shop", "helm"),
        Asker("Contract orders", "argocd"),
        Asker("Policy limit", "team-tool"),
        Asker("reregister", "kubectl-annotate"),
    )
    again = {**changed, "metadata": {**changed["metadata"], "resourceVersion": "3"}}
    ingest.apply("Client", "MODIFIED", again)
    arrivals.rested(SHOP, known[:1])
    assert arrivals.askers(SHOP) == known, "somebody came since"
    arrivals.rested(SHOP, known)
    assert arrivals.askers(SHOP) == ()


def test_who_works_elsewhere_is_not_named(ingest: Ingest, arrivals: Arrivals) -> None:
    """Fails when a consumer's log names the tools of the API's owner."""
    ingest.apply("Client", "ADDED", raw("Client", "shop", manager="helm"))
    ingest.apply("Contract", "ADDED", contract())
    ingest.apply("Policy", "ADDED", policy("owner", kind="Plan", organization="acme", name="gold"))
    assert {asker.manager for asker in arrivals.askers(SHOP)} == {"helm", "argocd"}


@pytest.mark.parametrize(("handled", "names"), [("", 1), ("other", 1), ("one", 0)])
def test_a_start_finds_who_asked_for_what_is_not_done(
    handled: str, names: int, ingest: Ingest, arrivals: Arrivals
) -> None:
    """Fails when an action that a restart interrupts loses its asker, or a start keeps one for each object."""
    status = {"actions": [{"name": "reregister", "lastHandledToken": handled}, "nonsense"]} if handled else {}
    ingest.loaded("Client", raw("Client", "shop", manager="argocd", tokens={"reregister": "one"}, status=status))
    ingest.loaded("Contract", contract())
    ingest.loaded("Client", raw("Client", "quiet", manager="helm"))
    assert len(arrivals.askers(SHOP)) == names
    assert arrivals.askers(Key("Client", "team", "quiet")) == ()


def test_what_is_kept_is_bounded(arrivals: Arrivals) -> None:
    """Fails when a replica that never leads, or a tenant with very many Policies, fills the memory."""
    for number in range(5_000):
        arrivals.asked(Key("Client", "team", f"c{number}"), Asker("Client", "helm"))
    assert arrivals.askers(Key("Client", "team", "c0")) == ()
    for number in range(100):
        arrivals.asked(SHOP, Asker(f"Policy {number}", "helm"))
    assert [asker.subject for asker in arrivals.askers(SHOP)] == [f"Policy {number}" for number in range(68, 100)]
    arrivals.drop(SHOP)
    assert arrivals.askers(SHOP) == ()


def test_a_gateway_that_only_answers_questions_has_a_fault_all_the_same() -> None:
    """Fails when each reading that works makes a refused change look like a new one, so that it is never said and never given up."""
    memory = ClientMemory()
    assert memory.fault("default", Fault.REFUSED, now=100.0).since == 100.0
    memory.failed["default"] = Failed(why=Why.REGISTERED, error=Fault.REFUSED.value, by="", at=100.0)
    memory.saw("default", LiveFact(state=Live.ABSENT, since=120.0))
    assert memory.fault("default", Fault.REFUSED, now=121.0).since == 100.0
