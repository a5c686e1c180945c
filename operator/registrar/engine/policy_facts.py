"""What is known of a Policy beyond its object: whether its Secrets can be read and whether it can be rendered.

Invariants: a Secret is looked for in the Policy's own namespace only, and only among those that carry the label; the operator's own namespace, where its
credentials are, is never looked into; a resolved value stays in what `resolve` returns, which goes into a request to the gateway and nowhere else.
What this module deliberately does not do: decide what follows from it (see `lifecycle.desired`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from registrar.engine.store import Store
from registrar.errors import GatewayRefused
from registrar.gateways.apiman.basic_authentication import PASSWORD
from registrar.gateways.apiman.policy_forms import BY_IMPLEMENTATION
from registrar.gateways.apiman.wire import EXPANDED, RENDERABLE, render_policy
from registrar.lifecycle.model import PolicyFact
from registrar.resources import reasons
from registrar.resources.objects import PolicyObject
from registrar.resources.parse import REFERRING, SECRET_REF, secret_names
from registrar.resources.reasons import Reason

LONGEST_PASSWORD = 1024
"""In bytes; what is longer was not meant as a password."""


class _UnresolvedError(Exception):
    """A reference that can't be resolved; becomes a fact at once."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """Answers from the store; `home` is the operator's own namespace, `secret` keys the digests."""

    store: Store
    home: str
    secret: bytes

    def fact(self, policy: PolicyObject) -> PolicyFact:
        """What is known of the Policy now."""
        if policy.type == "custom":
            typed = BY_IMPLEMENTATION.get(policy.custom_implementation)
            if typed is not None:
                return PolicyFact(reason=Reason.INVALID.value, message=reasons.policy_custom_typed(typed))
        if not policy.secret_names:
            return _without_secrets(policy.type, policy.config)
        try:
            resolved = self._resolve(policy.meta.namespace, policy.config)
        except _UnresolvedError as error:
            return PolicyFact(reason=error.reason.value, message=error.message)
        problem = _problem(policy.type, resolved)
        digest = self.digest(policy.meta.namespace, policy.config, type_=policy.type)
        return PolicyFact(reason=Reason.INVALID.value, message=problem) if problem else PolicyFact(digest=digest)

    def resolve(self, namespace: str, config: str, *, type_: str) -> dict[str, Any] | None:
        """The configuration with its passwords, for rendering; None when a Secret can't be read."""
        if not _refers(type_, config):
            loaded: dict[str, Any] = orjson.loads(config)
            return loaded
        try:
            return self._resolve(namespace, config)
        except _UnresolvedError:
            return None

    def digest(self, namespace: str, config: str, *, type_: str) -> str:
        """A keyed digest of what the Secrets of a configuration hold; empty when it refers to none, or they can't be read."""
        resolved = self.resolve(namespace, config, type_=type_) if _refers(type_, config) else None
        if resolved is None:
            return ""
        values = [row[PASSWORD] for row in _referring(resolved)]
        content = b"policy\0" + orjson.dumps([namespace, values])
        return hmac.new(self.secret, content, hashlib.sha256).hexdigest()[:32]

    def _resolve(self, namespace: str, config: str) -> dict[str, Any]:
        resolved: dict[str, Any] = orjson.loads(config)
        for row in list(_referring(resolved)):
            row[PASSWORD] = self._value(namespace, row[SECRET_REF])
        return resolved

    def _value(self, namespace: str, reference: Mapping[str, Any]) -> str:
        if namespace == self.home:
            raise _UnresolvedError(Reason.SECRET_NOT_ALLOWED, reasons.POLICY_AT_HOME)
        name, entry = str(reference.get("name", "")), str(reference.get("key", "password"))
        secret = self.store.secret(namespace, name)
        if secret is None or not secret.allowed:
            raise _UnresolvedError(Reason.SECRET_MISSING, reasons.policy_secret_missing(secret=name))
        value = _password(secret.data.get(entry, b""))
        if not value:
            raise _UnresolvedError(Reason.SECRET_MISSING, reasons.policy_secret_entry(secret=name, entry=entry))
        return value


def _password(value: bytes) -> str:
    """The value as text; empty when it can't be a password."""
    if len(value) > LONGEST_PASSWORD:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _referring(value: object) -> Iterator[dict[str, Any]]:
    """Every object of a configuration that refers to a Secret, in an order that does not change."""
    if isinstance(value, list):
        for row in value:
            yield from _referring(row)
    elif isinstance(value, dict):
        if isinstance(value.get(SECRET_REF), dict):
            yield value
        for key in sorted(value):
            if key != SECRET_REF:
                yield from _referring(value[key])


@lru_cache(maxsize=4096)
def _refers(type_: str, config: str) -> bool:
    """Whether there is something to resolve; a custom configuration is the gateway's own form, and has no references."""
    return type_ == REFERRING and bool(secret_names(orjson.loads(config)))


@lru_cache(maxsize=4096)
def _without_secrets(type_: str, config: str) -> PolicyFact:
    problem = _problem(type_, orjson.loads(config))
    return PolicyFact(reason=Reason.INVALID.value, message=problem) if problem else PolicyFact()


def _problem(type_: str, config: dict[str, Any]) -> str:
    """Why the gateway can't be sent this; empty when it can, or when it has no such type, which is said elsewhere."""
    if type_ not in RENDERABLE:
        return ""
    try:
        render_policy(type=type_, config=config)
    except GatewayRefused:
        expands = EXPANDED in orjson.dumps(config).decode()
        return reasons.POLICY_EXPANDS if expands else reasons.policy_incomplete(type_)
    return ""
