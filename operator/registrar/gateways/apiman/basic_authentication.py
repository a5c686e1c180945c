"""The policy `basicAuthentication` in Apiman's form, and back.

The gateway resolves `${username}` in three fields of a directory by itself, with the name that the caller shows; in a Policy these fields say `{username}`. The
driver puts the dollar sign there only after it has refused every `${` in the whole configuration with its secrets (see `wire`).

Invariants: a password goes in only where a reference was resolved, and never comes back out: what is read back and holds one has no typed form.
What this module deliberately does not do: resolve a reference (the engine does).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
PASSWORD = "password"  # noqa: S105 - the name of an entry, not a secret
"""Where a resolved password stands, beside the fields of the schema."""
USERNAME = "{username}"
_LDAP_PLAIN = ("url", "bindAs", "extractRoles", "membershipAttribute", "rolenameAttribute")
_JDBC = ("datasourcePath", "query", "hashAlgorithm", "extractRoles", "roleQuery")


def render(config: Config) -> dict[str, Any]:
    """The gateway's form; `config` has `password` beside each `passwordSecretRef`, and KeyError says that one is missing."""
    wire: dict[str, Any] = {
        "realm": config["realm"],
        # What is left out must not be weaker than the schema's default: the gateway's own default is no TLS.
        "requireTransportSecurity": bool(config.get("requireTransportSecurity", True)),
        "requireBasicAuth": bool(config.get("requireBasicAuth", True)),
    }
    if config.get("forwardIdentityHttpHeader"):
        wire["forwardIdentityHttpHeader"] = config["forwardIdentityHttpHeader"]
    if "staticIdentity" in config:
        wire["staticIdentity"] = {"identities": [_user(row) for row in config["staticIdentity"]["identities"]]}
    elif "ldapIdentity" in config:
        wire["ldapIdentity"] = _ldap(config["ldapIdentity"])
    else:
        wire["jdbcIdentity"] = {"type": "datasource"} | _set(config["jdbcIdentity"], _JDBC)
    return wire


def _user(row: Config) -> dict[str, Any]:
    return {"username": row["username"], "password": row[PASSWORD], "isHash": bool(row.get("isHash", False))}


def _ldap(config: Config) -> dict[str, Any]:
    wire = _set(config, _LDAP_PLAIN) | {"dnPattern": _named(config["dnPattern"])}
    if "credentials" in config:
        account = config["credentials"]
        wire["credentials"] = {"username": account["username"], "password": account[PASSWORD]}
    if "userSearch" in config:
        wire["userSearch"] = {name: _named(text) for name, text in config["userSearch"].items()}
    return wire


def _set(config: Config, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: config[name] for name in fields if config.get(name) is not None}


def _named(text: str) -> str:
    """The text with the gateway's own mark where the user's name goes."""
    return text.replace(USERNAME, f"${USERNAME}")


def _unnamed(text: str) -> str:
    return text.replace(f"${USERNAME}", USERNAME)


def parse(wire: Config) -> dict[str, Any]:
    """The typed form of what holds no password; with a password it comes out as less than it was, and so matches nothing."""
    config: dict[str, Any] = {
        "realm": wire["realm"],
        "requireTransportSecurity": wire["requireTransportSecurity"],
        "requireBasicAuth": wire["requireBasicAuth"],
    } | _set(wire, ("forwardIdentityHttpHeader",))
    if "jdbcIdentity" in wire:
        return config | {"jdbcIdentity": _set(wire["jdbcIdentity"], _JDBC)}
    ldap = wire["ldapIdentity"]
    identity = _set(ldap, _LDAP_PLAIN) | {"dnPattern": _unnamed(ldap["dnPattern"])}
    if "userSearch" in ldap:
        identity["userSearch"] = {name: _unnamed(text) for name, text in ldap["userSearch"].items()}
    return config | {"ldapIdentity": identity}
