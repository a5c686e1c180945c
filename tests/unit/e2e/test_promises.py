"""What is promised follows from the statuses, and an answer that nothing promised is found."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from localenv.cluster import GROUP, Answer, Json
from tests.e2e import callers
from tests.e2e.callers import Board, call
from tests.e2e.promises import CLOSED, EITHER, HIDDEN, OPEN, Line, Said, said


def client(phase: str, *contracts: str, hidden: bool = False, annotations: Json | None = None, **status: Any) -> Json:
    """A Client with these contracts published, one policy on each of them."""
    pattern = "/.*" if hidden else "/elsewhere"
    policy = {"id": "p1", "type": "ignoredResources", "config": {"rules": [{"verb": "*", "pathPattern": pattern}]}}
    rows = [{"name": name, "policies": ["p1"]} for name in contracts]
    gateways = [{"name": "default", "policies": [policy], "contracts": rows}]
    return {
        "metadata": {
            "name": "shop",
            "annotations": {f"{GROUP}/{key}": token for key, token in (annotations or {}).items()},
        },
        "status": {"phase": phase, "gateways": gateways} | status,
    }


def contract(phase: str = "Active", name: str = "orders") -> Json:
    """A Contract of the Client."""
    api = {"organization": "acme", "name": name, "version": "1.0"}
    return {"metadata": {"name": name}, "spec": {"clientRef": {"name": "shop"}, "api": api}, "status": {"phase": phase}}


def secret(**keys: str) -> Json:
    """The Client's key Secret."""
    data = {entry: base64.b64encode(key.encode()).decode() for entry, key in keys.items()}
    return {"metadata": {"name": "shop-api-key"}, "data": data}


@pytest.fixture
def board() -> Board:
    """A Client with one Contract, live with the key `new`."""
    made = Board()
    made.update("Client", client("Registered", "orders"), gone=False)
    made.update("Contract", contract(), gone=False)
    made.update("Secret", secret(apiKey="new"), gone=False)
    return made


def line(board: Board, key: str = "new") -> Line:
    """What is called with that key."""
    (found,) = (row for row in board.lines() if row.key == key)
    return found


def test_what_is_live_must_answer(board: Board) -> None:
    """Fails when an Active Contract may be refused."""
    assert board.promised(line(board)) == OPEN
    board.update("Client", client("UnpublishedChanges", "orders"), gone=False)
    assert board.promised(line(board)) == OPEN


def test_a_published_policy_must_bite(board: Board) -> None:
    """Fails when a policy that the status tells as published may be without effect."""
    board.update("Client", client("Registered", "orders", hidden=True), gone=False)
    assert board.promised(line(board)) == HIDDEN


@pytest.mark.parametrize(
    ("found", "there"),
    [
        (client("Retired"), True),
        (client("Retired", "orders"), True),
        (client("UnpublishedChanges", "billing"), True),
        (client("Registered", "billing"), False),
    ],
    ids=["retired", "retired, published before", "waits to be published", "deleted and taken off"],
)
def test_what_is_off_must_be_refused(board: Board, found: Json, there: bool) -> None:
    """Fails when a key may still open what a status says is off."""
    board.update("Client", found, gone=False)
    board.update("Contract", contract("Pending"), gone=not there)
    assert board.promised(line(board)) == CLOSED


def test_a_client_that_is_gone_must_be_refused(board: Board) -> None:
    """Fails when the key of a Client that is gone may open anything."""
    board.update("Client", client("Registered", "orders"), gone=True)
    assert board.promised(line(board)) == CLOSED


def test_a_deletion_may_show_until_the_status_tells_it(board: Board) -> None:
    """Fails when a revocation is wrong before it is told, or may fail after that."""
    board.deleted("shop", "orders")
    assert board.promised(line(board)) == EITHER
    board.update("Contract", contract(), gone=True)
    assert board.promised(line(board)) == EITHER
    board.update("Client", client("Registered"), gone=False)
    assert board.promised(line(board)) == CLOSED


def test_an_action_may_show_until_the_status_tells_it(board: Board) -> None:
    """Fails when an unregister is not awaited from its question to its answer."""
    board.asked("shop", "unregister", "t1")
    assert board.promised(line(board)) == EITHER
    board.update("Client", client("Registered", "orders", annotations={"unregister": "t1"}), gone=False)
    assert board.promised(line(board)) == EITHER
    actions = [{"name": "unregister", "lastHandledToken": "t1"}]
    board.update("Client", client("Retired", annotations={"unregister": "t1"}, actions=actions), gone=False)
    assert board.promised(line(board)) == CLOSED


def test_publishing_takes_nothing_away(board: Board) -> None:
    """Fails when a reregister may interrupt what is live."""
    board.asked("shop", "reregister", "t1")
    assert board.promised(line(board)) == {Said.SERVED, Said.HIDDEN}


def test_both_keys_of_an_overlap_must_work(board: Board) -> None:
    """Fails when a key of the Secret may be refused before its time is over, or may work after that."""
    board.update("Secret", secret(apiKey="new", nextApiKey="newer"), gone=False)
    assert [board.promised(line(board, key)) for key in ("new", "newer")] == [OPEN, EITHER]
    board.update("Secret", secret(apiKey="newer", previousApiKey="new"), gone=False)
    assert [board.promised(line(board, key)) for key in ("new", "newer")] == [OPEN, OPEN]
    for seconds, promise in ((60, OPEN), (-60, EITHER)):
        end = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        board.update("Client", client("Registered", "orders", apiKey={"overlapEndsAt": end}), gone=False)
        assert [board.promised(line(board, key)) for key in ("new", "newer")] == [promise, OPEN]
    board.update("Secret", secret(apiKey="newer"), gone=False)
    assert board.promised(line(board)) == CLOSED


@pytest.mark.parametrize(
    ("status", "headers", "meaning"),
    [
        (200, {}, Said.SERVED),
        (404, {}, Said.REFUSED),
        (404, {"X-Policy-Failure-Code": "10007"}, Said.HIDDEN),
        (429, {}, Said.FAULT),
        (500, {}, Said.FAULT),
        (503, {}, Said.FAULT),
    ],
)
def test_answers(status: int, headers: dict[str, str], meaning: Said) -> None:
    """Fails when a fault of the gateway passes for a refusal, or a hidden resource for a dead key."""
    assert said(Answer(status, None, headers)) == meaning


def test_a_wrong_answer_is_kept(board: Board) -> None:
    """Fails when an answer that was not promised is counted as right, or a right one as wrong; no key is in what is told of it."""
    call(board, line(board), lambda: Answer(200, None))
    assert not board.judged.wrong
    for answer in (404, 500):
        call(board, line(board), lambda answer=answer: Answer(answer, None))  # type: ignore[misc]
    assert [row.said for row in board.judged.wrong] == [Said.REFUSED, Said.FAULT]
    assert "key" not in repr(board.judged.wrong[0].line)
    assert board.judged.by_promise == {OPEN: 3}


def test_no_answer_is_a_wrong_one(board: Board) -> None:
    """Fails when a connection that is refused or cut goes unseen."""

    def cut() -> Answer:
        raise ConnectionResetError("cut")

    call(board, line(board), cut)
    assert [(row.said, row.why) for row in board.judged.wrong] == [
        (Said.FAULT, "no answer: ConnectionResetError('cut')")
    ]


def test_what_changes_during_a_call(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when an answer that was right while the call was under way counts as wrong, or one that was right long before as right."""
    monkeypatch.setattr(callers, "LAG_SECONDS", 0.0)

    def revoked() -> Answer:
        board.deleted("shop", "orders")
        board.update("Contract", contract(), gone=True)
        board.update("Client", client("Registered"), gone=False)
        return Answer(200, None)

    call(board, line(board), revoked)
    assert not board.judged.wrong
    call(board, line(board), lambda: Answer(200, None))
    assert [row.said for row in board.judged.wrong] == [Said.SERVED]


def test_the_gateway_may_lag(board: Board) -> None:
    """Fails when the moment is not granted that the gateway's data plane needs after the status was written."""
    board.promised(line(board))
    board.update("Client", client("Retired"), gone=False)
    call(board, line(board), lambda: Answer(200, None))
    assert not board.judged.wrong
