"""The audit lines of a day, and what is read back from them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from registrar.clock import SystemClock
from registrar.engine.accounts import KEY_CREATED, Accounts
from registrar.engine.audit import LOGGER, SCHEMA, Audit
from registrar.engine.audit_reader import Access, History, main
from registrar.engine.memory import ClientMemory
from registrar.errors import (
    GatewayAmbiguous,
    GatewayApiNotPublished,
    GatewayError,
    GatewayRefused,
    GatewayThrottled,
    GatewayUnauthorized,
    GatewayUnreachable,
    KubeConflict,
    KubeRefused,
    KubeUnavailable,
)
from registrar.lifecycle.model import Asker, LiveFact, View, Why
from registrar.resources.status import Snapshot
from registrar.resources.times import parse_timestamp
from tests.unit.lifecycle.build import absent, contract, effected, ours, published, registered
from tests.unit.lifecycle.steps import asked

DAY = "2026-03-01T"


class Clock(SystemClock):
    """A clock that stands at the time of the day that the test says."""

    def __init__(self) -> None:
        self.time = "00:00:00"

    def now(self) -> float:
        return parse_timestamp(f"{DAY}{self.time}Z")


@pytest.fixture
def clock() -> Clock:
    """The day's clock."""
    return Clock()


@pytest.fixture
def accounts(clock: Clock, caplog: pytest.LogCaptureFixture) -> Accounts:
    """Accounts whose lines are caught."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    return Accounts(audit=Audit(), clock=clock)


@pytest.fixture
def memory() -> ClientMemory:
    """A Client's memory."""
    return ClientMemory()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines so far, as the file has them."""
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def rows(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The same, parsed."""
    return [orjson.loads(line) for line in lines(caplog)]


def seen(*contracts: str) -> View:
    """A Client with these Contracts published."""
    return registered(*(contract(name) for name in contracts))


def fail(accounts: Accounts, memory: ClientMemory, view: View, why: Why, target: Snapshot, error: Exception) -> None:
    """One attempt that goes wrong; the error must pass through."""
    with pytest.raises(type(error)), accounts.attempt(view, memory, why, target, before="before"):
        raise error


def test_a_day_is_read_back(
    accounts: Accounts, memory: ClientMemory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when the lines of a day do not tell who could call what at 14:00."""
    two, one, nothing = seen("billing", "orders"), seen("orders"), Snapshot(gateway="default")

    def worked(time: str, why: Why, view: View, snapshot: Snapshot) -> None:
        clock.time = time
        accounts.worked(view, memory, why, snapshot, before="")

    worked("08:00:00", Why.REGISTERED, two, published(two))
    clock.time = "09:30:00"
    fail(accounts, memory, two, Why.REREGISTERED, published(two), GatewayRefused("no", status=500))
    worked("12:00:00", Why.REVOKED, one, published(one))
    clock.time = "13:00:00"
    fail(accounts, memory, two, Why.REREGISTERED, published(two), GatewayAmbiguous("lost"))
    worked("13:00:05", Why.REREGISTERED, two, published(two))
    clock.time = "15:00:00"
    fail(accounts, memory, two, Why.RETIRED, nothing, GatewayAmbiguous("lost"))
    worked("15:00:05", Why.RETIRED, two, nothing)
    history = History.read([*lines(caplog), "", "torn {"])

    def at(time: str) -> list[tuple[str, str, bool]]:
        return [(a.api, a.since[11:16], a.certain) for a in history.access_at(f"{DAY}{time}Z")]

    orders, billing = "acme/orders/1.0", "acme/billing/1.0"
    assert history.unreadable == 1
    assert at("07:59:59") == []
    assert at("08:00:00") == [(billing, "08:00", True), (orders, "08:00", True)]
    assert at("12:30:00") == [(orders, "08:00", True)]
    assert at("13:00:01") == [(billing, "13:00", False), (orders, "08:00", True)]
    assert at("14:00:00") == [(billing, "13:00", True), (orders, "08:00", True)]
    assert at("15:00:01") == [(billing, "13:00", False), (orders, "08:00", False)]
    assert at("16:00:00") == []
    assert history.access_at(f"{DAY}14:00:00Z")[1] == Access(
        client="team/shop",
        gateway="default",
        identity="team/shop/1.0",
        api=orders,
        plan="gold",
        since=f"{DAY}08:00:00Z",
        uid="uid-shop",
    )


def test_the_schema(accounts: Accounts, memory: ClientMemory, caplog: pytest.LogCaptureFixture) -> None:
    """Fails when a field of docs/reference/audit.md goes, or one comes that it does not describe."""
    view = replace(asked(("reregister", "release\n42")), askers=(Asker("reregister", "kubectl-annotate"),))
    accounts.worked(view, memory, Why.REREGISTERED, published(view), before="old")
    fail(accounts, memory, view, Why.REREGISTERED, published(view), GatewayRefused("no", status=500))
    with accounts.key(view, KEY_CREATED):
        pass
    worked, failed, key = rows(caplog)
    assert worked == {
        "schema": SCHEMA,
        "time": f"{DAY}00:00:00Z",
        "client": "team/shop",
        "uid": "uid-shop",
        "verb": "Reregistered",
        "outcome": "Succeeded",
        "gateway": "default",
        "identity": "team/shop/1.0",
        "contracts": [{"api": "acme/orders/1.0", "plan": "gold"}],
        "digestBefore": "old",
        "digestAfter": "hash",
        "action": "reregister",
        "token": "653b6f495369b547",
        "by": ["kubectl-annotate"],
    }
    assert (failed["outcome"], failed["error"], failed["digestAfter"]) == ("Failed", "GatewayRefused", "")
    assert (key["verb"], key["secret"], "gateway" in key) == ("KeyCreated", "shop-api-key", False)
    assert all("\n" not in line and "release" not in line for line in lines(caplog))
    documented = (Path(__file__).parents[3] / "docs/reference/audit.md").read_text()
    for name in {*worked, *failed, *key}:
        assert f"`{name}`" in documented, f"{name} is not described"
    for verb in (*Why, "KeyCreated", "KeyRestored", "KeyDeleted", "Retained"):
        assert f"`{verb}`" in documented, f"{verb} is not described"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (GatewayUnreachable("a"), "GatewayUnreachable"),
        (GatewayAmbiguous("a"), "GatewayUnreachable"),
        (GatewayUnauthorized("a"), "GatewayUnauthorized"),
        (GatewayThrottled("a"), "GatewayThrottled"),
        (GatewayApiNotPublished("a"), "ApiNotPublished"),
        (GatewayRefused("a"), "GatewayRefused"),
    ],
)
def test_what_went_wrong_is_one_documented_word(
    error: GatewayError, word: str, accounts: Accounts, memory: ClientMemory, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when a registration whose API is gone is said to be refused like any other."""
    view = seen("orders")
    fail(accounts, memory, view, Why.HEALED, published(view), error)
    assert [row["error"] for row in rows(caplog)] == [word]
    assert f"`{word}`" in (Path(__file__).parents[3] / "docs/reference/audit.md").read_text()


def test_another_refusal_has_a_line(accounts: Accounts, memory: ClientMemory, caplog: pytest.LogCaptureFixture) -> None:
    """Fails when an API that is gone is taken for the refusal before it, or each retry is told."""
    view = seen("orders")
    for error in (GatewayRefused("a"), GatewayApiNotPublished("b"), GatewayApiNotPublished("c"), GatewayRefused("d")):
        fail(accounts, memory, view, Why.REVOKED, published(view), error)
    assert [row["error"] for row in rows(caplog)] == ["GatewayRefused", "ApiNotPublished", "GatewayRefused"]


def test_a_retry_has_no_second_line(
    accounts: Accounts, memory: ClientMemory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when a dead gateway fills the log, when another fault is left out, or a failure starts anew with each retry."""
    view = seen("orders")
    for error in (GatewayUnreachable("a"), GatewayUnreachable("b"), GatewayRefused("c"), GatewayRefused("d")):
        fail(accounts, memory, view, Why.REVOKED, published(view), error)
        clock.time = "00:10:00"
    assert [row["error"] for row in rows(caplog)] == ["GatewayUnreachable", "GatewayRefused"]
    assert memory.failed["default"].at == parse_timestamp(f"{DAY}00:00:00Z")
    fail(accounts, memory, view, Why.REVOKED, published(view), GatewayAmbiguous("e"))
    fail(accounts, memory, view, Why.REVOKED, published(view), GatewayAmbiguous("f"))
    assert [row["outcome"] for row in rows(caplog)][2:] == ["Unknown", "Unknown"]
    accounts.worked(view, memory, Why.REVOKED, published(view), before="")
    assert memory.failed == {}


@pytest.mark.parametrize(("error", "outcome"), [(KubeRefused("no"), "Failed"), (KubeUnavailable("?"), "Unknown")])
def test_a_key_that_is_not_made(
    error: Exception, outcome: str, accounts: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when a key that may exist has no line."""
    with pytest.raises(type(error)), accounts.key(seen("orders"), KEY_CREATED):
        raise error
    assert [(row["outcome"], row["error"]) for row in rows(caplog)] == [(outcome, type(error).__name__)]


def test_a_name_that_is_taken_is_no_change(accounts: Accounts, caplog: pytest.LogCaptureFixture) -> None:
    """Fails when a Secret that is there already fills the log with keys that were never made."""
    with pytest.raises(KubeConflict), accounts.key(seen("orders"), KEY_CREATED):
        raise KubeConflict("it exists", status=409)
    assert rows(caplog) == []


@pytest.mark.parametrize(
    ("live", "verb", "left"),
    [({"default": ours()}, "Retained", 1), ({"default": absent()}, "Deleted", 0), ({}, "Retained", 1)],
)
def test_a_client_that_is_let_go(
    live: dict[str, LiveFact],
    verb: str,
    left: int,
    accounts: Accounts,
    memory: ClientMemory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fails when a deletion that a crash cut in two leaves the reader with an open door, or a retained one with a closed one."""
    view = registered(contract())
    memory.live.update(live)
    accounts.worked(view, memory, Why.REGISTERED, published(view), before="")
    accounts.let_go(view, memory)
    assert rows(caplog)[-1]["verb"] == verb
    assert len(History.read(lines(caplog)).access_at(f"{DAY}23:00:00Z")) == left
    memory.effected["default"] = effected(Snapshot(gateway="default"), Why.DELETED)
    count = len(lines(caplog))
    accounts.let_go(view, memory)
    assert len(lines(caplog)) == count, "the change itself had its line"


def test_what_was_found(accounts: Accounts, caplog: pytest.LogCaptureFixture) -> None:
    """Fails when a push whose line a crash swallowed never gets one."""
    view = seen("orders")
    accounts.found(view, published(view))
    assert [(row["verb"], row["by"]) for row in rows(caplog)] == [("TakenOver", ["gateway-registrar"])]
    assert len(History.read(lines(caplog)).access_at(f"{DAY}00:00:00Z")) == 1


def test_the_command(
    accounts: Accounts,
    memory: ClientMemory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Fails when the reader can't be used on a collector's file, or says nothing of lines that it could not read."""
    view = seen("orders")
    accounts.worked(view, memory, Why.REGISTERED, published(view), before="")
    file = tmp_path / "audit.log"
    file.write_text(f"12:00:00 info registrar.audit: {lines(caplog)[0]}\n")
    assert main([f"{DAY}14:00:00Z", str(file)]) == 0
    assert "team/shop  acme/orders/1.0  plan gold  on default  since 2026-03-01T00:00:00Z" in capsys.readouterr().out
    fail(accounts, memory, view, Why.REVOKED, Snapshot(gateway="default"), GatewayAmbiguous("lost"))
    file.write_text("\n".join([*lines(caplog), '{"schema": "another/v9"}']))
    assert main([f"{DAY}14:00:00Z", str(file)]) == 1
    told = capsys.readouterr()
    assert "perhaps" in told.out and "1 lines" in told.err
    assert main([]) == 2
