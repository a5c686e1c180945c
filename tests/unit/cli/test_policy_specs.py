"""From the gateway's form of a policy back to the member of `Policy.spec`, passwords included."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.gateways.apiman.policy_forms import BY_IMPLEMENTATION, FORMS
from registrar.gateways.apiman.policy_specs import SECRET, member_of, resolved
from registrar.gateways.apiman.wire import render_policy
from registrar.gateways.base import WirePolicy, canonical_json
from registrar.resources.parse import SECRET_REF
from registrar.resources.policy import PolicySpec
from tests.unit.gateways.policy_samples import SAMPLES

TEXT = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=12).filter(
    lambda text: "{" not in text
)
HEADER = st.sampled_from(["X-User", "X-Real-IP", "X-Left"])
FLAG = st.booleans()
PASSWORDS = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20).filter(
    lambda text: "${" not in text
)


def records(optional: dict[str, Any] | None = None, **required: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional or {})


def lists(rows: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(rows, min_size=1, max_size=3)


PERIODS = st.sampled_from(["Second", "Minute", "Hour", "Day", "Month", "Year"])
HEADERS = {"headerLimit": HEADER, "headerRemaining": HEADER, "headerReset": HEADER}
COUNTED = records(
    HEADERS, limit=st.integers(1, 10**12), period=PERIODS, granularity=st.sampled_from(["Client", "Ip", "Api"])
)
FOR_USERS = records(HEADERS, limit=st.integers(1, 9), period=PERIODS, granularity=st.just("User"), userHeader=HEADER)
LIMITS = COUNTED | FOR_USERS
ADDRESSES = lists(st.sampled_from(["10.0.0.1", "10.*.*.*", "192.168.1.*", "2001:db8::1"])).map(
    lambda rows: list(dict.fromkeys(rows))
)
LISTS = records({"httpHeader": HEADER, "responseCode": st.sampled_from([403, 404])}, ipList=ADDRESSES)
VERB = st.sampled_from(["*", "GET", "POST", "TRACE"])
RULES = records({"verb": VERB}, pathPattern=TEXT)
TIME = st.sampled_from(["00:00:00", "08:30:00", "23:59:59"])
LOGIN: dict[str, Any] = {
    "forwardIdentityHttpHeader": HEADER,
    "requireTransportSecurity": FLAG,
    "requireBasicAuth": FLAG,
}
USERS = lists(records({"isHash": FLAG}, username=TEXT))
DN = st.sampled_from(["uid={username},dc=example", "cn=all"])
LDAP_MORE = {"extractRoles": FLAG, "membershipAttribute": TEXT, "rolenameAttribute": TEXT}
ACCOUNT = records(username=TEXT)
SEARCH = records(baseDn=TEXT, expression=st.sampled_from(["(uid={username})", "(all)"]))
LDAP = records(
    {**LDAP_MORE, "bindAs": st.just("UserAccount"), "credentials": ACCOUNT, "userSearch": SEARCH},
    url=st.just("ldaps://ldap.example.com"),
    dnPattern=DN,
) | records(
    LDAP_MORE,
    url=st.just("ldap://ldap.example.com:389"),
    dnPattern=DN,
    bindAs=st.just("ServiceAccount"),
    credentials=ACCOUNT,
    userSearch=SEARCH,
)
JDBC = records(
    {"hashAlgorithm": st.sampled_from(["None", "SHA1", "SHA512"]), "extractRoles": FLAG, "roleQuery": TEXT},
    datasourcePath=TEXT,
    query=TEXT,
)
FREE = st.recursive(
    st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | TEXT | st.floats(0.1, 0.9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CONFIGS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "rateLimit": LIMITS,
    "quota": LIMITS,
    "transferQuota": st.tuples(LIMITS, st.sampled_from(["Upload", "Download", "Both"])).map(
        lambda pair: pair[0] | {"direction": pair[1]}
    ),
    "ipAllowList": LISTS,
    "ipBlockList": LISTS,
    "basicAuthentication": records(LOGIN, realm=TEXT, staticIdentity=records(identities=USERS))
    | records(LOGIN, realm=TEXT, ldapIdentity=LDAP)
    | records(LOGIN, realm=TEXT, jdbcIdentity=JDBC),
    "authorization": records(
        {"requestUnmatched": st.sampled_from(["Fail", "Pass"]), "multiMatch": st.sampled_from(["Any", "All"])},
        rules=lists(records({"verb": VERB}, pathPattern=TEXT, role=TEXT)),
    ),
    "caching": records(
        ttl=st.integers(1, 1000),
        entries=lists(
            records(
                {"statusCode": st.sampled_from(["*", "200"]), "httpMethod": st.sampled_from(["*", "GET", "HEAD"])},
                pathPattern=TEXT,
            )
        ),
    ),
    "ignoredResources": records(rules=lists(RULES)),
    "timeRestrictedAccess": records(
        rules=lists(
            records(
                timeStart=TIME, timeEnd=TIME, dayStart=st.integers(1, 7), dayEnd=st.integers(1, 7), pathPattern=TEXT
            )
        )
    ),
    "urlRewriting": records(
        {"processRequestUrl": FLAG, "processResponseBody": FLAG}, fromRegex=TEXT, toReplacement=TEXT
    ),
    "custom": records(
        {"config": st.dictionaries(TEXT, FREE, min_size=1, max_size=3)},
        implementation=st.just("class:com.example.Audit"),
    ),
}


@st.composite
def members(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, str]]:
    """A member of a Policy's spec as the API server stores it, and what its Secret holds."""
    type_ = draw(st.sampled_from(sorted(CONFIGS)))
    config = draw(CONFIGS[type_])
    passwords = {}
    for number, row in enumerate((config.get("staticIdentity") or {}).get("identities", ()), start=1):
        row[SECRET_REF] = {"name": "users", "key": f"user-{number}"}
        passwords[f"user-{number}"] = draw(PASSWORDS)
    if (account := (config.get("ldapIdentity") or {}).get("credentials")) is not None:
        account[SECRET_REF] = {"name": "users", "key": "bind"}
        passwords["bind"] = draw(PASSWORDS)
    spec = PolicySpec.model_validate({"targetRefs": [{"kind": "Client", "name": "any"}], type_: config})
    kept = config if type_ == "custom" else spec.model_dump(by_alias=True, exclude_none=True, mode="json")[type_]
    return type_, kept, passwords


def test_every_type_is_tried() -> None:
    """Fails when a new type has no strategy here."""
    assert set(CONFIGS) == {*FORMS, "custom"}


@given(members())
def test_there_and_back(case: tuple[str, dict[str, Any], dict[str, str]]) -> None:
    """Fails when a Policy that is rendered and imported again is not the same Policy with the same passwords."""
    type_, config, passwords = case
    member = member_of(render_policy(type=type_, config=resolved(config, passwords)))
    assert member is not None
    assert (member.type, member.referring_to("users"), member.passwords) == (type_, config, passwords)
    assert not any(len(text) > 3 and text in repr(member) and text not in str(config) for text in passwords.values())


WIRES = st.sampled_from([render_policy(type=type_, config=config) for type_, config in SAMPLES.values()])


@given(WIRES, st.data())
def test_what_is_not_ours_is_never_taken_for_it(wire: WirePolicy, data: st.DataObject) -> None:
    """Fails when a policy becomes a member that would put something else on the gateway."""
    config = orjson.loads(wire.config)
    name = data.draw(st.sampled_from([*sorted(config), "more"]))
    config[name] = data.draw(st.none() | FREE | st.just(config.get(name)))
    if data.draw(st.booleans()):
        del config[name]
    changed = WirePolicy(wire.implementation, canonical_json(orjson.dumps(config).decode()))
    member = member_of(changed)
    if member is not None:
        assert render_policy(type=member.type, config=resolved(member.config, member.passwords)) == changed
        assert (member.type == "custom") == (changed.implementation not in BY_IMPLEMENTATION)


@pytest.mark.parametrize(
    "wire",
    [
        WirePolicy(FORMS["ipBlockList"].implementation, '{"ipList":["203.0.113.0/24"],"responseCode":403}'),
        WirePolicy(FORMS["ipBlockList"].implementation, '{"ipList":["203.0.113.7"]}'),
        WirePolicy(FORMS["rateLimit"].implementation, '{"granularity":"User","limit":1,"period":"Day"}'),
        WirePolicy(FORMS["rateLimit"].implementation, '{"granularity":"Client","limit":"1","period":"Day"}'),
        WirePolicy(FORMS["rateLimit"].implementation, '{"granularity":"Client","limit":0,"period":"Day"}'),
        WirePolicy("class:com.example.Audit", '{"level":null}'),
        WirePolicy("class:com.example.Audit", '{"share":1.0}'),
        WirePolicy("class:com.example.Audit", '{"home":"${HOME}"}'),
        WirePolicy("class:com.example.Audit", "[1]"),
        WirePolicy("class:com.example.Audit", "no json"),
        WirePolicy("Audit", "{}"),
    ],
)
def test_what_no_policy_says_exactly(wire: WirePolicy) -> None:
    """Fails when a form gets a member that the API server or the operator would refuse, or would store or send otherwise."""
    assert member_of(wire) is None


def test_a_secret_has_the_name_that_it_is_given() -> None:
    """Fails when the placeholder stays in a reference."""
    member = member_of(render_policy(type="basicAuthentication", config=SAMPLES["basicAuthentication-static"][1]))
    assert member is not None and SECRET not in orjson.dumps(member.referring_to("own")).decode()
