"""The demo's second act: the API owner's side, a second gateway, and a new key while the old one still works."""

from __future__ import annotations

from localenv.cluster import API, Json, client, condition, contract, policy, rate_limit, until
from localenv.second_gateway import SecondGateway
from localenv.stage import APIS, NAMESPACE, SHOP, Stage

OWNER = "acme"
"""The namespace of the API owner; by its name it owns the organization `acme`."""
SECOND = "second"
OVERLAP = 8
"""Seconds for which both keys work."""


def owner_limit(stage: Stage) -> str:
    """The API owner limits a plan: it bites at once, while the Client's own change still waits."""
    stage.cluster.namespace(OWNER)
    stage.cluster.apply(
        client(NAMESPACE, SHOP, apiKey={"rotation": {"interval": "720h", "overlap": f"{OVERLAP}s"}}),
        contract(NAMESPACE, "orders", client=SHOP, api="orders", version=APIS["orders"], plan="gold"),
    )
    stage.cluster.wait_phase(NAMESPACE, SHOP, "Registered")
    former, stage.key = stage.key, stage.cluster.key(NAMESPACE, f"{SHOP}-api-key")
    stage.check(stage.key != former, "the Client that was made again has a key of its own")
    stage.codes({"orders": 200})
    stage.cluster.apply(rate_limit(NAMESPACE, "own-limit", client=SHOP, limit=1000, period="Hour"))
    stage.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
    gold: Json = {"kind": "Plan", "organization": OWNER, "name": "gold"}
    limit = {"limit": 2, "period": "Day", "granularity": "Api"}
    stage.cluster.apply(policy(OWNER, "gold-limit", gold, rateLimit=limit))
    until(lambda: stage.call("orders") == 429, what="429 from orders", seconds=10)
    found = stage.cluster.wait_phase(NAMESPACE, SHOP, "UnpublishedChanges")
    pending = [change["subject"] for change in found["status"]["pendingChanges"]]
    stage.check(pending == ["own-limit"], "orders answers 429, and only the Client's own policy is still pending")
    stage.cluster.delete("Policy", OWNER, "gold-limit")
    return stage.codes({"orders": 200}) + " again as soon as the owner lifts the limit"


def granted(stage: Stage) -> str:
    """A Contract on a second gateway, where the API owner grants: Rejected until there is an APIGrant."""
    second = stage.second_gateway()
    stage.cluster.apply(second.manifest(SECOND, contracts="Granted"))
    manifest = contract(NAMESPACE, "billing-there", client=SHOP, api="billing", version=APIS["billing"])
    manifest["spec"]["gatewayRef"] = {"name": SECOND}
    stage.cluster.apply(manifest)
    found = stage.cluster.wait(
        "Contract", NAMESPACE, "billing-there", lambda o: o["status"].get("phase") == "Rejected", what="phase Rejected"
    )
    stage.say(condition(found, "Ready")["message"])
    stage.check(condition(found, "Ready")["reason"] == "NotGranted", "the Contract is Rejected/NotGranted")
    stage.cluster.apply(_grant())
    stage.cluster.wait(
        "Contract", NAMESPACE, "billing-there", lambda o: o["status"].get("phase") != "Rejected", what="being granted"
    )
    stage.ask("reregister", "publish-4")
    stage.active("billing-there")
    _there(stage, second, 200)
    text = f"billing {second.call(stage.cluster, _path('billing'), stage.key)} on the second gateway with the same key"
    return f"{text}, {stage.call('billing')} on the first; " + stage.codes({"orders": 200})


def rotated(stage: Stage) -> str:
    """The key is rotated: both keys work for a while, then only the new one, on both gateways."""
    second, former = stage.second_gateway(), stage.key
    stage.ask("rotate-key", "rotate-1")
    stage.key = stage.cluster.key(NAMESPACE, f"{SHOP}-api-key")
    stage.check(stage.key != former, "the Secret holds a new key")
    codes = [stage.cluster.call(_path("orders"), key) for key in (former, stage.key)]
    stage.check(codes == [200, 200], f"both keys open orders for {OVERLAP} s")
    until(lambda: stage.cluster.call(_path("orders"), former) == 404, what="the former key's end", seconds=OVERLAP + 15)
    until(lambda: second.call(stage.cluster, _path("billing"), former) == 404, what="its end there too", seconds=15)
    _there(stage, second, 200)
    return f"former key 404 on both, new key: billing 200 there, {stage.codes({'orders': 200})} here"


def withdrawn(stage: Stage) -> str:
    """The grant is withdrawn: closed at once, nothing has to be published."""
    second = stage.second_gateway()
    stage.cluster.delete("APIGrant", OWNER, "billing")
    _there(stage, second, 404)
    return "billing 404 on the second gateway; " + stage.codes({"orders": 200})


def cleared(stage: Stage) -> str:
    """The namespace's objects are deleted: neither gateway has anything left of them."""
    second = stage.second_gateway()
    for kind, name in (
        ("Client", SHOP),
        ("Contract", "orders"),
        ("Contract", "billing-there"),
        ("Policy", "own-limit"),
    ):
        stage.cluster.delete(kind, NAMESPACE, name)
    stage.cluster.wait_gone("Client", NAMESPACE, SHOP)
    stage.cluster.delete("RuntimeGateway", "", SECOND)
    stage.cluster.wait_gone("RuntimeGateway", "", SECOND)
    codes = stage.cluster.call(_path("orders"), stage.key), second.call(stage.cluster, _path("billing"), stage.key)
    stage.check(codes == (404, 404), "the key opens nothing on either gateway")
    second.down()
    return f"orders {codes[0]} here, billing {codes[1]} there; the RuntimeGateway is gone too"


def _there(stage: Stage, second: SecondGateway, code: int) -> None:
    until(
        lambda: second.call(stage.cluster, _path("billing"), stage.key) == code,
        what=f"{code} from billing on the second gateway",
        seconds=15,
    )
    stage.check(True, f"billing answers {code} on the second gateway")


def _path(api: str) -> str:
    return f"{OWNER}/{api}/{APIS[api]}"


def _grant() -> Json:
    spec = {"apis": [{"name": "billing"}], "plans": ["gold"], "from": {"namespaces": [NAMESPACE]}}
    return {"apiVersion": API, "kind": "APIGrant", "metadata": {"name": "billing", "namespace": OWNER}, "spec": spec}
