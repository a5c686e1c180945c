"""The command that mends what blocks a Client or Contract, by the reason that the operator gives.

Every command can be run as it is printed, by whom it names. Where something is needed that only a person knows, the command reads it from a variable
of the shell, and the words before it say which: an unset one is refused, not written.

Invariants: pure; every value in a command is quoted; no command holds a secret. What this module deliberately does not do: decide what is wrong (see
`walk`), or run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from registrar.cli.diagnosis import mends_access, mends_client, mends_gateway, mends_secret
from registrar.cli.diagnosis.facts import Facts
from registrar.cli.diagnosis.mend import Mend
from registrar.cli.reading import Json
from registrar.resources.reasons import Reason

__all__ = ["Mend", "mends"]

Mender = Callable[[Facts, Json], tuple[Mend, ...]]

_CLIENT: Mapping[str, Mender] = {
    Reason.NO_CONTRACTS: mends_access.first_contract,
    Reason.PAUSED: mends_client.resume,
    Reason.RETIRED: mends_client.unretire,
    Reason.RESTORED: mends_client.unretire,
    Reason.UNPUBLISHED_CHANGES: mends_client.publish,
    Reason.TOO_LARGE: mends_client.smaller,
    Reason.ALREADY_EXISTS: mends_client.adopt,
    Reason.IDENTITY_TAKEN: mends_client.another_identity,
    Reason.AMBIGUOUS_ORGANIZATION: mends_client.choose_organization,
    Reason.ORGANIZATION_NOT_OWNED: mends_client.own_organization,
    Reason.NO_DEFAULT_GATEWAY: mends_gateway.make_default,
    Reason.AMBIGUOUS_DEFAULT: mends_gateway.one_default,
    Reason.GATEWAY_NOT_FOUND: mends_gateway.name_another,
    Reason.BLOCKED: mends_gateway.unblock,
    Reason.OBSERVING: mends_gateway.manage,
    Reason.DRIFTED: mends_client.publish_again,
    Reason.ACTION_FAILED: mends_client.act_again,
    Reason.TERMINATING: mends_client.let_go,
    Reason.SECRET_MISSING: mends_secret.key_secret,
    Reason.SECRET_NOT_OWNED: mends_secret.free_name,
    Reason.KEY_INVALID: mends_secret.another_key,
    Reason.KEY_IN_USE: mends_secret.another_key,
}
_CONTRACT: Mapping[str, Mender] = {
    Reason.CLIENT_NOT_FOUND: mends_access.missing_client,
    Reason.API_NOT_PUBLISHED: mends_access.another_version,
    Reason.NOT_GRANTED: mends_access.grant,
    Reason.UNKNOWN_PLAN: mends_access.another_plan,
    Reason.EXPIRED: mends_access.extend,
    Reason.DUPLICATE: mends_access.drop,
    Reason.CONFLICTED: mends_access.drop,
    Reason.SAME_GATEWAY: mends_access.drop,
    Reason.GATEWAY_NOT_FOUND: mends_gateway.name_another,
    Reason.NO_DEFAULT_GATEWAY: mends_gateway.make_default,
    Reason.AMBIGUOUS_DEFAULT: mends_gateway.one_default,
    Reason.OBSERVING: mends_gateway.manage,
    Reason.POLICY_UNRESOLVED: mends_access.publish_chain,
}
_POLICY: Mapping[str, Mender] = {
    Reason.SECRET_MISSING: mends_secret.policy_secret,
    Reason.TARGET_NOT_FOUND: mends_access.edit_policy,
    Reason.INVALID: mends_access.edit_policy,
    Reason.CONFLICTED: mends_access.edit_policy,
    Reason.NOT_PERMITTED: mends_access.edit_policy,
    Reason.UNSUPPORTED: mends_access.edit_policy,
}
_GATEWAY: Mapping[str, Mender] = {
    Reason.CREDENTIALS_MISSING: mends_secret.credentials,
    Reason.GATEWAY_UNAUTHORIZED: mends_secret.credentials,
    Reason.GATEWAY_UNREACHABLE: mends_gateway.reach,
    Reason.APIS_MISSING: mends_gateway.publish_apis,
    Reason.DRIFTED: mends_gateway.correct,
    Reason.GATEWAY_IN_USE: mends_gateway.clients_of,
}
_OF_THE_GATEWAY = frozenset(
    {
        Reason.GATEWAY_UNREACHABLE,
        Reason.GATEWAY_UNAUTHORIZED,
        Reason.GATEWAY_NOT_FOUND,
        Reason.NO_DEFAULT_GATEWAY,
        Reason.AMBIGUOUS_DEFAULT,
        Reason.OBSERVING,
        Reason.BLOCKED,
    }
)
"""Reasons whose mend is at a RuntimeGateway, or needs what one says; not every user may read those."""
_BY_KIND = {"Client": _CLIENT, "Contract": _CONTRACT, "Policy": _POLICY, "RuntimeGateway": _GATEWAY}


def mends(facts: Facts, *, kind: str, reason: str, found: Json) -> tuple[Mend, ...]:
    """What mends an object of that kind for that reason; a look at the object where nothing better is known."""
    if kind != "RuntimeGateway" and facts.gateways is None and reason in _OF_THE_GATEWAY:
        return mends_gateway.ask_platform(facts, found)
    if reason in ("OperatorNotRunning", "NotSeen"):
        return mends_gateway.start_operator(facts, found)
    mender = _BY_KIND[kind].get(reason)
    made = mender(facts, found) if mender is not None else ()
    return made or mends_client.look(kind, found)
