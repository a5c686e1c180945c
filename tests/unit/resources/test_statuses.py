"""Holds what the operator writes into a status to the models: an unknown field would be dropped by the API server."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from registrar.resources import base, parse
from registrar.resources.client_status import ClientStatusModel
from registrar.resources.kinds import KINDS, Kind
from registrar.resources.schema import structural
from registrar.resources.status import ClientStatus, ContractStatus
from tests.unit.resources.full_statuses import CLIENT, STATUSES
from tests.unit.resources.walk import schemas


def paths(value: Any, path: str = "") -> set[str]:
    """The path of every field in a JSON value, in the notation of `schemas`."""
    if isinstance(value, dict):
        return {path}.union(*(paths(child, f"{path}.{name}") for name, child in value.items()))
    if isinstance(value, list):
        return {path}.union(*(paths(child, f"{path}[]") for child in value))
    return {path}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_full_status_is_valid(kind: Kind) -> None:
    """Breaks when the model lacks a field or an enum value that is written."""
    for status in STATUSES[kind.name]:
        kind.status.model_validate(status)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_full_status_has_every_field(kind: Kind) -> None:
    """Breaks when a field is in the model and not in the sample, which would leave it untried on the API server."""
    known = {path for path, _ in schemas(structural(kind.status))}
    tried = set().union(*(paths(status) for status in STATUSES[kind.name]))
    assert known - tried == set()


def test_an_unknown_field_is_noticed() -> None:
    """Shows that the tests above can fail."""
    with pytest.raises(ValidationError, match="surprise"):
        ClientStatusModel.model_validate(CLIENT | {"surprise": 1})


def test_what_the_operator_parses_and_writes_is_valid() -> None:
    """The dataclasses' own JSON is held to the models, whole and empty."""
    ClientStatusModel.model_validate(ClientStatus.parse(CLIENT).to_json())
    contract = next(kind for kind in KINDS if kind.name == "Contract").status
    for status in STATUSES["Contract"]:
        contract.model_validate(ContractStatus.parse(status).to_json())


@pytest.mark.parametrize("length", [1, base.TOKEN_LENGTH, base.TOKEN_LENGTH + 1, 200_000])
def test_a_token_of_any_length_fits_the_status(length: int) -> None:
    """An annotation has room for 256 KiB; recorded whole, a long token would make every status write fail."""
    raw = {
        "metadata": {"name": "a", "annotations": {f"{base.GROUP}/unregister": "t" * length}},
        "spec": {},
    }
    ((_, token),) = parse.parse_client(raw).tokens
    ClientStatusModel.model_validate({"actions": [{"name": "unregister", "inProgressToken": token}]})
    assert (token == "t" * length) == (length <= base.TOKEN_LENGTH)
    assert parse.TOKEN_LENGTH == base.TOKEN_LENGTH


def test_long_tokens_that_differ_stay_different() -> None:
    """A digest, not a cut: two long tokens with the same beginning are two requests."""
    seen: set[tuple[str, str]] = set()
    for end in ("1", "2"):
        raw = {"metadata": {"name": "a", "annotations": {f"{base.GROUP}/reregister": "t" * 300 + end}}}
        seen.update(parse.parse_client(raw).tokens)
    assert len(seen) == 2
