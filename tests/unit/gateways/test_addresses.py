"""Lists of addresses, compared as the gateway compares them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.errors import GatewayRefused
from registrar.gateways.apiman.addresses import rendered

ADDRESSES = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)


def matches(entries: list[str], address: str) -> bool:
    """How Apiman 2.1 compares: number by number."""
    numbers = address.split(".")
    return any(
        len(numbers) == len(parts := entry.split("."))
        and all(part in ("*", number) for part, number in zip(parts, numbers, strict=True))
        for entry in entries
    )


@given(ADDRESSES, st.integers(0, 32), ADDRESSES)
@settings(max_examples=500, deadline=None)
def test_blocks(start: ipaddress.IPv4Address, prefix: int, other: ipaddress.IPv4Address) -> None:
    """Fails when an address is let through or stopped that was not meant."""
    block = ipaddress.IPv4Network((start, prefix), strict=False)
    entries = rendered([f"{start}/{prefix}"])
    assert len(entries) <= 128
    for address in (block[0], block[-1], other, start):
        assert matches(entries, str(address)) == (address in block)


@given(ADDRESSES, st.integers(0, 70_000), st.integers(-5, 70_005))
@settings(max_examples=200, deadline=None)
def test_ranges(start: ipaddress.IPv4Address, length: int, offset: int) -> None:
    """Fails when a range covers another set of addresses than its ends say."""
    last = min(int(start) + length, 2**32 - 1)
    entries = rendered([f"{start}-{ipaddress.IPv4Address(last)}"])
    probe = int(start) + offset
    if 0 <= probe < 2**32:
        assert matches(entries, str(ipaddress.IPv4Address(probe))) == (int(start) <= probe <= last)


def test_plain_ones() -> None:
    """Fails when what the gateway understands anyway is changed, or an entry is sent twice."""
    assert rendered(["10.0.0.1", "10.1.*", "10.1.*.*", "*", "::1"]) == ["10.0.0.1", "10.1.*.*", "*.*.*.*", "::1"]


@pytest.mark.parametrize(
    "entry", ["10.1", "1.2.3.4.*", "300.*", "1.2.3.4-1.2.3.1", "2001:db8::/32", "::1-::2", "1.2.3.4/40", "--", "*.1"]
)
def test_what_would_match_nothing_is_refused(entry: str) -> None:
    """Fails when a block list gets an entry that blocks nobody."""
    with pytest.raises(GatewayRefused, match="match"):
        rendered([entry])
