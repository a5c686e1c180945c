"""Each typed policy in Apiman's form, and back: one table.

Source: the configuration classes of `io.apiman.gateway.engine.policies` (Apiman 2.1 and 3.1 have the same). Invariants: the same policy always gives
the same text; nothing is rendered that the gateway would expand (`${`); what is read back and is not ours becomes `custom`.
What this module deliberately does not do: choose or order policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from registrar.errors import GatewayRefused
from registrar.gateways.base import WirePolicy

Config = Mapping[str, Any]
_PACKAGE = "class:io.apiman.gateway.engine.policies."


@dataclass(frozen=True, slots=True)
class _Form:
    """How one type is written: the class, and the functions there and back."""

    implementation: str
    render: Callable[[Config], dict[str, Any]]
    parse: Callable[[Config], dict[str, Any]]


_LIMIT_FIELDS = (
    "limit",
    "period",
    "granularity",
    "userHeader",
    "headerLimit",
    "headerRemaining",
    "headerReset",
)
_LIST_FIELDS = ("ipList", "httpHeader", "responseCode")


def _picked(fields: tuple[str, ...]) -> Callable[[Config], dict[str, Any]]:
    """A policy whose fields have the same names on both sides: those that are set."""
    return lambda config: {name: config[name] for name in fields if config.get(name) is not None}


_FORMS: Mapping[str, _Form] = {
    "rateLimit": _Form(f"{_PACKAGE}RateLimitingPolicy", _picked(_LIMIT_FIELDS), _picked(_LIMIT_FIELDS)),
    "quota": _Form(f"{_PACKAGE}QuotaPolicy", _picked(_LIMIT_FIELDS), _picked(_LIMIT_FIELDS)),
    "ipAllowList": _Form(f"{_PACKAGE}IPWhitelistPolicy", _picked(_LIST_FIELDS), _picked(_LIST_FIELDS)),
}
_BY_IMPLEMENTATION = {form.implementation: type_ for type_, form in _FORMS.items()}

RENDERABLE = frozenset(_FORMS)
"""The policy types that can be put on an Apiman gateway."""


def render_policy(*, type: str, config: Config) -> WirePolicy:
    """The gateway's form of a policy of that type.

    Raises GatewayRefused for a type that is not in `RENDERABLE`, and for a configuration with `${`, which the gateway would replace by
    its own environment's values.
    """
    form = _FORMS.get(type)
    if form is None:
        raise GatewayRefused(f"Policies of type {type} can't be rendered for Apiman.")
    text = orjson.dumps(form.render(config), option=orjson.OPT_SORT_KEYS).decode()
    if "${" in text:
        raise GatewayRefused(f"A policy of type {type} contains '${{', which the gateway would expand; remove it.")
    return WirePolicy(implementation=form.implementation, config=text)


def parse_policy(policy: WirePolicy) -> tuple[str, dict[str, Any]]:
    """The type and configuration that a wire policy stands for; one that no type explains is `custom`."""
    try:
        config = orjson.loads(policy.config)
    except orjson.JSONDecodeError:
        config = None
    type_ = _BY_IMPLEMENTATION.get(policy.implementation, "")
    if type_ and isinstance(config, dict):
        parsed = _FORMS[type_].parse(config)
        if render_policy(type=type_, config=parsed) == policy:
            return type_, parsed
    # No more than is needed to tell it apart: the configuration may hold somebody's secret.
    return "custom", {"implementation": policy.implementation}
