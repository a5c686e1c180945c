"""RFC 3339 times as Kubernetes writes them, to the second and in UTC.

What this module deliberately does not do: read a clock (see `registrar.clock`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def timestamp(seconds: float) -> str:
    """The text of `seconds` since the epoch."""
    return _text(int(seconds))


@lru_cache(maxsize=64)
def _text(seconds: int) -> str:
    """Every decision of one second asks for the same text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> float:
    """Seconds since the epoch; raises ValueError when the text is no RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
