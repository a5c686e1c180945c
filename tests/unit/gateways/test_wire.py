"""The gateway's form of each policy, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.errors import GatewayRefused
from registrar.gateways.apiman.wire import RENDERABLE, parse_policy, render_policy
from registrar.gateways.base import Registration, WireContract, WirePolicy
from registrar.resources.parse import POLICY_TYPES
from tests.unit.gateways.policy_samples import HOLDS_SECRET, SAMPLES

GOLDEN: dict[str, Any] = orjson.loads((Path(__file__).parent / "golden_policies.json").read_bytes())

LIMIT = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 10**12),
        "period": st.sampled_from(["Second", "Minute", "Hour", "Day", "Month", "Year"]),
        "granularity": st.sampled_from(["Client", "User", "Ip", "Api"]),
    },
    optional={"userHeader": st.just("X-User"), "headerLimit": st.just("X-Limit")},
)
ADDRESSES = st.fixed_dictionaries(
    {"ipList": st.lists(st.sampled_from(["10.*.*.*", "192.168.1.*", "10.0.0.1"]), min_size=1, unique=True)},
    optional={"httpHeader": st.just("X-Forwarded-For"), "responseCode": st.sampled_from([403, 404])},
)
CONFIGS = st.one_of(
    st.tuples(st.just("rateLimit"), LIMIT),
    st.tuples(st.just("quota"), LIMIT),
    st.tuples(st.just("ipAllowList"), ADDRESSES),
)


@given(CONFIGS)
def test_there_and_back(policy: tuple[str, dict[str, Any]]) -> None:
    """Fails when what is read back does not say what was sent: a recovered Client would look changed."""
    type_, config = policy
    assert parse_policy(render_policy(type=type_, config=config)) == (type_, config)


def test_every_renderable_type_is_tried() -> None:
    """Fails when a new type comes without a sample: its form would be neither frozen nor read back."""
    assert {type_ for type_, _ in SAMPLES.values()} == RENDERABLE == set(POLICY_TYPES)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_form_of_each_type_is_frozen(name: str) -> None:
    """Fails when a new version of the operator renders differently: every registration would look changed.

    After a change on purpose, write the new form into golden_policies.json and say in the release notes that gateways are written to once.
    """
    type_, config = SAMPLES[name]
    wire = render_policy(type=type_, config=config)
    assert {"implementation": wire.implementation, "config": orjson.loads(wire.config)} == GOLDEN[name]
    assert wire.config == orjson.dumps(GOLDEN[name]["config"], option=orjson.OPT_SORT_KEYS).decode()


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - HOLDS_SECRET - {"custom"}))
def test_each_type_comes_back(name: str) -> None:
    """Fails when what is read back does not say what was sent."""
    type_, config = SAMPLES[name]
    assert parse_policy(render_policy(type=type_, config=config)) == (type_, config)


@pytest.mark.parametrize("name", sorted(HOLDS_SECRET | {"custom"}))
def test_no_secret_comes_back(name: str) -> None:
    """Fails when a password, or a configuration that may hold one, is read from the gateway into a status."""
    type_, config = SAMPLES[name]
    wire = render_policy(type=type_, config=config)
    assert parse_policy(wire) == ("custom", {"implementation": wire.implementation})


def login(**changes: Any) -> dict[str, Any]:
    """The plainest `basicAuthentication`."""
    return {
        "realm": "shop",
        "staticIdentity": {"identities": [{"username": "alice", "password": "secret"}]},
    } | changes


def test_what_is_left_out_is_not_weaker() -> None:
    """Fails when an object older than the schema's defaults is rendered with the gateway's own, which ask for no TLS."""
    config = orjson.loads(render_policy(type="basicAuthentication", config=login()).config)
    assert config["requireTransportSecurity"] is True and config["requireBasicAuth"] is True


@pytest.mark.parametrize("key", ["url", "dnPattern", "expression", "password", "username", "realm"])
@pytest.mark.parametrize("text", ["${HOME}", "a${username}b", "${", "x${{username}}"])
def test_no_field_reaches_the_gateways_environment(key: str, text: str) -> None:
    """Fails when the driver's own mark for a user's name opens a way for others, or a secret is not looked at."""
    ldap = dict(SAMPLES["basicAuthentication-ldap-service"][1]["ldapIdentity"])
    config: dict[str, Any] = login(ldapIdentity=ldap)
    del config["staticIdentity"]
    if key == "realm":
        config["realm"] = text
    elif key == "expression":
        ldap["userSearch"] = {"baseDn": "ou=people", "expression": text}
    elif key in ("password", "username"):
        ldap["credentials"] = {"username": "cn=reader", "password": "p"} | {key: text}
    else:
        ldap[key] = text
    with pytest.raises(GatewayRefused, match="expand"):
        render_policy(type="basicAuthentication", config=config)


def test_a_dollar_sign_before_the_name() -> None:
    """Fails when a dollar sign and our own mark together make something else than the mark."""
    ldap = {"url": "ldap://l", "dnPattern": "$ {username}", "bindAs": "UserAccount"}
    wire = render_policy(type="basicAuthentication", config={"realm": "r", "ldapIdentity": ldap})
    assert orjson.loads(wire.config)["ldapIdentity"]["dnPattern"] == "$ ${username}"
    ldap["dnPattern"] = "{{username}HOME}"
    wire = render_policy(type="basicAuthentication", config={"realm": "r", "ldapIdentity": ldap})
    assert orjson.loads(wire.config)["ldapIdentity"]["dnPattern"] == "{${username}HOME}"
    ldap["dnPattern"] = "$${username}{HOME}"
    with pytest.raises(GatewayRefused, match="expand"):
        render_policy(type="basicAuthentication", config={"realm": "r", "ldapIdentity": ldap})


def test_a_custom_configuration_is_looked_at_too() -> None:
    """Fails when the one free field of all policies reads the gateway's environment."""
    config = {"implementation": "class:com.example.A", "config": {"deep": [{"er": "${HOME}"}]}}
    with pytest.raises(GatewayRefused, match="expand"):
        render_policy(type="custom", config=config)
    plain = render_policy(type="custom", config={"implementation": "class:com.example.A"})
    assert plain == WirePolicy("class:com.example.A", "{}")


def test_a_password_that_is_missing() -> None:
    """Fails when a user without a password is rendered as one with an empty password."""
    config = login(staticIdentity={"identities": [{"username": "alice"}]})
    with pytest.raises(GatewayRefused, match="lacks password"):
        render_policy(type="basicAuthentication", config=config)


def test_the_wire_form_is_frozen() -> None:
    """Fails when a new version of the operator renders differently: every registration would look changed."""
    limit = render_policy(type="rateLimit", config={"period": "Minute", "limit": 5, "granularity": "Client"})
    assert limit.implementation == "class:io.apiman.gateway.engine.policies.RateLimitingPolicy"
    assert limit.config == '{"granularity":"Client","limit":5,"period":"Minute"}'
    registration = Registration("o", "c", "1", "k" * 43, (WireContract("o", "a", "1", "gold", (limit,)),))
    assert registration.digest(b"secret") != registration.digest(b"other")
    same = Registration("o", "c", "1", "k" * 43, registration.contracts)
    assert same.digest(b"secret") == registration.digest(b"secret")


def test_the_gateways_environment_is_out_of_reach() -> None:
    """Fails when a tenant can read the gateway's environment by a policy."""
    with pytest.raises(GatewayRefused, match="expand"):
        render_policy(type="ipAllowList", config={"ipList": ["${HOME}"], "responseCode": 403})


def test_a_type_that_is_not_there_yet() -> None:
    """Fails when an unknown type is rendered as something."""
    with pytest.raises(GatewayRefused, match="quantumLimit"):
        render_policy(type="quantumLimit", config={})


@pytest.mark.parametrize(
    "wire",
    [
        WirePolicy("plugin:io.apiman.plugins:x", '{"secret":"s"}'),
        WirePolicy("class:io.apiman.gateway.engine.policies.RateLimitingPolicy", "no json"),
        WirePolicy("class:io.apiman.gateway.engine.policies.RateLimitingPolicy", '{"limit":1,"odd":true}'),
    ],
    ids=["plugin", "garbage", "more than we know"],
)
def test_what_is_not_ours_is_custom(wire: WirePolicy) -> None:
    """Fails when somebody else's policy is taken for ours, or its configuration gets into a status."""
    assert parse_policy(wire) == ("custom", {"implementation": wire.implementation})
