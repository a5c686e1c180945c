"""What a Contract announces, and the end that comes by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registrar.lifecycle.announce import contract_notices
from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.expiry import NOTICE
from registrar.lifecycle.model import Done, Push, Unregister, View, Wait, Why, WriteContracts
from registrar.resources.objects import ContractObject, GrantObject
from registrar.resources.status import ContractStatus
from registrar.resources.times import timestamp
from tests.unit.lifecycle.build import NOW, absent, contract, fault, gateway, grant, registered, view

GRANTED = (gateway(contracts="Granted"),)
SOON = NOW + 3600
LATER = NOW + 10 * NOTICE


def row(seen: View, name: str = "orders") -> ContractStatus:
    """The Contract's status as it should be."""
    rows = {found.meta.name: new for found, new in changed_statuses(case_of(seen))}
    return rows.get(name) or next(c.status for c in seen.contracts if c.meta.name == name)


def said(status: ContractStatus) -> dict[str, str]:
    """The announcements of a status."""
    return {c.type: c.message for c in status.conditions if c.type in ("Deprecated", "Expiring")}


def old(name: str = "old", *, sunset: str = "2027-01-31T12:00:00Z", **changes: object) -> GrantObject:
    """A grant of a deprecated API."""
    return grant(name, sunset=sunset, **changes)  # type: ignore[arg-type]


DEPRECATED: dict[str, tuple[tuple[GrantObject, ...], str]] = {
    "not": ((grant(),), ""),
    "by its grant": ((old(),), "acme/orders/1.0 is deprecated and will stop at 2027-01-31T12:00:00Z. Ask its owner"),
    "with a replacement": ((old(replaced_by="orders 2.0"),), "Use instead: orders 2.0."),
    "by the earlier of two": ((old(), old("b", sunset="2026-12-01T00:00:00Z")), "stop at 2026-12-01T00:00:00Z."),
    "another plan": ((grant(), old(plans=("silver",))), ""),
    "another version": ((grant(), old(versions=("2.0",))), ""),
    "by a stranger": ((grant(), old(namespace="mobile", organization="acme")), ""),
    "for others": ((grant(), old(namespaces=frozenset({"mobile"}))), ""),
}


@pytest.mark.parametrize("name", DEPRECATED)
@pytest.mark.parametrize("mode", ["Granted", "Any"])
def test_deprecated(name: str, mode: str) -> None:
    """Fails when a consumer is not told that its API will go, or is told so by somebody who has no say."""
    grants, text = DEPRECATED[name]
    found = said(row(registered(contract(), gateways=(gateway(contracts=mode),), grants=grants)))
    assert bool(found) == bool(text) and text in found.get("Deprecated", "")


def test_what_is_live_counts() -> None:
    """Fails when a Contract is told of the version that it asks for while it still uses the deprecated one."""
    seen = registered(contract(), now_contracts=(contract(version="2.0"),), grants=(old(versions=("1.0",)),))
    assert "Deprecated" in said(row(seen))


def test_a_gateway_that_is_gone_announces_nothing() -> None:
    """Fails when a missing RuntimeGateway breaks the status."""
    assert said(row(view(None, contract(gateway="nowhere"), grants=(old(),)))) == {}


EXPIRY: dict[str, tuple[float | None, bool, bool]] = {
    "never": (None, False, False),
    "in ten days": (LATER, False, False),
    "in a day and a second": (NOW + NOTICE + 1, False, False),
    "in a day": (NOW + NOTICE, True, False),
    "in an hour": (SOON, True, False),
    "now": (NOW, False, True),
    "long ago": (0.0, False, True),
}


@pytest.mark.parametrize("name", EXPIRY)
def test_expiry(name: str) -> None:
    """Fails when a Contract outlives its end, ends too early, or does not say so a day before."""
    at, notice, over = EXPIRY[name]
    seen = registered(contract(), now_contracts=(contract(expires_at=at),))
    assert ("Expiring" in said(row(seen))) is notice
    if at is not None and notice:
        assert timestamp(at) in said(row(seen))["Expiring"]
    effect = decide(seen).effect
    assert isinstance(effect, Unregister) is over
    if isinstance(effect, Unregister):
        assert (effect.why, effect.detail) == (Why.REVOKED, "contract orders taken off: it has expired")


def test_created_expired() -> None:
    """Fails when a Contract that has already ended is registered, or does not say how to mend that."""
    seen = view(None, contract(expires_at=NOW - 1))
    status = row(seen)
    assert (status.phase, status.conditions[0].reason) == ("Rejected", "Expired")
    assert "set spec.expiresAt to a later time" in status.conditions[0].message
    assert not isinstance(decide(seen).effect, Push)


def test_an_expired_contract_makes_room() -> None:
    """Fails when an expired Contract still keeps a younger one for the same API off."""
    younger = replace(contract(), meta=replace(contract().meta, name="younger", uid="uid-younger", created_at=NOW))
    seen = view(None, contract(expires_at=NOW - 1), younger)
    assert {v.contract.meta.name: v.state.value for v in seen.desired.verdicts} == {
        "orders": "Rejected",
        "younger": "Valid",
    }


def test_only_the_expired_one_goes() -> None:
    """Fails when an end takes more with it than its own contract."""
    both = (contract("billing"), contract("orders"))
    seen = registered(*both, now_contracts=(contract("billing", expires_at=NOW), both[1]))
    effect = decide(seen).effect
    assert isinstance(effect, Push) and effect.surgery
    assert [entry.name for entry in effect.target.contracts] == ["orders"]


def settled(seen: View) -> View:
    """The view with everything written that is to be written."""
    from tests.unit.lifecycle.build import blob

    written = decide(seen).status
    found = replace(seen.client, status_blob=blob(written.to_json()))
    seen = replace(seen, client=found, status=found.status)
    rows = {c.meta.uid: new for c, new in changed_statuses(case_of(seen))}
    contracts = tuple(replace(c, status=rows.get(c.meta.uid, c.status)) for c in seen.contracts)
    by_uid = {c.meta.uid: c for c in contracts}
    verdicts = tuple(replace(v, contract=by_uid[v.contract.meta.uid]) for v in seen.desired.verdicts)
    return replace(seen, contracts=contracts, desired=replace(seen.desired, verdicts=verdicts))


@pytest.mark.parametrize(
    ("ends", "until"), [((LATER,), LATER - NOTICE), ((SOON,), SOON), ((LATER, SOON), SOON), ((NOW - 1, None), None)]
)
def test_it_is_woken_in_time(ends: tuple[float | None, ...], until: float | None) -> None:
    """Fails when an end or its notice is only found by chance."""
    names = ("orders", "billing")
    asked: tuple[ContractObject, ...] = tuple(contract(n, expires_at=e) for n, e in zip(names, ends, strict=False))
    valid = tuple(c for c in asked if c.expires_at != NOW - 1)
    seen = settled(registered(*valid, now_contracts=asked))
    assert decide(seen).effect == (Done() if until is None else Wait(until=until))


def test_it_is_woken_in_time_beside_a_gateway_that_is_down() -> None:
    """Fails when a fault's backoff makes an end on another gateway late."""
    down = settled(registered(contract(expires_at=SOON), faults={"default": fault()}))
    assert decide(down).effect == Wait(until=SOON, retry=True)


def test_a_contract_that_goes_needs_no_waking() -> None:
    """Fails when a Contract that is being deleted keeps waking its Client."""
    going = contract(expires_at=SOON, deleting=True)
    assert decide(settled(view(None, going))).effect == Done()


# Events --------------------------------------------------------------------------------------------------------------


def notices(before: View, after: View) -> list[str]:
    """The reasons of the Events that go with the Contract's next status, once it has that of `before`."""
    known = replace(contract(), status=row(before))
    return [notice.reason for notice in contract_notices(known, row(after))]


def test_an_event_when_it_appears_and_never_again() -> None:
    """Fails when an announcement is no Event, or is one at each look and each restart."""
    plain, told = registered(contract()), registered(contract(), grants=(old(),))
    assert notices(plain, told) == ["ApiDeprecated"]
    assert notices(told, told) == []
    assert notices(told, plain) == []
    moved = registered(contract(), grants=(old(sunset="2028-01-01T00:00:00Z"),))
    assert notices(told, moved) == ["ApiDeprecated"]
    soon = registered(contract(), now_contracts=(contract(expires_at=SOON),))
    assert notices(plain, soon) == ["Expiring"]


def test_an_event_when_access_ends() -> None:
    """Fails when a contract is taken off by its end or its grant and its owner is only told on the Client."""
    ended = view(None, contract(expires_at=NOW - 1))
    assert notices(registered(contract()), ended) == ["Expired"]
    assert notices(ended, ended) == []
    assert contract_notices(contract(), row(ended)) == ()
    assert contract_notices(contract(), ContractStatus()) == ()


def test_a_status_that_is_kept_is_kept_whole() -> None:
    """Fails when a blip of the gateway changes the announcements."""
    told = registered(contract(), grants=(old(),))
    known = replace(contract(), status=row(told))
    blip = registered(contract(), now_contracts=(known,), grants=(old(),), live={"default": absent(since=NOW - 1)})
    assert changed_statuses(case_of(blip)) == ()
    assert isinstance(decide(settled(told)).effect, Done)
    assert not isinstance(decide(settled(told)).effect, WriteContracts)
