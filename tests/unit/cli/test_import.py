"""What becomes of registrations that exist: the operator must find nothing pending in them, and nothing of them may be lost or invented."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.cli.errors import Usage
from registrar.cli.importing.model import Wishes
from registrar.cli.importing.names import names_for
from registrar.cli.importing.outcome import outcome_of
from registrar.cli.importing.writing import files_of, write
from registrar.cli.manifest_yaml import as_yaml
from registrar.gateways.apiman.policy_forms import FORMS
from registrar.gateways.apiman.wire import render_policy
from registrar.gateways.base import WirePolicy
from registrar.lifecycle.phase import phase
from registrar.resources.objects import ApiRef
from registrar.resources.parse import parse_client, parse_grant, parse_policy
from tests.unit.cli.import_world import (
    GATEWAY,
    NAMESPACE,
    Applied,
    Json,
    contract,
    facts,
    found,
    gateway,
    manifests,
    stored,
)

AUDIT = "class:com.example.AuditPolicy"


def limit(type_: str = "rateLimit", *, granularity: str = "Client", count: int = 10, period: str = "Day") -> WirePolicy:
    return render_policy(type=type_, config={"limit": count, "period": period, "granularity": granularity})


HIDDEN = render_policy(type="ignoredResources", config={"rules": [{"pathPattern": "/a"}]})
HIDDEN_TOO = render_policy(type="ignoredResources", config={"rules": [{"pathPattern": "/b"}]})
LIST = render_policy(type="ipAllowList", config={"ipList": ["10.0.0.1"], "responseCode": 403})
USERS = {"identities": [{"username": "alice", "password": "correct-horse"}]}
LOGIN = render_policy(type="basicAuthentication", config={"realm": "shop", "staticIdentity": USERS})
NEWER = WirePolicy(FORMS["ipBlockList"].implementation, '{"ipList":["203.0.113.0/24"],"responseCode":403}')
CUSTOM = WirePolicy(AUDIT, '{"level":"full"}')
CUSTOM_NULL = WirePolicy(AUDIT, '{"level":null}')
POOL = [
    limit(), limit(count=5, period="Hour"), limit(granularity="Api"), limit("quota"), limit("quota", granularity="Api"),
    limit("quota", granularity="Ip"), HIDDEN, HIDDEN_TOO, LIST, LOGIN, NEWER, CUSTOM, CUSTOM_NULL,
]  # fmt: skip
CHAINS = st.lists(st.sampled_from(POOL), max_size=5)
OWNED = [limit("quota", granularity="Api", count=99), HIDDEN_TOO, LOGIN]


def allowing(raw: Json, patch: Any) -> Json:
    return raw | {"spec": raw["spec"] | patch}


def imported(*registrations: Any, wishes: Wishes | None = None, raw: Json | None = None, **changes: Any) -> Any:
    return outcome_of(facts(*registrations, raw=raw, **changes), wishes or Wishes())


@settings(max_examples=300)
@given(st.lists(CHAINS, min_size=1, max_size=3), CHAINS, st.booleans())
def test_nothing_is_pending_and_nothing_is_lost(
    chains: list[list[WirePolicy]], common: list[WirePolicy], shared: bool
) -> None:
    """Fails when some chain makes the operator see a difference, or send something else than what is there."""
    lists = [[*common, *chain] if shared else chain for chain in chains]
    registration = found(
        *(contract(api, *row) for api, row in zip(("orders", "billing", "catalog"), lists, strict=False))
    )
    raw = gateway()
    outcome = imported(registration, raw=raw)
    assert not outcome.skipped
    applied = Applied(outcome.clients[0], allowing(raw, outcome.patch))
    assert applied.case.pending == ()
    assert phase(applied.case) == "Registered"
    assert applied.republished() == registration


@settings(max_examples=100)
@given(CHAINS, st.lists(st.sampled_from(OWNED), unique=True))
def test_what_the_owners_policies_say_is_left_to_them(chain: list[WirePolicy], owned: list[WirePolicy]) -> None:
    """Fails when a policy of the plan becomes one of the consumer's too, or makes something pending."""
    owners = [_policy(f"p{place}", place, wire) for place, wire in enumerate(owned)]
    registration = found(contract("orders", *chain, *owned))
    raw = gateway()
    outcome = imported(registration, raw=raw, policies=tuple(parse_policy(stored(row)) for row in owners))
    if not outcome.clients:
        assert "would not stay as they are" in outcome.skipped[0].why
        return
    levels = outcome.clients[0].contracts[0].levels
    assert tuple(row.wire for row in levels.owned) == tuple(owned)
    if LOGIN not in owned:
        applied = Applied(outcome.clients[0], allowing(raw, outcome.patch), owners=owners)
        assert applied.case.pending == () and applied.republished() == registration


def _policy(name: str, order: int, wire: WirePolicy) -> Json:
    """A Policy of the plan's owner."""
    type_ = next(type_ for type_, form in FORMS.items() if form.implementation == wire.implementation)
    config = FORMS[type_].parse(orjson.loads(wire.config)) if type_ != "basicAuthentication" else {
        "realm": "shop",
        "staticIdentity": {"identities": [{"username": "alice", "passwordSecretRef": {"name": "x", "key": "y"}}]},
    }  # fmt: skip
    spec = {"targetRefs": [{"kind": "Plan", "organization": "acme", "name": "gold"}], "order": order, type_: config}
    return {"kind": "Policy", "metadata": {"name": name, "namespace": "acme"}, "spec": spec}


def test_levels_follow_the_granularity() -> None:
    """Fails when a limit for the whole client lands on one contract, one for an API on the client, or a common beginning is written twice."""
    per_client, per_api = limit(), limit("quota", granularity="Api")
    outcome = imported(found(contract("billing", per_client, HIDDEN, per_api), contract("orders", per_client, HIDDEN)))
    kinds = [
        (row["metadata"]["name"], row["spec"]["targetRefs"], row["spec"]["order"])
        for row in manifests(outcome)
        if row["kind"] == "Policy"
    ]
    till = [{"kind": "Client", "name": "till"}]
    assert kinds == [
        ("till-rate-limit", till, 0),
        ("till-ignored-resources", till, 10),
        ("till-billing-1-0-quota", [{"kind": "Contract", "name": "till-billing-1-0"}], 0),
    ]


def test_the_client_comes_last_and_secrets_stay_in_secrets() -> None:
    """Fails when the operator could read the gateway before the Contracts are there, or a secret is outside of a Secret."""
    rows = manifests(imported(found(contract("orders", LOGIN))))
    assert [row["kind"] for row in rows] == ["Secret", "Secret", "Policy", "Contract", "Client"]
    others = json.dumps([row for row in rows if row["kind"] != "Secret"])
    assert "correct-horse" not in others and found().api_key not in others
    generated = manifests(imported(found(contract("orders"))), generated_keys=True)
    assert [row["kind"] for row in generated] == ["Contract", "Client"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "1.0.r"}, "rotation"),
        ({"api_key": "short"}, "allowed form"),
        ({"client_id": "-till"}, "no name"),
        ({"contracts": ()}, "no contracts"),
        ({"contracts": (contract("orders"), contract("orders"))}, "two contracts"),
        ({"contracts": (contract("orders", plan=""),)}, "without a plan"),
        ({"organization": "No_Namespace"}, "--map No_Namespace="),
    ],
)
def test_what_can_not_be_imported_is_skipped_with_the_reason(changes: dict[str, Any], why: str) -> None:
    """Fails when a registration is imported as something else than it is."""
    outcome = imported(found(**{"contracts": (contract("orders"),), **changes}))
    assert not outcome.clients and why in outcome.skipped[0].why and not outcome.skipped[0].own


def test_blocked_and_shared_keys_are_skipped() -> None:
    """Fails when an import would take a client off, or give one key to two Clients."""
    blocked = gateway(blocked=[{"organization": NAMESPACE, "clientId": "till", "reason": "leaked"}])
    assert "blocks" in imported(found(contract("orders")), raw=blocked).skipped[0].why
    outcome = imported(found(contract("orders")), found(contract("orders"), client="other"))
    assert not outcome.clients and all("same key" in row.why for row in outcome.skipped)


def test_the_operators_own_are_left_out() -> None:
    """Fails when what the operator registered is imported again, also under the identity of a key rotation."""
    published = [{"name": GATEWAY, "contracts": [{"name": "orders", "uid": "u"}]}]
    identity = {"organization": NAMESPACE, "clientId": "till", "version": "1.0", "gateway": GATEWAY}

    def own(gateways: list[Json], version: str = "1.0") -> Any:
        raw = {"kind": "Client", "metadata": {"name": "till", "namespace": "elsewhere"}, "spec": {}}
        client = parse_client(stored(raw) | {"status": {"identity": identity, "gateways": gateways}})
        return imported(found(contract("orders"), version=version), clients=(client,))

    for version in ("1.0", "1.0.r"):
        assert [row.own for row in own(published, version).skipped] == [True]
    claimed = own([])
    assert not claimed.clients and [row.own for row in claimed.skipped] == [False]


def test_the_gateway_must_allow_what_it_does_not_yet() -> None:
    """Fails when an applied import is refused for something that the outcome did not say."""
    raw = gateway(
        customPolicies={"allow": ["class:com.example.Other"]}, organizations=[{"name": "acme", "namespaces": ["acme"]}]
    )
    wishes = Wishes(into="till-team", generated_keys=True)
    outcome = imported(
        found(contract("orders", CUSTOM)), raw=raw, wishes=wishes, labels={"till-team": {}, NAMESPACE: {}}
    )
    assert outcome.patch == {
        "organizations": [
            {"name": "acme", "namespaces": ["acme"]},
            {"name": NAMESPACE, "namespaces": [NAMESPACE, "till-team"]},
        ],
        "customPolicies": {"allow": ["class:com.example.Other", AUDIT]},
        "adoption": {"namespaces": ["till-team"]},
    }
    assert imported(found(contract("orders"))).patch == {}


def test_grants_that_are_missing_are_made() -> None:
    """Fails when a Contract would be revoked for want of a grant, or a grant opens more than what works today."""
    raw = gateway(contracts="Granted")
    registration = found(contract("orders", limit()), contract("billing", plan="silver"))
    outcome = imported(registration, raw=raw)
    grants = [row for row in manifests(outcome) if row["kind"] == "APIGrant"]
    assert [(row["metadata"]["namespace"], row["spec"]["apis"], row["spec"]["plans"]) for row in grants] == [
        ("acme", [{"name": "billing", "versions": ["1.0"]}], ["silver"]),
        ("acme", [{"name": "orders", "versions": ["1.0"]}], ["gold"]),
    ]
    assert Applied(outcome.clients[0], raw, grants=grants).case.pending == ()
    known = tuple(parse_grant(stored(row)) for row in grants)
    assert not imported(registration, raw=raw, grants=known).grants
    refused = imported(registration, raw=raw, labels={NAMESPACE: {}})
    assert not refused.clients and "no namespace owns organization acme" in refused.skipped[0].why


def test_notes_say_what_is_not_as_before() -> None:
    """Fails when what stays on the gateway, an API that is gone, or a namespace that is missing is not said."""
    notes = " ".join(imported(found(contract("orders", NEWER)), labels={}).notes)
    assert (
        "1 of the Clients keep policies" in notes
        and "does not have API acme/orders/1.0" in notes
        and "Namespace shop" in notes
    )
    there = frozenset({ApiRef("acme", "orders", "1.0")})
    assert imported(found(contract("orders", LIST)), apis=there).notes == ()


IDS = st.text("abcAB.-_1", min_size=1, max_size=70)


@given(st.sets(IDS, max_size=12), st.sets(st.sampled_from(["a", "b", "a-b", "abc"])), st.randoms())
def test_names_are_unique_and_do_not_depend_on_the_order(ids: set[str], taken: set[str], random: Any) -> None:
    """Fails when two things get one name, a name is taken or not legal, or the order in which they came decides."""
    pairs = [((name,), name) for name in sorted(ids)]
    names = names_for(dict(pairs), longest=63, taken=taken)
    random.shuffle(pairs)
    assert names_for(dict(pairs), longest=63, taken=taken) == names
    assert len(set(names.values())) == len(ids) and not set(names.values()) & taken
    for name in names.values():
        assert len(name) <= 63 and name.replace("-", "").isalnum() and name == name.lower() and name.strip("-") == name


@pytest.mark.parametrize("text", ["1e3", "yes", "0x10", "1.0", "null", "2001-01-01", "", "~", "a: b", "\x1b[31m", "ü"])
def test_texts_stay_texts_in_yaml(text: str) -> None:
    """Fails when a reader of YAML could take a text for something else, or a control character gets through."""
    shown = as_yaml([{"key": text}])
    assert shown == f"---\nkey: {shown.splitlines()[1][5:]}\n" and shown.splitlines()[1][5] == '"'
    assert shown.isascii() and "\x1b" not in shown


def test_secrets_are_for_the_user_alone_and_nothing_is_overwritten(tmp_path: Path) -> None:
    """Fails when a file with a secret can be read by others, whatever the umask, or a file that is there is lost."""
    files = files_of(imported(found(contract("orders"))), gateway=GATEWAY, generated_keys=False)
    before = os.umask(0)
    try:
        write(files, tmp_path / "out")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*.yaml")}
    assert modes == {"1-secrets.yaml": 0o600, "2-client.yaml": 0o644}
    for folder in (tmp_path / "out", tmp_path / "out" / NAMESPACE / "till" / "2-client.yaml"):
        with pytest.raises(Usage):
            write(files, folder)
