"""The scripts and expressions of `contrib/`, applied to an object: what Argo CD and Flux say of it beside kstatus.

Invariants: what is judged here is what is shipped, read from the files each time. What this module deliberately does not do: the judging itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.verdicts import argo_cd, kstatus
from tests.verdicts.flux import StatusEvaluator

CONTRIB = Path(__file__).parents[2] / "contrib"
GROUP = "gateway-registrar.dev"
SCRIPTS = CONTRIB / "argo-cd" / "resource_customizations" / GROUP


@dataclass(frozen=True, slots=True)
class Verdict:
    """What each tool says of one object."""

    kstatus: str
    argo_cd: str
    flux: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.kstatus} {self.argo_cd} {self.flux}"


def judge(obj: Mapping[str, Any]) -> Verdict:
    """What kstatus, Argo CD with our scripts and Flux with our expressions say; `message` is what Argo CD shows."""
    plain = kstatus.compute(obj).status
    if plain is kstatus.Status.TERMINATING:
        # Both judge an object that is being deleted by themselves, before any script or expression.
        return Verdict(plain.value, "Progressing", plain.value, "Pending deletion")
    shown = argo_cd.health((SCRIPTS / obj["kind"] / "health.lua").read_text(), obj)
    evaluator = health_checks().get(obj["kind"])
    return Verdict(plain.value, shown.status, (evaluator.evaluate(obj) if evaluator else plain).value, shown.message)


@cache
def health_checks() -> dict[str, StatusEvaluator]:
    """The evaluators of `contrib/flux/`, by kind."""
    patch = yaml.safe_load((CONTRIB / "flux" / "health-checks.yaml").read_text())
    return {row["kind"]: StatusEvaluator(row) for row in patch["spec"]["healthCheckExprs"]}
