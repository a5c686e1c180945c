"""The status of a Client: its phase, the published snapshot of each gateway, what is pending, and what was done.

Invariants: no secret value is part of it; every list has a bound. Only the keys of lists are required, so that a
status written by an older or newer operator still validates. What this module deliberately does not do: hold the form
in which the operator keeps a status.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from registrar.resources.base import (
    ATOMIC,
    MAP_BY_NAME,
    TOKEN_LENGTH,
    ApiModel,
    Count,
    Message,
    ShortText,
    StatusModel,
    about,
)
from registrar.resources.client_snapshot import PublishedGateway

_TIME = "2026-01-31T12:00:00Z"


class IdentityModel(ApiModel):
    """Who the Client is on the gateway, with all defaults resolved; fixed before the first push."""

    organization: Annotated[
        ShortText | None, about("The organization on the gateway.", default="none", example="shop")
    ] = None
    client_id: Annotated[
        ShortText | None, about("The client's id on the gateway.", default="none", example="checkout")
    ] = None
    version: Annotated[
        ShortText | None, about("The client's version on the gateway.", default="none", example="1.0")
    ] = None
    gateway: Annotated[
        ShortText | None,
        about("The RuntimeGateway that the Client is registered on.", default="none", example="default"),
    ] = None


class ApiKeyStatus(ApiModel):
    """Where the key is and how old it is; never the key itself."""

    secret_name: Annotated[
        ShortText | None, about("The Secret that holds the key.", default="none", example="checkout-api-key")
    ] = None
    created_at: Annotated[
        datetime | None, about("When the key was made, in RFC 3339.", default="none", example=_TIME)
    ] = None
    next_rotation_at: Annotated[
        datetime | None,
        about("When the key will be replaced, in RFC 3339.", default="none without rotation", example=_TIME),
    ] = None
    overlap_ends_at: Annotated[
        datetime | None,
        about("When the previous key stops working, in RFC 3339.", default="none outside an overlap", example=_TIME),
    ] = None


class ContractCounts(ApiModel):
    """How many Contracts there are in each of the three sets, over all gateways."""

    desired: Annotated[
        Count | None, about("Valid Contracts of the Client.", unit="Contracts", default="none", example=3)
    ] = None
    published: Annotated[
        Count | None,
        about("Contracts that were last published on purpose.", unit="Contracts", default="none", example=3),
    ] = None
    live: Annotated[
        Count | None, about("Contracts that the gateway has.", unit="Contracts", default="none", example=3)
    ] = None
    summary: Annotated[
        ShortText | None,
        about("Live of desired Contracts, as the column LIVE shows them.", default="none", example="3/3"),
    ] = None
    pending_changes: Annotated[
        Count | None, about("Changes that wait to be published.", unit="changes", default="none", example=1)
    ] = None


class PendingChangeModel(ApiModel):
    """One difference between what the objects say and what is published."""

    type: Annotated[
        Literal[
            "ContractAdded",
            "ContractRemoved",
            "ContractChanged",
            "PolicyAdded",
            "PolicyRemoved",
            "PolicyChanged",
            "PolicyReordered",
            "ClientChanged",
        ]
        | None,
        about("What kind of difference it is.", default="none", example="PolicyChanged"),
    ] = None
    subject: Annotated[
        ShortText | None, about("Which Contract or Policy differs.", default="none", example="limit")
    ] = None
    gateway: Annotated[
        ShortText | None, about("On which RuntimeGateway it differs.", default="none", example="default")
    ] = None
    detail: Annotated[
        Message | None, about("What exactly differs.", default="none", example="rateLimit.limit 100 -> 50")
    ] = None
    message: Annotated[
        Message | None,
        about("The difference in one line.", default="none", example="PolicyChanged limit: rateLimit.limit 100 -> 50"),
    ] = None


class ActionModel(ApiModel):
    """What became of the tokens of one action annotation."""

    name: Annotated[
        Literal["reregister", "unregister", "rotate-key", "revoke-key"],
        about("The verb, which is the last part of the annotation's key.", example="reregister"),
    ]
    last_handled_token: Annotated[
        str | None,
        about("The token that was handled last.", default="none", example="release-42", max_length=TOKEN_LENGTH),
    ] = None
    handled_tokens: Annotated[
        list[ShortText] | None,
        about(
            "Short hashes of the tokens that never fire again.",
            default="none",
            example=["9f86d081"],
            max_length=32,
            extra=ATOMIC,
        ),
    ] = None
    in_progress_token: Annotated[
        str | None,
        about("The token whose action has begun.", default="none", example="release-43", max_length=TOKEN_LENGTH),
    ] = None
    outcome: Annotated[
        Literal["Succeeded", "Failed", "Skipped"] | None,
        about("How the last action ended.", default="none", example="Succeeded"),
    ] = None
    message: Annotated[
        Message | None, about("What came of it, for people.", default="none", example="3 contracts published")
    ] = None
    started_at: Annotated[
        datetime | None, about("When the last action began, in RFC 3339.", default="none", example=_TIME)
    ] = None
    completed_at: Annotated[
        datetime | None, about("When the last action ended, in RFC 3339.", default="none", example=_TIME)
    ] = None


class ChangeLogEntry(ApiModel):
    """One thing that was done on a gateway."""

    time: Annotated[datetime | None, about("When it was done, in RFC 3339.", default="none", example=_TIME)] = None
    what: Annotated[ShortText | None, about("What was done on the gateway.", default="none", example="Registered")] = (
        None
    )
    by: Annotated[
        ShortText | None, about("What asked for it to be done.", default="none", example="reregister release-42")
    ] = None
    outcome: Annotated[ShortText | None, about("How it ended, in one word.", default="none", example="Succeeded")] = (
        None
    )
    detail: Annotated[
        Message | None, about("What it was about, in words.", default="none", example="3 contracts on gateway default")
    ] = None


class ClientStatusModel(StatusModel):
    """What the operator knows of a Client."""

    phase: Annotated[
        Literal["Created", "Ready", "Registered", "UnpublishedChanges", "Retired"] | None,
        about(
            "Where the Client is in its lifecycle; a function of the conditions, for people.",
            default="none",
            example="Registered",
        ),
    ] = None
    identity: Annotated[
        IdentityModel | None,
        about("Who the Client is on the gateway.", default="none", example={"organization": "shop"}),
    ] = None
    retired_by: Annotated[
        Literal["Annotation", "Spec", "Restored"] | None,
        about(
            "What retired the Client; Restored means an unregister token found after a status was lost.",
            default="none",
            example="Annotation",
        ),
    ] = None
    api_key: Annotated[
        ApiKeyStatus | None,
        about("Where the key is and how old it is.", default="none", example={"secretName": "checkout-api-key"}),
    ] = None
    contracts: Annotated[
        ContractCounts | None, about("How many Contracts there are.", default="none", example={"summary": "3/3"})
    ] = None
    gateways: Annotated[
        list[PublishedGateway] | None,
        about(
            "What was last published, for each gateway.",
            default="none",
            example=[{"name": "default"}],
            max_length=16,
            extra=MAP_BY_NAME,
        ),
    ] = None
    pending_changes: Annotated[
        list[PendingChangeModel] | None,
        about(
            "What would change if it were published now.",
            default="none",
            example=[{"type": "PolicyChanged"}],
            max_length=64,
            extra=ATOMIC,
        ),
    ] = None
    pending_changes_truncated: Annotated[
        Count | None,
        about("How many pending changes are left out of the list.", unit="changes", default="none", example=3),
    ] = None
    actions: Annotated[
        list[ActionModel] | None,
        about(
            "What became of the action annotations.",
            default="none",
            example=[{"name": "reregister"}],
            max_length=8,
            extra=MAP_BY_NAME,
        ),
    ] = None
    change_log: Annotated[
        list[ChangeLogEntry] | None,
        about(
            "The last things that were done, oldest first.",
            default="none",
            example=[{"what": "Registered"}],
            max_length=20,
            extra=ATOMIC,
        ),
    ] = None
