"""How a RuntimeGateway of type Apiman is reached.

Invariants: an endpoint is https unless plain http was allowed in so many words; the credentials stay in a Secret of the
operator's own namespace. What this module deliberately does not do: look at that Secret or at the certificates.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from registrar.resources.base import ApiModel, ObjectName, Url, about, rule, rules

_PLAIN = "must start with https://; http:// is allowed only with allowPlainHttp: true"


class CredentialsSecretRef(ApiModel):
    """The Secret, in the operator's own namespace, with the entries `username` and `password`."""

    name: Annotated[
        ObjectName, about("The metadata.name of the Secret in the operator's namespace.", example="apiman-credentials")
    ]


class Apiman(ApiModel):
    """How to reach an Apiman gateway."""

    endpoint: Annotated[
        Url,
        about(
            "The base URL of the gateway's configuration API, without user, query or fragment.",
            example="https://apiman.example.com/apiman-gateway-api",
        ),
    ]
    public_endpoint: Annotated[
        Url | None,
        about(
            "The base URL under which consumers reach the gateway.",
            default="what the gateway says of each API",
            example="https://api.example.com/apiman-gateway",
        ),
    ] = None
    credentials_secret_ref: Annotated[
        CredentialsSecretRef,
        about(
            "The Secret with username and password for the configuration API.", example={"name": "apiman-credentials"}
        ),
    ]
    ca_bundle: Annotated[
        str | None,
        about(
            "Certificates that the gateway's certificate is checked against, in PEM.",
            default="the certificates that the operator's image trusts",
            example="-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n",
            max_length=65536,
            extra=rules(
                rule(
                    "self.contains('-----BEGIN CERTIFICATE-----')",
                    "caBundle must be PEM text with at least one -----BEGIN CERTIFICATE----- block",
                )
            ),
        ),
    ] = None
    allow_plain_http: Annotated[
        bool,
        about(
            "Whether http:// endpoints are accepted; keys and credentials then cross the network in the clear.",
            example=True,
        ),
    ] = False

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.allowPlainHttp || self.endpoint.startsWith('https://')", f"endpoint {_PLAIN}", field=".endpoint"
            ),
            rule(
                "self.allowPlainHttp || !has(self.publicEndpoint) || self.publicEndpoint.startsWith('https://')",
                f"publicEndpoint {_PLAIN}",
                field=".publicEndpoint",
            ),
        )
    )
