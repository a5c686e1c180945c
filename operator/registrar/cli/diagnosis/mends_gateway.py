"""Mends of a RuntimeGateway and of the operator itself; most are the platform team's.

Invariants: as `mends`. What this module deliberately does not do: credentials (see `mends_secret`).
"""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from registrar.cli.diagnosis.facts import CLIENT, Facts
from registrar.cli.diagnosis.mend import PLATFORM, YOU, Mend, json_patch, kubectl, merge_patch, recreate, registrar
from registrar.cli.reading import Json, name, rows, section, word


def ask_platform(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """What is to be mended is where this user may not look: the same question, asked by who may, gets the command."""
    subject = facts.name if facts.kind == CLIENT else f"contract/{facts.name}"
    what = "Ask the same with the right to read RuntimeGateways and the operator's namespace; then the command that mends it is named."
    return (Mend(PLATFORM, what, registrar("why", subject, namespace=facts.namespace)),)


def start_operator(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An operator that does not run, or does not look."""
    where = facts.operator_namespace
    if facts.lease is None:
        return ask_platform(facts, found)
    if facts.stopped:
        commands = "\n".join(
            kubectl("scale", "deployment", stopped, "--replicas=2", namespace=where) for stopped in facts.stopped
        )
        what = (
            f"Scale it up again: Deployment {', '.join(facts.stopped)} is scaled to nothing. Two replicas are the chart's default; "
            "where the release's values say 0, correct `replicas` there instead."
        )
        return (Mend(PLATFORM, what, commands),)
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
    return (
        _look_at_service(endpoint) or _call(endpoint),
        Mend(
            PLATFORM,
            "If the address is wrong, correct spec.apiman.endpoint.",
            kubectl("edit", "runtimegateway", name(found)),
        ),
    )


def _call(endpoint: str) -> Mend:
    probe = f"curl --silent --show-error --output /dev/null --write-out '%{{http_code}}\\n' {shlex.quote(endpoint + '/system/status')}"
    what = f"See whether its configuration API answers at {endpoint}; the operator goes on by itself when it does."
    return Mend(PLATFORM, what, probe)


def _look_at_service(endpoint: str) -> Mend | None:
    """A look at the Service that the endpoint names: its name means something inside the cluster alone, so calling it from outside tells nothing."""
    service, _, rest = (urlsplit(endpoint).hostname or "").partition(".")
    namespace, _, domain = rest.partition(".")
    if not namespace or domain.partition(".")[0] != "svc":
        return None
    what = (
        f"See whether there is a Service {service} in namespace {namespace}, with the port of {endpoint} and an endpoint behind it; "
        "the operator goes on by itself when it answers."
    )
    return Mend(PLATFORM, what, kubectl("get", "services,endpointslices", namespace=namespace))


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
