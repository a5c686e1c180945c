"""The Client: one version of one application that calls APIs, with one API key for all of its Contracts.

What the schema deliberately does not do: give `publish` and `deletionPolicy` a default (the RuntimeGateway may), or
check what other objects decide (whether the gateway exists, whether the namespace may use the organization): those
become conditions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from registrar.resources.base import (
    CLIENT_OBJECT_NAME_LENGTH,
    GROUP,
    SECRET_KEY_PATTERN,
    ApiModel,
    Duration,
    GatewayName,
    GatewayRef,
    GatewayVersion,
    LabelValue,
    ObjectName,
    about,
    immutable,
    rule,
    rules,
)

_MOVE = "create another Client to get another identity on the gateway"
_OWN_PREFIX = f"'{GROUP}/'"


class SecretTemplate(ApiModel):
    """What the generated key Secret carries besides the operator's own labels and annotations."""

    labels: Annotated[
        dict[str, LabelValue] | None,
        about(
            "Labels for the Secret. Keys under gateway-registrar.dev/ are the operator's.",
            example={"team": "shop"},
            default="none",
            max_length=32,
            extra=rules(
                rule(
                    f"self.all(k, !k.startsWith({_OWN_PREFIX}))",
                    f"labels must not use keys under {GROUP}/, which are the operator's",
                )
            ),
        ),
    ] = None
    annotations: Annotated[
        dict[str, Annotated[str, about("The annotation's value, as any text.", example="refresh", max_length=4096)]]
        | None,
        about(
            "Annotations for the Secret. Keys under gateway-registrar.dev/ are the operator's.",
            example={"reloader.example.com/match": "true"},
            default="none",
            max_length=32,
            extra=rules(
                rule(
                    f"self.all(k, !k.startsWith({_OWN_PREFIX}))",
                    f"annotations must not use keys under {GROUP}/, which are the operator's",
                )
            ),
        ),
    ] = None


class KeyRotation(ApiModel):
    """When a generated key is replaced, and how long the old one still works."""

    interval: Annotated[
        Duration,
        about(
            "How old a key may become before it is replaced.",
            unit="a duration in hours, minutes and seconds, between 1h and 87600h",
            example="720h",
            extra=rules(
                rule(
                    "duration(self) >= duration('1h') && duration(self) <= duration('87600h')",
                    "interval must be between 1h and 87600h (10 years)",
                )
            ),
        ),
    ]
    overlap: Annotated[
        Duration,
        about(
            "How long the old key still works beside the new one.",
            unit="a duration in hours, minutes and seconds, between 0s and the interval",
            example="24h",
        ),
    ] = "1h"

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.overlap) < duration(self.interval)",
                "overlap must be shorter than interval",
                field=".overlap",
            )
        )
    )


class ApiKey(ApiModel):
    """Where the Client's API key comes from and which Secret holds it."""

    source: Annotated[
        Literal["Generated", "Existing"],
        about(
            "Generated: the operator makes a key of 256 random bits and owns the Secret. "
            "Existing: the Secret is yours, named by secretName, "
            'and carries the label gateway-registrar.dev/allow-use: "true".',
            example="Generated",
        ),
    ] = "Generated"
    secret_name: Annotated[
        ObjectName | None,
        about(
            "The Secret that holds the key, in the Client's namespace.",
            default="<metadata.name>-api-key",
            example="checkout-api-key",
        ),
    ] = None
    secret_key: Annotated[
        str,
        about(
            "Which entry of the Secret's data is the key.",
            example="apiKey",
            pattern=SECRET_KEY_PATTERN,
            min_length=1,
            max_length=253,
        ),
    ] = "apiKey"  # noqa: S105 - the name of an entry
    secret_template: Annotated[
        SecretTemplate | None,
        about("Labels and annotations for a generated Secret.", default="none", example={"labels": {"team": "shop"}}),
    ] = None
    rotation: Annotated[
        KeyRotation | None,
        about(
            "Regular replacement of a generated key.",
            default="no rotation but by the annotation gateway-registrar.dev/rotate-key",
            example={"interval": "720h", "overlap": "24h"},
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.source != 'Existing' || has(self.secretName)",
                "secretName is required when source is Existing",
                field=".secretName",
            ),
            rule(
                "self.source != 'Generated' || !(self.secretKey in ['baseURL', 'headerName', 'nextApiKey', 'previousApiKey'])",
                "secretKey must not be the name of an entry that the operator writes itself "
                "(baseURL, headerName, nextApiKey, previousApiKey)",
                field=".secretKey",
            ),
            rule(
                "self.source == 'Generated' || !has(self.rotation)",
                "rotation is allowed only when source is Generated",
                field=".rotation",
            ),
            rule(
                "self.source == 'Generated' || !has(self.secretTemplate)",
                "secretTemplate is allowed only when source is Generated",
                field=".secretTemplate",
            ),
        )
    )


class ClientSpec(ApiModel):
    """Who calls APIs, on which gateway, and how changes reach it."""

    organization: Annotated[
        GatewayName | None,
        about(
            "The organization on the gateway that the client belongs to.",
            default="the one organization of the namespace",
            example="shop",
        ),
    ] = None
    client_id: Annotated[
        GatewayName | None,
        about("The client's id on the gateway.", default="metadata.name", example="checkout"),
    ] = None
    version: Annotated[
        GatewayVersion,
        about(
            "The version of the application; each version is a Client with a key of its own.",
            example="2.1",
            extra=rules(
                rule(
                    "!self.endsWith('.r')",
                    "version must not end with .r, which the operator appends while a key is rotated",
                )
            ),
        ),
    ] = "1.0"
    display_name: Annotated[
        str | None,
        about(
            "A name for people; it is not sent to the gateway.",
            default="none",
            example="Checkout service",
            max_length=128,
        ),
    ] = None
    description: Annotated[
        str | None,
        about(
            "What the application is; it is not sent to the gateway.",
            default="none",
            example="Takes orders from the shop.",
            max_length=1024,
        ),
    ] = None
    gateway_ref: Annotated[
        GatewayRef | None,
        about(
            "The RuntimeGateway to register on.",
            default="the RuntimeGateway with spec.default: true",
            example={"name": "default"},
        ),
    ] = None
    publish: Annotated[
        Literal["Manual", "Automatic"] | None,
        about(
            "Manual: changes wait until the annotation gateway-registrar.dev/reregister gets a new token. "
            "Automatic: changes reach the gateway at once.",
            default="the RuntimeGateway's spec.defaults.publish, which is Manual unless it says otherwise",
            example="Manual",
        ),
    ] = None
    state: Annotated[
        Literal["Registered", "Retired"],
        about(
            "Registered: the client may call APIs. Retired: it is taken off the gateway and stays off.",
            example="Registered",
        ),
    ] = "Registered"
    paused: Annotated[
        bool,
        about("Whether the operator leaves the Client alone but for revocation, blocking and deletion.", example=True),
    ] = False
    api_key: Annotated[
        ApiKey,
        about(
            "Where the API key comes from.",
            example={"source": "Generated"},
        ),
    ] = ApiKey()
    adopt: Annotated[
        bool,
        about(
            "Whether a registration that is on the gateway already, under this identity, may be taken over; "
            "it counts only while nothing is published, and needs proof of ownership.",
            example=True,
        ),
    ] = False
    deletion_policy: Annotated[
        Literal["Unregister", "Retain"] | None,
        about(
            "What deleting the Client does. Unregister: takes it off the gateway and deletes a generated Secret. "
            "Retain: leaves both.",
            default="the RuntimeGateway's spec.defaults.deletionPolicy, which is Unregister unless it says otherwise",
            example="Unregister",
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            immutable("organization", advice=_MOVE),
            immutable("clientId", advice=_MOVE),
            immutable("version", advice=_MOVE),
            immutable("gatewayRef", advice=_MOVE),
        )
    )


CLIENT_RULES = rules(
    rule(
        f"size(self.metadata.name) <= {CLIENT_OBJECT_NAME_LENGTH}",
        f"metadata.name must have at most {CLIENT_OBJECT_NAME_LENGTH} characters, "
        "because the name of the key Secret is made from it",
    )
)
"""Rules that stand on the whole object, the only place from which CEL sees `metadata.name`."""
