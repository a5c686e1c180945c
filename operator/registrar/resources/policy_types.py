"""The typed policies: Apiman's built-in ones under its own field names, and `custom` for everything else.

Field names and their meaning are those of the configuration classes in Apiman 3.1.3
(`io.apiman.gateway.engine.policies.config`); enum values are CamelCase here as Kubernetes has them. Invariants: a
secret is always a reference; free text that reaches the gateway holds no `${`, which the gateway would expand from
its own environment. What this module deliberately does not do: render (the gateway's driver does).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict

from registrar.resources.base import (
    ATOMIC,
    ApiModel,
    HttpHeader,
    PlainText,
    about,
    rule,
    rules,
)

Verb = Literal["*", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"]


class Limit(ApiModel):
    """How much may pass in a calendar period, and who shares one count."""

    limit: Annotated[
        int,
        about(
            "How much may pass in one period.", unit="requests; bytes in a transferQuota", example=100, ge=1, le=10**12
        ),
    ]
    period: Annotated[
        Literal["Second", "Minute", "Hour", "Day", "Month", "Year"],
        about("The calendar period that is counted in; the count starts anew with each.", example="Minute"),
    ]
    granularity: Annotated[
        Literal["Client", "User", "Ip", "Api"],
        about(
            "Who shares one count. On targets of kind Client: "
            "Client (all calls of the client), User (each value of userHeader) "
            "or Ip (each address). On targets of any other kind: Api (the client's calls of one API).",
            example="Client",
        ),
    ]
    user_header: Annotated[
        HttpHeader | None,
        about(
            "The request header that names the user; needed with granularity User.", default="none", example="X-User"
        ),
    ] = None
    header_limit: Annotated[
        HttpHeader | None,
        about("The response header that tells the limit.", default="the gateway's own", example="X-RateLimit-Limit"),
    ] = None
    header_remaining: Annotated[
        HttpHeader | None,
        about(
            "The response header that tells what is left.", default="the gateway's own", example="X-RateLimit-Remaining"
        ),
    ] = None
    header_reset: Annotated[
        HttpHeader | None,
        about(
            "The response header that tells the seconds to the next period.",
            default="the gateway's own",
            example="X-RateLimit-Reset",
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(self.granularity == 'User') == has(self.userHeader)",
                "userHeader is required with granularity User and allowed only with it",
                field=".userHeader",
            )
        )
    )


class TransferLimit(Limit):
    """How many bytes may pass in a calendar period."""

    direction: Annotated[Literal["Upload", "Download", "Both"], about("Which bytes are counted.", example="Both")] = (
        "Both"
    )


class IpList(ApiModel):
    """A list of client addresses."""

    ip_list: Annotated[
        list[
            Annotated[
                str,
                about(
                    "An address, a CIDR block, a range or an address with wildcards.",
                    example="10.0.0.0/8",
                    pattern=r"^[0-9A-Fa-f:.*/-]+$",
                    min_length=2,
                    max_length=64,
                ),
            ]
        ],
        about(
            "Addresses, CIDR blocks, ranges or addresses with wildcards.",
            example=["10.0.0.0/8", "192.168.1.*"],
            min_length=1,
            max_length=256,
            extra=ATOMIC,
        ),
    ]
    http_header: Annotated[
        HttpHeader | None,
        about(
            "The request header that holds the caller's address.",
            default="the address of the connection",
            example="X-Forwarded-For",
        ),
    ] = None
    response_code: Annotated[
        Literal[403, 404], about("The status code of a refusal.", unit="HTTP status code", example=403)
    ] = 403


class PathRule(ApiModel):
    """Requests by verb and path."""

    verb: Annotated[Verb, about("The HTTP method; * means every one.", example="GET")] = "*"
    path_pattern: Annotated[
        PlainText, about("A regular expression that the whole path must match.", example="/admin/.*")
    ]


class AuthorizationRule(PathRule):
    """The role that such requests need."""

    role: Annotated[PlainText, about("The role that the user must have.", example="editor")]


class Authorization(ApiModel):
    """Roles decide who may do what; it needs a policy before it that finds out who calls."""

    rules: Annotated[
        list[AuthorizationRule],
        about(
            "Which requests need which role.",
            example=[{"pathPattern": "/admin/.*", "role": "admin"}],
            min_length=1,
            max_length=128,
            extra=ATOMIC,
        ),
    ]
    request_unmatched: Annotated[
        Literal["Fail", "Pass"], about("What happens to requests that no rule matches.", example="Fail")
    ] = "Fail"
    multi_match: Annotated[
        Literal["Any", "All"], about("Which of several matching rules must be met.", example="All")
    ] = "All"


class CachingEntry(ApiModel):
    """Which answers are kept."""

    status_code: Annotated[
        str,
        about("The status code; * means every one.", example="200", pattern=r"^(\*|[1-5][0-9][0-9])$", max_length=3),
    ] = "*"
    path_pattern: Annotated[
        PlainText, about("A regular expression that the whole path must match.", example="/products/.*")
    ]
    http_method: Annotated[
        Literal["*", "GET", "POST", "HEAD"], about("The HTTP method; * means every one of these.", example="GET")
    ] = "GET"


class Caching(ApiModel):
    """The gateway keeps answers."""

    ttl: Annotated[int, about("How long an answer is kept.", unit="seconds", example=60, ge=1, le=31_536_000)]
    entries: Annotated[
        list[CachingEntry],
        about(
            "Which answers are kept.",
            example=[{"pathPattern": "/products/.*"}],
            min_length=1,
            max_length=64,
            extra=ATOMIC,
        ),
    ]


class IgnoredResources(ApiModel):
    """Requests that are answered with 404 as if there were nothing."""

    rules: Annotated[
        list[PathRule],
        about(
            "Which requests are hidden.",
            example=[{"verb": "*", "pathPattern": "/internal/.*"}],
            min_length=1,
            max_length=128,
            extra=ATOMIC,
        ),
    ]


class TimeRule(ApiModel):
    """When such requests are allowed, in UTC."""

    time_start: Annotated[
        str,
        about(
            "The first moment of the day, as HH:mm:ss in UTC.",
            example="08:00:00",
            pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
            max_length=8,
        ),
    ]
    time_end: Annotated[
        str,
        about(
            "The last moment of the day, as HH:mm:ss in UTC.",
            example="18:00:00",
            pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
            max_length=8,
        ),
    ]
    day_start: Annotated[
        int, about("The first day of the week.", unit="1 (Monday) to 7 (Sunday)", example=1, ge=1, le=7)
    ]
    day_end: Annotated[int, about("The last day of the week.", unit="1 (Monday) to 7 (Sunday)", example=5, ge=1, le=7)]
    path_pattern: Annotated[PlainText, about("A regular expression that the whole path must match.", example=".*")]


class TimeRestrictedAccess(ApiModel):
    """Requests are allowed at certain times."""

    rules: Annotated[
        list[TimeRule],
        about(
            "When which requests are allowed.",
            example=[{"timeStart": "08:00:00"}],
            min_length=1,
            max_length=64,
            extra=ATOMIC,
        ),
    ]


class UrlRewriting(ApiModel):
    """The gateway replaces URLs."""

    from_regex: Annotated[
        PlainText, about("A regular expression that finds what is replaced.", example="https?://internal/(.*)")
    ]
    to_replacement: Annotated[
        PlainText,
        about("What it is replaced with; $1 stands for the first group.", example="https://api.example.com/$1"),
    ]
    process_request_url: Annotated[bool, about("Whether the URL of requests is rewritten.", example=True)] = False
    process_request_headers: Annotated[bool, about("Whether headers of requests are rewritten.", example=True)] = False
    process_response_headers: Annotated[bool, about("Whether headers of answers are rewritten.", example=True)] = False
    process_response_body: Annotated[bool, about("Whether bodies of answers are rewritten.", example=True)] = False


class Custom(ApiModel):
    """A policy that the gateway has beyond its built-in ones."""

    implementation: Annotated[
        str,
        about(
            "The gateway's name for the policy's code; the RuntimeGateway's spec.customPolicies.allow must allow it.",
            example="class:com.example.AuditPolicy",
            pattern=r"^(class|plugin):[A-Za-z0-9_.:/$-]+$",
            max_length=512,
        ),
    ]
    config: Annotated[
        dict[str, Any] | None,
        about(
            "The policy's configuration, in the gateway's own form. Never put a secret here.",
            default="none",
            example={"level": "full"},
            max_length=64,
        ),
    ] = None
