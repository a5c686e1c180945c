"""The status of a RuntimeGateway: whether it can be used, and how many registrations there are.

Invariants: only counts, no list that grows with the number of Clients. What this module deliberately does not do:
decide any value.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from registrar.resources.base import ApiModel, Count, StatusModel, about


class ClientCounts(ApiModel):
    """What the operator knows of the registrations on the gateway."""

    ours: Annotated[
        Count | None, about("Registrations that this operator made.", unit="registrations", default="none", example=120)
    ] = None
    foreign: Annotated[
        Count | None,
        about("Registrations that are not ours and are left alone.", unit="registrations", default="none", example=4),
    ] = None
    expected: Annotated[
        Count | None,
        about("Registrations that there should be of ours.", unit="registrations", default="none", example=120),
    ] = None
    healing: Annotated[
        Count | None,
        about("Registrations of ours that are being restored.", unit="registrations", default="none", example=0),
    ] = None


class Owed(ApiModel):
    """Registrations that could not be taken off when their Client was let go."""

    count: Annotated[
        Count | None, about("How many are still to be taken off.", unit="registrations", default="none", example=0)
    ] = None


class RuntimeGatewayStatusModel(StatusModel):
    """What the operator knows of a gateway."""

    version: Annotated[
        str | None,
        about("The version that the gateway says of itself.", default="none", example="3.1.3.Final", max_length=128),
    ] = None
    clients: Annotated[
        ClientCounts | None, about("How many registrations there are.", default="none", example={"ours": 120})
    ] = None
    owed: Annotated[Owed | None, about("What is still to be taken off.", default="none", example={"count": 0})] = None
    last_checked_at: Annotated[
        datetime | None,
        about("When the gateway last answered, in RFC 3339.", default="none", example="2026-01-31T12:00:00Z"),
    ] = None
