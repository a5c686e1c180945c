"""What an answer of the gateway means: whose answer it is, why, and what to do next. A pure function.

The gateway names the rule that refused a call in the headers `X-Policy-Failure-*`, and its own errors in `X-Gateway-Error`; an answer with neither is the API's. The
codes are those of Apiman's policies (`io.apiman.gateway.engine.policies.PolicyFailureCodes`).

Invariants: what is said of an answer follows from it and from the objects alone; no text of the answer is repeated.
What this module deliberately does not do: call anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from registrar.cli.calling.request import Answer
from registrar.cli.errors import Exit
from registrar.cli.reading import Json, condition, name, namespace, rows, span, until, word

FAILURE_CODE = "x-policy-failure-code"
GATEWAY_ERROR = "x-gateway-error"


class KeyRole(StrEnum):
    """Which of the Client's keys a call was made with."""

    CURRENT = "current"
    NEXT = "next"
    PREVIOUS = "previous"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was called: the Contract, its Client, the role of the key, and when (seconds since the epoch)."""

    contract: Json
    client: Json
    key: KeyRole
    now: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an answer means in words, what to do next, and the exit code."""

    said: str
    step: str
    exit_code: Exit


def explain(subject: Subject, answer: Answer) -> Explanation:
    """What the answer means."""
    if FAILURE_CODE in answer.headers:
        return _refused(subject, answer)
    if GATEWAY_ERROR in answer.headers:
        return _gateway(subject, answer)
    return _api(subject, answer)


# The gateway's own errors --------------------------------------------------------------------------------------------


def _gateway(subject: Subject, answer: Answer) -> Explanation:
    said = answer.headers[GATEWAY_ERROR]
    why = f"kubectl registrar why contract/{name(subject.contract)} -n {namespace(subject.contract)}"
    match answer.status:
        case 404 if said.startswith("No client found"):
            return _unknown_key(subject, why)
        case 404 if said.startswith("No contract found"):
            return Explanation(
                "The gateway knows the key, and has no contract for this API with it: the Contract is not live there.",
                why,
                Exit.NOT_LIVE,
            )
        case 404:
            return Explanation(
                "The gateway does not have this API.", f"Ask its owner whether it moved. {why}", Exit.NOT_LIVE
            )
        case 403:
            return Explanation(
                "The gateway saw no key. Something before it takes the header away.",
                "Look at the proxies on the way.",
                Exit.NOT_LIVE,
            )
        case 410:
            return Explanation(
                "The API is retired: its owner has taken it off the gateway. The Contract is live again by itself if it comes back.",
                "Ask the owner which version to use, and change spec.api.version of the Contract.",
                Exit.NOT_LIVE,
            )
        case 502 | 504:
            return Explanation(
                "The gateway let the call through, and could not reach the API behind it.",
                "Tell the API's owner.",
                Exit.GATEWAY,
            )
        case _:
            return Explanation(
                f"The gateway itself failed with {answer.status}; a policy that it can't run does that.",
                f"Look at the policies: kubectl registrar status {name(subject.client)} -n {namespace(subject.client)}",
                Exit.GATEWAY,
            )


def _unknown_key(subject: Subject, why: str) -> Explanation:
    match subject.key:
        case KeyRole.PREVIOUS:
            return Explanation(
                "The gateway does not know this key any more: it is the former one, and its overlap is over.",
                f"Use the current key, {_current(subject)}",
                Exit.NOT_LIVE,
            )
        case KeyRole.NEXT:
            return Explanation(
                "The gateway does not know this key yet: it is the next one, of a rotation that is under way.",
                f"Use the current key until the rotation is done. {why}",
                Exit.NOT_LIVE,
            )
        case KeyRole.UNKNOWN:
            return Explanation(
                "The gateway does not know this key, and it is none of the Client's.",
                f"Use the current key, {_current(subject)}",
                Exit.NOT_LIVE,
            )
        case KeyRole.CURRENT:
            return Explanation(
                "The gateway does not know the key: the Client is not registered there, or was registered this very second.",
                why,
                Exit.NOT_LIVE,
            )


def _current(subject: Subject) -> str:
    entry = word(subject.client, "spec", "apiKey", "secretKey") or "apiKey"
    return f"which is in Secret {secret_name(subject.client)}, entry {entry}."


def secret_name(client: Json) -> str:
    """The name of the Client's key Secret."""
    return word(client, "spec", "apiKey", "secretName") or f"{name(client)}-api-key"


# Refused by a policy -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a failure code says: the type of the policy, what it means, and the next step."""

    type: str
    said: str
    step: str


_PATHS = "Look at the policy's rules."
_RULES: Mapping[str, _Rule] = {
    "10001": _Rule("ipAllowList", "The address that this call came from is not on the list of allowed ones.", "Call from an allowed address, or have it added."),
    "10002": _Rule("ipBlockList", "The address that this call came from is on the list of blocked ones.", "Call from another address, or have it taken off."),
    "10003": _Rule("basicAuthentication", "The user name or the password is wrong.", "Correct them: -H 'Authorization: Basic ...'."),
    "10004": _Rule("basicAuthentication", "Besides the key the API wants a user name and a password.", "Add them: -H 'Authorization: Basic ...'."),
    "10005": _Rule("rateLimit", "The rate limit is used up.", ""),
    "10006": _Rule("", "A limit is counted for each user, and the call names no user.", "Add the header that the limit's userHeader names, with -H."),
    "10007": _Rule("ignoredResources", "The path is hidden by a policy: it is answered as if there were nothing.", _PATHS),
    "10008": _Rule("", "A limit is counted for each client, and the gateway saw none.", "Report it to the platform team."),
    "10009": _Rule("authorization", "The user does not have the role that this path needs.", _PATHS),
    "10010": _Rule("authorization", "Roles are asked for, and no policy before finds out who calls.", "Put a basicAuthentication with roles before the authorization."),
    "10011": _Rule("basicAuthentication", "The user name and password are taken over TLS only, and the call came over plain http.", "Call the https endpoint."),
    "10012": _Rule("quota", "The quota is used up.", ""),
    "10013": _Rule("transferQuota", "The quota of bytes is used up.", ""),
    "10014": _Rule("timeRestrictedAccess", "The path is closed at this time (the times are UTC).", _PATHS),
}  # fmt: skip
_RESET = {"rateLimit": "X-RateLimit-Reset", "quota": "X-Quota-Reset", "transferQuota": "X-TransferQuota-Reset"}
_LIMIT = {"rateLimit": "X-RateLimit-Limit", "quota": "X-Quota-Limit", "transferQuota": "X-TransferQuota-Limit"}
_LEFT = {
    "rateLimit": "X-RateLimit-Remaining",
    "quota": "X-Quota-Remaining",
    "transferQuota": "X-TransferQuota-Remaining",
}


def _refused(subject: Subject, answer: Answer) -> Explanation:
    rule = _RULES.get(answer.headers[FAILURE_CODE])
    if rule is None:
        code = "".join(letter for letter in answer.headers[FAILURE_CODE] if letter.isalnum())[:32]
        return Explanation(
            f"A policy refused the call (failure code {code}), one of the gateway's plugins.",
            "See what its documentation says of the code.",
            Exit.DENIED,
        )
    found = [row for row in chain(subject) if word(row, "type") == rule.type]
    if rule.type in _RESET:
        return _limited(rule, found, answer)
    return Explanation(f"{rule.said}{_which(found)}", rule.step, Exit.DENIED)


def _limited(rule: _Rule, found: list[Json], answer: Answer) -> Explanation:
    """The limit that is used up, and when it starts anew."""
    exact = [row for row in found if _header(row, rule.type, "headerLimit", _LIMIT, answer) == _number(row, "limit")]
    row = (exact or found or [{}])[0]
    reset = _header(row, rule.type, "headerReset", _RESET, answer)
    when = f" It starts anew in {span(int(reset))}." if reset.isascii() and reset.isdigit() else ""
    return Explanation(
        f"{rule.said}{_which([row] if exact or len(found) == 1 else found)}",
        f"{when.strip() or 'It starts anew with the next period.'} A higher one: another plan, or a word with who set it.",
        Exit.LIMITED,
    )


def _header(row: Json, type_: str, field: str, defaults: Mapping[str, str], answer: Answer) -> str:
    """What the answer says in a limit's header, under the name that the limit gives it."""
    return answer.headers.get((word(row, "config", field) or defaults[type_]).lower(), "")


def _number(row: Json, field: str) -> str:
    return word(row, "config", field)


def _which(found: list[Json]) -> str:
    """The policies that may be meant, in words."""
    if not found:
        return ""
    words = []
    for row in found:
        limit, period = word(row, "config", "limit"), word(row, "config", "period")
        counted = f" ({limit} per {period})" if limit and period else ""
        level, _, policy = word(row, "id").partition(":")
        words.append(f"{policy} on {level}{counted}")
    return f" {'Policy' if len(words) == 1 else 'One of the policies'} {', '.join(words)}."


def chain(subject: Subject) -> list[Json]:
    """The published policies of the Contract, in the order in which they run."""
    uid, gateway = word(subject.contract, "metadata", "uid"), word(subject.contract, "status", "gateway")
    for snapshot in rows(subject.client, "status", "gateways"):
        known = {word(row, "id"): row for row in rows(snapshot, "policies")}
        for entry in rows(snapshot, "contracts"):
            if word(snapshot, "name") == gateway and word(entry, "uid") == uid:
                ids = entry.get("policies")
                return [known[id_] for id_ in ids if id_ in known] if isinstance(ids, list) else []
    return []


# The API's own answer ------------------------------------------------------------------------------------------------


def _api(subject: Subject, answer: Answer) -> Explanation:
    notes = [text for text in (_old_key(subject), _unpublished(subject), _left(subject, answer)) if text]
    if answer.status >= 400:
        said = f"The gateway let the call through; {answer.status} is the API's own answer."
        return Explanation(" ".join([said, *notes]), "See the API's documentation.", Exit.NOT_AS_WANTED)
    return Explanation(" ".join(["The API answered.", *notes]), "", Exit.OK)


def _old_key(subject: Subject) -> str:
    if subject.key is not KeyRole.PREVIOUS:
        return ""
    ends = until(word(subject.client, "status", "apiKey", "overlapEndsAt"), now=subject.now)
    return f"This is the former key; it stops working {f'in {ends}' if ends else 'soon'}. Use the current one, {_current(subject)}"


def _unpublished(subject: Subject) -> str:
    ready = condition(subject.contract, "Ready")
    if ready.true or not ready.reason:
        return ""
    live = f"version {word(subject.contract, 'status', 'liveVersion')} on plan {word(subject.contract, 'status', 'livePlan')}"
    return f"What is live is {live}; the Contract is not as it asks for ({ready.reason})."


def _left(subject: Subject, answer: Answer) -> str:
    """What is left of the limits, as far as the answer tells."""
    words = []
    for row in chain(subject):
        type_ = word(row, "type")
        left = _header(row, type_, "headerRemaining", _LEFT, answer) if type_ in _LEFT else ""
        limit = word(row, "config", "limit")
        if left.isascii() and left.lstrip("-").isdigit():
            reset = _header(row, type_, "headerReset", _RESET, answer)
            anew = f", anew in {span(int(reset))}" if reset.isascii() and reset.isdigit() else ""
            words.append(f"{type_}: {left}{f' of {limit}' if limit else ''} left{anew}")
    return f"Limits: {'; '.join(words)}." if words else ""
