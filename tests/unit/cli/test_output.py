"""What reaches the terminal: nothing that somebody wrote into an object can steer it, and no line is lost in a pipe."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from registrar.cli.clienttree import ClientView, change_line, client_tree
from registrar.cli.errors import Usage
from registrar.cli.options import Form
from registrar.cli.output import clean, data, say, show, table, text
from registrar.cli.progress import confirm, counted
from tests.unit.cli.objects import NOW, client, condition, contract, gateway

HOSTILE = "\x1b[31mred\x1b]0;title\x07[bold]b[/bold]\u202egnp.exe\u2028line\r\x00"


@given(st.text())
def test_no_control_character_passes(written: str) -> None:
    assert not {unicodedata.category(letter) for letter in clean(written)} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_line_breaks_stay_only_where_they_are_asked_for() -> None:
    assert clean("a\nb") == "a\\nb" and clean("a\nb\t", lines=True) == "a\nb\\t"


def test_what_a_tenant_wrote_is_shown_and_does_nothing() -> None:
    """Neither escape codes nor rich's markup out of an object take effect, in any of the ways that text is printed."""
    stream = io.StringIO()
    rows = table("A")
    rows.add_row(text(HOSTILE))
    show(rows, stream=stream)
    say(HOSTILE, "red", stream=stream)
    show(change_line({"type": "PolicyAdded", "message": HOSTILE}), stream=stream)
    shown = stream.getvalue()
    assert "\x1b" not in shown and "\u202e" not in shown and "\r" not in shown
    assert shown.count("\\x1b[31mred") == 3 and shown.count("[bold]b[/bold]") == 3


@pytest.mark.parametrize("form", [Form.JSON, Form.YAML])
def test_data_is_whole_and_has_no_control_character(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    data({"text": HOSTILE}, form)
    printed = capsys.readouterr().out
    assert not set(HOSTILE) & set(printed) & {"\x1b", "\u202e", "\u2028", "\x00", "\r"}
    read = json.loads(printed) if form is Form.JSON else yaml.safe_load(printed)
    assert read == {"text": HOSTILE}


def test_a_pipe_gets_whole_lines() -> None:
    stream = io.StringIO()
    rows = table("A", "B")
    rows.add_row(text("x" * 300), text("y" * 300))
    show(rows, stream=stream)
    assert len(stream.getvalue().splitlines()) == 2


def test_the_tree_of_a_client() -> None:
    """Contracts with their chain in order, what is not published, what is pending, and what was asked for."""
    published = {
        "name": "default",
        "state": "Registered",
        "registeredAt": "2027-01-15T07:00:00Z",
        "policies": [
            {"id": "Plan:acme/gold", "type": "quota", "rollout": "Immediate", "digest": "9f"},
            {"id": "Client:team-a/limit", "type": "rateLimit", "config": {"limit": 100, "deep": {"er": [1, "a"]}}},
        ],
        "contracts": [
            {
                "name": "orders",
                "uid": "u-orders",
                "api": {"organization": "acme", "name": "orders", "version": "1.0"},
                "plan": "gold",
                "live": True,
                "policies": ["Client:team-a/limit", "Plan:acme/gold"],
            },
            {"name": "gone", "uid": "u-gone", "live": False, "policies": []},
        ],
    }
    shop = client(
        condition("Ready", "True", "ServingPrevious"),
        phase="UnpublishedChanges",
        gateways=[published],
        apiKey={
            "secretName": "shop-api-key",
            "createdAt": "2027-01-14T08:00:00Z",
            "overlapEndsAt": "2027-01-15T09:00:00Z",
        },
        pendingChanges=[{"type": "ContractRemoved", "message": "ContractRemoved old", "gateway": "default"}],
        pendingChangesTruncated=3,
        actions=[
            {"name": "reregister", "outcome": "Failed", "message": "Refused", "completedAt": "2027-01-15T07:59:00Z"}
        ],
    )
    shop["metadata"]["annotations"] = {"gateway-registrar.dev/rotate-key": "new"}
    waiting = contract(condition("Ready", "False", "NotGranted"), name="billing", phase="Rejected")
    stream = io.StringIO()
    broken = {"default": gateway(condition("Ready", "False", "Healing"))}
    show(client_tree(ClientView(client=shop, contracts=(contract(), waiting), gateways=broken, now=NOW)), stream=stream)
    lines = [line.strip(" │├└─") for line in stream.getvalue().splitlines()]
    assert lines == [
        "Client team-a/shop  UnpublishedChanges (ServingPrevious)",
        "Identity  team-a/shop/1.0 on gateway default",
        "Key       Secret shop-api-key, 1d old, the previous key works for another 60m",
        "Gateway default  Registered 60m ago  the gateway is not ready: Healing",
        "Contract orders  acme/orders/1.0 plan gold  Active",
        "1. rateLimit team-a/limit on Client  limit 100, deep {er [1, a]}",
        "2. quota acme/gold on Plan  another namespace's; its configuration is not shown  Immediate",
        "Contract gone  // plan (none)  its API is gone from the gateway",
        "Contracts that are not published",
        "Contract billing  acme/orders/1.0 plan gold  Rejected (NotGranted)",
        "Pending changes (4); publish them with: kubectl registrar reregister shop -n team-a",
        "- ContractRemoved old  (gateway default)",
        "and 3 more",
        "Last actions",
        "rotate-key  asked for; the operator has not begun",
        "reregister  Failed  60s ago  Refused",
    ]


def test_a_client_that_nobody_has_looked_at() -> None:
    stream = io.StringIO()
    fresh = {"metadata": {"name": "new", "namespace": "n", "generation": 1}, "status": {"observedGeneration": -1}}
    show(client_tree(ClientView(client=fresh, contracts=(), now=NOW), wide=True), stream=stream)
    assert stream.getvalue().strip() == "Client n/new  Unknown  the operator has not seen the latest change yet"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    say("red", "red", stream=stream)
    assert ("\x1b[31m" in stream.getvalue()) is coloured


@pytest.mark.parametrize(
    ("stream", "total", "drawn"), [(Terminal, 5, True), (Terminal, 1, False), (io.StringIO, 5, False)]
)
def test_a_bar_is_drawn_for_many_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], total: int, drawn: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr", written := stream())
    with counted("reregister", total) as done:
        for _ in range(total):
            done()
    assert ("reregister" in written.getvalue()) is drawn


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("y\n", True), ("Yes\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert confirm("Go on?", yes=False) is goes_on


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert confirm("Go on?", yes=True)
    with pytest.raises(Usage):
        confirm("Go on?", yes=False)
