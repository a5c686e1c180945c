"""Mends of Contracts and Policies: which API, which version, which plan, who lets whom.

Invariants: as `mends`; an API version or plan is proposed only when a grant or a live Contract that the user may read names it.
What this module deliberately does not do: ask the gateway which APIs there are; a consumer has no access to its configuration.
"""

from __future__ import annotations

import shlex
from difflib import get_close_matches

from registrar.cli.diagnosis import mends_gateway
from registrar.cli.diagnosis.facts import Facts
from registrar.cli.diagnosis.mend import OWNER, YOU, Mend, apply, kubectl, manifest, merge_patch, recreate, registrar
from registrar.cli.reading import Json, api, name, namespace, rows, section, word

_SHOWN = 8


def missing_client(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Contract whose Client does not exist."""
    made = apply(manifest("Client", facts.namespace, facts.client_name, {}))
    known = sorted({word(row, "spec", "clientRef", "name") for row in facts.contracts} - {facts.client_name})
    mends = [Mend(YOU, "Create the Client.", made)]
    if near := get_close_matches(facts.client_name, known, n=1):
        command = recreate("Contract", "contract", found, {"clientRef": {"name": near[0]}})
        mends.append(Mend(YOU, f"Or, if {near[0]} was meant, make the Contract anew.", command))
    return tuple(mends)


def first_contract(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Client without Contracts."""
    known = sorted(_granted(facts))
    if known:
        wanted, plan = known[0]
        command = registrar("subscribe", facts.client_name, wanted, "--plan", plan, namespace=facts.namespace)
        others = f" (of {_listed([f'{each} on plan {p}' for each, p in known])})" if len(known) > 1 else ""
        return (Mend(YOU, f"Subscribe to an API that is granted to you{others}.", command),)
    client, where = shlex.quote(facts.client_name), shlex.quote(facts.namespace)
    command = f'kubectl registrar subscribe {client} "${{API:?}}" --plan "${{PLAN:?}}" -n {where}'
    return (Mend(YOU, "Set API (ORGANIZATION/API/VERSION) and PLAN in your shell, and subscribe.", command),)


def another_version(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An API that the gateway does not have."""
    wanted = section(found, "spec", "api")
    mends: list[Mend] = []
    known = _known_apis(facts) - {api(found)}
    stem = f"{word(wanted, 'organization')}/{word(wanted, 'name')}/"
    versions = sorted((each.removeprefix(stem) for each in known if each.startswith(stem)), reverse=True)
    if versions:
        what = f"Use a version that there is ({_listed(versions)})."
        mends.append(Mend(YOU, what, merge_patch("contract", found, {"spec": {"api": {"version": versions[0]}}})))
    elif near := get_close_matches(api(found), sorted(known), n=1):
        organization, called, version = near[0].split("/")
        spec = {"api": {"organization": organization, "name": called, "version": version}}
        mends.append(
            Mend(
                YOU, f"Use an API that there is, if {near[0]} was meant.", recreate("Contract", "contract", found, spec)
            )
        )
    mends.append(Mend(OWNER, f"Publish {api(found)} on the gateway; the Contract is picked up when it appears."))
    if not versions and len(mends) == 1:
        edit = kubectl("edit", "contract", name(found), namespace=facts.namespace)
        mends.append(Mend(YOU, "Or correct spec.api.version.", edit))
    return tuple(mends)


def _known_apis(facts: Facts) -> set[str]:
    """The API versions that the gateway is known to have, or that their owner says there are."""
    live = {api(row) for row in facts.contracts if word(row, "status", "phase") == "Active"}
    return live | {wanted for wanted, _ in _granted(facts)}


def _granted(facts: Facts) -> set[tuple[str, str]]:
    """The API versions that grants give to the namespace by its name, each with the first of its plans."""
    found: set[tuple[str, str]] = set()
    for grant in facts.grants or ():
        spec = section(grant, "spec")
        plans = [str(plan) for plan in spec.get("plans") or ()]
        if facts.namespace not in (section(spec, "from").get("namespaces") or ()) or not plans:
            continue
        organization = word(spec, "organization") or namespace(grant)
        for row in rows(spec, "apis"):
            found |= {
                (f"{organization}/{word(row, 'name')}/{version}", plans[0]) for version in row.get("versions") or ()
            }
    return found


def grant(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An API that nobody lets this namespace use."""
    wanted = section(found, "spec", "api")
    spec = {
        "apis": [{"name": word(wanted, "name"), "versions": [word(wanted, "version")]}],
        "plans": [word(found, "spec", "plan")],
        "from": {"namespaces": [facts.namespace]},
    }
    owner = _owner(facts, word(wanted, "organization"))
    command = apply(manifest("APIGrant", owner, f"{word(wanted, 'name')}-for-{facts.namespace}".lower(), spec))
    if facts.gateways is None:
        guess = f"Or, where namespace {owner} is the one that owns the organization: let namespace {facts.namespace} use it."
        return (*mends_gateway.ask_platform(facts, found), Mend(OWNER, guess, command))
    return (Mend(OWNER, f"Let namespace {facts.namespace} use it, in the owner's namespace {owner}.", command),)


def _owner(facts: Facts, organization: str) -> str:
    """The namespace that owns the organization; its own name where no gateway says otherwise."""
    for key in facts.gateway_names:
        for row in rows(facts.gateway(key), "spec", "organizations"):
            listed = row.get("namespaces") or ()
            if word(row, "name") == organization and listed:
                return str(listed[0])
    return organization


def another_plan(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A plan that no grant names."""
    wanted = section(found, "spec", "api")
    plans: set[str] = set()
    for row in facts.grants or ():
        organization = word(row, "spec", "organization") or namespace(row)
        names = {word(each, "name") for each in rows(row, "spec", "apis")}
        if organization == word(wanted, "organization") and word(wanted, "name") in names:
            plans |= {str(plan) for plan in section(row, "spec").get("plans") or ()}
    if not plans:
        return (
            Mend(
                YOU,
                "Use a plan that the message names.",
                kubectl("edit", "contract", name(found), namespace=facts.namespace),
            ),
        )
    best = (get_close_matches(word(found, "spec", "plan"), sorted(plans), n=1, cutoff=0.0) or sorted(plans))[0]
    what = f"Use a plan that there is ({_listed(sorted(plans))})."
    return (Mend(YOU, what, merge_patch("contract", found, {"spec": {"plan": best}})),)


def extend(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Contract that has ended."""
    return (Mend(YOU, "Bring it back without an end.", merge_patch("contract", found, {"spec": {"expiresAt": None}})),)


def drop(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Contract that is in the way of another one."""
    return (
        Mend(
            YOU,
            "Delete the one that is not needed.",
            kubectl("delete", "contract", name(found), namespace=facts.namespace),
        ),
    )


def publish_chain(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A chain with a Policy that is not in this namespace, or gone since."""
    again = registrar("reregister", facts.client_name, "--wait", namespace=facts.namespace)
    return (
        Mend(OWNER, "Mend the Policy that the message names; the Contract follows."),
        Mend(YOU, "Or, if the Policy is gone for good, publish without it.", again),
    )


def edit_policy(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Policy that is not accepted."""
    return (
        Mend(
            YOU,
            "Correct what the message names.",
            kubectl("edit", "policy.gateway-registrar.dev", name(found), namespace=facts.namespace),
        ),
    )


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(values[:_SHOWN]) + more
