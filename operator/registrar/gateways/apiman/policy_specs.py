"""From what an Apiman gateway has back to the member of `Policy.spec` that would put it there, for the import of registrations that exist.

`wire.parse_policy` answers another question, what may stand in a status, and so never gives a password back. Here passwords are wanted: they come out beside the
configuration, each under the entry of a Secret that the configuration refers to.

Invariants: what comes out is rendered into exactly the same bytes again, with the defaults that the API server fills in, or nothing comes out; a password is in
`passwords` and nowhere else, and never in a `repr`; the class of a typed policy never becomes `custom`.
What this module deliberately does not do: name Secrets, choose targets, or mend a configuration that is nearly one of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from registrar.errors import GatewayRefused
from registrar.gateways.apiman import basic_authentication
from registrar.gateways.apiman.basic_authentication import PASSWORD
from registrar.gateways.apiman.policy_forms import BY_IMPLEMENTATION, FORMS
from registrar.gateways.apiman.wire import CUSTOM, render_policy
from registrar.gateways.base import WirePolicy
from registrar.resources.parse import REFERRING, SECRET_REF
from registrar.resources.policy import PolicySpec

SECRET = "passwords"  # noqa: S105 - a name that stands in for the Secret's, which the caller chooses
"""The name that every reference has until `referring_to` gives it the real one."""
LONGEST_PASSWORD = 1024
"""In bytes; the operator takes nothing longer for a password."""
_ANY_TARGET = [{"kind": "Client", "name": "any"}]
_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PolicyMember:
    """The one member of a Policy's spec: its name, its value as the API server stores it, and the passwords that it refers to, by entry."""

    type: str
    config: Mapping[str, Any]
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    def referring_to(self, secret: str) -> dict[str, Any]:
        """The value with `secret` as the name of the Secret that holds the passwords."""
        config: dict[str, Any] = orjson.loads(orjson.dumps(self.config))
        for row in referring(config):
            row[SECRET_REF]["name"] = secret
        return config


def member_of(policy: WirePolicy) -> PolicyMember | None:
    """The member that is rendered into exactly this policy; None when there is none."""
    try:
        return _member(policy)
    except (orjson.JSONDecodeError, ValidationError, GatewayRefused, KeyError, TypeError, AttributeError):
        # Somebody else's form: whatever does not fit has no member.
        return None


def _member(policy: WirePolicy) -> PolicyMember | None:
    wire = orjson.loads(policy.config)
    if not isinstance(wire, dict):
        return None
    type_ = BY_IMPLEMENTATION.get(policy.implementation, CUSTOM)
    passwords: dict[str, str] = {}
    if type_ == CUSTOM:
        found: dict[str, Any] = {"implementation": policy.implementation} | ({"config": wire} if wire else {})
    elif type_ == REFERRING:
        found = _with_references(wire, passwords)
    else:
        found = FORMS[type_].parse(wire)
    spec = PolicySpec.model_validate({"targetRefs": _ANY_TARGET, type_: found})
    stored = spec.model_dump(by_alias=True, exclude_none=True, mode="json")[type_] if type_ != CUSTOM else found
    if not _admissible(type_, stored) or not all(_usable(text) for text in passwords.values()):
        return None
    if render_policy(type=type_, config=resolved(stored, passwords)) != policy:
        return None
    return PolicyMember(type=type_, config=stored, passwords=passwords)


def _with_references(wire: Mapping[str, Any], passwords: dict[str, str]) -> dict[str, Any]:
    """`basicAuthentication` with a reference in the place of each password, which goes into `passwords`."""
    config: dict[str, Any] = {
        name: wire[name] for name in ("realm", "forwardIdentityHttpHeader", "requireTransportSecurity", "requireBasicAuth")
        if name in wire
    }  # fmt: skip
    if "staticIdentity" in wire:
        users = []
        for number, row in enumerate(wire["staticIdentity"]["identities"], start=1):
            entry = f"user-{number}"
            passwords[entry] = row[PASSWORD]
            user = {"username": row["username"], "isHash": row["isHash"], SECRET_REF: {"name": SECRET, "key": entry}}
            users.append(user)
        return config | {"staticIdentity": {"identities": users}}
    config |= basic_authentication.parse(wire)
    account = wire.get("ldapIdentity", {}).get("credentials")
    if account is not None:
        passwords["bind"] = account[PASSWORD]
        reference = {"name": SECRET, "key": "bind"}
        config["ldapIdentity"]["credentials"] = {"username": account["username"], SECRET_REF: reference}
    return config


def resolved(config: Mapping[str, Any], passwords: Mapping[str, str]) -> dict[str, Any]:
    """The configuration with its passwords, as the driver takes it."""
    whole: dict[str, Any] = orjson.loads(orjson.dumps(config))
    for row in referring(whole):
        row[PASSWORD] = passwords[row[SECRET_REF]["key"]]
    return whole


def referring(value: object) -> Iterator[dict[str, Any]]:
    """Every object of a configuration that refers to a Secret."""
    if isinstance(value, list):
        for row in value:
            yield from referring(row)
    elif isinstance(value, dict):
        if isinstance(value.get(SECRET_REF), dict):
            yield value
        for inner in list(value.values()):
            yield from referring(inner)


def _admissible(type_: str, config: Mapping[str, Any]) -> bool:
    """What the API server checks beyond the types of the fields, by the CEL rules of the schema, and whether it would give the numbers back as they are."""
    match type_:
        case "rateLimit" | "quota" | "transferQuota":
            return bool(config["granularity"] == "User") == ("userHeader" in config)
        case "basicAuthentication":
            ldap = config.get("ldapIdentity", {})
            searching = ldap.get("bindAs") == "ServiceAccount"
            identities = [name for name in config if name.endswith("Identity")]
            return len(identities) == 1 and (not searching or {"credentials", "userSearch"} <= ldap.keys())
        case "custom":
            return _stored_as_it_is(config)
        case _:
            return True


def _stored_as_it_is(value: object) -> bool:
    """Whether free JSON survives kubectl and the API server: they keep 64-bit integers, write 1.0 as 1, and drop what is null."""
    if isinstance(value, dict):
        return all(_stored_as_it_is(inner) for inner in value.values())
    if isinstance(value, list):
        return all(_stored_as_it_is(inner) for inner in value)
    if isinstance(value, float):
        return not value.is_integer()
    return value is not None and (not isinstance(value, int) or abs(value) <= _LARGEST_INTEGER)


def _usable(password: object) -> bool:
    """Whether the operator would take it from a Secret."""
    return (
        isinstance(password, str)
        and 0 < len(password.encode()) <= LONGEST_PASSWORD
        and password.isprintable()
    )  # fmt: skip
