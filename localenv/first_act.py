"""The demo's first act: the whole life of one Client on one gateway, from `Created` to gone."""

from __future__ import annotations

import time

from localenv.cluster import client, condition, contract, rate_limit, until
from localenv.stage import APIS, NAMESPACE, SHOP, Stage, short

ROOM = 4
"""How many calls the tightened limit leaves."""


def created(stage: Stage) -> str:
    """A Client alone is Created, and no key works."""
    stage.cluster.apply(client(NAMESPACE, SHOP))
    found = stage.cluster.wait_phase(NAMESPACE, SHOP, "Created")
    message = condition(found, "Ready")["message"]
    stage.say(message)
    stage.check("kind: Contract" in message, "the condition shows a manifest that would do")
    stage.key = stage.cluster.key(NAMESPACE, f"{SHOP}-api-key")
    return stage.codes({api: 404 for api in APIS})


def registered(stage: Stage) -> str:
    """Three Contracts and a Policy in one apply register it, together."""
    manifests = [contract(NAMESPACE, api, client=SHOP, api=api, version=APIS[api]) for api in APIS]
    stage.cluster.apply(*manifests, rate_limit(NAMESPACE, "limit", client=SHOP, limit=1000, period="Hour"))
    found = stage.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
    stage.check(found["status"]["contracts"]["summary"] == "3/3", "all three Contracts are live")
    stage.check(len(found["status"]["changeLog"]) == 1, "they were registered together, in one push")
    for api in APIS:
        endpoint = stage.active(api)["status"]["endpoint"]
        code = stage.count(stage.cluster.call(endpoint, stage.key))
        stage.check(code == 200, f"{endpoint} answers {code} to the key of the Secret")
    return stage.codes({api: 200 for api in APIS}) + f"; without a key {stage.cluster.call('acme/orders/1.0')}"


def unpublished(stage: Stage) -> str:
    """A rate limit is tightened: UnpublishedChanges, and the old limit still holds."""
    tries = 7
    # The gateway counts the calls of the hour so far, whatever the limit was when they were made.
    limit = stage.used + tries + ROOM
    stage.hour_has_time()
    stage.cluster.apply(rate_limit(NAMESPACE, "limit", client=SHOP, limit=limit, period="Hour"))
    found = stage.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
    words = found["status"]["pendingChanges"][0]["message"]
    stage.say(words)
    stage.check(f"limit 1000 -> {limit}" in words, "status.pendingChanges says so in words")
    codes = [stage.call("orders") for _ in range(tries)]
    stage.check(codes == [200] * len(codes), f"{len(codes)} calls pass under the old limit")
    return f"{words}; calls: {short(codes)}"


def reregistered(stage: Stage) -> str:
    """Reregister publishes it: 200 up to the limit, then 429."""
    stage.ask("reregister", "publish-1")
    stage.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
    codes = [stage.call("orders") for _ in range(ROOM + 2)]
    stage.check(codes == [200] * ROOM + [429] * 2, f"calls answer {short(codes)}")
    return f"calls: {short(codes)}"


def revoked(stage: Stage) -> str:
    """A Contract is deleted: its API is closed at once, the others stay open."""
    stage.cluster.delete("Policy", NAMESPACE, "limit")
    stage.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
    stage.ask("reregister", "publish-2")
    stage.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
    stage.cluster.delete("Contract", NAMESPACE, "billing")
    began = time.monotonic()
    until(lambda: stage.call("billing") == 404, what="acme/billing/1.0 being closed", seconds=10)
    took = time.monotonic() - began
    return stage.codes({"billing": 404, "orders": 200, "catalog": 200}) + f" ({took:.1f} s after the deletion)"


def unregistered(stage: Stage) -> str:
    """Unregister: Retired, and the key is dead."""
    stage.ask("unregister", "retire-1")
    stage.cluster.wait_phase(NAMESPACE, SHOP, "Retired")
    return stage.codes({"orders": 404, "catalog": 404})


def undone(stage: Stage) -> str:
    """Reregister undoes it, with the same key."""
    stage.ask("reregister", "publish-3")
    stage.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
    stage.check(stage.cluster.key(NAMESPACE, f"{SHOP}-api-key") == stage.key, "the Secret holds the same key")
    return stage.codes({"orders": 200, "catalog": 200})


def restarted(stage: Stage) -> str:
    """The operator restarts: nothing is written, nothing changes."""
    before = stage.versions()
    calls = stage.operator.changing_calls()
    stage.operator.stop()
    stage.operator.start()
    stage.all_looked_at()
    stage.check(stage.versions() == before, "no object's resourceVersion moved")
    stage.check(calls == stage.operator.changing_calls(), "no call changed the gateway")
    return f"{len(before)} objects untouched; " + stage.codes({"orders": 200, "catalog": 200})


def healed(stage: Stage) -> str:
    """The gateway restarts empty: the registrations come back by themselves."""
    calls = stage.operator.changing_calls()
    stage.cluster.environment.reset_gateway()
    began = time.monotonic()
    for api in ("orders", "catalog"):
        # APIs are published one after the other: the Client may be back before the last of them.
        until(lambda api=api: stage.call(api) == 200, what=f"{api} coming back", seconds=60)  # type: ignore[misc]
    took = time.monotonic() - began
    until(lambda: stage.operator.changing_calls() > calls, what="an audit line that tells it", seconds=10)
    stage.check(True, "the operator put it on the fresh, empty gateway again")
    return stage.codes({"orders": 200, "catalog": 200}) + f" ({took:.1f} s after its APIs were published)"


def deleted(stage: Stage) -> str:
    """The Client is deleted: nothing of it is left."""
    stage.cluster.delete("Client", NAMESPACE, SHOP)
    stage.cluster.wait_gone("Client", NAMESPACE, SHOP)
    stage.check(stage.cluster.registration(NAMESPACE, SHOP) is None, "the gateway has no registration of it")
    stage.cluster.wait_gone("Secret", NAMESPACE, f"{SHOP}-api-key")
    return stage.codes({"orders": 404, "catalog": 404}) + "; the Secret is gone"
