"""Actions: a token of its own for each call, the operator's word for its outcome, and one exit code for many Clients."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import pytest

from registrar.cli.acting import Order, Outcome, Result, exit_code, follow, new_token, outcome_of
from registrar.cli.cluster import Session
from registrar.cli.errors import Exit
from registrar.errors import KubeUnavailable
from tests.unit.cli.objects import Json, client

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


class Cluster:
    """A session whose Clients are done after some looks; it counts how it is asked."""

    def __init__(self, names: list[str], *, blips: int = 0, looks: int = 1) -> None:
        self._names, self._blips, self._looks = names, blips, looks
        self.asked: list[str] = []

    async def find(self, resource: object, wanted: str, *, namespace: str) -> Json:
        self.asked.append(wanted)
        return self._one(wanted)

    async def items(self, resource: object, *, namespace: str) -> list[Json]:
        self.asked.append(f"all of {namespace}")
        return [self._one(each) for each in self._names]

    def _one(self, wanted: str) -> Json:
        if self._blips:
            self._blips -= 1
            raise KubeUnavailable("GET /x: ServerDisconnectedError")
        done = len(self.asked) >= self._looks
        found = told(lastHandledToken="mine" if done else "before", outcome="Succeeded")
        found["metadata"] |= {"name": wanted}
        return found


async def followed(cluster: Cluster, names: list[str], *, timeout: float = 60.0) -> list[Outcome]:
    asked = [Outcome("team-a", each, Result.ASKED) for each in names]
    return await follow(cast(Session, cluster), asked, ORDER, timeout=timeout, done=lambda: None)


async def test_few_are_read_one_by_one_and_many_by_a_list() -> None:
    few = Cluster(["a", "b"])
    assert {row.result for row in await followed(few, ["a", "b"])} == {Result.SUCCEEDED}
    assert few.asked == ["a", "b"]
    names = [f"c{place}" for place in range(21)]
    many = Cluster(names)
    assert len(await followed(many, names)) == 21
    assert many.asked == ["all of team-a"]


async def test_a_blip_of_the_api_server_does_not_end_a_wait() -> None:
    assert [row.result for row in await followed(Cluster(["a"], blips=1), ["a"])] == [Result.SUCCEEDED]


async def test_an_api_server_that_stays_away_does() -> None:
    with pytest.raises(KubeUnavailable):
        await followed(Cluster(["a"], blips=10**6), ["a"], timeout=0.1)


async def test_what_is_not_done_in_time_is_said_with_the_next_step() -> None:
    (outcome,) = await followed(Cluster(["a"], looks=10**6), ["a"], timeout=0.1)
    assert outcome.result is Result.TIMED_OUT and "kubectl registrar why a -n team-a" in outcome.message
