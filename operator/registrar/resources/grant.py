"""The APIGrant: the owner of an API says which namespaces may make Contracts for it, and on which plans.

It stands in a namespace that owns the API's organization. What the schema deliberately does not do: check that
ownership, or that the API and its plans exist; those become conditions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from registrar.resources.base import (
    MAP_BY_NAME,
    ONE_LINE_PATTERN,
    SET,
    ApiModel,
    Count,
    GatewayName,
    GatewayVersion,
    LabelSelector,
    Namespace,
    StatusModel,
    about,
    immutable,
    rule,
    rules,
)


class GrantedApi(ApiModel):
    """One API of the organization, or some of its versions."""

    name: Annotated[GatewayName, about("The API's id on the gateway.", example="orders")]
    versions: Annotated[
        list[GatewayVersion] | None,
        about(
            "The versions that may be called.",
            default="every version",
            example=["1.0", "1.1"],
            min_length=1,
            max_length=64,
            extra=SET,
        ),
    ] = None


class GrantFrom(ApiModel):
    """The namespaces that may make Contracts: those that are named, and those that the selector matches."""

    namespaces: Annotated[
        list[Namespace] | None,
        about(
            "The consuming namespaces, by name.",
            default="none",
            example=["shop", "mobile"],
            min_length=1,
            max_length=256,
            extra=SET,
        ),
    ] = None
    namespace_selector: Annotated[
        LabelSelector | None,
        about(
            "The consuming namespaces, by their labels; an empty selector means every namespace.",
            default="none",
            example={"matchLabels": {"team": "shop"}},
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.namespaces) || has(self.namespaceSelector)",
                "at least one of namespaces and namespaceSelector must be set",
            )
        )
    )


class Deprecation(ApiModel):
    """A notice to consumers that the APIs of this grant will go."""

    sunset: Annotated[
        datetime, about("When the APIs will stop to be available, in RFC 3339.", example="2027-01-31T12:00:00Z")
    ]
    replaced_by: Annotated[
        str | None,
        about(
            "What to use instead, as consumers shall read it: one line of text.",
            default="none",
            example="orders 2.0",
            min_length=1,
            max_length=256,
            pattern=ONE_LINE_PATTERN,
        ),
    ] = None


class APIGrantSpec(ApiModel):
    """Who may call which APIs on which plans."""

    organization: Annotated[
        GatewayName | None,
        about(
            "The organization on the gateway that owns the APIs.",
            default="the one organization of the namespace",
            example="acme",
        ),
    ] = None
    apis: Annotated[
        list[GrantedApi],
        about(
            "The APIs that may be called.",
            example=[{"name": "orders", "versions": ["1.0"]}],
            min_length=1,
            max_length=128,
            extra=MAP_BY_NAME,
        ),
    ]
    plans: Annotated[
        list[GatewayName],
        about(
            "The plans that a Contract may name.", example=["gold", "silver"], min_length=1, max_length=64, extra=SET
        ),
    ]
    from_: Annotated[
        GrantFrom,
        Field(alias="from"),
        about("The namespaces whose Contracts are allowed.", example={"namespaces": ["shop"]}),
    ]
    deprecated: Annotated[
        Deprecation | None,
        about(
            "Announces the end of these APIs to their consumers.",
            default="not deprecated",
            example={"sunset": "2027-01-31T12:00:00Z"},
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(immutable("organization", advice="create another APIGrant instead"))
    )


class APIGrantStatusModel(StatusModel):
    """What the operator knows of an APIGrant."""

    consumers: Annotated[
        Count | None,
        about("How many Contracts are allowed by this grant.", unit="Contracts", default="none", example=12),
    ] = None
