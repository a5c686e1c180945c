"""What ships for Flux: the expressions are ones that Flux takes, and its evaluation is the one that is written down here."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError

from registrar.resources.kinds import KINDS
from tests.unit.contrib.objects import made
from tests.verdicts.contrib import CONTRIB, health_checks
from tests.verdicts.flux import StatusEvaluator
from tests.verdicts.kstatus import Status

OBJECT = made("Client", status={"observedGeneration": 1, "phase": "Registered"})


def verdict(**expressions: str) -> Status:
    """What these expressions say of a fine object."""
    return StatusEvaluator(expressions).evaluate(OBJECT)


def test_the_order_of_the_expressions() -> None:
    """Fails when the evaluation is not Flux' own: inProgress, failed, current, and in progress when none is true."""
    assert verdict(inProgress="true", failed="true", current="true") is Status.IN_PROGRESS
    assert verdict(inProgress="false", failed="true", current="true") is Status.FAILED
    assert verdict(failed="false", current="true") is Status.CURRENT
    assert verdict(current="false") is Status.IN_PROGRESS


@pytest.mark.parametrize("generation", [0, 2])
def test_another_generation_is_in_progress(generation: int) -> None:
    """Fails when an expression is asked about a status of another generation."""
    obj = made("Client", status={"observedGeneration": 1}, generation=generation)
    assert StatusEvaluator({"current": "true", "failed": "true"}).evaluate(obj) is Status.IN_PROGRESS


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("", ValueError),
        ("status.phase ==", CELParseError),
        ("status.nothing == 'x'", CELEvalError),
        ("'x'", TypeError),
    ],
)
def test_what_flux_refuses(expression: str, error: type[Exception]) -> None:
    """Fails when a mistake in an expression would go unseen here and stop a rollout there."""
    with pytest.raises(error):
        verdict(current=expression)


def test_the_patch_is_one_that_flux_takes() -> None:
    """Fails when an entry has a field that Flux does not know, or names a kind that does not exist."""
    patch: dict[str, Any] = yaml.safe_load((CONTRIB / "flux" / "health-checks.yaml").read_text())
    assert patch["spec"]["wait"] is True
    for row in patch["spec"]["healthCheckExprs"]:
        assert row.keys() <= {"apiVersion", "kind", "inProgress", "failed", "current"}
        assert row["apiVersion"] == "gateway-registrar.dev/v1alpha1"
    assert health_checks().keys() <= {kind.name for kind in KINDS}
