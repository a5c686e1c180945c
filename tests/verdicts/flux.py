"""Evaluates Flux's `healthCheckExprs` in the way in which Flux does: `runtime/cel/status_evaluator.go` and `expression.go` of fluxcd/pkg.

First the generation, then the expressions `inProgress`, `failed` and `current`; the first that is true names the verdict, and where none is true the object is
in progress. The variables are the object's top-level fields, so an expression that names a field which is not there is an error, and Flux then waits until
its time is up: here it raises.

Invariants: expressions are parsed once and not type-checked, as there. What this module deliberately does not do: cel-go's optional syntax (`?.`), which
cel-python does not know; no expression of ours uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import celpy
from celpy.adapter import json_to_cel

from tests.verdicts.kstatus import Status

_ORDER = (("inProgress", Status.IN_PROGRESS), ("failed", Status.FAILED), ("current", Status.CURRENT))


class StatusEvaluator:
    """The expressions for one kind; raises ValueError when there is none for `current`, and celpy's error for one that can't be parsed."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        """`expressions` is one entry of `spec.healthCheckExprs`."""
        if not expressions.get("current"):
            raise ValueError("expression Current not specified")
        environment = celpy.Environment()
        self._programs = [
            (environment.program(environment.compile(expressions[name])), status)
            for name, status in _ORDER
            if expressions.get(name)
        ]

    def evaluate(self, obj: Mapping[str, Any]) -> Status:
        """The verdict; raises celpy.CELEvalError where Flux would report an error, TypeError for an expression that is no boolean."""
        observed, generation = obj.get("status", {}).get("observedGeneration"), obj["metadata"].get("generation")
        if observed is not None and generation is not None and observed != generation:
            return Status.IN_PROGRESS
        variables = {name: json_to_cel(value) for name, value in obj.items()}
        for program, status in self._programs:
            found = program.evaluate(variables)
            if not isinstance(found, celpy.celtypes.BoolType):
                raise TypeError(f"failed to evaluate CEL expression as boolean: {found!r}")
            if found:
                return status
        return Status.IN_PROGRESS
