"""Lists of addresses in the one form that every version of the gateway understands.

Apiman 2.1 compares text: an entry matches when it is the address itself, or when each of its four numbers is the same or `*` (blocks and ranges came with 3.0, and
before that an entry such as `10.0.0.0/8` matches nothing: a block list with it lets everybody through). So blocks and ranges are written as entries with `*`.

Invariants: what is rendered matches exactly the addresses that were meant; what can't be rendered so is refused, never left out.
What this module deliberately does not do: expand IPv6 blocks, which have no such form.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from registrar.errors import GatewayRefused

_PARTS = 4
_BITS = 8


def rendered(entries: Iterable[str]) -> list[str]:
    """The entries with blocks and ranges written out, each once; raises GatewayRefused for one that the gateway could not match."""
    return list(dict.fromkeys(text for entry in entries for text in _forms(entry)))


def _forms(entry: str) -> Iterator[str]:
    try:
        if "*" in entry:
            yield _wildcard(entry)
        elif "-" in entry:
            first, _, last = entry.partition("-")
            for block in ipaddress.summarize_address_range(_address(first), _address(last)):
                yield from _block(block)
        elif "/" in entry:
            yield from _block(ipaddress.IPv4Network(entry, strict=False))
        else:
            ipaddress.ip_address(entry)
            yield entry
    except ValueError:
        raise GatewayRefused("An address list has an entry that the gateway could not match.") from None


def _address(text: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(text)


def _wildcard(entry: str) -> str:
    """The entry with all of its four parts; trailing ones that are left out are `*`."""
    parts = entry.split(".")
    for part in parts:
        if part != "*" and not (part.isascii() and part.isdigit() and int(part) < 1 << _BITS):
            raise ValueError(entry)
    if len(parts) > _PARTS or (len(parts) < _PARTS and parts[-1] != "*"):
        raise ValueError(entry)
    return ".".join([*parts, *["*"] * (_PARTS - len(parts))])


def _block(block: ipaddress.IPv4Network) -> Iterator[str]:
    """One entry for each value of the number in which the block's prefix ends: at most 128."""
    whole, rest = divmod(block.prefixlen, _BITS)
    numbers = str(block.network_address).split(".")
    if rest == 0:
        yield ".".join([*numbers[:whole], *["*"] * (_PARTS - whole)])
        return
    first = int(numbers[whole])
    for number in range(first, first + (1 << (_BITS - rest))):
        yield ".".join([*numbers[:whole], str(number), *["*"] * (_PARTS - whole - 1)])
