"""One JSON line for each effect on a gateway: who could call what, and when.

Invariants: the schema has a version; a line holds no key and no configuration; lines go to a logger of their own, so that they can be routed
to a file. What this module deliberately does not do: keep anything; the log's owner does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import orjson

from registrar.resources.times import timestamp

SCHEMA = "gateway-registrar.dev/audit/v1"
LOGGER = "registrar.audit"


class Audit:
    """Writes the lines."""

    def __init__(self) -> None:
        """Use the audit logger, whatever the process has attached to it."""
        self._log = logging.getLogger(LOGGER)

    def effect(
        self,
        *,
        now: float,
        client: str,
        uid: str,
        gateway: str,
        verb: str,
        outcome: str,
        contracts: Iterable[tuple[str, str]] = (),
        before: str = "",
        after: str = "",
        token: str = "",
        error: str = "",
    ) -> None:
        """Write one line.

        `now` is in seconds since the epoch; `client` is namespace/name; `contracts` are (API, plan) that can be called
        afterwards; `before` and `after` are the payload digests; `token` the action's token hash, if one asked for it.
        """
        line: dict[str, Any] = {
            "schema": SCHEMA,
            "time": timestamp(now),
            "client": client,
            "uid": uid,
            "gateway": gateway,
            "verb": verb,
            "outcome": outcome,
            "contracts": [{"api": api, "plan": plan} for api, plan in contracts],
            "digestBefore": before,
            "digestAfter": after,
        }
        if token:
            line["token"] = token
        if error:
            line["error"] = error
        self._log.info(orjson.dumps(line).decode())
