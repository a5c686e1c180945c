"""The rules about keys, one by one: what is asked for, what is refused, and the next effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle import actions, key_facts
from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.key_actions import request_of
from registrar.lifecycle.model import (
    Done,
    EndOverlap,
    KeyFact,
    KeyRole,
    KeyState,
    Live,
    LiveFact,
    Push,
    PushKey,
    ReadLive,
    SecretChange,
    Slot,
    Unregister,
    UpdateSecret,
    View,
    Wait,
    Why,
    WriteStatus,
)
from registrar.resources.objects import ApiKeySpec
from registrar.resources.status import ActionStatus
from registrar.resources.times import timestamp
from tests.unit.lifecycle.build import NOW, absent, contract, fault, foreign, gateway, ours, registered, view

HOUR = 3600.0
MADE = timestamp(NOW - HOUR)
VALID = KeyFact(KeyState.VALID, created_at=MADE, current="k1")
EXISTING = ApiKeySpec(source="Existing", secret_name="mine")


def seen(*, key: KeyFact = VALID, carries: str = "k1", ask: str = "", begun: bool = True, **changes: Any) -> View:
    """A published Client whose key is live, with a verb about the key asked for."""
    status: dict[str, Any] = dict(changes.pop("status", {}))
    status.setdefault("key_created_at", MADE)
    client_: dict[str, Any] = dict(changes.pop("client", {}))
    snapshot: dict[str, Any] = changes.pop("snapshot", {})
    if ask:
        client_["tokens"] = ((ask, "one"),)
        if begun:
            status["actions"] = (ActionStatus(name=ask, in_progress="one", started_at=MADE),)
    changes.setdefault("live", {"default": ours(key=carries)})
    made = registered(contract(), changes_to_status=status, changes_to_client=client_, key=key, **changes)
    if not snapshot:
        return made
    gateways = tuple(replace(s, **snapshot) for s in made.status.gateways)
    return replace(made, status=replace(made.status, gateways=gateways))


def next_up(made: View) -> Any:
    """The next effect."""
    return decide(made).effect


OVERLAP = {"second_hash": "old", "second_for": "hash", "version": "1.0.r"}
IN_OVERLAP = replace(VALID, previous="k0", previous_until=NOW + 60)


def overlap(**changes: Any) -> View:
    """A Client in an overlap, everything in place."""
    changes.setdefault("second", {"default": ours("old", key="k0")})
    changes.setdefault("key", IN_OVERLAP)
    changes.setdefault("snapshot", OVERLAP)
    return seen(**changes)


# Asking ----------------------------------------------------------------------------------------------------------


def test_the_intent_comes_first() -> None:
    """Fails when a key is made before the status says that it is being made."""
    made = seen(ask="rotate-key", begun=False)
    assert next_up(made) == WriteStatus()
    assert decide(made).status.action("rotate-key").in_progress == "one"


def test_a_token_waits_for_the_settle_time() -> None:
    """Fails when nobody comes back when the Client has settled, or a token is acted on while the Client's objects still arrive."""
    made = replace(seen(ask="rotate-key", begun=False), settled_at=NOW + 1)
    assert not isinstance(next_up(made), UpdateSecret)
    assert decide(made).status.action("rotate-key").in_progress == ""
    assert NOW + 1 in key_facts.times(case_of(made))


def test_a_rotation_stages_its_key() -> None:
    """Fails when a rotation replaces the key before a gateway has the new one."""
    request = request_of("rotate-key", "one")
    assert next_up(seen(ask="rotate-key")) == UpdateSecret(SecretChange.STAGE, request)


def test_a_revocation_replaces_the_key() -> None:
    """Fails when revoke-key gives the old key an overlap, or forgets a key that a gateway still has."""
    effect = next_up(seen(ask="revoke-key"))
    assert effect == UpdateSecret(SecretChange.REPLACE, request_of("revoke-key", "one"), keep=KeyRole.CURRENT)


def test_a_revocation_in_a_rotation_keeps_what_is_live() -> None:
    """Fails when the key that a rotation has just put on a gateway is no longer known."""
    made = overlap(
        ask="revoke-key", key=replace(VALID, next="k2"), carries="k2", second={"default": ours("old", key="k1")}
    )
    effect = next_up(made)
    assert (effect.change, effect.keep) == (SecretChange.REPLACE, KeyRole.NEXT)


@pytest.mark.parametrize("managed", [True, False])
def test_a_revocation_takes_a_stray_off_first(managed: bool) -> None:
    """Fails when the Secret forgets the key of a registration that no status records."""
    key = replace(VALID, next="k2")
    made = seen(ask="revoke-key", key=key, second={"default": ours("new", key="k2")})
    if managed:
        assert isinstance(next_up(made), EndOverlap)
    else:
        assert not isinstance(next_up(replace(made, faults={"default": fault()})), UpdateSecret)


@pytest.mark.parametrize("state", [KeyState.INVALID, KeyState.IN_USE])
def test_a_bad_key_is_replaced(state: KeyState) -> None:
    """Fails when a rotation can't mend a generated Secret whose key is no good."""
    effect = next_up(seen(ask="rotate-key", key=replace(VALID, state=state, current="")))
    assert (effect.change, effect.keep) == (SecretChange.REPLACE, None)


def test_a_missing_secret_is_made_first() -> None:
    """Fails when a verb about the key gets in before the Secret."""
    made = seen(ask="rotate-key", key=KeyFact(KeyState.MISSING), faults={"default": fault()})
    assert next_up(made) == WriteStatus() or isinstance(next_up(made), Wait)
    problem = seen(ask="rotate-key", key=KeyFact(KeyState.MISSING), gateways=())
    assert not isinstance(next_up(problem), UpdateSecret)


def test_an_observed_gateway_stops_nothing_of_a_missing_key() -> None:
    """Fails when a paused Client without a Secret gets a key by revoke-key."""
    made = seen(ask="revoke-key", key=KeyFact(KeyState.MISSING), client={"paused": True})
    assert not isinstance(next_up(made), UpdateSecret)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "existing": ("rotate-key", {"client": {"api_key": EXISTING}}, "Existing"),
    "existing-revoke": ("revoke-key", {"client": {"api_key": EXISTING}}, "Existing"),
    "paused": ("rotate-key", {"client": {"paused": True}}, "paused"),
    "not-accepted": ("rotate-key", {"gateways": (), "second": {"default": absent()}}, "not accepted"),
    "not-owned": ("rotate-key", {"key": KeyFact(KeyState.NOT_OWNED)}, "shop-api-key"),
    "observed": ("rotate-key", {"managed": frozenset()}, "Observe"),
    "taken": ("rotate-key", {"second": {"default": foreign()}}, "1.0.r"),
    "taken-back": ("rotate-key", {"second": {"default": foreign()}, "snapshot": {"version": "1.0.r"}}, "1.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """Fails when an action that can't be carried out goes on, or ends without saying why."""
    verb, changes, words = REFUSED[name]
    decision = decide(seen(ask=verb, **changes))
    row = decision.status.action(verb)
    assert decision.effect == WriteStatus()
    assert (row.outcome, row.last_handled) == ("Failed", "one")
    assert words in row.message


def test_a_revocation_is_not_paused() -> None:
    """Fails when spec.paused keeps a leaked key alive."""
    assert isinstance(next_up(seen(ask="revoke-key", client={"paused": True})), UpdateSecret)
    request = request_of("revoke-key", "one")
    key = replace(VALID, current="k2", previous="k1", made_for=request)
    effect = next_up(seen(ask="revoke-key", client={"paused": True}, key=key))
    assert (effect.slot, effect.why) == (Slot.MAIN, Why.KEY_REVOKED)


def test_a_fault_that_lasts_ends_the_action() -> None:
    """Fails when a rotation waits for ever, or makes a key after it has given up."""
    made = seen(ask="rotate-key", faults={"default": fault(since=NOW - 700)})
    decision = decide(made)
    assert decision.effect == WriteStatus()
    assert decision.status.action("rotate-key").outcome == "Failed"


def test_a_fault_that_does_not_last_is_waited_for() -> None:
    """Fails when a key is staged for a gateway that can't be reached."""
    decision = decide(seen(ask="rotate-key", faults={"default": fault(since=NOW - 5)}))
    assert not isinstance(decision.effect, UpdateSecret)
    assert decision.status.action("rotate-key").outcome == ""


def test_revoke_supersedes_rotate() -> None:
    """Fails when both verbs about the key are carried out."""
    request = request_of("revoke-key", "one")
    tokens = (("revoke-key", "one"), ("rotate-key", "one"))
    status = {"actions": (ActionStatus(name="revoke-key", in_progress="one", started_at=MADE),)}
    made = seen(client={"tokens": tokens}, status=status, key=replace(VALID, made_for=request))
    decision = decide(made)
    assert {a.name: a.outcome for a in decision.status.actions} == {"revoke-key": "Succeeded", "rotate-key": "Skipped"}


def test_an_unregister_that_is_older_supersedes_nothing_newer() -> None:
    """Fails when a verb that was begun after an unregister is skipped for it."""
    status = {
        "actions": (
            ActionStatus(name="rotate-key", in_progress="one", started_at=timestamp(NOW)),
            ActionStatus(name="unregister", in_progress="u", started_at=MADE),
        )
    }
    made = seen(client={"tokens": (("unregister", "u"),)}, status=status, live={"default": absent()})
    assert decide(made).status.action("rotate-key").outcome == ""


def test_an_unpublished_client_just_gets_a_key() -> None:
    """Fails when the key of a Client that is not registered is staged for a gateway, or the outcome does not say so."""
    made = view(key=VALID)
    begun = actions.begun(replace(made.status, observed_generation=1), "rotate-key", "one", at=MADE)
    seen_ = replace(made, client=replace(made.client, tokens=(("rotate-key", "one"),)), status=begun)
    request = request_of("rotate-key", "one")
    assert next_up(seen_) == UpdateSecret(SecretChange.REPLACE, request)
    done = replace(seen_, key=replace(VALID, made_for=request))
    assert "only the Secret" in decide(done).status.action("rotate-key").message


# Rotating --------------------------------------------------------------------------------------------------------

STAGED = replace(VALID, next="k2")


def test_the_next_key_goes_under_the_free_identity() -> None:
    """Fails when the new key replaces the old one on the gateway."""
    effect = next_up(seen(key=STAGED))
    assert (effect.slot, effect.role, effect.why) == (Slot.FREE, KeyRole.NEXT, Why.KEY_ROTATED)


def test_the_secret_is_swapped_when_the_gateway_has_the_key() -> None:
    """Fails when a key becomes the current one that no gateway has, or the overlap has another length."""
    recorded = {"second_hash": "old", "second_for": "hash", "version": "1.0.r"}
    made = seen(key=STAGED, carries="k2", snapshot=recorded, second={"default": ours("old", key="k1")})
    assert next_up(made) == UpdateSecret(SecretChange.SWAP, until=NOW + HOUR)
    spec = ApiKeySpec(interval=10 * HOUR, overlap=60)
    own = replace(made, client=replace(made.client, api_key=spec))
    assert next_up(own) == UpdateSecret(SecretChange.SWAP, until=NOW + 60)


STUCK: dict[str, dict[str, Any]] = {
    "paused": {"client": {"paused": True}},
    "foreign": {"second": {"default": foreign()}},
    "fault": {"faults": {"default": fault()}},
    "drifted": {"live": {"default": ours("else", key="k1")}, "correcting": frozenset()},
    "half-changed": {"snapshot": OVERLAP, "live": {"default": ours(key="k3")}, "correcting": frozenset()},
}


@pytest.mark.parametrize("name", STUCK)
def test_a_rotation_that_must_wait(name: str) -> None:
    """Fails when a rotation goes on where it must not, or the Secret is swapped before the gateway has the key."""
    effect = next_up(seen(key=STAGED, **STUCK[name]))
    assert not isinstance(effect, UpdateSecret)
    assert not (isinstance(effect, PushKey) and effect.slot is Slot.FREE)


def test_a_rotation_waits_for_its_own_end() -> None:
    """Fails when a second request stages another key in the middle of a rotation."""
    effect = next_up(seen(key=STAGED, ask="rotate-key"))
    assert isinstance(effect, PushKey)


def test_a_rotation_that_came_to_nothing_leaves_no_key() -> None:
    """Fails when the next key stays in the Secret of a Client that is not published any more."""
    made = view(key=STAGED)
    made = replace(made, status=replace(made.status, observed_generation=1))
    assert next_up(made) == UpdateSecret(SecretChange.DROP_NEXT)
    stray = replace(made, second={"default": ours("new", key="k2")})
    assert isinstance(next_up(stray), EndOverlap)


def test_a_running_overlap_ends_for_another_rotation() -> None:
    """Fails when a rotation in an overlap has no identity to go to, or takes one off before that is written down."""
    assert next_up(overlap(ask="rotate-key")) == UpdateSecret(SecretChange.END, until=NOW)
    over = replace(IN_OVERLAP, previous_until=NOW)
    assert isinstance(next_up(overlap(ask="rotate-key", key=over)), EndOverlap)
    stuck = overlap(ask="rotate-key", key=over, second={"default": foreign()})
    assert not isinstance(next_up(stuck), UpdateSecret)


# The overlap -----------------------------------------------------------------------------------------------------


def test_an_overlap_at_rest() -> None:
    """Fails when something is done in the middle of an overlap, or nobody wakes up at its end."""
    decision = decide(overlap())
    written = replace(overlap(), status=decision.status)
    assert decision.status.overlap_ends_at == timestamp(NOW + 60)
    rows = decide(written).effect
    assert not isinstance(rows, PushKey | EndOverlap | UpdateSecret)
    assert NOW + 60 in key_facts.times(case_of(overlap()))


def test_the_overlap_ends() -> None:
    """Fails when the old key outlives the overlap, or the Secret keeps it after that."""
    assert isinstance(next_up(overlap(key=replace(IN_OVERLAP, previous_until=NOW))), EndOverlap)
    assert isinstance(next_up(overlap(key=VALID)), EndOverlap)
    off = seen(key=replace(IN_OVERLAP, previous_until=NOW), snapshot={"version": "1.0.r"})
    assert next_up(off) == UpdateSecret(SecretChange.DROP_PREVIOUS)


def test_the_previous_key_stays_while_it_is_live() -> None:
    """Fails when a key that still works leaves the Secret."""
    key = replace(VALID, current="k2", previous="k1")
    unreachable = seen(key=key, faults={"default": fault()})
    assert not isinstance(next_up(unreachable), UpdateSecret)
    unread = seen(key=key, second={"default": foreign()})
    assert not isinstance(next_up(replace(unread, faults={"default": fault()})), UpdateSecret)


@pytest.mark.parametrize("state", [KeyState.MISSING, KeyState.NOT_OWNED])
def test_a_lost_secret_ends_no_overlap(state: KeyState) -> None:
    """Fails when a deleted Secret takes the old key off before its time."""
    ends = {"overlap_ends_at": timestamp(NOW + 60)}
    kept = overlap(key=KeyFact(state), status=ends, faults={})
    assert not isinstance(next_up(kept), EndOverlap)
    assert key_facts.overlap_ends_at(case_of(kept)) == timestamp(NOW + 60)
    assert key_facts.overlap_ends_at(case_of(overlap(key=KeyFact(state)))) == ""


FOLLOWS: dict[str, tuple[dict[str, Any], bool]] = {
    "in place": ({}, False),
    "behind": ({"snapshot": OVERLAP | {"second_for": "older"}}, True),
    "gone": ({"second": {"default": absent()}}, True),
    "another key": ({"second": {"default": ours("old", key="k9")}}, True),
    "changed": ({"second": {"default": ours("else", key="k0")}}, True),
    "changed, observed": ({"second": {"default": ours("else", key="k0")}, "correcting": frozenset()}, False),
    "gone, paused": ({"second": {"default": absent()}, "client": {"paused": True}}, False),
    "behind, paused": ({"snapshot": OVERLAP | {"second_for": "older"}, "client": {"paused": True}}, True),
    "behind and gone, paused": (
        {
            "snapshot": OVERLAP | {"second_for": "older"},
            "second": {"default": absent()},
            "client": {"paused": True},
        },
        False,
    ),
    "foreign": ({"second": {"default": foreign()}}, False),
    "unreachable": ({"second": {"default": absent()}, "faults": {"default": fault()}}, False),
    "the published one is not there": ({"second": {"default": absent()}, "live": {"default": absent()}}, False),
    "no previous key": ({"second": {"default": absent()}, "key": replace(VALID, next="", previous="")}, False),
    "the key is the published one's": ({"second": {"default": absent()}, "live": {"default": ours(key="k0")}}, False),
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_the_second_registration_follows(name: str) -> None:
    """Fails when the other registration of an overlap lags behind or is not healed, or is pushed without need."""
    changes, pushed = FOLLOWS[name]
    effect = next_up(overlap(**changes))
    assert (isinstance(effect, PushKey) and effect.slot is Slot.SECOND) == pushed


def test_a_copy_leaves_out_what_the_gateway_would_refuse() -> None:
    """Fails when an API that vanished stops a key from being changed."""
    api = contract().api
    made = seen(key=replace(VALID, current="k2"), missing_apis={"default": frozenset({api})})
    effect = next_up(made)
    assert [c.live for c in effect.target.contracts] == [False]


def test_everything_is_taken_off() -> None:
    """Fails when a second registration outlives a Client whose published one is gone already."""
    deleted = overlap(client={"deleting": True}, live={"default": absent()})
    assert isinstance(next_up(deleted), Unregister)
    unknown = replace(deleted, second={})
    assert next_up(unknown) == ReadLive("default")


# A changed key ---------------------------------------------------------------------------------------------------

CHANGED = replace(VALID, current="k2")
NOT_PUSHED: dict[str, dict[str, Any]] = {
    "paused": {"client": {"paused": True}},
    "invalid": {"key": replace(VALID, state=KeyState.INVALID, current="")},
    "fault": {"faults": {"default": fault(since=NOW)}},
    "drifted": {"live": {"default": ours("else", key="k1")}, "correcting": frozenset()},
    "two registrations": {"second": {"default": ours("old", key="k2")}, "snapshot": OVERLAP},
    "observed": {"managed": frozenset()},
}


def test_a_changed_key_is_pushed_alone() -> None:
    """Fails when a changed key waits, or publishes what is pending."""
    made = seen(key=CHANGED, now_contracts=(contract(), contract("billing")))
    effect = next_up(made)
    assert (effect.slot, effect.role, effect.why) == (Slot.MAIN, KeyRole.CURRENT, Why.KEY_CHANGED)
    assert [c.name for c in effect.target.contracts] == ["orders"]


@pytest.mark.parametrize("name", NOT_PUSHED)
def test_a_changed_key_that_is_not_pushed(name: str) -> None:
    """Fails when a key reaches a gateway that must not be changed, or gets into a second registration."""
    effect = next_up(seen(**({"key": CHANGED} | NOT_PUSHED[name])))
    assert not (isinstance(effect, PushKey) and effect.slot is Slot.MAIN)


def test_a_key_changed_under_existing_has_no_age() -> None:
    """Fails when the age of a key is invented that the operator did not make."""
    made = seen(client={"api_key": EXISTING})
    assert key_facts.created_at(made) == ""


def test_a_key_changed_by_hand_is_as_old_as_the_change() -> None:
    """Fails when an edited key counts as old as the one that it replaced."""
    made = seen()
    from registrar.lifecycle.model import Effected

    change = Effected(made.status.gateways[0], Why.KEY_CHANGED, "", NOW)
    assert key_facts.created_at(replace(made, effected={"default": change})) == timestamp(NOW)


# The schedule ----------------------------------------------------------------------------------------------------


def scheduled(age: float, **changes: Any) -> View:
    """A Client whose key is replaced every ten hours, with a key of that age."""
    spec = ApiKeySpec(interval=10 * HOUR, overlap=60)
    made = timestamp(NOW - age)
    client_ = {"api_key": spec} | changes.pop("client", {})
    return seen(client=client_, key=replace(VALID, created_at=made), status={"key_created_at": made}, **changes)


def test_a_key_that_is_due() -> None:
    """Fails when a key gets older than its interval."""
    assert next_up(scheduled(10 * HOUR)) == UpdateSecret(SecretChange.STAGE, "schedule")


@pytest.mark.parametrize("changes", [{"client": {"paused": True}}, {"managed": frozenset()}, {"gateways": ()}])
def test_a_key_that_is_due_and_can_not_be_replaced(changes: dict[str, Any]) -> None:
    """Fails when the schedule replaces a key that an action could not replace either."""
    assert not isinstance(next_up(scheduled(10 * HOUR, **changes)), UpdateSecret)


def test_a_rotation_is_announced_once() -> None:
    """Fails when nobody is told ahead of a rotation, or again and again."""
    made = scheduled(9.5 * HOUR)
    decision = decide(made)
    assert [n.reason for n in decision.notices] == ["KeyRotationDue"]
    assert decision.status.next_rotation_at == timestamp(NOW + 0.5 * HOUR)
    again = replace(made, status=decision.status)
    assert key_facts.announced(case_of(again)) == []
    early = scheduled(HOUR)
    assert key_facts.announced(case_of(early)) == []
    assert key_facts.times(case_of(early)) == [NOW + 8 * HOUR, NOW + 9 * HOUR]


def test_the_schedule_wakes_itself() -> None:
    """Fails when a Client at rest is not looked at again when its key is due."""
    early = scheduled(HOUR)
    written = replace(early, status=decide(early).status)
    rows = decide(written)
    assert isinstance(rows.effect, Wait | Done) or rows.effect.__class__.__name__ == "WriteContracts"
    if isinstance(rows.effect, Wait):
        assert rows.effect.until == NOW + 8 * HOUR


# The Secret ------------------------------------------------------------------------------------------------------


def test_an_outdated_secret_is_mended() -> None:
    """Fails when a change of secretTemplate or secretKey does not reach the Secret, or reaches one that must be left alone."""
    old = replace(VALID, outdated=True)
    assert next_up(seen(key=old)) == UpdateSecret(SecretChange.SYNC)
    assert next_up(seen(key=old, client={"paused": True})) != UpdateSecret(SecretChange.SYNC)
    assert next_up(seen(key=old, client={"api_key": EXISTING})) != UpdateSecret(SecretChange.SYNC)


# Reading ---------------------------------------------------------------------------------------------------------


def test_the_other_identity_is_read_where_something_may_be() -> None:
    """Fails when a restart costs a second read for each Client, or a rotation under way is not looked for."""
    plain = replace(seen(), second={})
    assert key_facts.second(plain, "default") == LiveFact(state=Live.ABSENT)
    for made in (
        overlap(),
        seen(key=STAGED),
        seen(key=replace(VALID, previous="k0")),
        seen(ask="rotate-key"),
        scheduled(10 * HOUR),
        seen(live={"default": ours(genuine=False)}),
        view(),
    ):
        assert key_facts.second(replace(made, second={}), "default").state is Live.UNKNOWN
    assert next_up(replace(seen(key=STAGED), second={})) == ReadLive("default")


def test_a_publish_keeps_the_identities() -> None:
    """Fails when a reregister in an overlap forgets the second registration or the identity."""
    made = overlap(
        now_contracts=(contract(), contract("billing")),
        client={"tokens": (("reregister", "r"),)},
        status={"actions": (ActionStatus(name="reregister", in_progress="r", started_at=MADE),)},
    )
    effect = next_up(made)
    assert isinstance(effect, Push)
    assert (effect.target.version, effect.target.second_hash, effect.target.second_for) == ("1.0.r", "old", "hash")
    assert gateway().meta.name == effect.gateway
