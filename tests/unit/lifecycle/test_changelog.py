"""The change log: what makes an entry, who is named in it, and what stays when much happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.askers import asked_by
from registrar.lifecycle.case import case_of
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import Asker, Effected, Failed, Fault, LiveContract, LiveFact, View, Why
from registrar.lifecycle.report import notices, report
from registrar.resources.objects import ApiRef
from registrar.resources.status import ActionStatus, ClientStatus, LogEntry, Snapshot
from registrar.resources.times import timestamp
from tests.unit.lifecycle.build import NOW, absent, client, contract, fault, ours, published, registered, view
from tests.unit.lifecycle.steps import asked, at_rest


def entry(what: str, outcome: str = "Succeeded", detail: str = "", time: str = "t") -> LogEntry:
    """One entry."""
    return LogEntry(time=time, what=what, outcome=outcome, detail=detail)


def log_of(seen: View) -> list[tuple[str, str]]:
    """What the log says now, and how it ended."""
    return [(e.what, e.outcome) for e in report(case_of(seen)).change_log]


def failing(seen: View, *, at: float = NOW - 60, standing: bool = True, why: Why = Why.REREGISTERED) -> View:
    """The view while a change does not work."""
    failed = {"default": Failed(why=why, error=Fault.REFUSED.value, by="reregister one", at=at)}
    faults = {"default": fault(since=at, kind="GatewayRefused")} if standing else {}
    return replace(seen, failed=failed, faults=faults)


@pytest.mark.parametrize("noise", ["Revoked", "Healed", "DriftCorrected", "Published"])
def test_noise_never_pushes_out_the_last_registration(noise: str) -> None:
    """Fails when twenty changes of another kind hide when the Client was registered, and by whom."""
    seen = registered(contract())
    log: tuple[LogEntry, ...] = (
        entry("Registered", time="old"),
        entry("Unregistered"),
        entry("Registered", time="new"),
        entry("Reregistered", "Failed"),
    )
    for number in range(25):
        status = replace(seen.status, change_log=log)
        changed = Effected(published(seen), Why(noise), f"change {number}", NOW + number)
        log = report(case_of(replace(seen, status=status, effected={"default": changed}))).change_log
    assert len(log) == 20
    assert [(e.what, e.time) for e in log[:2]] == [("Unregistered", "t"), ("Registered", "new")]
    assert log[-1].detail == "change 24"
    assert [e.detail for e in log[2:]] == [f"change {number}" for number in range(7, 25)]


def test_an_entry_says_when_and_by_whom() -> None:
    """Fails when the log has the time of its writing, or forgets who asked."""
    seen = registered(contract())
    done = Effected(published(seen), Why.REREGISTERED, "", NOW - 90, "reregister one by kubectl-annotate")
    written = report(case_of(replace(seen, effected={"default": done}))).change_log[-1]
    assert (written.time, written.by) == ("2027-01-15T07:58:30Z", "reregister one by kubectl-annotate")
    assert written.detail == "on gateway default"


def test_a_change_that_does_not_work_is_said_once() -> None:
    """Fails when a retry makes a second entry, or a failure makes none."""
    seen = failing(asked(("reregister", "one")))
    written = report(case_of(seen))
    assert [(e.what, e.outcome, e.detail, e.by) for e in written.change_log] == [
        ("Reregistered", "Failed", "on gateway default: GatewayRefused", "reregister one")
    ]
    assert [(n.reason, n.warning) for n in notices(case_of(seen))] == [("ChangeFailed", True)]
    again = failing(replace(seen, status=written), at=NOW - 30)
    assert report(case_of(again)).change_log == written.change_log
    assert notices(case_of(again)) == ()


def test_a_failure_after_a_success_is_a_new_one() -> None:
    """Fails when a fault of last week keeps that of today out of the log."""
    old = entry("Reregistered", "Failed", "on gateway default: GatewayRefused")
    other = entry("Reregistered", "Failed", "on gateway other: GatewayRefused")
    for log, count in (((old, entry("Reregistered")), 3), ((old, other), 2), ((other,), 2)):
        seen = failing(asked(("reregister", "one")))
        seen = replace(seen, status=replace(seen.status, change_log=log))
        assert len(report(case_of(seen)).change_log) == count


@pytest.mark.parametrize("changes", [{"at": NOW - 1}, {"standing": False}])
def test_a_blip_is_no_entry(changes: dict[str, Any]) -> None:
    """Fails when each lost answer costs an entry and a write."""
    assert log_of(failing(asked(("reregister", "one")), **changes)) == []


def test_a_registration_that_is_taken_over_is_an_entry() -> None:
    """Fails when a push whose status a crash swallowed never shows in the log."""
    found = LiveFact(
        state=ours().state, digest="found", contracts=(LiveContract(ApiRef("acme", "orders", "1.0"), "gold", ()),)
    )
    seen = view(client(ClientStatus(observed_generation=1)), contract(), live={"default": found})
    decision = decide(seen)
    assert [(e.what, e.by) for e in decision.status.change_log] == [("TakenOver", "gateway-registrar")]
    assert decision.taken_over == ("default",)
    assert [n.reason for n in decision.notices] == ["TakenOver"]
    assert decide(at_rest(seen)).taken_over == ()


def test_what_is_recorded_is_not_taken_over() -> None:
    """Fails when every start writes that a registration was found."""
    assert log_of(registered(contract())) == []
    forged = registered(contract(), live={"default": replace(ours(), genuine=False, contracts=())})
    assert log_of(forged) == []


def test_actions_without_success_are_entries() -> None:
    """Fails when the log does not say that something was asked for and refused."""
    seen = asked(("unregister", "one"), ("reregister", "two"))
    seen = replace(seen, askers=(Asker("reregister", "argocd"), Asker("Client shop", "helm")))
    made = report(case_of(seen)).change_log
    assert [(e.what, e.outcome, e.by) for e in made] == [("reregister", "Skipped", "reregister two by argocd")]


def test_tokens_of_birth_are_no_entries() -> None:
    """Fails when a restore fills the log with what nobody asked for."""
    seen = view(client(tokens=(("reregister", "old"), ("unregister", "old"))), contract())
    assert log_of(seen) == []


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (Why.REGISTERED, "argocd, helm"),
        (Why.PUBLISHED, "argocd, helm"),
        (Why.REREGISTERED, "reregister one by kubectl-annotate"),
        (Why.RETIRED, "reregister one by kubectl-annotate"),
        (Why.REVOKED, ""),
        (Why.DELETED, ""),
        (Why.HEALED, "gateway-registrar"),
        (Why.CORRECTED, "gateway-registrar"),
    ],
)
def test_who_asked(why: Why, words: str) -> None:
    """Fails when somebody is named who did not ask: a deletion has no field manager, and healing no user."""
    askers = (
        Asker("Client shop", "helm"),
        Asker("Contract orders", "argocd"),
        Asker("Policy limit", "helm"),
        Asker("reregister", "kubectl-annotate"),
    )
    seen = replace(asked(("reregister", "one")), askers=askers)
    assert asked_by(seen, why).words == words


@pytest.mark.parametrize(
    ("why", "verb", "words"),
    [
        (Why.KEY_ROTATED, "rotate-key", "rotate-key one by kubectl-annotate"),
        (Why.KEY_REVOKED, "revoke-key", "revoke-key one by kubectl-annotate"),
        (Why.KEY_ROTATED, "reregister", "gateway-registrar"),
        (Why.OVERLAP_ENDED, "rotate-key", "gateway-registrar"),
        (Why.KEY_CHANGED, "rotate-key", ""),
    ],
)
def test_who_asked_for_a_key(why: Why, verb: str, words: str) -> None:
    """Fails when a rotation by the schedule is put on somebody, or an edited Secret on whoever last changed the Client."""
    begun = ClientStatus(
        observed_generation=1, actions=(ActionStatus(name=verb, in_progress="one", started_at=timestamp(NOW)),)
    )
    askers = (Asker("Client shop", "helm"), Asker(verb, "kubectl-annotate"))
    assert asked_by(view(client(begun), contract(), askers=askers), why).words == words


def test_a_token_in_the_log_is_one_short_line() -> None:
    """Fails when a token brings line breaks, or 256 characters, into a table of twenty."""
    seen = asked(("reregister", "a\nb\x1b[31m" + "x" * 200))
    found = asked_by(seen, Why.REREGISTERED)
    assert found.words.startswith("reregister a b [31mxxx") and found.words.isprintable()
    assert (len(found.words), len(found.digest)) == (len("reregister ") + 64, 16)
    assert asked_by(registered(contract()), Why.REGISTERED).digest == ""


def test_many_managers_are_cut() -> None:
    """Fails when very many tools make an entry too long for the status."""
    askers = tuple(Asker(f"Policy {number}", f"tool-{number}") for number in range(9))
    seen = replace(registered(contract()), askers=askers)
    assert asked_by(seen, Why.PUBLISHED).words == "tool-0, tool-1, tool-2, tool-3"


def test_an_unregistered_client_takes_nothing_over() -> None:
    """Fails when an absent registration is called found."""
    seen = view(client(ClientStatus(observed_generation=1)), contract(), live={"default": absent()})
    gone = replace(seen, effected={"default": Effected(Snapshot(gateway="default"), Why.RETIRED, "", NOW)})
    assert log_of(gone) == [("Unregistered", "Succeeded")]
