"""What a Client does with what is presumed of its gateways since a start: rest, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import Done, KeyFact, KeyState, ReadLive, View, Wait
from registrar.resources.objects import ApiKeySpec
from tests.unit.lifecycle.build import NOW, blob, contract, fault, ours, registered
from tests.unit.lifecycle.steps import at_rest, contracts_written

PRESUMED: dict[str, Any] = {"presumed": {"default": ours(key="current")}}
KEY = KeyFact(KeyState.VALID, created_at="2026-01-01T00:00:00Z", current="current")


def resting(**changes: Any) -> View:
    """A registered Client with everything written, as a process that has just started sees it: unread."""
    seen = contracts_written(at_rest(registered(contract(), key=KEY, **changes)))
    return replace(seen, live={}, second={}, **PRESUMED)


def test_a_client_at_rest_is_left_alone_unread() -> None:
    """Fails when a start reads 10,000 registrations back that nobody asked anything of."""
    assert decide(resting()).effect == Done()
    assert decide(replace(resting(), presumed={})).effect == ReadLive("default")


def test_a_time_to_come_is_waited_for_unread() -> None:
    """Fails when a scheduled rotation has the gateway read weeks ahead."""
    spec = ApiKeySpec(interval=10 * 86_400.0, overlap=60.0)
    seen = resting(changes_to_client={"api_key": spec}, now=1_767_225_600.0 + 86_400.0, settled_at=0.0)
    effect = decide(seen).effect
    assert isinstance(effect, Wait) and effect.until > seen.now and not effect.retry


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client": {"tokens": (("reregister", "new"),)}}, id="a token"),
        pytest.param({"client": {"tokens": (("unregister", "new"),)}}, id="an unregister token"),
        pytest.param({"client": {"state": "Retired"}}, id="retired by its spec"),
        pytest.param({"client": {"meta": {"deleting": True}}}, id="deleted"),
        pytest.param({"view": {"key": replace(KEY, current="another")}}, id="another key"),
        pytest.param({"view": {"key": replace(KEY, previous="former", previous_until=NOW - 1)}}, id="an overlap"),
        pytest.param({"status": {"observed_generation": 0}}, id="a spec that no status has seen"),
    ],
)
def test_for_anything_else_the_gateway_is_read(change: dict[str, Any]) -> None:
    """Fails when a changing call, a revert or a status is based on a presumption."""
    seen = resting()
    status = replace(seen.status, **change.get("status", {}))
    changes = dict(change.get("client", {}))
    meta = replace(seen.client.meta, **changes.pop("meta", {}))
    found = replace(seen.client, meta=meta, status_blob=blob(status.to_json()), **changes)
    seen = replace(seen, client=found, status=status, **change.get("view", {}))
    assert decide(seen).effect == ReadLive("default")


def test_a_contract_that_is_gone_has_the_gateway_read() -> None:
    """Fails when a revocation starts from what was presumed: a push before the crash may have been something else."""
    seen = resting()
    assert decide(replace(seen, contracts=())).effect == ReadLive("default")


def test_a_gateway_with_a_fault_serves_nobody_on_a_presumption() -> None:
    """Fails when a Client looks served though its gateway can't be asked."""
    seen = replace(resting(), faults={"default": fault()})
    assert not isinstance(decide(seen).effect, Done)
