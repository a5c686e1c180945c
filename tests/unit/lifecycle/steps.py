"""Views a step further: with what `decide` would write, written, and with what somebody asks for.

What this module deliberately does not do: carry out an effect on a gateway.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from registrar.lifecycle.case import case_of
from registrar.lifecycle.contracts import changed_statuses
from registrar.lifecycle.decide import decide
from registrar.lifecycle.model import View
from tests.unit.lifecycle.build import blob, contract, policy, registered


def at_rest(seen: View) -> View:
    """The view with the status that `decide` would write, written."""
    written = decide(seen).status
    found = replace(seen.client, status_blob=blob(written.to_json()))
    return replace(seen, client=found, status=found.status)


def contracts_written(seen: View) -> View:
    """The view with its Contracts' statuses as they should be."""
    rows = {row.meta.uid: status for row, status in changed_statuses(case_of(seen))}
    contracts = tuple(replace(c, status=rows.get(c.meta.uid, c.status)) for c in seen.contracts)
    by_uid = {c.meta.uid: c for c in contracts}
    verdicts = tuple(replace(v, contract=by_uid[v.contract.meta.uid]) for v in seen.desired.verdicts)
    return replace(seen, contracts=contracts, desired=replace(seen.desired, verdicts=verdicts))


def asked(*tokens: tuple[str, str], **changes: Any) -> View:
    """A registered Client with an unpublished change and these tokens."""
    return registered(
        contract(),
        policies=(policy(),),
        now_policies=(policy(limit=50),),
        changes_to_client={"tokens": tokens},
        **changes,
    )
