"""The table of phases, line by line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registrar.lifecycle.case import case_of
from registrar.lifecycle.model import View
from registrar.lifecycle.phase import phase
from tests.unit.lifecycle.build import NOW, absent, client, contract, foreign, ours, policy, registered, view

TABLE: dict[str, tuple[View, str]] = {
    "no Contract": (view(), "Created"),
    "no valid Contract": (view(None, contract(), missing_apis={"default": frozenset({contract().api})}), "Created"),
    "a valid Contract, nothing published": (view(None, contract()), "Ready"),
    "published, equal, live": (registered(contract()), "Registered"),
    "published, equal, lost a moment ago": (
        registered(contract(), live={"default": absent(since=NOW - 1)}),
        "Registered",
    ),
    "published, equal, lost for longer": (registered(contract(), live={"default": absent(since=NOW - 60)}), "Ready"),
    "published and different": (
        registered(contract(), policies=(policy(),), now_policies=(policy(limit=1),)),
        "UnpublishedChanges",
    ),
    "published, its only Contract invalid by now": (
        registered(contract(), now_contracts=(replace(contract(), gateway="nowhere"),)),
        "UnpublishedChanges",
    ),
    "retirement asked for, still live": (
        registered(contract(), changes_to_client={"state": "Retired"}),
        "Registered",
    ),
    "retirement asked for by spec, nothing live": (view(client(state="Retired"), contract()), "Retired"),
    "retired by annotation before": (
        registered(
            contract(), live={"default": absent()}, changes_to_status={"gateways": (), "retired_by": "Annotation"}
        ),
        "Retired",
    ),
    "retired, and somebody else's registration there": (
        view(client(state="Retired"), contract(), live={"default": foreign()}),
        "Retired",
    ),
    "unknown what the gateway has, a phase written before": (registered(contract(), live={}), "Registered"),
    "unknown what the gateway has, no phase yet": (view(None, contract(), live={}), "Ready"),
    "ours, with another content": (registered(contract(), live={"default": ours("other", since=NOW - 60)}), "Ready"),
}


@pytest.mark.parametrize("line", TABLE)
def test_phase(line: str) -> None:
    """Fails when a line of the table is judged otherwise, or a later line wins over an earlier one."""
    seen, expected = TABLE[line]
    assert phase(case_of(seen)) == expected
