"""The reading of kstatus gives the verdicts that upstream's own tests and documentation state for objects of no built-in kind."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.verdicts.kstatus import Status, compute

NOT_OBSERVED = "LatestGenerationNotObserved"

TABLE: dict[str, tuple[str, Status, str]] = {
    # No status at all: nothing speaks against it.
    "nothing": ("metadata: {generation: 1, name: test}", Status.CURRENT, ""),
    "no metadata": ("kind: Something", Status.CURRENT, ""),
    "an empty status": ("metadata: {generation: 1}\nstatus: {}", Status.CURRENT, ""),
    "null conditions": ("metadata: {generation: 1}\nstatus: {conditions: null}", Status.CURRENT, ""),
    "no observedGeneration": ("metadata: {generation: 4}\nstatus: {phase: Fine}", Status.CURRENT, ""),
    "no generation": ("status: {observedGeneration: 4}", Status.CURRENT, ""),
    # The generation.
    "behind": ("metadata: {generation: 2}\nstatus: {observedGeneration: 1}", Status.IN_PROGRESS, NOT_OBSERVED),
    "ahead": ("metadata: {generation: 1}\nstatus: {observedGeneration: 2}", Status.IN_PROGRESS, NOT_OBSERVED),
    "never observed": ("metadata: {generation: 1}\nstatus: {observedGeneration: -1}", Status.IN_PROGRESS, NOT_OBSERVED),
    "behind, and was ready": (
        "metadata: {generation: 2}\nstatus: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}",
        Status.IN_PROGRESS,
        NOT_OBSERVED,
    ),
    "behind, and was stalled": (
        "metadata: {generation: 2}\nstatus: {observedGeneration: 1, conditions: [{type: Stalled, status: 'True'}]}",
        Status.IN_PROGRESS,
        NOT_OBSERVED,
    ),
    # Deletion comes before everything.
    "deleted": (
        "metadata: {generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z'}\nstatus: {observedGeneration: 1}",
        Status.TERMINATING,
        "",
    ),
    "deletionTimestamp is empty": ("metadata: {deletionTimestamp: ''}", Status.CURRENT, ""),
    # The standard conditions, in the order in which they stand.
    "reconciling": ("status: {conditions: [{type: Reconciling, status: 'True', reason: A}]}", Status.IN_PROGRESS, "A"),
    "stalled": ("status: {conditions: [{type: Stalled, status: 'True', reason: A}]}", Status.FAILED, "A"),
    "not reconciling": ("status: {conditions: [{type: Reconciling, status: 'False'}]}", Status.CURRENT, ""),
    "not stalled": ("status: {conditions: [{type: Stalled, status: 'False'}]}", Status.CURRENT, ""),
    "stalled is unknown": ("status: {conditions: [{type: Stalled, status: Unknown}]}", Status.CURRENT, ""),
    "reconciling first": (
        "status: {conditions: [{type: Reconciling, status: 'True', reason: A}, {type: Stalled, status: 'True', reason: B}]}",
        Status.IN_PROGRESS,
        "A",
    ),
    "stalled first": (
        "status: {conditions: [{type: Stalled, status: 'True', reason: B}, {type: Reconciling, status: 'True', reason: A}]}",
        Status.FAILED,
        "B",
    ),
    "ready, and reconciling": (
        "status: {conditions: [{type: Ready, status: 'True'}, {type: Reconciling, status: 'True', reason: A}]}",
        Status.IN_PROGRESS,
        "A",
    ),
    # Ready, when nothing else decides.
    "ready": ("status: {conditions: [{type: Ready, status: 'True'}]}", Status.CURRENT, ""),
    "not ready": ("status: {conditions: [{type: Ready, status: 'False', reason: A}]}", Status.IN_PROGRESS, "A"),
    "ready is unknown": ("status: {conditions: [{type: Ready, status: Unknown, reason: A}]}", Status.IN_PROGRESS, "A"),
    "ready has no status": ("status: {conditions: [{type: Ready}]}", Status.CURRENT, ""),
    "only conditions of its own": ("status: {conditions: [{type: Accepted, status: 'False'}]}", Status.CURRENT, ""),
}


@pytest.mark.parametrize("name", TABLE)
def test_verdicts(name: str) -> None:
    """Fails when the reading differs from upstream's: all that is judged by it would be judged wrongly."""
    text, status, reason = TABLE[name]
    found = compute(yaml.safe_load(text))
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": []},
        {"metadata": {"deletionTimestamp": 5}},
        {"metadata": {"generation": "1"}},
        {"metadata": {"generation": True}},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": 1.5}},
        {"status": "fine"},
        {"status": {"conditions": {}}},
        {"status": {"conditions": ["Ready"]}},
        {"status": {"conditions": [{"type": "Stalled", "status": "True", "message": 5}]}},
    ],
)
def test_what_upstream_refuses(broken: dict[str, Any]) -> None:
    """Fails when a broken object gets a verdict."""
    with pytest.raises(TypeError):
        compute(broken)


def test_messages() -> None:
    """Fails when the message does not say which generation is waited for, or is not the condition's own."""
    behind = compute({"kind": "Client", "metadata": {"generation": 3}, "status": {"observedGeneration": 2}})
    assert behind.message == "Client generation is 3, but latest observed generation is 2"
    row = {"type": "Stalled", "status": "True", "message": "Mend it."}
    assert compute({"status": {"conditions": [row]}}).message == "Mend it."
