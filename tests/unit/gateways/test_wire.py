"""The gateway's form of each policy, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.errors import GatewayRefused
from registrar.gateways.apiman.wire import RENDERABLE, parse_policy, render_policy
from registrar.gateways.base import Registration, WireContract, WirePolicy

LIMIT = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 10**12),
        "period": st.sampled_from(["Second", "Minute", "Hour", "Day", "Month", "Year"]),
        "granularity": st.sampled_from(["Client", "User", "Ip", "Api"]),
    },
    optional={"userHeader": st.just("X-User"), "headerLimit": st.just("X-Limit")},
)
ADDRESSES = st.fixed_dictionaries(
    {"ipList": st.lists(st.sampled_from(["10.0.0.0/8", "192.168.1.*"]), min_size=1)},
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
    """Fails when a new type comes without a place in the property above."""
    assert {"rateLimit", "quota", "ipAllowList"} == RENDERABLE


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
        render_policy(type="ipAllowList", config={"ipList": ["${HOME}"]})


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
