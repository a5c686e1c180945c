"""Every workload with a crash after each effect, and after each pair of effects: the end is the same, and no push is ever of anything else.

Exhaustive, because `decide` is pure and one effect at a time: a crash can fall only between two decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import orjson
import pytest

from registrar.lifecycle.expiry import NOTICE
from registrar.lifecycle.model import PolicyFact
from registrar.resources.objects import PolicyObject, TargetRef
from registrar.resources.status import canonical
from tests.unit.lifecycle.build import NOW, client, contract, gateway, grant, meta, policy
from tests.unit.lifecycle.world import CrashError, World

Act = Callable[[World], None]


def fresh() -> World:
    """A Client with two Contracts and a limit, nothing done yet."""
    return World(contracts=[contract("billing"), contract("orders")], policies=[policy()])


def on_two() -> World:
    """One Contract on the Client's gateway and one on another, nothing done yet."""
    world = fresh()
    world.gateways = (gateway(), gateway("second", default=False))
    world.contracts = [contract("billing", gateway="second"), contract("orders")]
    return world


def two_at_rest() -> World:
    """The same, registered."""
    world = on_two()
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def somebodys() -> World:
    """The gateway has a registration of somebody's, with a rule of theirs and an API that no Contract is for."""
    world = fresh()
    world.foreign = True
    world.may_adopt = True
    limit = (("rateLimit", canonical({"limit": 7})), ("ipAllowList", canonical({"ipList": ["10.0.0.1"]})))
    world.registration = (("acme", "catalog", "2.0", "gold", ()), ("acme", "orders", "1.0", "gold", limit))
    return world


def adopted() -> World:
    """The same, adopted."""
    world = somebodys()
    adopt(world)
    world.run()
    world.effects = 0
    return world


def adopt(world: World) -> None:
    """Say that it may be taken over."""
    assert world.client is not None
    world.client = replace(world.client, adopt=True)


def at_rest() -> World:
    """The same, registered."""
    world = fresh()
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def token(verb: str) -> Act:
    """Ask for an action."""

    def act(world: World) -> None:
        assert world.client is not None
        world.client = replace(world.client, tokens=((verb, "one"),))

    return act


def change(world: World) -> None:
    """Tighten the limit and ask for a publish, in one commit."""
    world.policies = [policy(limit=10)]
    token("reregister")(world)


def automatic(world: World) -> None:
    """Tighten the limit under publish: Automatic."""
    assert world.client is not None
    world.client = replace(world.client, publish="Automatic")
    world.policies = [policy(limit=10)]


def revoke(world: World) -> None:
    """Delete one Contract, with another change pending."""
    world.policies = [policy(limit=10)]
    world.contracts = [c for c in world.contracts if c.meta.name != "billing"]


def revoke_all(world: World) -> None:
    """Delete both."""
    world.contracts = []


def delete(world: World) -> None:
    """Delete the Client."""
    assert world.client is not None
    world.client = replace(world.client, meta=replace(world.client.meta, deleting=True))


def force(world: World) -> None:
    """Delete the Client by force while its gateway is down."""
    assert world.client is not None
    world.down = True
    world.client = replace(world.client, force_delete=world.client.meta.uid)
    delete(world)


def retain(world: World) -> None:
    """Delete the Client and leave what it has."""
    assert world.client is not None
    world.client = replace(world.client, deletion_policy="Retain")
    delete(world)


def again(world: World) -> None:
    """Another object of the same name, with the Secret of the former one and no status: a restore, or a finalizer removed by hand."""
    world.client = client(finalizers=(), meta=meta("shop", uid="uid-again"))
    world.live.clear()
    world.effected.clear()


def lose(world: World) -> None:
    """The gateway loses everything."""
    world.registration = None
    world.live.clear()


def retire_by_spec(world: World) -> None:
    """Declare retirement."""
    assert world.client is not None
    world.client = replace(world.client, state="Retired")


def granted() -> World:
    """The same on a gateway that wants grants, registered under one for each API."""
    world = fresh()
    world.gateways = (gateway(contracts="Granted"),)
    world.grants = (grant("a", api="billing"), grant("b"))
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def withdraw(world: World) -> None:
    """Take one grant back, with another change pending."""
    world.policies = [policy(limit=10)]
    world.grants = world.grants[1:]


def withdraw_automatic(world: World) -> None:
    """The same under publish: Automatic."""
    withdraw(world)
    automatic(world)


def withdraw_and_delete(world: World) -> None:
    """Take one back, and delete the Client."""
    withdraw(world)
    delete(world)


def withdraw_all(world: World) -> None:
    """Take both back."""
    world.grants = ()


def regrant(world: World) -> None:
    """Take one back, let that happen, and grant it anew."""
    grants = world.grants
    withdraw(world)
    world.run()
    world.grants = grants


def ask_for_too_much(world: World) -> None:
    """Edit a Contract to a plan that is not granted."""
    world.contracts = [replace(c, plan="platinum") if c.meta.name == "billing" else c for c in world.contracts]


def ask_for_too_much_automatic(world: World) -> None:
    """The same under publish: Automatic, with another change."""
    ask_for_too_much(world)
    automatic(world)


def ending() -> World:
    """A Client of which one Contract ends in two days, nothing done yet."""
    world = fresh()
    world.contracts[0] = contract("billing", expires_at=NOW + 2 * NOTICE)
    return world


def extend(world: World) -> None:
    """Let it come to its end, and extend it."""
    world.run()
    world.contracts[0] = replace(world.contracts[0], expires_at=None)


def with_immediate() -> World:
    """Registered with a limit that waits and one that does not."""
    world = World(contracts=[contract("billing"), contract("orders")], policies=[policy(), immediate()])
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def immediate(limit: int = 100) -> PolicyObject:
    """A limit that does not wait."""
    return policy("now", limit=limit, rollout="Immediate", type="quota")


def roll_out(world: World) -> None:
    """Change both limits: one bites, one is pending."""
    world.policies = [policy(limit=10), immediate(1)]


def drop_immediate(world: World) -> None:
    """Delete the one that does not wait, while the other is changed."""
    world.policies = [policy(limit=10)]


def roll_out_and_revoke(world: World) -> None:
    """Change both limits and delete a Contract, all at once."""
    roll_out(world)
    world.contracts = world.contracts[1:]


def block(world: World) -> None:
    """The platform blocks the Client."""
    world.blocked = True


def blocked_world() -> World:
    """A Client that is blocked, with everything said."""
    world = at_rest()
    block(world)
    world.run()
    assert world.registration is None
    world.effects = 0
    world.pushes.clear()
    return world


def lift(world: World) -> None:
    """The platform lifts the block."""
    world.blocked = False


def lift_after_revocation(world: World) -> None:
    """A Contract went while the Client was blocked."""
    world.contracts = world.contracts[1:]
    lift(world)


def tamper(world: World) -> None:
    """Somebody takes a contract off at the gateway."""
    assert world.registration is not None
    world.registration = world.registration[:1]
    world.live.clear()


def tamper_observed(world: World) -> None:
    """The same where drift is only reported."""
    world.drift_mode = "Observe"
    tamper(world)


def conflict(world: World) -> None:
    """Ask for both verbs at once, with a change pending."""
    assert world.client is not None
    world.policies = [policy(limit=10)]
    world.client = replace(world.client, tokens=(("unregister", "one"), ("reregister", "one")))


def refuse(world: World) -> None:
    """Ask for a publish of a paused Client."""
    assert world.client is not None
    change(world)
    world.client = replace(world.client, paused=True)


def retired() -> World:
    """A Client that an action has retired."""
    world = at_rest()
    token("unregister")(world)
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def publishing() -> World:
    """A Client whose publish has begun."""
    world = at_rest()
    change(world)
    while world.client is not None and world.client.status.action("reregister").in_progress != "one":
        world._step()
    world.effects = 0
    return world


def supersede(world: World) -> None:
    """Ask for retirement while a publish is in progress."""
    assert world.client is not None
    world.client = replace(world.client, tokens=(("unregister", "two"), ("reregister", "one")))


LOGIN = policy("login", type="quota", target=TargetRef("Contract", "orders"), secret_names=("users",))


def protected() -> World:
    """A registered Client of which one Contract has a policy with a Secret."""
    world = fresh()
    world.policies.append(LOGIN)
    world.facts = {("team", "login"): PolicyFact(digest="d")}
    world.run()
    world.effects = 0
    world.pushes.clear()
    return world


def lose_all_and_the_secret(world: World) -> None:
    """The gateway loses everything, and the Secret is gone."""
    world.facts = {("team", "login"): PolicyFact(reason="SecretNotFound")}
    lose(world)


WORKLOADS: dict[str, tuple[Callable[[], World], Act]] = {
    "register": (fresh, lambda world: None),
    "reregister": (at_rest, change),
    "automatic": (at_rest, automatic),
    "revoke": (at_rest, revoke),
    "revoke-all": (at_rest, revoke_all),
    "unregister": (at_rest, token("unregister")),
    "retire": (at_rest, retire_by_spec),
    "delete": (at_rest, delete),
    "force-delete": (at_rest, force),
    "retain": (at_rest, retain),
    "restore": (at_rest, again),
    "heal": (at_rest, lose),
    "withdraw": (granted, withdraw),
    "withdraw-automatic": (granted, withdraw_automatic),
    "withdraw-all": (granted, withdraw_all),
    "withdraw-and-delete": (granted, withdraw_and_delete),
    "regrant": (granted, regrant),
    "ask-for-too-much": (granted, ask_for_too_much),
    "ask-for-too-much-automatic": (granted, ask_for_too_much_automatic),
    "expire": (ending, lambda world: None),
    "extend": (ending, extend),
    "roll-out": (with_immediate, roll_out),
    "roll-out-deletion": (with_immediate, drop_immediate),
    "roll-out-and-revoke": (with_immediate, roll_out_and_revoke),
    "block": (at_rest, block),
    "block-before-registration": (fresh, block),
    "lift": (blocked_world, lift),
    "lift-after-revocation": (blocked_world, lift_after_revocation),
    "delete-while-blocked": (blocked_world, delete),
    "drift": (at_rest, tamper),
    "drift-observed": (at_rest, tamper_observed),
    "conflict": (at_rest, conflict),
    "refused": (at_rest, refuse),
    "undone": (retired, token("reregister")),
    "superseded": (publishing, supersede),
    "heal-without-a-secret": (protected, lose_all_and_the_secret),
    "adopt": (somebodys, adopt),
    "reregister-adopted": (adopted, change),
    "delete-adopted": (adopted, delete),
    "register-on-two": (on_two, lambda world: None),
    "reregister-on-two": (two_at_rest, change),
    "revoke-on-two": (two_at_rest, revoke),
    "delete-on-two": (two_at_rest, delete),
}
TIMES = {
    "lastTransitionTime",
    "registeredAt",
    "time",
    "startedAt",
    "completedAt",
    "hash",
    "changeLog",
}


def outcome(name: str, crash_at: frozenset[int] = frozenset()) -> tuple[Any, World]:
    """The end of a workload, comparable, and the world that it ended in."""
    start, act = WORKLOADS[name]
    world = start()
    world.crash_at = crash_at
    act(world)
    world.run()
    statuses = {c.meta.name: cleaned(c.status.to_json()) for c in world.contracts}
    seen = cleaned(world.client.raw_status) if world.client is not None else None
    return (seen, statuses, world.registrations, world.secret, world.secret_owner, world.owed), world


def cleaned(value: Any) -> Any:
    """Without times and hashes; the log tells how the end was reached, so it may differ."""
    if isinstance(value, dict):
        return {key: cleaned(inner) for key, inner in value.items() if key not in TIMES}
    return [cleaned(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", WORKLOADS)
def test_one_crash(name: str) -> None:
    """Fails when an effect is not found again after a crash right behind it."""
    expected, clean = outcome(name)
    assert clean.effects > 0
    for point in range(1, clean.effects + 1):
        got, world = outcome(name, frozenset({point}))
        assert got == expected, f"crash after effect {point}"
        assert set(world.pushes) <= set(clean.pushes), f"crash after effect {point} pushed something else"


@pytest.mark.parametrize("name", WORKLOADS)
def test_two_crashes(name: str) -> None:
    """Fails when the recovery itself can't be interrupted."""
    expected, clean = outcome(name)
    for pair in combinations(range(1, clean.effects + 6), 2):
        assert outcome(name, frozenset(pair))[0] == expected, f"crashes after effects {pair}"


ENDS: dict[str, tuple[list[str] | None, str, str, str]] = {
    "withdraw": (["orders"], "Rejected", "NotGranted", "UnpublishedChanges"),
    "withdraw-automatic": (["orders"], "Rejected", "NotGranted", "Registered"),
    "withdraw-all": (None, "Rejected", "NotGranted", "Created"),
    "regrant": (["orders"], "Pending", "UnpublishedChanges", "UnpublishedChanges"),
    "ask-for-too-much": (["billing", "orders"], "Active", "UnknownPlan", "UnpublishedChanges"),
    "ask-for-too-much-automatic": (["billing", "orders"], "Active", "UnknownPlan", "UnpublishedChanges"),
    "expire": (["orders"], "Rejected", "Expired", "Registered"),
    "extend": (["orders"], "Pending", "UnpublishedChanges", "UnpublishedChanges"),
}


@pytest.mark.parametrize("name", ENDS)
def test_where_it_ends(name: str) -> None:
    """Fails when what has lost its grant or come to its end is on the gateway, or what has not is off."""
    apis, phase, reason, client_phase = ENDS[name]
    _, world = outcome(name)
    assert (sorted(row[1] for row in world.registration) if world.registration else None) == apis
    billing = next(c for c in world.contracts if c.meta.name == "billing")
    assert (billing.status.phase, billing.status.conditions[0].reason) == (phase, reason)
    assert world.client is not None and world.client.status.phase == client_phase


@pytest.mark.parametrize(
    ("name", "writes"),
    [("register", ["AddFinalizer", "EnsureSecret", "ReadLive", "Push", "WriteStatus", "WriteContracts"])],
)
def test_a_first_registration_costs_no_more(name: str, writes: list[str]) -> None:
    """Fails when a first registration costs more than finalizer, Secret, one status and one status for each Contract."""
    _, world = outcome(name)
    assert world.effects == len(writes)
    assert len(world.pushes) == 1


def test_the_last_contract_deleted_after_a_lost_status() -> None:
    """Fails when a registration that no status records outlives its last Contract."""
    for point in range(1, 7):
        world = fresh()
        world.crash_at = frozenset({point})
        while world.effects < point:
            try:
                world._step()
            except Exception:
                world.live, world.effected = {}, {}
        world.contracts = []
        world.run()
        assert world.registration is None, f"contracts deleted after effect {point}"


def test_an_immediate_change_after_a_lost_status() -> None:
    """Fails when a limit that was pushed and not recorded is kept beside the one that replaced it meanwhile."""
    for point in range(1, 7):
        world = World(contracts=[contract("orders")], policies=[policy(), immediate()])
        world.crash_at = frozenset({point})
        while world.effects < point:
            try:
                world._step()
            except CrashError:
                world.live, world.effected = {}, {}
        world.policies = [policy(), immediate(1)]
        world.run()
        assert world.registration is not None
        limits = [config for _, config in world.registration[0][4]]
        assert [orjson.loads(config)["limit"] for config in limits] == [100, 1], f"changed after effect {point}"


def test_what_the_new_workloads_end_in() -> None:
    """Fails when a workload comes to rest somewhere else than its name says: equal ends would then say nothing."""
    ends = {name: outcome(name)[1] for name in WORKLOADS}
    phases = {name: w.client.status.phase for name, w in ends.items() if w.client is not None}
    assert phases["roll-out"] == phases["roll-out-deletion"] == "UnpublishedChanges"
    assert (phases["block"], phases["lift"], phases["drift"]) == ("Ready", "Registered", "Registered")
    assert [len(ends[n].registration or ()) for n in ("block", "lift", "lift-after-revocation")] == [0, 2, 1]
    assert (ends["drift"].registration, len(ends["drift-observed"].registration or ())) == (at_rest().registration, 1)
    assert ends["drift-observed"].pushes == [] and phases["drift-observed"] == "Ready"
    assert ends["delete-while-blocked"].client is None
    limits = [orjson.loads(config)["limit"] for _, config in (ends["roll-out"].registration or ())[0][4]]
    assert limits == [100, 1]


def test_rest_is_rest() -> None:
    """Fails when a second look at the same facts does something."""
    world = at_rest()
    before = world.client
    world.live.clear()
    world.run()
    assert (world.client, world.pushes) == (before, [])


def test_a_client_with_no_contract_is_created() -> None:
    """Fails when a Client alone is pushed, or goes without its first status."""
    world = World()
    world.run()
    assert world.client is not None
    assert (world.client.status.phase, world.registration, world.pushes) == ("Created", None, [])


def test_tokens_of_birth_do_nothing() -> None:
    """Fails when a token that an object brings with it is carried out, or fires later."""
    world = World(
        contracts=[contract()], client=client(finalizers=(), tokens=(("unregister", "old"), ("reregister", "old")))
    )
    world.run()
    assert world.client is not None
    assert (world.client.status.phase, world.client.status.retired_by) == ("Retired", "Restored")
    assert {a.name: a.outcome for a in world.client.status.actions} == {
        "unregister": "Skipped",
        "reregister": "Skipped",
    }
    assert world.pushes == []


def test_an_adopted_rule_is_still_there_after_the_publish() -> None:
    """Fails when a reregister loses a rule of the provider's that no object replaces."""
    _, world = outcome("reregister-adopted")
    assert world.registration is not None
    assert [row[1] for row in world.registration] == ["billing", "orders"]
    types = {row[1]: [type_ for type_, _ in row[4]] for row in world.registration}
    assert types == {"billing": ["rateLimit"], "orders": ["ipAllowList", "rateLimit"]}
