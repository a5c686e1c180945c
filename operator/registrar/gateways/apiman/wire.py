"""Each policy in the text that Apiman takes, and back.

Invariants: the same policy always gives the same text; nothing is rendered that the gateway would expand (`${`) but the one mark for a user's name that
the driver itself puts into a directory's patterns; what is read back and is not ours becomes `custom`, without its configuration.
What this module deliberately does not do: choose or order policies, or know the fields of a type (see `policy_forms`).
"""

from __future__ import annotations

from typing import Any

import orjson

from registrar.errors import GatewayRefused
from registrar.gateways.apiman.basic_authentication import USERNAME
from registrar.gateways.apiman.policy_forms import BY_IMPLEMENTATION, FORMS, Config
from registrar.gateways.base import WirePolicy

CUSTOM = "custom"
RENDERABLE = frozenset({*FORMS, CUSTOM})
"""The policy types that can be put on an Apiman gateway."""
EXPANDED = "${"
"""What makes the gateway look into its own environment."""


def render_policy(*, type: str, config: Config) -> WirePolicy:
    """The gateway's form of a policy of that type; `config` has the resolved secrets in it.

    Raises GatewayRefused for a type that is not in `RENDERABLE`, for a configuration that lacks something, and for one with `${`,
    which the gateway would replace by its own environment's values.
    """
    if EXPANDED in _text(config):
        raise GatewayRefused(f"A policy of type {type} contains '${{', which the gateway would expand; remove it.")
    if type == CUSTOM:
        return WirePolicy(implementation=config["implementation"], config=_text(config.get("config") or {}))
    form = FORMS.get(type)
    if form is None:
        raise GatewayRefused(f"Policies of type {type} can't be rendered for Apiman.")
    try:
        text = _text(form.render(config))
    except KeyError as error:
        raise GatewayRefused(f"A policy of type {type} lacks {error.args[0]}.") from None
    # What the driver itself adds is looked at too: only the mark for a user's name, and only as a whole.
    if EXPANDED in text.replace(f"${USERNAME}", ""):
        raise GatewayRefused(f"A policy of type {type} would contain '${{' when rendered; remove the dollar sign.")
    return WirePolicy(implementation=form.implementation, config=text)


def parse_policy(policy: WirePolicy) -> tuple[str, dict[str, Any]]:
    """The type and configuration that a wire policy stands for; one that no type explains is `custom`."""
    type_ = BY_IMPLEMENTATION.get(policy.implementation, "")
    if type_:
        try:
            parsed = FORMS[type_].parse(orjson.loads(policy.config))
            if render_policy(type=type_, config=parsed) == policy:
                return type_, parsed
        except (orjson.JSONDecodeError, GatewayRefused, KeyError, TypeError, AttributeError):
            # Somebody else's form: whatever does not fit is no typed policy.
            return _unexplained(policy)
    return _unexplained(policy)


def _unexplained(policy: WirePolicy) -> tuple[str, dict[str, Any]]:
    """No more than is needed to tell it apart: the configuration may hold somebody's secret."""
    return CUSTOM, {"implementation": policy.implementation}


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
