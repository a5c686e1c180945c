"""The rules, one by one: given these facts, this is the next thing to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import (
    AddFinalizer,
    DeleteSecret,
    Done,
    Effect,
    EnsureSecret,
    KeyFact,
    KeyState,
    Push,
    ReadLive,
    RemoveFinalizer,
    Unregister,
    View,
    Wait,
    Why,
    WriteStatus,
)
from registrar.resources.objects import ApiKeySpec, ApiRef, TargetRef
from registrar.resources.status import Snapshot
from tests.unit.lifecycle.build import (
    NOW,
    absent,
    client,
    contract,
    effected,
    fault,
    foreign,
    gateway,
    ours,
    policy,
    published,
    registered,
    view,
)
from tests.unit.lifecycle.steps import asked, at_rest, contracts_written

LIVE_ON_DEFAULT = {"default": ours()}
RETIRED: dict[str, Any] = {"gateways": (), "retired_by": "Annotation"}
FAULT: dict[str, Any] = {"faults": {"default": fault()}}
OBSERVE = (gateway(mode="Observe"),)


def test_the_finalizer_is_first() -> None:
    """Fails when a side effect comes before the finalizer."""
    assert decide(view(client(finalizers=()), contract())).effect == AddFinalizer()


@pytest.mark.parametrize("changes", [{"paused": True}, {"gateway": "nowhere"}], ids=str)
def test_no_finalizer_for_what_is_not_served(changes: dict[str, Any]) -> None:
    """Fails when a Client that can't or must not be served is made harder to delete."""
    assert decide(view(client(finalizers=(), **changes))).effect != AddFinalizer()


MISSING = KeyFact(KeyState.MISSING)


def test_the_secret_comes_with_created() -> None:
    """Fails when a Client without Contracts has no key Secret."""
    assert decide(view(key=MISSING)).effect == EnsureSecret()


def test_an_existing_secret_is_not_made() -> None:
    """Fails when the operator makes a Secret that the user said exists."""
    seen = view(client(api_key=ApiKeySpec(source="Existing", secret_name="mine")), contract(), key=MISSING)
    decision = decide(seen)
    assert decision.effect == WriteStatus()
    reasons = {c.type: c.reason for c in decision.status.conditions}
    assert (reasons["ResolvedRefs"], reasons["Reconciling"]) == ("SecretNotFound", "SecretNotFound")


def test_a_deleted_secret_waits_for_the_gateway_that_has_its_key() -> None:
    """Fails when a new key is made while the gateway that knows the old one is down."""
    seen = at_rest(registered(contract(), key=MISSING, **FAULT))
    assert decide(seen).effect == Wait(retry=True)


def test_what_is_unknown_is_read() -> None:
    """Fails when a decision is made on a gateway that was not read."""
    assert decide(view(None, contract(), live={})).effect == ReadLive("default")
    assert decide(view(live={})).effect == ReadLive("default")


def test_a_gateway_with_a_fault_is_left_alone() -> None:
    """Fails when a fault costs a call in each step of a pass."""
    seen = at_rest(view(None, contract(), live={}, **FAULT))
    assert decide(contracts_written(seen)).effect == Wait(retry=True)


def test_the_first_registration_waits_for_quiet() -> None:
    """Fails when the first Contract of an apply is registered alone."""
    assert decide(view(None, contract(), settled_at=NOW + 2)).effect == Wait(until=NOW + 2)
    effect = decide(view(None, contract("a"), contract("b"))).effect
    assert isinstance(effect, Push) and effect.why is Why.REGISTERED
    assert [entry.name for entry in effect.target.contracts] == ["a", "b"]


def test_a_new_client_has_no_status_before_it_has_settled() -> None:
    """Fails when Created is written a moment before Registered."""
    assert decide(view(settled_at=NOW + 2)).effect == Wait(until=NOW + 2)


def test_what_a_gateway_took_is_recorded_first() -> None:
    """Fails when a second change is made before the first is written down."""
    seen = view(None, contract(), live=LIVE_ON_DEFAULT)
    seen = replace(seen, effected={"default": effected(published(seen))})
    decision = decide(seen)
    assert decision.effect == WriteStatus()
    assert (decision.status.phase, [n.reason for n in decision.notices]) == ("Registered", ["Registered"])


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        ("foreign", view(None, contract(), live={"default": foreign()})),
        ("no key", view(None, contract(), key=KeyFact(KeyState.IN_USE))),
        ("paused", view(client(paused=True), contract())),
        ("observed", view(None, contract(), gateways=OBSERVE)),
        ("fault", view(None, contract(), **FAULT)),
        ("problem", view(client(organization="other"), contract())),
        ("retired", view(client(state="Retired"), contract())),
        ("api missing", view(None, contract(), missing_apis={"default": frozenset({contract().api})})),
    ],
)
def test_no_first_registration(reason: str, seen: View) -> None:
    """Fails when something is pushed that must not be."""
    assert decide(seen).effect == WriteStatus()
    assert not isinstance(decide(at_rest(seen)).effect, Push | Unregister)


def test_a_change_waits() -> None:
    """Fails when publish: Manual pushes by itself."""
    seen = registered(contract(), policies=(policy(),), now_policies=(policy(limit=50),))
    decision = decide(seen)
    assert decision.effect == WriteStatus()
    assert [p.message for p in decision.status.pending] == ["PolicyChanged limit: rateLimit.limit 100 -> 50"]
    assert (
        isinstance(decide(at_rest(seen)).effect, Done)
        or decide(at_rest(seen)).effect.__class__.__name__ == "WriteContracts"
    )


def test_publish_automatic() -> None:
    """Fails when Automatic does not push, or pushes before the batch is complete."""
    seen = registered(
        contract(), now_contracts=(contract(), contract("billing")), changes_to_client={"publish": "Automatic"}
    )
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.why is Why.PUBLISHED
    waiting = at_rest(replace(seen, settled_at=NOW + 2))
    effect = decide(waiting).effect
    while not isinstance(effect, Wait):
        effect = decide(contracts_written(waiting)).effect
    assert effect == Wait(until=NOW + 2)


@pytest.mark.parametrize("changes", [{"state": "Retired"}, {"paused": True}], ids=str)
def test_automatic_respects(changes: dict[str, Any]) -> None:
    """Fails when Automatic publishes for a Client that is paused or retired."""
    seen = registered(
        contract(),
        now_contracts=(contract(), contract("billing")),
        changes_to_client={"publish": "Automatic", **changes},
    )
    assert not isinstance(decide(seen).effect, Push)


# Revocation ----------------------------------------------------------------------------------------------------------


def test_revocation_is_surgery() -> None:
    """Fails when a revocation waits, or carries other changes with it."""
    both = (contract("billing"), contract("orders"))
    seen = registered(*both, policies=(policy(),), now_contracts=both[:1], now_policies=(policy(limit=5),))
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.surgery and effect.why is Why.REVOKED
    assert [entry.name for entry in effect.target.contracts] == ["billing"]
    assert '"limit":100' in effect.target.policies[0].config


def test_the_last_contract_unregisters() -> None:
    """Fails when an empty registration is left behind."""
    assert decide(registered(contract(), now_contracts=())).effect == Unregister(
        "default", Why.REVOKED, "contract orders taken off"
    )


def test_a_contract_that_is_being_deleted_is_gone() -> None:
    """Fails when a Contract with somebody's finalizer keeps its API open."""
    gone = replace(contract(), meta=replace(contract().meta, deleting=True))
    assert isinstance(decide(registered(contract(), now_contracts=(gone,))).effect, Unregister)


def test_a_recreated_contract_is_a_new_one() -> None:
    """Fails when a Contract is taken for its successor by name."""
    other = replace(contract(), meta=replace(contract().meta, uid="another"))
    assert isinstance(decide(registered(contract(), now_contracts=(other,))).effect, Unregister)


def test_revocation_without_surgery_when_the_gateway_has_something_else() -> None:
    """Fails when surgery is made on what is not what was published."""
    both = (contract("billing"), contract("orders"))
    effect = decide(registered(*both, now_contracts=both[:1], live={"default": ours("other")})).effect
    assert isinstance(effect, Push) and not effect.surgery


def test_revocation_even_when_paused() -> None:
    """Fails when pausing keeps a revoked contract alive."""
    seen = registered(contract(), now_contracts=(), changes_to_client={"paused": True})
    assert isinstance(decide(seen).effect, Unregister)


# Actions -------------------------------------------------------------------------------------------------------------


def test_reregister_says_so_first() -> None:
    """Fails when the push comes before the intent is written, or never."""
    seen = asked(("reregister", "one"))
    decision = decide(seen)
    assert decision.effect == WriteStatus()
    assert decision.status.action("reregister").in_progress == "one"
    effect = decide(at_rest(seen)).effect
    assert isinstance(effect, Push) and effect.why is Why.REREGISTERED


def test_a_token_waits_for_quiet() -> None:
    """Fails when one commit that changes a Policy and the token publishes the old Policy."""
    seen = at_rest(asked(("reregister", "one"), settled_at=NOW + 2))
    assert seen.status.action("reregister").in_progress == ""
    assert _until_wait(seen) == Wait(until=NOW + 2)


def _until_wait(seen: View) -> Effect:
    effect = decide(seen).effect
    return effect if isinstance(effect, Wait | Done) else decide(contracts_written(seen)).effect


def test_a_handled_token_never_fires_again() -> None:
    """Fails when a GitOps controller that puts an old token back triggers it."""
    from registrar.lifecycle import actions

    seen = asked(("reregister", "t0"))
    status = seen.status
    for number in range(40):
        status = actions.finished(status, "reregister", f"t{number}", outcome="Succeeded", message="", at="now")
    assert len(status.action("reregister").handled) == 32
    for number, fires in ((0, True), (7, True), (8, False), (39, False)):
        found = replace(seen.client, tokens=(("reregister", f"t{number}"),))
        assert bool(actions.new_token(found, status, "reregister")) is fires


def test_reregister_with_nothing_to_do_is_done_at_once() -> None:
    """Fails when an action without effect costs a push, or is never handled."""
    decision = decide(registered(contract(), changes_to_client={"tokens": (("reregister", "one"),)}))
    assert decision.effect == WriteStatus()
    action = decision.status.action("reregister")
    assert (action.outcome, action.last_handled, action.in_progress) == ("Succeeded", "one", "")


@pytest.mark.parametrize(
    ("words", "changes", "more"),
    [
        ("spec.state", {"state": "Retired"}, {}),
        ("spec.paused", {"paused": True}, {}),
        ("no valid Contract", {}, {"missing_apis": {"default": frozenset({ApiRef("acme", "orders", "1.0")})}}),
        ("not accepted", {"organization": "other"}, {}),
    ],
)
def test_refused(words: str, changes: dict[str, Any], more: dict[str, Any]) -> None:
    """Fails when an action that can't be carried out is not handled, and so loops."""
    recorded = view().status
    found = client(replace(recorded, observed_generation=1), tokens=(("reregister", "one"),), **changes)
    decision = decide(view(found, contract(), **more))
    action = decision.status.action("reregister")
    assert action.outcome == "Failed" and words in action.message
    assert not isinstance(decision.effect, Push)


def test_undoing_retirement() -> None:
    """Fails when reregister does not bring a retired Client back."""
    seen = registered(
        contract(),
        live={"default": absent()},
        changes_to_status=RETIRED,
        changes_to_client={"tokens": (("reregister", "one"),)},
    )
    begun = at_rest(seen)
    assert (begun.status.action("reregister").in_progress, begun.status.retired_by) == ("one", "Annotation")
    effect = decide(begun).effect
    assert isinstance(effect, Push) and effect.why is Why.REREGISTERED


def test_undoing_retirement_without_contracts() -> None:
    """Fails when a retired Client without Contracts can't be brought back to Created."""
    seen = registered(
        live={"default": absent()},
        changes_to_status=RETIRED,
        changes_to_client={"tokens": (("reregister", "one"),)},
    )
    status = decide(seen).status
    assert (status.phase, status.retired_by, status.action("reregister").outcome) == ("Created", "", "Succeeded")


def test_unregister_says_so_first() -> None:
    """Fails when the key dies before anybody knows why."""
    seen = asked(("unregister", "one"))
    assert decide(seen).effect == WriteStatus()
    begun = at_rest(seen)
    assert begun.status.action("unregister").in_progress == "one"
    assert decide(begun).effect == Unregister("default", Why.RETIRED, "taken off gateway default")


def test_unregister_waits_for_quiet() -> None:
    """Fails when a token acts before its commit is complete."""
    seen = at_rest(asked(("unregister", "one"), settled_at=NOW + 2))
    assert seen.status.phase == "UnpublishedChanges"
    assert _until_wait(seen) == Wait(until=NOW + 2)


def test_unregister_goes_on_once_it_is_begun() -> None:
    """Fails when something that arrives meanwhile leaves the key alive for another settle time, or the result in another patch than the token."""
    begun = at_rest(asked(("unregister", "one")))
    crossed = replace(begun, settled_at=NOW + 2)
    assert decide(crossed).effect == Unregister("default", Why.RETIRED, "taken off gateway default")
    done = replace(crossed, live={"default": absent()}, effected={"default": effected(Snapshot(gateway="default"))})
    status = decide(done).status
    assert (status.phase, status.action("unregister").outcome) == ("Retired", "Succeeded")


def test_an_unregister_that_is_not_begun_is_no_retirement() -> None:
    """Fails when a gateway that lost the registration makes the phase say Retired before the token is handled."""
    seen = asked(("unregister", "one"), settled_at=NOW + 2, live={"default": absent()})
    status = decide(replace(seen, effected={"default": effected(seen.status.gateways[0])})).status
    assert (status.phase, status.action("unregister").outcome) == ("UnpublishedChanges", "")


def test_a_reregister_is_not_done_before_quiet() -> None:
    """Fails when a token is handled by what was published before its commit was complete."""
    seen = registered(contract(), changes_to_client={"tokens": (("reregister", "one"),)}, settled_at=NOW + 2)
    assert decide(replace(seen, effected={"default": effected(seen.status.gateways[0])})).status.actions == ()


def test_an_action_is_not_done_on_what_is_unknown() -> None:
    """Fails when a token is handled though nobody knows whether the key still works."""
    begun = at_rest(asked(("unregister", "one")))
    decision = decide(replace(begun, live={}, **FAULT))
    assert (decision.effect, decision.status.action("unregister").outcome) == (WriteStatus(), "")


def test_unregister_wins() -> None:
    """Fails when both verbs are carried out, or reregister is left to fire later."""
    seen = asked(("unregister", "one"), ("reregister", "two"))
    assert {n.reason for n in decide(seen).notices} == {"ActionSkipped"}
    begun = at_rest(seen)
    ended = replace(
        begun,
        live={"default": absent()},
        effected={"default": effected(Snapshot(gateway="default"), Why.RETIRED)},
    )
    decision = decide(ended)
    outcomes = {a.name: a.outcome for a in decision.status.actions}
    assert outcomes == {"unregister": "Succeeded", "reregister": "Skipped"}
    assert (decision.status.phase, decision.status.retired_by) == ("Retired", "Annotation")
    assert {n.reason for n in decision.notices} == {"Unregistered", "ActionSucceeded"}


def test_unregister_of_what_is_not_there() -> None:
    """Fails when retiring a Client that is not registered calls the gateway."""
    recorded = replace(view().status, observed_generation=1)
    seen = view(client(recorded, tokens=(("unregister", "one"),)), contract())
    decision = decide(seen)
    assert (decision.effect, decision.status.phase) == (WriteStatus(), "Retired")


def test_an_action_gives_up() -> None:
    """Fails when an action on a dead gateway is tried for ever."""
    begun = at_rest(asked(("unregister", "one")))
    late = replace(begun, now=NOW + 601, faults={"default": fault(since=NOW)})
    decision = decide(late)
    assert decision.status.action("unregister").outcome == "Failed"
    assert any(n.warning for n in decision.notices) or decision.effect == WriteStatus()
    early = replace(begun, faults={"default": fault(since=NOW - 1)})
    assert decide(early).status.action("unregister").in_progress == "one"


def test_retirement_that_the_gateway_does_not_confirm() -> None:
    """Fails when a retired Client is called retired while its key may still work."""
    seen = registered(contract(), changes_to_client={"state": "Retired"}, **FAULT)
    decision = decide(seen)
    ready = next(c for c in decision.status.conditions if c.type == "Ready")
    assert (decision.effect, ready.reason) == (WriteStatus(), "RetirementPending")
    assert decide(at_rest(seen)).effect == Wait(retry=True)


def test_retirement_on_a_gateway_that_is_only_observed() -> None:
    """Fails when Observe is written to."""
    seen = registered(contract(), gateways=OBSERVE, changes_to_client={"state": "Retired"})
    assert decide(seen).effect == WriteStatus()
    assert decide(at_rest(seen)).status.phase != "Retired"


# Healing -------------------------------------------------------------------------------------------------------------


def test_a_lost_registration_is_put_back() -> None:
    """Fails when a loss is not healed, or heals unpublished changes."""
    seen = registered(contract(), policies=(policy(),), now_policies=(policy(limit=5),), live={"default": absent()})
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.why is Why.HEALED
    assert '"limit":100' in effect.target.policies[0].config


def test_drift_is_corrected() -> None:
    """Fails when somebody else's change stays."""
    effect = decide(registered(contract(), live={"default": ours("other")})).effect
    assert isinstance(effect, Push) and effect.why is Why.CORRECTED


def test_drift_is_only_reported() -> None:
    """Fails when drift.mode: Observe is corrected."""
    seen = registered(contract(), live={"default": ours("other")}, gateways=(gateway(drift_mode="Observe"),))
    assert not isinstance(decide(seen).effect, Push)


@pytest.mark.parametrize(
    "changes",
    [{"key": KeyFact(KeyState.INVALID)}, {"live": {"default": foreign()}}, {"gateways": OBSERVE}, FAULT],
    ids=["no key", "foreign", "observed", "fault"],
)
def test_no_healing(changes: dict[str, Any]) -> None:
    """Fails when healing overwrites what is not ours, or calls what must not be called."""
    live: dict[str, Any] = {"live": {"default": absent()}} | changes
    assert not isinstance(decide(registered(contract(), **live)).effect, Push | Unregister)


MISSING_ORDERS = {"default": frozenset({ApiRef("acme", "orders", "1.0")})}


def test_an_api_that_vanished_keeps_its_place() -> None:
    """Fails when a published contract whose API is gone is dropped, or keeps the others from being healed."""
    both = (contract("billing"), contract("orders"))
    effect = decide(registered(*both, live={"default": absent()}, missing_apis=MISSING_ORDERS)).effect
    assert isinstance(effect, Push)
    assert {entry.name: entry.live for entry in effect.target.contracts} == {"billing": True, "orders": False}


def test_all_apis_vanished() -> None:
    """Fails when an empty registration is pushed to a gateway that has lost its APIs."""
    seen = registered(contract(), live={"default": absent()}, missing_apis=MISSING_ORDERS)
    assert decide(seen).effect == WriteStatus()
    assert isinstance(decide(contracts_written(at_rest(seen))).effect, Wait | Done)


def test_an_api_that_is_back_is_pushed_unasked() -> None:
    """Fails when a contract stays closed though its API is back."""
    before = view(None, contract())
    snapshot = published(before)
    snapshot = replace(snapshot, contracts=tuple(replace(c, live=False) for c in snapshot.contracts))
    effect = decide(registered(contract(), changes_to_status={"gateways": (snapshot,)})).effect
    assert isinstance(effect, Push) and "is back" in effect.detail


def test_a_loss_is_said_when_it_lasts() -> None:
    """Fails when a Client with a lost registration is not looked at again."""
    seen = at_rest(registered(contract(), live={"default": absent(since=NOW - 1)}, gateways=(gateway(mode="Observe"),)))
    assert decide(contracts_written(seen)).effect == Wait(until=NOW + 9)


# Several gateways ----------------------------------------------------------------------------------------------------


def test_reregister_takes_off_what_is_no_longer_wanted_there() -> None:
    """Fails when a Contract that has left a gateway stays live there."""
    two = (gateway(), gateway("second", default=False))
    here, there = contract("orders"), contract("billing", gateway="second")
    before = view(None, here, there, gateways=two)
    from tests.unit.lifecycle.build import status

    recorded = status(before)
    moved = replace(there, gateway="nowhere")
    found = client(recorded, tokens=(("reregister", "one"),))
    seen = at_rest(view(found, here, moved, gateways=two, live={"default": ours(), "second": ours()}))
    effects = [decide(seen).effect]
    assert effects == [Unregister("second", Why.REVOKED, "contract billing taken off")]


def test_reregister_drops_what_turned_invalid() -> None:
    """Fails when a contract that turned invalid stays live though its owner published on purpose."""
    from tests.unit.lifecycle.build import grant, status

    two = (gateway(), gateway("second", default=False, contracts="Granted"))
    both = (contract("orders"), contract("billing", gateway="second"))
    grants = (grant("a", api="billing"),)
    recorded = status(view(None, *both, gateways=two, grants=grants))
    found = client(recorded, tokens=(("reregister", "one"),))
    edited = (both[0], replace(both[1], plan="platinum"))
    live = {"default": ours(), "second": ours()}
    seen = at_rest(view(found, *edited, gateways=two, live=live, grants=grants))
    effect = decide(seen).effect
    assert isinstance(effect, Unregister) and (effect.gateway, effect.why) == ("second", Why.REREGISTERED)


def test_a_gateway_without_contracts_gets_nothing() -> None:
    """Fails when the Client's own gateway gets an empty registration because its Contracts are on another one."""
    two = (gateway(), gateway("second", default=False))
    effect = decide(view(None, contract(gateway="second"), gateways=two)).effect
    assert isinstance(effect, Push) and effect.gateway == "second"


def test_reregister_does_not_push_what_no_api_is_there_for() -> None:
    """Fails when an empty registration replaces one whose APIs will come back."""
    seen = at_rest(asked(("reregister", "one"), missing_apis=MISSING_ORDERS))
    assert not isinstance(decide(seen).effect, Push)


# Deletion ------------------------------------------------------------------------------------------------------------


def test_deletion_takes_off_first() -> None:
    """Fails when a Client goes before its registration."""
    deleted: dict[str, Any] = {"changes_to_client": {"deleting": True}}
    assert decide(registered(contract(), **deleted)).effect == Unregister(
        "default", Why.DELETED, "taken off gateway default"
    )
    assert decide(registered(contract(), live={}, **deleted)).effect == ReadLive("default")
    assert decide(registered(contract(), live={"default": absent()}, **deleted)).effect == DeleteSecret()
    assert decide(registered(contract(), live={"default": foreign()}, **deleted)).effect == DeleteSecret()
    gone = decide(registered(contract(), live={"default": absent()}, key=KeyFact(KeyState.MISSING), **deleted))
    assert gone.effect == RemoveFinalizer()


def test_deletion_waits_for_the_gateway_and_says_so() -> None:
    """Fails when an unreachable gateway lets a live key go."""
    seen = registered(contract(), changes_to_client={"deleting": True}, **FAULT)
    decision = decide(seen)
    assert decision.effect == WriteStatus()
    ready = next(c for c in decision.status.conditions if c.type == "Ready")
    assert ready.reason == "Terminating" and "default" in ready.message
    assert decide(at_rest(seen)).effect == Wait(retry=True)


def test_deletion_of_what_was_never_ours() -> None:
    """Fails when a Client without our finalizer is worked on."""
    assert decide(view(client(deleting=True, finalizers=()))).effect == Done()


def test_deletion_without_any_gateway() -> None:
    """Fails when a Client that never had a gateway can't go."""
    seen = view(client(deleting=True), gateways=(), key=KeyFact(KeyState.MISSING))
    assert decide(seen).effect == RemoveFinalizer()


def test_policies_on_targets_of_other_contracts_do_not_matter() -> None:
    """Fails when a policy for another Contract changes this one."""
    other = policy("other", target=TargetRef("Contract", "billing"))
    assert decide(at_rest(registered(contract(), now_policies=(other,)))).status.phase == "Registered"
