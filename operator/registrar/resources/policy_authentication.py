"""The policy `basicAuthentication`: callers show a user name and a password besides their key.

Invariants: a password is always a reference to a Secret; a user's name is written `{username}`, which the driver
turns into the gateway's own `${username}` after it has refused every other `${`. Apiman's `jdbcIdentity` also takes a
JDBC URL of its own; that is left out on purpose, because whoever may write a Policy could then make the gateway open
connections to anywhere: here a database is one that the gateway's administrators set up. What this module
deliberately does not do: render (the gateway's driver does).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from registrar.resources.base import ATOMIC, ApiModel, HttpHeader, PlainText, SecretKeyRef, about, rule, rules


class StaticUser(ApiModel):
    """One user."""

    username: Annotated[PlainText, about("The name that the user shows.", example="alice")]
    password_secret_ref: Annotated[
        SecretKeyRef, about("The entry of a Secret with the password.", example={"name": "alice", "key": "password"})
    ]
    is_hash: Annotated[
        bool, about("Whether the entry holds the SHA-1 hash of the password instead of the password.", example=True)
    ] = False


class StaticIdentity(ApiModel):
    """Users that are listed here."""

    identities: Annotated[
        list[StaticUser],
        about("The users that may call.", example=[{"username": "alice"}], min_length=1, max_length=64, extra=ATOMIC),
    ]


class LdapCredentials(ApiModel):
    """The account that searches the directory."""

    username: Annotated[PlainText, about("The account's distinguished name.", example="cn=reader,dc=example,dc=com")]
    password_secret_ref: Annotated[
        SecretKeyRef, about("The entry of a Secret with the password.", example={"name": "ldap-bind"})
    ]


class LdapUserSearch(ApiModel):
    """How the service account finds a user."""

    base_dn: Annotated[PlainText, about("Where the search begins.", example="ou=people,dc=example,dc=com")]
    expression: Annotated[
        PlainText,
        about("The filter that finds the user; {username} stands for the user's name.", example="(uid={username})"),
    ]


class LdapIdentity(ApiModel):
    """Users of a directory."""

    url: Annotated[
        PlainText, about("The directory's URL.", example="ldaps://ldap.example.com", pattern=r"^ldaps?://[^\s@]+$")
    ]
    dn_pattern: Annotated[
        PlainText,
        about(
            "The distinguished name of a user; {username} stands for the user's name.",
            example="uid={username},ou=people,dc=example,dc=com",
        ),
    ]
    bind_as: Annotated[
        Literal["UserAccount", "ServiceAccount"], about("Which account binds to the directory.", example="UserAccount")
    ] = "UserAccount"
    credentials: Annotated[
        LdapCredentials | None,
        about("The service account.", default="none; required with ServiceAccount", example={"username": "cn=reader"}),
    ] = None
    user_search: Annotated[
        LdapUserSearch | None,
        about("How users are found.", default="none; required with ServiceAccount", example={"baseDn": "ou=people"}),
    ] = None
    extract_roles: Annotated[bool, about("Whether the user's groups become roles.", example=True)] = False
    membership_attribute: Annotated[
        PlainText | None, about("The attribute that lists groups.", default="none", example="memberOf")
    ] = None
    rolename_attribute: Annotated[
        PlainText | None, about("The attribute that names a role.", default="none", example="cn")
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.bindAs != 'ServiceAccount' || (has(self.credentials) && has(self.userSearch))",
                "credentials and userSearch are required when bindAs is ServiceAccount",
                field=".credentials",
            )
        )
    )


class JdbcIdentity(ApiModel):
    """Users of a database that the gateway's administrators set up as a data source."""

    datasource_path: Annotated[
        PlainText, about("The data source's JNDI path on the gateway.", example="java:/comp/env/jdbc/users")
    ]
    query: Annotated[
        PlainText,
        about(
            "The query that finds a user, with ? for name and password.",
            example="SELECT * FROM users WHERE u = ? AND p = ?",
        ),
    ]
    hash_algorithm: Annotated[
        Literal["None", "SHA1", "MD5", "SHA256", "SHA384", "SHA512"],
        about("How the database stores passwords.", example="SHA512"),
    ] = "SHA256"
    extract_roles: Annotated[bool, about("Whether roles are read as well.", example=True)] = False
    role_query: Annotated[
        PlainText | None,
        about("The query that finds a user's roles.", default="none", example="SELECT r FROM roles WHERE u = ?"),
    ] = None


class BasicAuthentication(ApiModel):
    """Callers must show a user name and a password besides their key."""

    realm: Annotated[PlainText, about("The realm of the challenge.", example="shop")]
    forward_identity_http_header: Annotated[
        HttpHeader | None,
        about("The header in which the back end gets the user's name.", default="none", example="X-User"),
    ] = None
    require_transport_security: Annotated[bool, about("Whether callers must use TLS.", example=True)] = True
    require_basic_auth: Annotated[bool, about("Whether calls without credentials are refused.", example=True)] = True
    static_identity: Annotated[
        StaticIdentity | None, about("Users that are listed here.", default="none", example={"identities": []})
    ] = None
    ldap_identity: Annotated[
        LdapIdentity | None, about("Users of a directory.", default="none", example={"url": "ldaps://ldap.example.com"})
    ] = None
    jdbc_identity: Annotated[
        JdbcIdentity | None, about("Users of a database.", default="none", example={"datasourcePath": "java:/users"})
    ] = None

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.staticIdentity), has(self.ldapIdentity), has(self.jdbcIdentity)].filter(x, x).size() == 1",
                "exactly one of staticIdentity, ldapIdentity, jdbcIdentity must be set",
            )
        )
    )
