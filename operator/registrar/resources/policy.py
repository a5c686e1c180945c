"""The Policy: one limit or rule on the calls of Clients, Contracts, plans or APIs.

What the schema deliberately does not do: check that targets exist or may be targeted, or that two limits share a
bucket; those are conditions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from registrar.resources.base import (
    ATOMIC,
    ApiModel,
    Count,
    GatewayName,
    GatewayVersion,
    StatusModel,
    about,
    rule,
    rules,
)
from registrar.resources.policy_authentication import BasicAuthentication
from registrar.resources.policy_types import (
    Authorization,
    Caching,
    Custom,
    IgnoredResources,
    IpList,
    Limit,
    TimeRestrictedAccess,
    TransferLimit,
    UrlRewriting,
)

POLICY_MEMBERS = (
    "rateLimit",
    "quota",
    "transferQuota",
    "ipAllowList",
    "ipBlockList",
    "basicAuthentication",
    "authorization",
    "caching",
    "ignoredResources",
    "timeRestrictedAccess",
    "urlRewriting",
    "custom",
)
"""The members of `Policy.spec` of which exactly one is set."""
LIMIT_MEMBERS = ("rateLimit", "quota", "transferQuota")
"""Those that count in the gateway's shared buckets."""

_HAS_LIMIT = " || ".join(f"has(self.{member})" for member in LIMIT_MEMBERS)
_ON_CLIENTS = "self.targetRefs.exists(t, t.kind == 'Client')"
_ON_OTHERS = "self.targetRefs.exists(t, t.kind != 'Client')"


class TargetRef(ApiModel):
    """A Client or Contract of the same namespace, or a plan or API of an organization that the namespace owns."""

    kind: Annotated[Literal["Client", "Contract", "Plan", "API"], about("What is meant by name.", example="Client")]
    name: Annotated[
        GatewayName,
        about(
            "The metadata.name of the Client or Contract, or the plan's or API's id on the gateway.",
            example="checkout",
            max_length=253,
        ),
    ]
    organization: Annotated[
        GatewayName | None,
        about(
            "The organization of the plan or API; required with the kinds Plan and API.", default="none", example="acme"
        ),
    ] = None
    version: Annotated[
        GatewayVersion | None, about("The API's version; required with the kind API.", default="none", example="1.0")
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(self.kind in ['Plan', 'API']) == has(self.organization)",
                "organization is required with the kinds Plan and API and not allowed with Client and Contract",
                field=".organization",
            ),
            rule(
                "(self.kind == 'API') == has(self.version)",
                "version is required with the kind API and not allowed with Client, Contract and Plan",
                field=".version",
            ),
        )
    )


def _granularity(member: str) -> tuple[dict[str, str], dict[str, str]]:
    """The rules that a limit's granularity fits the kinds of its targets; mixed kinds have a rule of their own."""
    return (
        rule(
            f"!has(self.{member}) || {_ON_OTHERS} || self.{member}.granularity in ['Client', 'User', 'Ip']",
            "granularity must be Client, User or Ip when the targets are of kind Client",
            field=f".{member}.granularity",
        ),
        rule(
            f"!has(self.{member}) || {_ON_CLIENTS} || self.{member}.granularity == 'Api'",
            "granularity must be Api when the targets are of kind Contract, Plan or API",
            field=f".{member}.granularity",
        ),
    )


class PolicySpec(ApiModel):
    """What applies to whom. Exactly one of the members that name a policy type is set."""

    target_refs: Annotated[
        list[TargetRef],
        about(
            "What the Policy applies to.",
            example=[{"kind": "Client", "name": "checkout"}],
            min_length=1,
            max_length=16,
            extra=ATOMIC
            | rules(
                rule(
                    "self.all(a, self.exists_one(b, a.kind == b.kind && a.name == b.name"
                    " && (has(a.organization) ? a.organization : '') == (has(b.organization) ? b.organization : '')"
                    " && (has(a.version) ? a.version : '') == (has(b.version) ? b.version : '')))",
                    "targetRefs must name each target only once",
                )
            ),
        ),
    ]
    order: Annotated[
        int,
        about(
            "The place among the policies of one level: lower runs first, then namespace and name decide.",
            example=10,
            ge=-10000,
            le=10000,
        ),
    ] = 0
    rollout: Annotated[
        Literal["OnPublish", "Immediate"] | None,
        about(
            "OnPublish: changes wait until the Client publishes. "
            "Immediate: they reach every live registration at once.",
            default="Immediate when all targets are of kind Plan or API, OnPublish otherwise",
            example="OnPublish",
        ),
    ] = None
    rate_limit: Annotated[
        Limit | None,
        about(
            "At most so many requests in a period; more are answered with 429.",
            default="none",
            example={"limit": 100, "period": "Minute", "granularity": "Client"},
        ),
    ] = None
    quota: Annotated[
        Limit | None,
        about(
            "Like rateLimit, counted apart from it, for long periods.",
            default="none",
            example={"limit": 10000, "period": "Month", "granularity": "Client"},
        ),
    ] = None
    transfer_quota: Annotated[
        TransferLimit | None,
        about(
            "At most so many bytes in a period.",
            default="none",
            example={"limit": 1073741824, "period": "Day", "granularity": "Client", "direction": "Both"},
        ),
    ] = None
    ip_allow_list: Annotated[
        IpList | None, about("Only these addresses may call.", default="none", example={"ipList": ["10.0.0.0/8"]})
    ] = None
    ip_block_list: Annotated[
        IpList | None, about("These addresses may not call.", default="none", example={"ipList": ["203.0.113.7"]})
    ] = None
    basic_authentication: Annotated[
        BasicAuthentication | None, about("Callers must also log in.", default="none", example={"realm": "shop"})
    ] = None
    authorization: Annotated[
        Authorization | None, about("Roles decide who may do what.", default="none", example={"rules": []})
    ] = None
    caching: Annotated[Caching | None, about("The gateway keeps answers.", default="none", example={"ttl": 60})] = None
    ignored_resources: Annotated[
        IgnoredResources | None, about("Some resources are hidden.", default="none", example={"rules": []})
    ] = None
    time_restricted_access: Annotated[
        TimeRestrictedAccess | None, about("Calls are allowed at certain times.", default="none", example={"rules": []})
    ] = None
    url_rewriting: Annotated[
        UrlRewriting | None,
        about("The gateway replaces URLs.", default="none", example={"fromRegex": "a", "toReplacement": "b"}),
    ] = None
    custom: Annotated[
        Custom | None,
        about(
            "Anything else that the gateway can do.",
            default="none",
            example={"implementation": "class:com.example.AuditPolicy"},
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[" + ", ".join(f"has(self.{member})" for member in POLICY_MEMBERS) + "].filter(x, x).size() == 1",
                f"exactly one of {', '.join(POLICY_MEMBERS)} must be set",
            ),
            rule(
                f"!({_HAS_LIMIT}) || !({_ON_CLIENTS} && {_ON_OTHERS})",
                "targetRefs of a limit must be either all of kind Client or all of the kinds Contract, Plan and API, "
                "because they are counted apart",
                field=".targetRefs",
            ),
            *(entry for member in LIMIT_MEMBERS for entry in _granularity(member)),
        )
    )


class PolicyCounts(ApiModel):
    """On how many contracts the Policy has effect."""

    effective: Annotated[
        Count | None, about("Contracts that it shall apply to.", unit="Contracts", default="none", example=12)
    ] = None
    live: Annotated[
        Count | None,
        about("Contracts that it applies to on the gateway.", unit="Contracts", default="none", example=12),
    ] = None


class PolicyStatusModel(StatusModel):
    """What the operator knows of a Policy."""

    contracts: Annotated[
        PolicyCounts | None,
        about("How many contracts it applies to.", default="none", example={"effective": 12, "live": 12}),
    ] = None
