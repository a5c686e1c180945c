"""Actions: a token of its own for each call, the operator's word for its outcome, and one exit code for many Clients."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from registrar.cli.acting import Order, Outcome, Result, exit_code, new_token, outcome_of
from registrar.cli.errors import Exit
from tests.unit.cli.objects import client

KEY = ("team-a", "shop")
ORDER = Order("reregister", "mine")


def told(**entry: Any) -> dict[str, Any]:
    return client(actions=[{"name": "reregister", **entry}])


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def test_no_two_calls_make_the_same_token() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) < 64, "far below what an annotation's token may have"


@pytest.mark.parametrize(
    ("found", "result"),
    [
        (client(), None),
        (told(lastHandledToken="before", outcome="Succeeded"), None),
        (told(lastHandledToken="before", outcome="Succeeded", inProgressToken="mine"), None),
        (told(lastHandledToken="mine", outcome="Succeeded"), Result.SUCCEEDED),
        (told(lastHandledToken="mine", outcome="Failed", message="Refused"), Result.FAILED),
        (told(lastHandledToken="mine", outcome="Skipped"), Result.SKIPPED),
        (told(lastHandledToken="mine", outcome="FromTheFuture"), Result.SKIPPED),
        (told(lastHandledToken="later", outcome="Succeeded", handledTokens=[digest("mine")]), Result.SKIPPED),
        (None, Result.GONE),
    ],
    ids=[
        "nothing yet",
        "another token",
        "in progress",
        "succeeded",
        "failed",
        "skipped",
        "an outcome that is not known",
        "a later token came in between",
        "deleted",
    ],
)
def test_the_outcome_is_that_of_our_token(found: dict[str, Any] | None, result: Result | None) -> None:
    outcome = outcome_of(found, ORDER, key=KEY)
    assert (outcome.result if outcome else None) == result


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([Result.SUCCEEDED, Result.SUCCEEDED], Exit.OK),
        ([Result.ASKED], Exit.OK),
        ([Result.SUCCEEDED, Result.FAILED, Result.TIMED_OUT], Exit.NOT_AS_WANTED),
        ([Result.SKIPPED], Exit.NOT_AS_WANTED),
        ([Result.SUCCEEDED, Result.TIMED_OUT], Exit.TIMED_OUT),
    ],
)
def test_one_exit_code_for_many(results: list[Result], code: Exit) -> None:
    assert exit_code([Outcome("n", str(place), result) for place, result in enumerate(results)]) is code


def test_what_could_not_be_asked_for_comes_first() -> None:
    refused = Outcome("n", "b", Result.REFUSED, exit_code=Exit.NO_RIGHTS)
    assert exit_code([Outcome("n", "a", Result.FAILED), refused]) is Exit.NO_RIGHTS
