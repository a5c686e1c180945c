"""Mends of a Client itself: resume, publish, adopt, choose an identity, let go.

Invariants: as `mends`. What this module deliberately does not do: Secrets, Contracts and gateways (see its neighbours).
"""

from __future__ import annotations

from registrar.cli.diagnosis.facts import Facts
from registrar.cli.diagnosis.mend import PLATFORM, YOU, Mend, json_patch, kubectl, merge_patch, recreate, registrar
from registrar.cli.reading import Json, name, namespace, newest, rows, section, word


def look(kind: str, found: Json) -> tuple[Mend, ...]:
    """What is left when no command is known: read the whole object."""
    resource = f"{kind.lower()}.gateway-registrar.dev"
    return (
        Mend(YOU, "Read the whole object.", kubectl("describe", resource, name(found), namespace=namespace(found))),
    )


def resume(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A paused Client."""
    return (Mend(YOU, "Let the operator go on.", merge_patch("client", found, {"spec": {"paused": False}})),)


def unretire(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A retired Client, by what retired it."""
    if word(found, "spec", "state") == "Retired":
        return (
            Mend(YOU, "Take the retirement back.", merge_patch("client", found, {"spec": {"state": "Registered"}})),
        )
    return (
        Mend(YOU, "Register it again.", registrar("reregister", name(found), "--wait", namespace=namespace(found))),
    )


def publish(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """Changes that wait."""
    return (
        Mend(YOU, "See what would change.", registrar("diff", name(found), namespace=namespace(found))),
        Mend(YOU, "Publish it.", registrar("reregister", name(found), "--wait", namespace=namespace(found))),
    )


def publish_again(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A gateway that has something else, which is only reported."""
    again = registrar("reregister", name(found), "--wait", namespace=namespace(found))
    return (Mend(YOU, "Publish it again over what the gateway has.", again),)


def smaller(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Client that is too large for its status."""
    contracts = kubectl("get", "contracts.gateway-registrar.dev", namespace=namespace(found))
    return (Mend(YOU, "Move some of its Contracts to another Client; these are all of the namespace.", contracts),)


def adopt(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A registration that somebody else made."""
    other = f"{word(found, 'status', 'identity', 'clientId') or name(found)}-2"
    return (
        Mend(
            YOU,
            "If it is yours, take it over; this needs its current key in an Existing Secret, or the platform team's permission for this namespace.",
            merge_patch("client", found, {"spec": {"adopt": True}}),
        ),
        Mend(YOU, "Or register under another id.", recreate("Client", "client", found, {"clientId": other})),
    )


def another_identity(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Client whose identity is another Client's."""
    other = f"{word(found, 'spec', 'clientId') or name(found)}-{facts.namespace}"
    return (Mend(YOU, "Register under another id.", recreate("Client", "client", found, {"clientId": other})),)


def choose_organization(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A namespace with several organizations."""
    owned = _owned(facts)
    if not owned:
        return ()
    what = f"Name one; the namespace has {', '.join(owned)}."
    return (Mend(YOU, what, recreate("Client", "client", found, {"organization": owned[0]})),)


def own_organization(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An organization that the namespace does not own."""
    made: list[Mend] = []
    if owned := _owned(facts):
        what = f"Use an organization of this namespace ({', '.join(owned)})."
        made.append(Mend(YOU, what, recreate("Client", "client", found, {"organization": owned[0]})))
    wanted = word(found, "spec", "organization")
    gateway = facts.gateway(next(iter(facts.gateway_names), ""))
    if gateway is not None and wanted:
        what = f"Or give namespace {facts.namespace} the organization {wanted}."
        made.append(Mend(PLATFORM, what, _entitle(gateway, wanted, facts.namespace)))
    return tuple(made)


def _entitle(gateway: Json, organization: str, namespace_: str) -> str:
    """A command that adds the namespace to the organization's entry, or makes one."""
    listed = rows(gateway, "spec", "organizations")
    for place, row in enumerate(listed):
        if word(row, "name") == organization:
            path = f"/spec/organizations/{place}"
            value: Json = {"op": "add", "path": f"{path}/namespaces", "value": [*row.get("namespaces", []), namespace_]}
            return json_patch(
                "runtimegateway", gateway, [{"op": "test", "path": f"{path}/name", "value": organization}, value]
            )
    entry = {"name": organization, "namespaces": [namespace_]}
    return merge_patch("runtimegateway", gateway, {"spec": {"organizations": [*listed, entry]}})


def _owned(facts: Facts) -> tuple[str, ...]:
    """The organizations that name the namespace on the first gateway, and its own where nobody else has it."""
    gateway = facts.gateway(next(iter(facts.gateway_names), ""))
    if gateway is None:
        return ()
    listed = rows(gateway, "spec", "organizations")
    named = [word(row, "name") for row in listed if facts.namespace in (row.get("namespaces") or ())]
    if all(word(row, "name") != facts.namespace for row in listed):
        named.append(facts.namespace)
    return tuple(named)


def act_again(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """An action that failed; its message says what to mend before."""
    last = next(iter(newest(rows(found, "status", "actions"), "completedAt")), {})
    verb = word(last, "name")
    words = ("rotate-key", "--revoke") if verb == "revoke-key" else (verb,)
    again = registrar(*words, name(found), "--wait", namespace=namespace(found))
    return (Mend(YOU, "Mend what the message names, then ask for it again.", again),)


def let_go(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A deletion that waits for a gateway."""
    if not section(found, "metadata").get("finalizers"):
        return ()
    forced = registrar("force-delete", name(found), namespace=namespace(found))
    return (
        Mend(
            YOU,
            "It ends by itself when the gateway answers. To let the object go before that, while the gateway still has it:",
            forced,
        ),
    )
