"""Mends of a RuntimeGateway and of the operator itself; most are the platform team's.

Invariants: as `mends`. What this module deliberately does not do: credentials (see `mends_secret`).
"""

from __future__ import annotations

import shlex

from registrar.cli.diagnosis.facts import Facts
from registrar.cli.diagnosis.mend import PLATFORM, YOU, Mend, json_patch, kubectl, merge_patch, recreate
from registrar.cli.reading import Json, name, rows, section, word


def start_operator(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An operator that does not run, or does not look."""
    where = facts.operator_namespace
    return (
        Mend(PLATFORM, "See whether it runs, and why not.", kubectl("get", "deployments,pods,leases", namespace=where)),
        Mend(
            PLATFORM,
            "Read what it says.",
            kubectl("logs", "-l", "app.kubernetes.io/name=gateway-registrar", "--tail=50", namespace=where),
        ),
    )


def make_default(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """Nothing says which gateway is meant."""
    known = sorted((facts.gateways or {}).items())
    if not known:
        what = "Create a RuntimeGateway with spec.default: true (its fields: kubectl explain runtimegateway.spec)."
        return (Mend(PLATFORM, what),)
    first, gateway = known[0]
    named = recreate("Client", "client", found, {"gatewayRef": {"name": first}})
    patch = merge_patch("runtimegateway", gateway, {"spec": {"default": True}})
    made = (Mend(PLATFORM, f"Make RuntimeGateway {first} the default.", patch),)
    # A Contract takes its gateway from its Client, so only a Client can be made anew with another one.
    return (*made, Mend(YOU, "Or name it in the Client.", named)) if found is facts.client else made


def one_default(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """Several gateways claim to be the default."""
    known = sorted(key for key, row in (facts.gateways or {}).items() if section(row, "spec").get("default") is True)
    if len(known) < 2:
        return (Mend(PLATFORM, "Leave spec.default: true on one RuntimeGateway.", kubectl("get", "runtimegateways")),)
    commands = "\n".join(
        merge_patch("runtimegateway", (facts.gateways or {})[key], {"spec": {"default": False}}) for key in known[1:]
    )
    return (
        Mend(PLATFORM, f"Leave {known[0]} as the only default (or choose another of {', '.join(known)}).", commands),
    )


def name_another(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A RuntimeGateway that does not exist is named, in a field that can't be changed."""
    known = sorted(facts.gateways or {})
    kind = "Client" if found is facts.client else "Contract"
    if not known:
        return (Mend(PLATFORM, "Create that RuntimeGateway.", kubectl("get", "runtimegateways")),)
    command = recreate(kind, kind.lower(), found, {"gatewayRef": {"name": known[0]}})
    return (Mend(YOU, f"Make the {kind} anew with one that exists ({', '.join(known)}).", command),)


def unblock(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """The platform's emergency stop."""
    identity = section(found, "status", "identity")
    for key in facts.gateway_names:
        gateway = facts.gateway(key)
        for place, row in enumerate(rows(gateway, "spec", "blocked")):
            meant = (word(row, "organization"), word(row, "clientId")) == (
                word(identity, "organization"),
                word(identity, "clientId"),
            )
            if gateway is not None and meant and word(row, "version") in ("", word(identity, "version")):
                path = f"/spec/blocked/{place}"
                operations: list[Json] = [{"op": "test", "path": path, "value": row}, {"op": "remove", "path": path}]
                return (
                    Mend(
                        PLATFORM,
                        "Lift the block, when its reason is gone.",
                        json_patch("runtimegateway", gateway, operations),
                    ),
                )
    return (Mend(PLATFORM, "Lift the block, when its reason is gone (spec.blocked of the RuntimeGateway)."),)


def manage(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A gateway that is only looked at."""
    for key in facts.gateway_names:
        gateway = facts.gateway(key)
        if gateway is not None and word(gateway, "spec", "mode") == "Observe":
            return (
                Mend(
                    PLATFORM,
                    f"Let the operator write to gateway {key}.",
                    merge_patch("runtimegateway", gateway, {"spec": {"mode": "Manage"}}),
                ),
            )
    return (Mend(PLATFORM, "Set spec.mode of the RuntimeGateway to Manage."),)


def reach(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A gateway that does not answer."""
    endpoint = word(found, "spec", "apiman", "endpoint")
    probe = f"curl --silent --show-error --output /dev/null --write-out '%{{http_code}}\\n' {shlex.quote(endpoint + '/system/status')}"
    return (
        Mend(
            PLATFORM,
            f"See whether its configuration API answers at {endpoint}; the operator goes on by itself when it does.",
            probe,
        ),
        Mend(
            PLATFORM,
            "If the address is wrong, correct spec.apiman.endpoint.",
            kubectl("edit", "runtimegateway", name(found)),
        ),
    )


def publish_apis(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A gateway that lost its APIs."""
    return (Mend(PLATFORM, "Publish the APIs on this gateway again; the registrations follow by themselves."),)


def correct(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A gateway that lost registrations, which is only reported."""
    patch = merge_patch("runtimegateway", found, {"spec": {"drift": {"mode": "Correct"}}})
    return (Mend(PLATFORM, "Have them put back.", patch),)


def clients_of(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A RuntimeGateway whose deletion waits."""
    command = kubectl("get", "clients", "-A", "--field-selector", f"status.identity.gateway={name(found)}")
    return (Mend(PLATFORM, "Delete or retire the Clients on it.", command),)
