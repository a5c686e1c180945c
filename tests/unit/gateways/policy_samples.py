"""One configuration of each policy type (several of `basicAuthentication`) with every field set, as the API server would store it."""

from __future__ import annotations

from typing import Any

_LIMIT: dict[str, Any] = {
    "limit": 100,
    "period": "Minute",
    "granularity": "User",
    "userHeader": "X-User",
    "headerLimit": "X-Limit",
    "headerRemaining": "X-Left",
    "headerReset": "X-Reset",
}
_LIST: dict[str, Any] = {"ipList": ["10.*.*.*", "192.168.1.7"], "httpHeader": "X-Forwarded-For", "responseCode": 404}
_LOGIN: dict[str, Any] = {
    "realm": "shop",
    "forwardIdentityHttpHeader": "X-User",
    "requireTransportSecurity": False,
    "requireBasicAuth": True,
}
_LDAP: dict[str, Any] = {
    "url": "ldaps://ldap.example.com:636",
    "dnPattern": "uid={username},ou=people,dc=example,dc=com",
    "bindAs": "UserAccount",
    "extractRoles": True,
    "membershipAttribute": "memberOf",
    "rolenameAttribute": "cn",
}

SAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "rateLimit": ("rateLimit", _LIMIT),
    "quota": ("quota", _LIMIT),
    "transferQuota": ("transferQuota", _LIMIT | {"direction": "Upload"}),
    "ipAllowList": ("ipAllowList", _LIST),
    "ipBlockList": ("ipBlockList", _LIST),
    "basicAuthentication-static": (
        "basicAuthentication",
        _LOGIN
        | {
            "staticIdentity": {
                "identities": [
                    {
                        "username": "alice",
                        "password": "correct horse",
                        "passwordSecretRef": {"name": "users", "key": "alice"},
                        "isHash": False,
                    }
                ]
            }
        },
    ),
    "basicAuthentication-ldap": ("basicAuthentication", _LOGIN | {"ldapIdentity": _LDAP}),
    "basicAuthentication-ldap-service": (
        "basicAuthentication",
        _LOGIN
        | {
            "ldapIdentity": _LDAP
            | {
                "bindAs": "ServiceAccount",
                "credentials": {
                    "username": "cn=reader",
                    "password": "battery staple",
                    "passwordSecretRef": {"name": "ldap", "key": "password"},
                },
                "userSearch": {"baseDn": "ou=people,dc=example,dc=com", "expression": "(uid={username})"},
            }
        },
    ),
    "basicAuthentication-ldap-search": (
        "basicAuthentication",
        _LOGIN | {"ldapIdentity": _LDAP | {"userSearch": {"baseDn": "ou=people", "expression": "(uid={username})"}}},
    ),
    "basicAuthentication-jdbc": (
        "basicAuthentication",
        {key: value for key, value in _LOGIN.items() if key != "forwardIdentityHttpHeader"}
        | {
            "jdbcIdentity": {
                "datasourcePath": "java:/comp/env/jdbc/users",
                "query": "SELECT * FROM users WHERE u = ? AND p = ?",
                "hashAlgorithm": "SHA512",
                "extractRoles": True,
                "roleQuery": "SELECT r FROM roles WHERE u = ?",
            }
        },
    ),
    "authorization": (
        "authorization",
        {
            "rules": [{"verb": "GET", "pathPattern": "/admin/.*", "role": "admin"}],
            "requestUnmatched": "Pass",
            "multiMatch": "Any",
        },
    ),
    "caching": (
        "caching",
        {"ttl": 60, "entries": [{"statusCode": "200", "pathPattern": "/products/.*", "httpMethod": "GET"}]},
    ),
    "ignoredResources": ("ignoredResources", {"rules": [{"verb": "*", "pathPattern": "/internal/.*"}]}),
    "timeRestrictedAccess": (
        "timeRestrictedAccess",
        {"rules": [{"timeStart": "08:00:00", "timeEnd": "18:00:00", "dayStart": 1, "dayEnd": 5, "pathPattern": ".*"}]},
    ),
    "urlRewriting": (
        "urlRewriting",
        {
            "fromRegex": "https?://internal/(.*)",
            "toReplacement": "https://api.example.com/$1",
            "processRequestUrl": True,
            "processRequestHeaders": False,
            "processResponseHeaders": True,
            "processResponseBody": False,
        },
    ),
    "custom": ("custom", {"implementation": "class:com.example.AuditPolicy", "config": {"level": "full", "depth": 2}}),
}
HOLDS_SECRET = frozenset({"basicAuthentication-static", "basicAuthentication-ldap-service"})
"""Those that must not come back typed: their passwords must not get into a status."""
