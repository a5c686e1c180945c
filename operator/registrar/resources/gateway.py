"""The RuntimeGateway: where a gateway's configuration API is, and who may use which organization on it.

It is cluster-scoped and the platform team's. What the schema deliberately does not do: allow only one default (two of
them are a condition of the Clients that need one), or look at the credentials Secret.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from registrar.resources.base import (
    ATOMIC,
    MAP_BY_NAME,
    SET,
    ApiModel,
    Duration,
    GatewayName,
    GatewayVersion,
    LabelSelector,
    Namespace,
    about,
    rule,
    rules,
)
from registrar.resources.gateway_apiman import Apiman


class Defaults(ApiModel):
    """What Clients on this gateway get where they say nothing."""

    publish: Annotated[
        Literal["Manual", "Automatic"],
        about("How changes of a Client reach the gateway where it does not say.", example="Manual"),
    ] = "Manual"
    deletion_policy: Annotated[
        Literal["Unregister", "Retain"],
        about("What deleting a Client does where it does not say.", example="Unregister"),
    ] = "Unregister"


class OrganizationOwners(ApiModel):
    """The namespaces that own an organization: exactly those that are named or matched."""

    name: Annotated[GatewayName, about("The organization's id on the gateway.", example="acme")]
    namespaces: Annotated[
        list[Namespace] | None,
        about("The owning namespaces, by name.", default="none", example=["acme-prod"], max_length=256, extra=SET),
    ] = None
    namespace_selector: Annotated[
        LabelSelector | None,
        about(
            "The owning namespaces, by their labels; an empty selector means every namespace.",
            default="none",
            example={"matchLabels": {"team": "acme"}},
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


class Adoption(ApiModel):
    """Where registrations that are on the gateway already may be taken over."""

    namespaces: Annotated[
        list[Namespace],
        about(
            "Namespaces whose Clients may adopt without showing the current key.",
            example=["migration"],
            max_length=256,
            extra=SET,
        ),
    ]


class CustomPolicies(ApiModel):
    """Which policy implementations `Policy.spec.custom` may name: they make the gateway run, or load, code."""

    allow: Annotated[
        list[
            Annotated[
                str,
                about(
                    "An implementation, or with a * at the end the beginning of some.",
                    example="class:com.example.AuditPolicy",
                    pattern=r"^(class|plugin):[A-Za-z0-9_.:/$-]+\*?$",
                    max_length=512,
                ),
            ]
        ],
        about(
            "Exact implementations, or prefixes that end with *.",
            example=["class:com.example.AuditPolicy", "plugin:com.example:*"],
            max_length=64,
            extra=SET,
        ),
    ]


class BlockedClient(ApiModel):
    """A client that is off at once and stays off, whatever its owner does."""

    organization: Annotated[GatewayName, about("The client's organization on the gateway.", example="shop")]
    client_id: Annotated[GatewayName, about("The client's id on the gateway.", example="checkout")]
    version: Annotated[
        GatewayVersion | None, about("The client's version on the gateway.", default="every version", example="1.0")
    ] = None
    reason: Annotated[
        str,
        about(
            "Why, as the Client's owner reads it in a condition.",
            example="key leaked, ticket 4711",
            min_length=1,
            max_length=256,
        ),
    ]


class Limits(ApiModel):
    """How hard the operator may push the gateway."""

    max_in_flight: Annotated[
        int, about("Calls to the configuration API at one time.", unit="calls", example=20, ge=1, le=256)
    ] = 20
    requests_per_second: Annotated[
        int | None,
        about(
            "Calls to the configuration API per second.",
            unit="calls per second",
            default="no limit",
            example=200,
            ge=1,
            le=10000,
        ),
    ] = None


class Drift(ApiModel):
    """What happens when the gateway has something else than what was published."""

    mode: Annotated[
        Literal["Correct", "Observe"],
        about("Correct: what was published is sent again. Observe: it is only reported.", example="Correct"),
    ] = "Correct"
    interval: Annotated[
        Duration | None,
        about(
            "How often every registration is read back.",
            unit="a duration in hours, minutes and seconds, between 10s and 24h",
            default="the operator's setting",
            example="10m",
            extra=rules(
                rule(
                    "duration(self) >= duration('10s') && duration(self) <= duration('24h')",
                    "interval must be between 10s and 24h",
                )
            ),
        ),
    ] = None


class RuntimeGatewaySpec(ApiModel):
    """Where the gateway is, who owns what on it, and how it is treated."""

    type: Annotated[
        Literal["Apiman"],
        about("Which gateway it is; the member of the same name says how to reach it.", example="Apiman"),
    ]
    apiman: Annotated[
        Apiman | None,
        about(
            "How to reach an Apiman gateway.",
            default="none; required with type Apiman",
            example={"endpoint": "https://apiman.example.com/api"},
        ),
    ] = None
    mode: Annotated[
        Literal["Manage", "Observe"],
        about(
            "Manage: the gateway is made to agree. Observe: nothing is written to it, as a step of a migration.",
            example="Manage",
        ),
    ] = "Manage"
    default: Annotated[
        bool,
        about(
            "Whether Clients without a gatewayRef are registered here; at most one gateway may say so.", example=True
        ),
    ] = False
    defaults: Annotated[
        Defaults,
        about(
            "What Clients here get where they say nothing.",
            example={"publish": "Automatic"},
        ),
    ] = Defaults()
    contracts: Annotated[
        Literal["Granted", "Any"],
        about(
            "Granted: a Contract for an API of another namespace needs an APIGrant; what has none is taken off at once, so make the "
            "grants before changing Any to Granted. Any: every Contract is accepted.",
            example="Granted",
        ),
    ] = "Granted"
    organizations: Annotated[
        list[OrganizationOwners] | None,
        about(
            "The namespaces that own an organization; one without an entry belongs to the namespace of its name.",
            default="none",
            example=[{"name": "acme", "namespaces": ["acme-prod"]}],
            max_length=256,
            extra=MAP_BY_NAME,
        ),
    ] = None
    adoption: Annotated[
        Adoption | None,
        about(
            "Who may take over what is on the gateway already.",
            default="nobody without the key",
            example={"namespaces": ["migration"]},
        ),
    ] = None
    custom_policies: Annotated[
        CustomPolicies | None,
        about(
            "Which implementations Policies of type custom may name.",
            default="none",
            example={"allow": ["class:com.example.AuditPolicy"]},
        ),
    ] = None
    blocked: Annotated[
        list[BlockedClient] | None,
        about(
            "The emergency stop: clients that are off at once.",
            default="none",
            example=[{"organization": "shop", "clientId": "checkout", "reason": "key leaked"}],
            max_length=256,
            extra=ATOMIC,
        ),
    ] = None
    limits: Annotated[
        Limits,
        about(
            "How hard the operator may push the gateway.",
            example={"maxInFlight": 20},
        ),
    ] = Limits()
    drift: Annotated[
        Drift,
        about(
            "What happens on drift.",
            example={"mode": "Correct", "interval": "10m"},
        ),
    ] = Drift()

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.type != 'Apiman' || has(self.apiman)", "apiman is required when type is Apiman", field=".apiman"
            ),
        )
    )
