"""How each policy type is written for Apiman: the class, and the functions there and back.

Source: the configuration classes of `io.apiman.gateway.engine.policies` (Apiman 2.1 and 3.1 have the same), each tried on a real 2.1.1.
Invariants: the same configuration always gives the same form; a field that is left out and would open something at the gateway gets the schema's default.
What this module deliberately does not do: make text of a form, look for `${`, or write `basicAuthentication` (see `wire`, `basic_authentication`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registrar.gateways.apiman import addresses, basic_authentication

Config = Mapping[str, Any]
PACKAGE = "class:io.apiman.gateway.engine.policies."


@dataclass(frozen=True, slots=True)
class Form:
    """How one type is written."""

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
_REWRITING_SWITCHES = ("processRequestUrl", "processRequestHeaders", "processResponseHeaders", "processResponseBody")


def _picked(fields: tuple[str, ...]) -> Callable[[Config], dict[str, Any]]:
    """A policy whose fields have the same names on both sides: those that are set."""
    return lambda config: {name: config[name] for name in fields if config.get(name) is not None}


def _rows(config: Config, key: str, fields: tuple[str, ...], **defaults: Any) -> list[dict[str, Any]]:
    """A list of objects whose fields have the same names on both sides, with the defaults of those that are left out."""
    return [defaults | {name: row[name] for name in fields if name in row} for row in config[key]]


def _addresses(config: Config) -> dict[str, Any]:
    return _picked(_LIST_FIELDS)(config) | {"ipList": addresses.rendered(config["ipList"])}


def _transfer(config: Config) -> dict[str, Any]:
    return _picked(_LIMIT_FIELDS)(config) | {"direction": config.get("direction", "Both").lower()}


def _transfer_back(wire: Config) -> dict[str, Any]:
    return _picked(_LIMIT_FIELDS)(wire) | {"direction": str(wire.get("direction")).capitalize()}


def _authorization(config: Config) -> dict[str, Any]:
    return {
        "rules": _rows(config, "rules", ("verb", "pathPattern", "role"), verb="*"),
        "requestUnmatched": config.get("requestUnmatched", "Fail").lower(),
        "multiMatch": config.get("multiMatch", "All").lower(),
    }


def _authorization_back(wire: Config) -> dict[str, Any]:
    return {
        "rules": _rows(wire, "rules", ("verb", "pathPattern", "role")),
        "requestUnmatched": str(wire["requestUnmatched"]).capitalize(),
        "multiMatch": str(wire["multiMatch"]).capitalize(),
    }


_CACHED = ("statusCode", "pathPattern", "httpMethod")
_ENTRIES = "cachingResourcesSettingsEntries"


def _caching(config: Config) -> dict[str, Any]:
    return {"ttl": config["ttl"], _ENTRIES: _rows(config, "entries", _CACHED, statusCode="*", httpMethod="GET")}


def _caching_back(wire: Config) -> dict[str, Any]:
    return {"ttl": wire["ttl"], "entries": _rows(wire, _ENTRIES, _CACHED)}


def _ignored(config: Config) -> dict[str, Any]:
    return {"rules": _rows(config, "rules", ("verb", "pathPattern"), verb="*")}


_TIMES = ("timeStart", "timeEnd", "dayStart", "dayEnd", "pathPattern")


def _times(config: Config) -> dict[str, Any]:
    return {"rules": _rows(config, "rules", _TIMES)}


def _rewriting(config: Config) -> dict[str, Any]:
    texts = _picked(("fromRegex", "toReplacement"))(config)
    return texts | {name: bool(config.get(name, False)) for name in _REWRITING_SWITCHES}


FORMS: Mapping[str, Form] = {
    "rateLimit": Form(f"{PACKAGE}RateLimitingPolicy", _picked(_LIMIT_FIELDS), _picked(_LIMIT_FIELDS)),
    "quota": Form(f"{PACKAGE}QuotaPolicy", _picked(_LIMIT_FIELDS), _picked(_LIMIT_FIELDS)),
    "transferQuota": Form(f"{PACKAGE}TransferQuotaPolicy", _transfer, _transfer_back),
    "ipAllowList": Form(f"{PACKAGE}IPWhitelistPolicy", _addresses, _picked(_LIST_FIELDS)),
    "ipBlockList": Form(f"{PACKAGE}IPBlacklistPolicy", _addresses, _picked(_LIST_FIELDS)),
    "basicAuthentication": Form(
        f"{PACKAGE}BasicAuthenticationPolicy", basic_authentication.render, basic_authentication.parse
    ),
    "authorization": Form(f"{PACKAGE}AuthorizationPolicy", _authorization, _authorization_back),
    "caching": Form(f"{PACKAGE}CachingResourcesPolicy", _caching, _caching_back),
    "ignoredResources": Form(f"{PACKAGE}IgnoredResourcesPolicy", _ignored, _ignored),
    "timeRestrictedAccess": Form(f"{PACKAGE}TimeRestrictedAccessPolicy", _times, _times),
    "urlRewriting": Form(f"{PACKAGE}URLRewritingPolicy", _rewriting, _rewriting),
}
"""Every type with a form of its own; `custom` is whatever it says."""

BY_IMPLEMENTATION: Mapping[str, str] = {form.implementation: type_ for type_, form in FORMS.items()}
"""The typed policy that a class of the gateway belongs to."""
