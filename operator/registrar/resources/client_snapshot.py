"""The published snapshot in a Client's status: what was last published on purpose, for each gateway.

It is the operator's memory: a re-push after a gateway's reset sends it, surgery edits it, and `pendingChanges` is the
difference to it. Invariants: a Policy's Secrets stay references; a Policy of another namespace is a digest only. What
this module deliberately does not do: hold the form in which the operator keeps a snapshot.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from registrar.resources.base import ATOMIC, ApiModel, ShortText, about

_TIME = "2026-01-31T12:00:00Z"


class PublishedApi(ApiModel):
    """The API version that a published contract is for."""

    organization: Annotated[
        ShortText | None, about("The organization that owns the API.", default="none", example="acme")
    ] = None
    name: Annotated[ShortText | None, about("The API's id on the gateway.", default="none", example="orders")] = None
    version: Annotated[ShortText | None, about("The API's version on the gateway.", default="none", example="1.0")] = (
        None
    )


class PublishedPolicyModel(ApiModel):
    """One policy of the snapshot, stored once however many contracts run it."""

    id: Annotated[ShortText, about("The id by which the snapshot's contracts refer to it.", example="p1")]
    source: Annotated[
        ShortText | None,
        about("The Policy that it comes from, as namespace/name.", default="none", example="shop/limit"),
    ] = None
    type: Annotated[
        ShortText | None, about("Which member of the Policy's spec is set.", default="none", example="rateLimit")
    ] = None
    rollout: Annotated[
        ShortText | None, about("How the Policy's changes reach the gateway.", default="none", example="OnPublish")
    ] = None
    order: Annotated[
        int | None,
        about("The Policy's place in its level; absent when it is 0.", default="0", example=10, ge=-10000, le=10000),
    ] = None
    config: Annotated[
        dict[str, Any] | None,
        about(
            "The typed configuration that was published; Secrets stay references.",
            default="none for a Policy of another namespace",
            example={"limit": 100, "period": "Minute", "granularity": "Client"},
            max_length=64,
        ),
    ] = None
    digest: Annotated[
        ShortText | None,
        about(
            "A keyed digest of what the referenced Secrets held, and for a Policy of another namespace a digest that stands for its configuration.",
            default="none for a Policy of the same namespace that refers to no Secret",
            example="9f86d081",
        ),
    ] = None


class PublishedContractModel(ApiModel):
    """One contract of the snapshot."""

    name: Annotated[ShortText, about("The metadata.name of the Contract.", example="orders")]
    uid: Annotated[
        ShortText | None,
        about(
            "The metadata.uid of the Contract; a recreated one is a new Contract.",
            default="none",
            example="0b2c5a8e-0000-4000-8000-000000000000",
        ),
    ] = None
    api: Annotated[
        PublishedApi | None,
        about(
            "The API version that is called.",
            default="none",
            example={"organization": "acme", "name": "orders", "version": "1.0"},
        ),
    ] = None
    plan: Annotated[ShortText | None, about("The plan that was published.", default="none", example="gold")] = None
    live: Annotated[
        bool | None, about("False while the API is gone from the gateway.", default="none", example=True)
    ] = None
    policies: Annotated[
        list[ShortText] | None,
        about(
            "The ids of the policies in the order in which they run.",
            default="none",
            example=["p1", "p2"],
            max_length=256,
            extra=ATOMIC,
        ),
    ] = None


class SecondRegistration(ApiModel):
    """The second registration of an overlap: the same contracts under the Client's other identity, with the other key."""

    hash: Annotated[
        ShortText | None,
        about(
            "A keyed digest (HMAC-SHA256) over what was sent, to check what is read back against.",
            default="none",
            example="9f86d081884c7d65",
        ),
    ] = None
    copy_of: Annotated[
        ShortText | None,
        about(
            "The digest of the registration that it is a copy of; another one than the gateway's means that it lags behind.",
            default="none",
            example="9f86d081884c7d65",
        ),
    ] = None


class PublishedGateway(ApiModel):
    """What was last published on purpose on one gateway."""

    name: Annotated[ShortText, about("The RuntimeGateway's metadata.name.", example="default")]
    state: Annotated[
        Literal["Registered", "Unregistered"] | None,
        about("Whether the Client is meant to be on this gateway.", default="none", example="Registered"),
    ] = None
    registered_at: Annotated[
        datetime | None, about("When it was last published, in RFC 3339.", default="none", example=_TIME)
    ] = None
    hash: Annotated[
        ShortText | None,
        about(
            "A keyed digest (HMAC-SHA256) over what was sent, to check what is read back against.",
            default="none",
            example="9f86d081884c7d65",
        ),
    ] = None
    policies: Annotated[
        list[PublishedPolicyModel] | None,
        about(
            "The policies of the contracts, each stored once.",
            default="none",
            example=[{"id": "p1"}],
            max_length=1024,
            extra=ATOMIC,
        ),
    ] = None
    contracts: Annotated[
        list[PublishedContractModel] | None,
        about(
            "The contracts that were published.",
            default="none",
            example=[{"name": "orders"}],
            max_length=1024,
            extra=ATOMIC,
        ),
    ] = None
    version: Annotated[
        ShortText | None,
        about(
            "The version under which the Client is registered; a rotation of its key moves it between its own and the one with .r.",
            default="the Client's own version",
            example="1.0.r",
        ),
    ] = None
    second: Annotated[
        SecondRegistration | None,
        about(
            "The registration that holds the other key while both work.",
            default="none outside an overlap",
            example={"hash": "9f86d081884c7d65"},
        ),
    ] = None
