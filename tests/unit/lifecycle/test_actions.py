"""The rules of actions: conflicts, refusals, time, and who asked; each with the case that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import Asker, Done, KeyFact, KeyState, Push, Unregister, View, Wait, Why, WriteStatus
from registrar.lifecycle.report import report
from registrar.resources.objects import ApiKeySpec
from registrar.resources.status import Snapshot
from tests.unit.lifecycle.build import (
    NOW,
    absent,
    contract,
    effected,
    fault,
    foreign,
    gateway,
    policy,
    registered,
)
from tests.unit.lifecycle.steps import asked, at_rest
from tests.unit.lifecycle.world import World


def with_tokens(seen: View, *tokens: tuple[str, str]) -> View:
    """The same view with other annotations."""
    return replace(seen, client=replace(seen.client, tokens=tokens))


def outcomes(seen: View) -> dict[str, str]:
    """How the actions of the status that is written now have ended."""
    return {action.name: action.outcome for action in decide(seen).status.actions}


def test_a_reregister_that_comes_after_the_unregister_began_is_carried_out() -> None:
    """Fails when an unregister that a slow gateway draws out swallows the reregister that a user asks for later."""
    begun = at_rest(asked(("unregister", "one")))
    later = with_tokens(begun, ("unregister", "one"), ("reregister", "two"))
    assert isinstance(decide(later).effect, Unregister)
    off = replace(
        later,
        live={"default": absent()},
        effected={"default": effected(Snapshot(gateway="default"), Why.RETIRED)},
    )
    assert outcomes(off) == {"unregister": "Succeeded"}
    assert decide(replace(at_rest(off), effected={})).status.action("reregister").in_progress == "two"


def test_an_unregister_supersedes_what_is_in_progress() -> None:
    """Fails when a reregister that waits for a gateway goes on after an unregister."""
    begun = at_rest(asked(("reregister", "one")))
    both = with_tokens(begun, ("unregister", "two"), ("reregister", "one"))
    status = decide(both).status
    assert (status.action("unregister").in_progress, status.action("reregister").outcome) == ("two", "Skipped")
    assert isinstance(decide(at_rest(both)).effect, Unregister)


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("KeyInvalid", replace(asked(("reregister", "one")), key=KeyFact(KeyState.INVALID))),
        ("KeyInUse", replace(asked(("reregister", "one")), key=KeyFact(KeyState.IN_USE))),
        ("did not make", replace(asked(("reregister", "one")), live={"default": foreign()})),
        ("Observe", asked(("reregister", "one"), gateways=(gateway(mode="Observe"),))),
        ("Observe", asked(("unregister", "one"), gateways=(gateway(mode="Observe"),))),
    ],
)
def test_refused_for_good(word: str, seen: View) -> None:
    """Fails when an action that waits for a person stays in progress without an end."""
    decision = decide(seen)
    verb = seen.client.tokens[0][0]
    action = decision.status.action(verb)
    assert (decision.effect, action.outcome, action.in_progress) == (WriteStatus(), "Failed", "")
    assert word in action.message
    assert decision.status.retired_by == ""
    assert [n.reason for n in decision.notices] == ["ActionFailed"]
    assert not isinstance(decide(at_rest(seen)).effect, Push | Unregister)


def test_a_key_that_the_operator_makes_is_waited_for() -> None:
    """Fails when a reregister is refused because the generated Secret is being made again."""
    seen = replace(asked(("reregister", "one")), key=KeyFact(KeyState.MISSING))
    assert report(case_of(seen)).action("reregister").outcome == ""
    existing = replace(seen, client=replace(seen.client, api_key=ApiKeySpec(source="Existing", secret_name="mine")))
    assert report(case_of(existing)).action("reregister").outcome == "Failed"


def test_the_time_of_an_action_starts_with_the_action() -> None:
    """Fails when a fault that is older than the token ends the action before it was tried."""
    begun = at_rest(asked(("reregister", "one")))
    old = replace(begun, faults={"default": fault(since=NOW - 10_000)})
    assert decide(old).status.action("reregister").in_progress == "one"
    assert decide(replace(old, now=NOW + 601)).status.action("reregister").outcome == "Failed"


def test_a_retirement_stands_when_its_action_gives_up() -> None:
    """Fails when a key goes on working for ever because the gateway was down for longer than an action waits."""
    begun = at_rest(asked(("unregister", "one")))
    late = at_rest(replace(begun, now=NOW + 601, faults={"default": fault(since=NOW)}))
    action = late.status.action("unregister")
    assert (action.outcome, late.status.retired_by) == ("Failed", "Annotation")
    assert "stands" in action.message
    back = replace(late, faults={})
    assert isinstance(decide(back).effect, Unregister)


def test_a_retirement_by_a_former_action_is_asked_by_nobody_new() -> None:
    """Fails when the log names a token for what no token asked for."""
    from registrar.lifecycle.askers import asked_by

    seen = replace(registered(contract()), askers=(Asker("Client shop", "helm"),))
    assert asked_by(seen, Why.RETIRED).words == "helm"


def test_a_token_while_paused_is_over() -> None:
    """Fails when a token that was refused while paused fires when the pause ends."""
    paused = asked(("reregister", "one"))
    paused = replace(paused, client=replace(paused.client, paused=True))
    refused = at_rest(paused)
    assert refused.status.action("reregister").outcome == "Failed"
    resumed = replace(refused, client=replace(refused.client, paused=False))
    assert isinstance(decide(resumed).effect, Wait | Done) or not isinstance(decide(resumed).effect, Push)
    assert decide(resumed).status.action("reregister").outcome == "Failed"


def test_an_unregister_while_paused_is_carried_out() -> None:
    """Fails when a pause keeps a key alive that its owner wants dead."""
    paused = asked(("unregister", "one"))
    paused = replace(paused, client=replace(paused.client, paused=True))
    assert isinstance(decide(at_rest(paused)).effect, Unregister)


def test_a_hundred_applications_of_one_token() -> None:
    """Fails when a controller that applies the same manifest again and again causes more than one effect."""
    world = World(contracts=[contract()], policies=[policy()])
    world.run()
    world.pushes.clear()
    world.policies = [policy(limit=10)]
    for _ in range(100):
        tokens(world, ("reregister", "release-42"))
        world.run()
    assert len(world.pushes) == 1


def test_ten_thousand_tokens_in_a_row() -> None:
    """Fails when tokens make the status grow, or each of them calls the gateway."""
    world = World(contracts=[contract()], policies=[policy()])
    world.run()
    world.pushes.clear()
    for number in range(10_000):
        tokens(world, ("reregister", f"token-{number}"))
        world._step()
    world.run()
    assert world.client is not None
    assert world.client.status.action("reregister").last_handled == "token-9999"
    assert world.pushes == []
    status = world.client.status
    assert len(status.action("reregister").handled) == 32
    assert len(world.client.status_blob) < 4_000
    assert [entry.what for entry in status.change_log] == ["Registered"]


def test_a_thousand_refused_tokens() -> None:
    """Fails when refusals push the registration out of the log, or make it grow."""
    world = World(contracts=[contract()])
    world.run()
    assert world.client is not None
    world.client = replace(world.client, paused=True)
    for number in range(1_000):
        tokens(world, ("reregister", f"token-{number}"))
        world.run()
    log = world.client.status.change_log
    assert (len(log), log[0].what, log[-1].by) == (20, "Registered", "reregister token-999")


def tokens(world: World, *pairs: tuple[str, str]) -> None:
    """Set the annotations."""
    assert world.client is not None
    world.client = replace(world.client, tokens=pairs)
