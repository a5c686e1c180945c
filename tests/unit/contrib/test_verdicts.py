"""What kstatus, Argo CD and Flux say of every state in which the operator's code can put an object.

Each line holds the three verdicts, in that order. The rules behind them are in `docs/decisions/0090-what-other-tools-read.md`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from registrar.lifecycle.actions import token_digest
from registrar.lifecycle.model import Fault
from registrar.resources.objects import REREGISTER
from registrar.resources.status import ActionStatus
from tests.unit.contrib.objects import Json, client_of, conditions, contract_of, gateway_of, made
from tests.unit.lifecycle.build import absent, client, contract, gateway, grant, policy, registered, view
from tests.unit.lifecycle.test_grants import live
from tests.unit.lifecycle.test_statuses import ALL
from tests.verdicts.contrib import judge

DONE = "Current Healthy Current"
CHOSEN = "InProgress Healthy Current"
"""A state that somebody chose: by kstatus' rules it is not what the spec says, but there is nothing to wait for."""
WAITING = "InProgress Progressing InProgress"
FAILED = "Failed Degraded Failed"

CLIENTS: dict[str, str] = {
    "no Contract": CHOSEN,
    "no valid Contract": CHOSEN,
    "a valid Contract, nothing published": WAITING,
    "published, equal, live": DONE,
    "published, equal, lost a moment ago": DONE,
    "published, equal, lost for longer": WAITING,
    "published and different": DONE,
    "published, its only Contract invalid by now": DONE,
    "retirement asked for, still live": WAITING,
    "retirement asked for by spec, nothing live": DONE,
    "retired by annotation before": CHOSEN,
    "retired, and somebody else's registration there": DONE,
    "unknown what the gateway has, a phase written before": DONE,
    "unknown what the gateway has, no phase yet": WAITING,
    "ours, with another content": WAITING,
    "paused": DONE,
    "key not owned": FAILED,
    "key invalid": FAILED,
    "key in use": FAILED,
    "foreign": FAILED,
    "down": WAITING,
    "down, unknown": WAITING,
    "blip": DONE,
    "deleting": "Terminating Progressing Terminating",
    "problem": FAILED,
    "no gateway": WAITING,
    "api gone": DONE,
    "apis gone": DONE,
    "blocked": FAILED,
    "drifted": FAILED,
    "born retired": CHOSEN,
}

CONTRACTS: dict[str, str] = {
    "no valid Contract": FAILED,
    "a valid Contract, nothing published": WAITING,
    "published, equal, live": DONE,
    "published, equal, lost for longer": WAITING,
    "published and different": DONE,
    "published, its only Contract invalid by now": WAITING,
    "retirement asked for by spec, nothing live": CHOSEN,
    "retired by annotation before": CHOSEN,
    "born retired": CHOSEN,
    "problem": WAITING,
    "api gone": WAITING,
    "blocked": WAITING,
    "drifted": WAITING,
}

OBSERVED = (gateway(mode="Observe"),)
ASKED = (("reregister", "two"),)
HANDLED = (token_digest("one"), token_digest("two"))
REFUSED = ActionStatus(name=REREGISTER, last_handled="two", handled=HANDLED, outcome="Failed", message="no")
MORE: dict[str, tuple[Json, str]] = {
    "Client, only observed": (client_of(view(None, contract(), gateways=OBSERVED)), CHOSEN),
    "Contract, only observed": (contract_of(view(None, contract(), gateways=OBSERVED)), CHOSEN),
    "Client, paused before its first registration": (
        client_of(view(client(paused=True), contract(), live={"default": absent()})),
        CHOSEN,
    ),
    "Client, an action in progress": (
        client_of(
            registered(
                contract(),
                changes_to_client={"tokens": ASKED},
                changes_to_status={"actions": (ActionStatus(name=REREGISTER, in_progress="two"),)},
                policies=(policy(),),
                now_policies=(policy(limit=1),),
            )
        ),
        "Current Progressing InProgress",
    ),
    "Client, the publish that is asked for was refused": (
        client_of(
            registered(
                contract(),
                changes_to_client={"tokens": ASKED},
                changes_to_status={"actions": (REFUSED,)},
                policies=(policy(),),
                now_policies=(policy(limit=1),),
            )
        ),
        "Current Degraded Failed",
    ),
    "Client, a publish of another token was refused": (
        client_of(
            registered(
                contract(),
                changes_to_client={"tokens": (("reregister", "one"),)},
                changes_to_status={"actions": (REFUSED,)},
                policies=(policy(),),
                now_policies=(policy(limit=1),),
            )
        ),
        DONE,
    ),
    "Contract, live as it was, its new plan refused": (
        contract_of(live(contract(), now_contracts=(contract(plan="silver"),), grants=(grant(),))),
        FAILED,
    ),
    "Contract, live as it was, its new plan unpublished": (
        made("Contract", status=conditions("Ready=False/UnpublishedChanges", phase="Active")),
        CHOSEN,
    ),
    "Policy, accepted": (made("Policy", status=conditions("Accepted=True/Valid", "Programmed=False/Some")), DONE),
    "Policy, its target missing": (
        made("Policy", status=conditions("Accepted=False/TargetNotFound", "Reconciling=True/TargetNotFound")),
        WAITING,
    ),
    "Policy, invalid": (made("Policy", status=conditions("Accepted=False/Invalid", "Stalled=True/Invalid")), FAILED),
    "APIGrant, accepted": (made("APIGrant", status=conditions("Ready=True/Valid", "Accepted=True/Valid")), DONE),
    "APIGrant, not permitted": (
        made("APIGrant", status=conditions("Ready=False/NotPermitted", "Stalled=True/NotPermitted")),
        FAILED,
    ),
    "gateway": (gateway_of(), DONE),
    "gateway, some APIs missing": (gateway_of(missing=1), DONE),
    "gateway, no credentials": (gateway_of(credentials=False), WAITING),
    "gateway, healing": (gateway_of(healing=4), WAITING),
    "gateway, many APIs missing": (gateway_of(missing=40, vanished=True), "InProgress Degraded Failed"),
    "gateway, drift only reported": (gateway_of(healing=4, drift_mode="Observe"), "InProgress Degraded Failed"),
} | {f"gateway, {fault}": (gateway_of(fault=fault), WAITING) for fault in Fault}

JUST_MADE = {"observedGeneration": -1}
KINDS = ("Client", "Contract", "Policy", "APIGrant", "RuntimeGateway")


def test_every_state_has_its_line() -> None:
    """Fails when a state is added without saying what other tools shall make of it."""
    assert CLIENTS.keys() == ALL.keys()


@pytest.mark.parametrize("state", CLIENTS)
def test_clients(state: str) -> None:
    """Fails when a tool would go on too early, wait for ever, or give up where nothing is wrong."""
    assert str(judge(client_of(ALL[state]))) == CLIENTS[state]


@pytest.mark.parametrize("state", CONTRACTS)
def test_contracts(state: str) -> None:
    """Fails when a Contract that is not live as it is counts as done, or one that waits for a person holds a rollout."""
    assert str(judge(contract_of(ALL[state]))) == CONTRACTS[state]


@pytest.mark.parametrize("state", MORE)
def test_other_states(state: str) -> None:
    """Fails when one of the rarer states is judged otherwise."""
    obj, expected = MORE[state]
    assert str(judge(obj)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "status",
    [JUST_MADE, JUST_MADE | {"conditions": []}, conditions("Ready=True/Serving", "Accepted=True/Valid") | JUST_MADE],
    ids=["empty", "no conditions", "of another generation"],
)
def test_what_nobody_looked_at_is_in_progress(kind: str, status: Json) -> None:
    """Fails when an object counts as done, or as failed, before the operator has seen this generation of it."""
    assert str(judge(made(kind, status=status))) == WAITING


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_without_the_condition_that_counts(kind: str) -> None:
    """Fails when a script or an expression trusts a status that has this generation and nothing else."""
    found = judge(made(kind, status={"observedGeneration": 1}))
    assert (found.argo_cd, found.message.startswith("Waiting for the operator")) == ("Progressing", True)


@pytest.mark.parametrize("state", ALL)
def test_messages(state: str) -> None:
    """Fails when Argo CD shows an empty message, or another one than the operator's own."""
    obj = client_of(ALL[state])
    shown = judge(obj).message
    texts = {row["message"] for row in obj["status"]["conditions"]} | {"Pending deletion"}
    assert re.sub(r"^(Paused|Created|Retired|Registered|UnpublishedChanges): ", "", shown) in texts


def test_the_message_of_a_grant_counts_its_users() -> None:
    """Fails when nobody sees in Argo CD whether a grant is used."""
    used = conditions("Ready=True/Valid", consumers=3)
    assert judge(made("APIGrant", status=used)).message == "Ready says Valid. Contracts that use it: 3."


def test_no_client_is_done_while_a_gateway_lacks_it() -> None:
    """Fails when kstatus says Current of a Client that nothing is served for; the demo's steps are checked on the real pair."""
    for seen in ALL.values():
        obj: dict[str, Any] = client_of(seen)
        if judge(obj).kstatus == "Current" and obj["spec"]["state"] != "Retired":
            assert obj["status"]["phase"] in ("Registered", "UnpublishedChanges")
