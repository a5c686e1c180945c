"""What all kinds share: name rules, bounded field types, references, conditions, and how a field is described.

Invariants: every string, list and map has a bound; every field has a description with its default and an example
(`about` asks for it). What this module deliberately does not do: say what any kind looks like, or how models become a
CRD (see `schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

GROUP = "gateway-registrar.dev"
VERSION = "v1alpha1"
CATEGORY = "gateway-registrar"

GATEWAY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""What an organization, client, API, plan or version may be called: it goes into a URL path, so never `.`, `..`, `/`
or `%`.
"""
GATEWAY_NAME_LENGTH = 128
"""Longest organization, client id, API name or plan, in characters."""
GATEWAY_VERSION_LENGTH = 60
"""Longest version, in characters; the operator appends `.r` to a Client's version while a key is rotated."""
CLIENT_OBJECT_NAME_LENGTH = 63
"""Longest `metadata.name` of a Client, in characters; the name of its Secret is made from it."""
DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
"""A duration in whole hours, minutes and seconds; six digits of each can't overflow the 64 bits in which CEL counts
nanoseconds.
"""
SECRET_KEY_PATTERN = r"^[-._a-zA-Z0-9]+$"  # noqa: S105 - a pattern
LABEL_VALUE_PATTERN = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
HTTP_HEADER_PATTERN = r"^[A-Za-z][A-Za-z0-9-]*$"
ONE_LINE_PATTERN = r"^[^\x00-\x1f\x7f]+$"
"""Text of one tenant that others read in a condition: no line break and no control character, which could pass for a line of its own."""
URL_PATTERN = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
"""An absolute http or https URL without user, query or fragment."""
MESSAGE_LENGTH = 32768
"""Longest message in a status, in characters; as long as Kubernetes allows for a condition's."""
TOKEN_LENGTH = 256
"""Longest token of an action annotation that a status records, in characters."""


class ApiModel(BaseModel):
    """Base of every part of a manifest: camelCase in JSON, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


def rule(expression: str, message: str, *, field: str = "") -> dict[str, str]:
    """One CEL rule of `x-kubernetes-validations`.

    `message` says what is allowed; `field` is the path, from where the rule stands, that the error names, such as
    `.organization`.
    """
    return {"rule": expression, "message": message} | ({"fieldPath": field} if field else {})


def immutable(field: str, *, advice: str) -> dict[str, str]:
    """The rule that `field` (a camelCase name) keeps its value, and stays absent when it was.

    It stands on the parent (`spec`): a transition rule on an optional field is skipped when the field is added
    or removed.
    """
    return rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} can't be changed, added or removed after creation; {advice}",
        field=f".{field}",
    )


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """The `json_schema_extra` that puts CEL rules on a model or a field."""
    return {"x-kubernetes-validations": list(entries)}


@dataclass(frozen=True, slots=True)
class Ruled:
    """A CEL rule that belongs to a type, so that every field of that type has it, whatever else is said of it."""

    expression: str
    message: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Called by pydantic when it makes the schema of a field of the type."""
        return handler(core) | rules(rule(self.expression, self.message))


def about(
    text: str, *, example: Any, unit: str = "", default: str = "", extra: dict[str, Any] | None = None, **bounds: Any
) -> Any:
    """Describe a field.

    `text` says what it is for; `unit` what a number counts; `default` what an absent field means where the schema
    can't say so; `extra` goes into the schema as it is; `bounds` are pydantic's (`max_length`, `ge`, `pattern`...).
    `schema` makes one text of all of them.
    """
    notes = {"x-unit": unit, "x-default": default}
    merged = {key: value for key, value in notes.items() if value} | (extra or {})
    return Field(description=text, examples=[example], json_schema_extra=merged or None, **bounds)


MAP_BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
SET = {"x-kubernetes-list-type": "set"}
ATOMIC = {"x-kubernetes-list-type": "atomic"}

PlainText = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Ruled("!self.contains('${')", "must not hold ${: the gateway would expand its own environment there"),
]
GatewayName = Annotated[str, Field(pattern=GATEWAY_NAME_PATTERN, min_length=1, max_length=GATEWAY_NAME_LENGTH)]
GatewayVersion = Annotated[str, Field(pattern=GATEWAY_NAME_PATTERN, min_length=1, max_length=GATEWAY_VERSION_LENGTH)]
ObjectName = Annotated[str, Field(pattern=DNS_SUBDOMAIN_PATTERN, min_length=1, max_length=253)]
Namespace = Annotated[str, Field(pattern=DNS_LABEL_PATTERN, min_length=1, max_length=63)]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN, min_length=2, max_length=24)]
Url = Annotated[str, Field(pattern=URL_PATTERN, min_length=8, max_length=1024)]
HttpHeader = Annotated[str, Field(pattern=HTTP_HEADER_PATTERN, min_length=1, max_length=64)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE_PATTERN, max_length=63)]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
ShortText = Annotated[str, Field(max_length=512)]
Message = Annotated[str, Field(max_length=MESSAGE_LENGTH)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class GatewayRef(ApiModel):
    """Which RuntimeGateway is meant; they are cluster-scoped, so a name is enough."""

    name: Annotated[ObjectName, about("The metadata.name of a RuntimeGateway.", example="default")]


class SecretKeyRef(ApiModel):
    """One entry of a Secret in the same namespace, which carries `gateway-registrar.dev/allow-use: "true"`."""

    name: Annotated[
        ObjectName,
        about(
            "The metadata.name of the Secret, in the namespace of the object that refers to it.", example="ldap-bind"
        ),
    ]
    key: Annotated[
        str,
        about(
            "Which entry of the Secret's data to read.",
            example="password",
            pattern=SECRET_KEY_PATTERN,
            min_length=1,
            max_length=253,
        ),
    ] = "password"


class LabelSelectorRequirement(ApiModel):
    """One requirement on one label."""

    key: Annotated[LabelKey, about("The label that the requirement is about.", example="team")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"],
        about(
            "How the label's value relates to the values: In and NotIn need some, Exists and DoesNotExist take none.",
            example="In",
        ),
    ]
    values: Annotated[
        list[LabelValue] | None,
        about(
            "The values that In and NotIn compare with.", example=["shop"], default="none", max_length=32, extra=ATOMIC
        ),
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                "values are needed with the operators In and NotIn, and not allowed with Exists and DoesNotExist",
                field=".values",
            )
        )
    )


class LabelSelector(ApiModel):
    """Which namespaces are meant, by their labels: all requirements must hold, so an empty selector means each."""

    match_labels: Annotated[
        dict[str, LabelValue] | None,
        about(
            "Labels that a namespace must carry with exactly these values.",
            example={"team": "shop"},
            default="none",
            max_length=32,
        ),
    ] = None
    match_expressions: Annotated[
        list[LabelSelectorRequirement] | None,
        about(
            "Further requirements on labels.",
            example=[{"key": "team", "operator": "Exists"}],
            default="none",
            max_length=32,
            extra=ATOMIC,
        ),
    ] = None


class ConditionModel(ApiModel):
    """One condition, in the standard form of Kubernetes."""

    type: Annotated[
        str,
        about(
            "What the condition is about, as an adjective or a past participle.",
            example="Ready",
            pattern=r"^[A-Za-z]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
            min_length=1,
            max_length=316,
        ),
    ]
    status: Annotated[Literal["True", "False", "Unknown"], about("Whether the condition holds.", example="True")]
    reason: Annotated[
        str,
        about(
            "Why, in one CamelCase word that programs may rely on; each has its page in the documentation.",
            example="Registered",
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            min_length=1,
            max_length=1024,
        ),
    ]
    message: Annotated[
        Message, about("Why, for people, and what to do next.", example="All 3 contracts are live on gateway default.")
    ]
    last_transition_time: Annotated[
        datetime,
        about("When the status last changed from one value to another, in RFC 3339.", example="2026-01-31T12:00:00Z"),
    ]
    observed_generation: Annotated[
        int | None,
        about("The metadata.generation that the condition was judged on.", example=3, default="none", ge=-1, le=2**53),
    ] = None


class StatusModel(ApiModel):
    """What the status of every kind begins with."""

    observed_generation: Annotated[
        int,
        about(
            "The metadata.generation that this status was judged on; -1 until the operator has seen the object.",
            example=3,
            ge=-1,
            le=2**53,
        ),
    ] = -1
    conditions: Annotated[
        list[ConditionModel] | None,
        about(
            "The standing of the object, one entry for each type; Ready sums it up.",
            example=[{"type": "Ready", "status": "True"}],
            default="none until the operator has seen the object",
            max_length=16,
            extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None
