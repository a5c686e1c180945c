"""What an answer is taken for, and what may be called."""

from __future__ import annotations

from typing import Any

import pytest

from registrar.cli.calling.explain import KeyRole, Subject, explain
from registrar.cli.calling.keys import role_of
from registrar.cli.calling.request import (
    HIDDEN,
    Answer,
    Request,
    check_endpoint,
    headers_of,
    in_the_clear,
    method_of,
    url_of,
    without,
)
from registrar.cli.errors import Exit, GatewayFault, Usage

NOW = 1_800_000_000.0
KEY = "0123456789abcdef0123456789"
LIMIT = {"id": "Client:team/few", "type": "rateLimit", "config": {"limit": 5, "period": "Day", "headerReset": "X-Anew"}}
PER_HOUR = {"id": "Plan:acme/hourly", "type": "rateLimit", "config": {"limit": 50, "period": "Hour"}}
BLOCK = {"id": "Client:team/block", "type": "ipBlockList", "config": {"ipList": ["10.0.0.1"]}}
HIDDEN_CONFIG = {"id": "Plan:acme/quota", "type": "quota", "digest": "d"}


def subject(*policies: dict[str, Any], key: KeyRole = KeyRole.CURRENT, ready: str = "True") -> Subject:
    """A Contract that is live with these policies."""
    contract = {
        "metadata": {"name": "orders", "namespace": "team", "uid": "u"},
        "status": {
            "gateway": "default",
            "livePlan": "gold",
            "liveVersion": "1.0",
            "conditions": [{"type": "Ready", "status": ready, "reason": "UnpublishedChanges"}],
        },
    }
    entry = {"uid": "u", "policies": [row["id"] for row in policies]}
    client = {
        "metadata": {"name": "shop", "namespace": "team"},
        "status": {
            "apiKey": {"overlapEndsAt": "2027-01-15T09:00:00Z"},
            "gateways": [{"name": "default", "policies": list(policies), "contracts": [entry]}],
        },
    }
    return Subject(contract, client, key, NOW)


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, {name.lower().replace("_", "-"): value for name, value in headers.items()}, b"")


NO_CLIENT = "No client found for API Key ..."


@pytest.mark.parametrize(
    ("about", "given", "code", "words"),
    [
        (subject(), answer(200), Exit.OK, "The API answered"),
        (subject(), answer(302), Exit.OK, "The API answered"),
        (subject(), answer(500), Exit.NOT_AS_WANTED, "500 is the API's own answer"),
        (subject(ready="False"), answer(200), Exit.OK, "What is live is version 1.0 on plan gold"),
        (subject(key=KeyRole.PREVIOUS), answer(200), Exit.OK, "former key; it stops working in 60m"),
        (subject(LIMIT), answer(200, X_RateLimit_Remaining="2", X_Anew="120"), Exit.OK, "rateLimit: 2 of 5 left, anew in 2m"),
        (subject(), answer(404, X_Gateway_Error=NO_CLIENT), Exit.NOT_LIVE, "is not registered there"),
        (subject(key=KeyRole.PREVIOUS), answer(404, X_Gateway_Error=NO_CLIENT), Exit.NOT_LIVE, "its overlap is over"),
        (subject(key=KeyRole.NEXT), answer(404, X_Gateway_Error=NO_CLIENT), Exit.NOT_LIVE, "of a rotation"),
        (subject(key=KeyRole.UNKNOWN), answer(404, X_Gateway_Error=NO_CLIENT), Exit.NOT_LIVE, "none of the Client's"),
        (subject(), answer(404, X_Gateway_Error="No contract found between"), Exit.NOT_LIVE, "the Contract is not live"),
        (subject(), answer(404, X_Gateway_Error="API not found."), Exit.NOT_LIVE, "does not have this API"),
        (subject(), answer(403, X_Gateway_Error="API not public."), Exit.NOT_LIVE, "saw no key"),
        (subject(), answer(410, X_Gateway_Error="retired"), Exit.NOT_LIVE, "The API is retired"),
        (subject(), answer(502, X_Gateway_Error="Unable to connect"), Exit.GATEWAY, "could not reach the API behind it"),
        (subject(), answer(500, X_Gateway_Error="Policy not found"), Exit.GATEWAY, "The gateway itself failed with 500"),
        (subject(BLOCK), answer(403, X_Policy_Failure_Code="10002"), Exit.DENIED, "Policy team/block on Client"),
        (subject(), answer(401, X_Policy_Failure_Code="10004"), Exit.DENIED, "wants a user name"),
        (subject(), answer(500, X_Policy_Failure_Code="10006"), Exit.DENIED, "names no user"),
        (subject(), answer(403, X_Policy_Failure_Code="\x1b[1m99"), Exit.DENIED, "(failure code 1m99)"),
        (subject(HIDDEN_CONFIG), answer(429, X_Policy_Failure_Code="10012"), Exit.LIMITED, "Policy acme/quota on Plan."),
    ],
)  # fmt: skip
def test_an_answer_is_taken_for_what_it_is(about: Subject, given: Answer, code: Exit, words: str) -> None:
    """Fails when an answer is explained as something else."""
    found = explain(about, given)
    assert (found.exit_code, words in found.said) == (code, True), found.said


def test_the_limit_that_is_hit_is_named_with_its_end() -> None:
    """Fails when of two limits the wrong one is named, or its own header for the reset is not read."""
    code = {"X_Policy_Failure_Code": "10005"}
    first = explain(subject(LIMIT, PER_HOUR), answer(429, **code, X_RateLimit_Limit="5", X_Anew="7200"))
    assert "team/few on Client (5 per Day)." in first.said and "acme/hourly" not in first.said
    assert "starts anew in 2h" in first.step and first.exit_code is Exit.LIMITED
    second = explain(subject(LIMIT, PER_HOUR), answer(429, **code, X_RateLimit_Limit="50", X_RateLimit_Reset="30"))
    assert "acme/hourly on Plan (50 per Hour)" in second.said and "in 30s" in second.step
    neither = explain(subject(LIMIT, PER_HOUR), answer(429, **code))
    assert "One of the policies team/few" in neither.said and "acme/hourly" in neither.said


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../b", "%2e%2e/x", "a/%252e%252e/b", "http://evil/", "//evil/", "a b", "a\nb", "a#b", "..\\x", "./x"],
)
def test_a_path_can_not_lead_elsewhere(path: str) -> None:
    """Fails when a path leaves the API, or takes the key to another host."""
    with pytest.raises(Usage):
        url_of("https://gateway/acme/orders/1.0", path)


def test_paths_and_queries_are_kept() -> None:
    """Fails when a plain path is refused or changed."""
    assert url_of("https://gateway/a/", "/items?at=1..2&x=%20") == "https://gateway/a/items?at=1..2&x=%20"
    assert url_of("https://gateway/a", "") == "https://gateway/a"
    assert url_of("https://gateway/a", "v1.0/...") == "https://gateway/a/v1.0/..."


def test_only_a_gateway_gets_the_key() -> None:
    """Fails when a key would go to what is no plain URL, or plain http is not noticed."""
    for endpoint in ("ftp://gateway", "https://", "https://user@gateway/", "javascript:x"):
        with pytest.raises(GatewayFault):
            check_endpoint(endpoint)
    check_endpoint("https://gateway/a")
    assert in_the_clear("http://gateway/a") and not in_the_clear("http://127.0.0.1:8080/a")
    assert not in_the_clear("https://gateway/a")


def test_headers_and_methods() -> None:
    """Fails when a header can carry another one, replaces the key, or a method is none."""
    assert headers_of(["Accept: text/plain", "X-Empty:"]) == (("Accept", "text/plain"), ("X-Empty", ""))
    for line in ("no colon", "A B: x", "X: a\r\nY: b", "x-api-key: mine"):
        with pytest.raises(Usage):
            headers_of([line])
    assert (method_of("", has_body=False), method_of("", has_body=True), method_of("put", has_body=True)) == (
        "GET", "POST", "PUT",
    )  # fmt: skip
    with pytest.raises(Usage):
        method_of("GET /", has_body=False)


def test_the_key_is_in_nothing_that_is_shown() -> None:
    """Fails when the key comes back in a body, a header or a repr: the gateway repeats a key that it does not know."""
    found = without(KEY, 404, {"X-Gateway-Error": f"No client found for API Key {KEY}"}, f"a{KEY}b".encode())
    assert (found.body, found.headers["x-gateway-error"]) == (
        f"a{HIDDEN}b".encode(),
        f"No client found for API Key {HIDDEN}",
    )
    assert KEY not in repr(found) + repr(Request("GET", "https://gateway", KEY))


def test_whose_key_it_is() -> None:
    """Fails when a key has another role than the Secret gives it."""
    known = {"current": KEY, "previous": KEY[::-1]}
    assert role_of(KEY, known) is KeyRole.CURRENT and role_of(KEY[::-1], known) is KeyRole.PREVIOUS
    assert role_of("another-key-of-somebody", known) is KeyRole.UNKNOWN
