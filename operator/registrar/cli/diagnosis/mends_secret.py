"""Mends of Secrets: the gateway's credentials, a Client's own key, a Policy's passwords.

A Secret counts only with the label that lets the operator read it, so one that exists may lack no more than that.
Values come from variables of the shell: `${NAME:?}` ends the command when one is not set.

Invariants: as `mends`. What this module deliberately does not do: make a key up.
"""

from __future__ import annotations

import re
import shlex

from registrar.cli.diagnosis.facts import Facts, SecretState, secret_refs
from registrar.cli.diagnosis.mend import PLATFORM, YOU, Mend, kubectl, merge_patch
from registrar.cli.reading import Json, name, section, word

_LABEL = "gateway-registrar.dev/allow-use=true"


def _write(namespace: str, secret: str, entries: dict[str, str]) -> str:
    """A command that creates or replaces a Secret with the label; `entries` are names of entries and of shell variables."""
    values = " ".join(f'--from-literal={shlex.quote(entry)}="${{{variable}:?}}"' for entry, variable in entries.items())
    made = f"{kubectl('create', 'secret', 'generic', secret, namespace=namespace)} {values} --dry-run=client -o yaml"
    label = f"kubectl label --local -f - {_LABEL} --dry-run=client -o yaml"
    return f"{made} | {label} | kubectl apply --server-side --force-conflicts -f -"


def _allow(namespace: str, secret: str) -> str:
    """A command that lets the operator read a Secret that exists."""
    return kubectl("label", "secret", secret, _LABEL, "--overwrite", namespace=namespace)


def credentials(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """The user and password with which the operator configures the gateway."""
    secret, where = word(found, "spec", "apiman", "credentialsSecretRef", "name"), facts.operator_namespace
    if facts.secret(where, secret) is SecretState.UNLABELLED:
        return (Mend(PLATFORM, f"Let the operator read Secret {where}/{secret}.", _allow(where, secret)),)
    command = _write(where, secret, {"username": "GATEWAY_USER", "password": "GATEWAY_PASSWORD"})
    what = f"Set GATEWAY_USER and GATEWAY_PASSWORD in your shell to what gateway {name(found)} accepts, and write them into the Secret."
    return (Mend(PLATFORM, what, command),)


def key_secret(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """The Secret of an Existing key."""
    spec = section(found, "spec", "apiKey")
    secret = word(spec, "secretName") or f"{name(found)}-api-key"
    if facts.secret(facts.namespace, secret) is SecretState.UNLABELLED:
        return (Mend(YOU, f"Let the operator read Secret {secret}.", _allow(facts.namespace, secret)),)
    command = _write(facts.namespace, secret, {word(spec, "secretKey") or "apiKey": "API_KEY"})
    what = (
        "Set API_KEY in your shell to the key (20 to 128 characters of A-Z a-z 0-9 _ -), and write it into the Secret."
    )
    return (Mend(YOU, what, command),)


def another_key(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A key that can't be used."""
    spec = section(found, "spec", "apiKey")
    if word(spec, "source") != "Existing":
        return ()
    secret = word(spec, "secretName") or f"{name(found)}-api-key"
    command = _write(facts.namespace, secret, {word(spec, "secretKey") or "apiKey": "API_KEY"})
    what = "Set API_KEY in your shell to a key of its own (20 to 128 characters of A-Z a-z 0-9 _ -), and write it into the Secret."
    return (Mend(YOU, what, command),)


def free_name(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """A Secret with the name of the one that the operator would make."""
    secret = word(found, "spec", "apiKey", "secretName") or f"{name(found)}-api-key"
    other = merge_patch("client", found, {"spec": {"apiKey": {"secretName": f"{name(found)}-registrar-key"}}})
    return (
        Mend(YOU, "Use another name for the Secret that the operator makes.", other),
        Mend(
            YOU,
            f"Or, if nobody needs Secret {secret}, delete it.",
            kubectl("delete", "secret", secret, namespace=facts.namespace),
        ),
    )


def policy_secret(facts: Facts, found: Json) -> tuple[Mend, ...]:
    """The Secrets that a Policy refers to."""
    made: list[Mend] = []
    refs = secret_refs(section(found, "spec"))
    for secret in sorted({secret for secret, _ in refs}):
        state = facts.secret(facts.namespace, secret)
        if state is SecretState.UNLABELLED:
            made.append(Mend(YOU, f"Let the operator read Secret {secret}.", _allow(facts.namespace, secret)))
            continue
        if state is SecretState.USABLE and any(
            facts.secret(facts.namespace, other) is not SecretState.USABLE for other, _ in refs
        ):
            continue
        entries = {entry: _variable(entry) for other, entry in refs if other == secret}
        what = f"Set {' and '.join(entries.values())} in your shell, and write it into Secret {secret}."
        made.append(Mend(YOU, what, _write(facts.namespace, secret, entries)))
    return tuple(made)


def _variable(entry: str) -> str:
    """The shell variable for an entry of a Secret."""
    word_ = re.sub(r"[^A-Z0-9]", "_", entry.upper())
    return f"SECRET_{word_}"
