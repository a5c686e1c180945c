"""The Contract: a Client may call one version of one API on one plan.

What the schema deliberately does not do: check that the Client, the API, the plan or a grant exist; those become
conditions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict

from registrar.resources.base import (
    ApiModel,
    GatewayName,
    GatewayRef,
    GatewayVersion,
    ObjectName,
    ShortText,
    StatusModel,
    about,
    immutable,
    rule,
    rules,
)

_MOVE = "create another Contract instead"


class ClientRef(ApiModel):
    """The Client that calls; it is in the Contract's namespace."""

    name: Annotated[ObjectName, about("The metadata.name of a Client in the same namespace.", example="checkout")]


class ContractApi(ApiModel):
    """The API that is called. Organization and name stay; the version may be changed."""

    organization: Annotated[GatewayName, about("The organization on the gateway that owns the API.", example="acme")]
    name: Annotated[GatewayName, about("The API's id on the gateway.", example="orders")]
    version: Annotated[
        GatewayVersion,
        about("The API's version on the gateway. A change of it is published like any other change.", example="1.0"),
    ]

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.organization == oldSelf.organization",
                f"organization can't be changed after creation; {_MOVE}",
                field=".organization",
            ),
            rule("self.name == oldSelf.name", f"name can't be changed after creation; {_MOVE}", field=".name"),
        )
    )


class ContractSpec(ApiModel):
    """Which Client calls which API on which plan."""

    client_ref: Annotated[ClientRef, about("The Client that calls the API.", example={"name": "checkout"})]
    api: Annotated[
        ContractApi,
        about("The API that is called.", example={"organization": "acme", "name": "orders", "version": "1.0"}),
    ]
    plan: Annotated[
        GatewayName, about("The API owner's plan, which decides the limits. It may be changed.", example="gold")
    ]
    gateway_ref: Annotated[
        GatewayRef | None,
        about("The RuntimeGateway that the API is on.", default="the Client's gateway", example={"name": "default"}),
    ] = None
    expires_at: Annotated[
        datetime | None,
        about(
            "When the Contract stops, in RFC 3339; it is then revoked like a deleted one.",
            default="never",
            example="2027-01-31T12:00:00Z",
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.clientRef == oldSelf.clientRef",
                f"clientRef can't be changed after creation; {_MOVE}",
                field=".clientRef",
            ),
            immutable("gatewayRef", advice=_MOVE),
        )
    )


class ContractStatusModel(StatusModel):
    """What the operator knows of a Contract."""

    phase: Annotated[
        Literal["Pending", "Active", "Rejected"] | None,
        about(
            "Active: live on the gateway. Pending: valid or waiting, but not live as it is. "
            "Rejected: it can't be used as it is, see Ready.",
            default="none",
            example="Active",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        about(
            "The URL at which the API is called.",
            default="none until it is live",
            example="https://gateway.example.com/acme/orders/1.0",
            max_length=2048,
        ),
    ] = None
    live_plan: Annotated[
        ShortText | None, about("The plan that is live.", default="none while nothing is live", example="gold")
    ] = None
    live_version: Annotated[
        ShortText | None, about("The API version that is live.", default="none while nothing is live", example="1.0")
    ] = None
    gateway: Annotated[
        ShortText | None, about("The RuntimeGateway that the Contract belongs on.", default="none", example="default")
    ] = None
