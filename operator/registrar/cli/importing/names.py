"""Names of objects for what has another kind of name on a gateway.

An id on a gateway may have capitals, dots and underscores, and be 128 characters long; an object's name may not. The true id stays in the spec.

Invariants: the name of one thing follows from that thing and from the names that are taken, never from the order in which things are named; two things never get
one name; a name that does not show the whole id carries a digest of it. What this module deliberately does not do: look into a cluster.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping

LONGEST_NAME = 200
"""Characters of a name but a Client's; the API server would take 253, and a Secret's name is made from a Policy's."""
_DIGEST = 8
"""Hexadecimal digits; a clash needs two ids whose readable parts are the same as well."""


def names_for(
    wanted: Mapping[tuple[str, ...], str], *, longest: int, taken: Collection[str] = ()
) -> dict[tuple[str, ...], str]:
    """An object name for each thing: `wanted` has the name that it should have, by what identifies it; `longest` is in characters.

    A thing whose name is lossy, too long, shared with another of them or `taken` gets a digest behind it.
    """
    plain = {key: slug(text) for key, text in wanted.items()}
    digested = {key: _with_digest(name, key, longest=longest) for key, name in plain.items()}
    shared = Counter([*plain.values(), *digested.values()])
    return {
        key: name
        if exact(wanted[key], name) and len(name) <= longest and shared[name] == 1 and name not in taken
        else digested[key]
        for key, name in plain.items()
    }


def slug(text: str) -> str:
    """The text as a DNS label without a bound: small letters, digits and single hyphens between them; `x` when nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def exact(text: str, name: str) -> bool:
    """Whether the name shows the text without loss, but that it has small letters, and a hyphen for a dot or an underscore."""
    return text.lower().replace(".", "-").replace("_", "-") == name


def _with_digest(name: str, key: tuple[str, ...], *, longest: int) -> str:
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"
