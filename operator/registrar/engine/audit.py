"""One JSON line for each effect on a gateway or on a key: who could call what, and when, and who asked for it.

The schema is described in `docs/reference/audit.md`; `audit_reader` reads lines back.

Invariants: the schema has a version; a line holds no key, no token (its digest only) and no configuration; a line is one line whatever is in it; lines go
to a logger of their own, so that they can be routed to a file. What this module deliberately does not do: keep anything; the log's owner does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import orjson

from registrar.metrics import Metrics
from registrar.resources.times import timestamp

SCHEMA = "gateway-registrar.dev/audit/v1"
LOGGER = "registrar.audit"


class Audit:
    """Writes the lines."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        """Use the audit logger, whatever the process has attached to it; `metrics` counts the lines."""
        self._metrics = metrics or Metrics()
        self._log = logging.getLogger(LOGGER)

    def effect(
        self,
        *,
        now: float,
        client: str,
        uid: str,
        verb: str,
        outcome: str,
        gateway: str = "",
        identity: str = "",
        secret: str = "",
        contracts: Iterable[tuple[str, str]] = (),
        before: str = "",
        after: str = "",
        action: str = "",
        token: str = "",
        by: Iterable[str] = (),
        error: str = "",
    ) -> None:
        """Write one line.

        `now` is in seconds since the epoch; `client` is namespace/name; `identity` the organization/client/version that the gateway knows it by;
        `secret` the key Secret that was made or deleted; `contracts` are (API, plan) that can be called afterwards, and after an unknown outcome
        may be; `before` and `after` are the payload digests; `action` and `token` the verb and the token's hash, if an annotation asked for it;
        `by` the field managers that did; `error` the stable word for what went wrong.
        """
        line: dict[str, Any] = {
            "schema": SCHEMA,
            "time": timestamp(now),
            "client": client,
            "uid": uid,
            "verb": verb,
            "outcome": outcome,
        }
        if gateway:
            line |= {
                "gateway": gateway,
                "identity": identity,
                "contracts": [{"api": api, "plan": plan} for api, plan in contracts],
                "digestBefore": before,
                "digestAfter": after,
            }
        told = (("secret", secret), ("action", action), ("token", token), ("by", list(by)), ("error", error))
        line |= {name: value for name, value in told if value}
        self._log.info(orjson.dumps(line).decode())
        self._metrics.effect(verb, outcome)
