"""Every reason and message that the operator puts into a condition or an Event, in one place.

Invariants: a reason is stable (scripts and alerts match on it); a message says what is wrong, where, and the next step; a message holds
names that the API server has checked and nothing else of a tenant's: no configuration, no key, no gateway answer, no time, no count of attempts
(a message that changes by itself would make the status change by itself).
What this module deliberately does not do: decide which reason applies.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The stable words, grouped by the object that carries them."""

    # A Client as a whole
    SERVING = "Serving"
    SERVING_PREVIOUS = "ServingPrevious"
    NO_CONTRACTS = "NoContracts"
    NO_VALID_CONTRACT = "NoValidContract"
    REGISTRATION_PENDING = "RegistrationPending"
    ACCEPTED = "Accepted"
    RESOLVED = "Resolved"
    REGISTERED = "Registered"
    NOT_REGISTERED = "NotRegistered"
    PUBLISHED = "Published"
    UNPUBLISHED_CHANGES = "UnpublishedChanges"
    NOTHING_PUBLISHED = "NothingPublished"
    RETIRED = "Retired"
    RETIREMENT_PENDING = "RetirementPending"
    RESTORED = "Restored"
    PAUSED = "Paused"
    TERMINATING = "Terminating"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    GATEWAY_TYPE = "UnsupportedByGateway"
    NO_DEFAULT_GATEWAY = "NoDefaultGateway"
    AMBIGUOUS_DEFAULT = "AmbiguousDefault"
    ORGANIZATION_NOT_OWNED = "NotPermitted"
    AMBIGUOUS_ORGANIZATION = "AmbiguousOrganization"
    IDENTITY_TAKEN = "IdentityTaken"
    SECRET_MISSING = "SecretNotFound"  # noqa: S105 - a reason
    SECRET_NOT_ALLOWED = "SecretNotAllowed"  # noqa: S105 - a reason
    SECRET_NOT_OWNED = "SecretNotOwned"  # noqa: S105 - a reason
    KEY_INVALID = "KeyInvalid"
    KEY_IN_USE = "KeyInUse"
    ALREADY_EXISTS = "AlreadyExists"
    GATEWAY_RESET = "GatewayReset"
    GATEWAY_UNREACHABLE = "GatewayUnreachable"
    GATEWAY_UNAUTHORIZED = "GatewayUnauthorized"
    GATEWAY_THROTTLED = "GatewayThrottled"
    GATEWAY_REFUSED = "GatewayRefused"
    OBSERVING = "Observing"
    TOO_LARGE = "SnapshotTooLarge"

    # A Contract
    ACTIVE = "Active"
    DUPLICATE = "Duplicate"
    CLIENT_NOT_FOUND = "ClientNotFound"
    CLIENT_NOT_ACCEPTED = "ClientNotAccepted"
    CLIENT_RETIRED = "ClientRetired"
    API_NOT_PUBLISHED = "ApiNotPublished"
    NOT_GRANTED = "NotGranted"
    POLICY_UNRESOLVED = "PolicyUnresolved"
    NOT_YET_LIVE = "NotYetLive"
    DELETING = "Deleting"

    # A Policy
    VALID = "Valid"
    INVALID = "Invalid"
    TARGET_NOT_FOUND = "TargetNotFound"
    NOT_PERMITTED = "NotPermitted"
    CONFLICTED = "Conflicted"
    UNSUPPORTED = "UnsupportedByGateway"
    PROGRAMMED = "Programmed"
    PARTIALLY_PROGRAMMED = "PartiallyProgrammed"

    # A RuntimeGateway
    READY = "Ready"
    REACHABLE = "Reachable"
    AUTHENTICATED = "Authenticated"
    CREDENTIALS_MISSING = "CredentialsNotFound"
    HEALING = "Healing"
    APIS_MISSING = "ApisMissing"

    # An action
    ACTION_SUCCEEDED = "ActionSucceeded"
    ACTION_FAILED = "ActionFailed"
    ACTION_SKIPPED = "ActionSkipped"
    CONTRACT_REVOKED = "ContractRevoked"

    # A key
    KEY_ROTATION_DUE = "KeyRotationDue"


def no_contracts(*, namespace: str, client: str) -> str:
    """A Client without any Contract; shows a manifest that would do."""
    return (
        "No Contract names this Client, so it is not registered and its key opens nothing. Create one, for example:\n"
        "apiVersion: gateway-registrar.dev/v1alpha1\n"
        "kind: Contract\n"
        f"metadata: {{name: {client}-orders, namespace: {namespace}}}\n"
        "spec:\n"
        f"  clientRef: {{name: {client}}}\n"
        "  api: {organization: acme, name: orders, version: '1.0'}\n"
        "  plan: gold"
    )


def no_valid_contract(*, contract: str, reason: str) -> str:
    """All Contracts of a Client are pending or rejected."""
    return f"No Contract of this Client can be registered; the first is {contract} ({reason}). Read its Ready condition and mend it."


def serving(*, gateways: str, live: int) -> str:
    """The normal state."""
    return f"Registered on {gateways}; {live} {_contracts(live)} live."


def serving_previous(*, name: str, count: int) -> str:
    """Unpublished changes."""
    return (
        f"The gateway serves what was published before; {count} {'change waits' if count == 1 else 'changes wait'} in status.pendingChanges. "
        f"To publish: kubectl annotate client {name} gateway-registrar.dev/reregister=<new token> --overwrite"
    )


def retired(*, by_spec: bool, name: str) -> str:
    """A retired Client, and how to undo it."""
    if by_spec:
        return "Retired by spec.state: its key opens nothing. Set spec.state to Registered to undo it."
    return (
        "Unregistered by annotation: its key opens nothing. "
        f"To undo: kubectl annotate client {name} gateway-registrar.dev/reregister=<new token> --overwrite"
    )


RETIREMENT_PENDING = (
    "Retirement was asked for, but the gateway has not confirmed it; the key may still work. It is being retried."
)
RESTORED = "Restored with an unregister token and without its status, so it stays retired. Set a new reregister token to register it."
REGISTRATION_PENDING = "A valid Contract exists; the registration is under way."
NOTHING_PUBLISHED = "Nothing is published for this Client."
ACCEPTED = "The Client is accepted."
RESOLVED = "All references are resolved."
PAUSED = "spec.paused is true: only revocations and deletion are carried out. Set it to false to go on."
TOO_LARGE = "What would be published is too large for the status (the limit is 256 KiB). Use fewer Contracts or smaller policies for this Client."
DEFAULTS_MISSING = "No RuntimeGateway has spec.default: true, and the Client names none. Set spec.gatewayRef.name, or ask the platform team for a default."


def registered(gateway: str) -> str:
    """The Registered condition when it is true."""
    return f"The gateway {gateway} has the registration."


def published_all() -> str:
    """The Published condition when it is true."""
    return "What the objects ask for is what is published."


def unpublished(first: str, count: int) -> str:
    """The Published condition when changes wait."""
    return f"{count} unpublished {'change' if count == 1 else 'changes'}; the first: {first}"


def ambiguous_default(names: str) -> str:
    """Several RuntimeGateways claim to be the default."""
    return f"Several RuntimeGateways have spec.default: true ({names}). Set spec.gatewayRef.name, or ask the platform team to leave one default."


def gateway_not_found(name: str) -> str:
    """A RuntimeGateway that does not exist is named."""
    return f"RuntimeGateway {name} does not exist. Correct gatewayRef.name, or create it."


def organization_not_owned(*, organization: str, namespace: str, gateway: str) -> str:
    """The namespace may not use the organization."""
    return (
        f"Namespace {namespace} may not use organization {organization} on gateway {gateway}. "
        "Use an organization of this namespace, or ask the platform team for an entry in the RuntimeGateway's spec.organizations."
    )


def ambiguous_organization(*, namespace: str, gateway: str) -> str:
    """The namespace owns several organizations."""
    return f"Namespace {namespace} has several organizations on gateway {gateway}: set spec.organization to the one that is meant."


def identity_taken(*, identity: str, gateway: str) -> str:
    """Another Client has the gateway identity."""
    return f"Another Client already is {identity} on gateway {gateway}. Choose another clientId or version (both are immutable: recreate this Client)."


def already_exists(*, identity: str, gateway: str) -> str:
    """A registration that is not ours."""
    return (
        f"Gateway {gateway} has a registration for {identity} that this operator did not make; it is left as it is. "
        "Remove it there, or choose another clientId or version."
    )


def secret_missing(name: str) -> str:
    """The Existing key's Secret is not there, or is not visible without its label."""
    return f'Secret {name} does not exist, or lacks the label gateway-registrar.dev/allow-use: "true" that lets the operator read it. Create or label it.'


def secret_not_owned(name: str) -> str:
    """A Secret of the generated name exists that is not ours."""
    return (
        f"Secret {name} exists and was not made for this Client, so it is not overwritten. "
        "Delete it, set spec.apiKey.secretName to another name, or use spec.apiKey.source: Existing."
    )


def key_invalid(*, secret: str, entry: str) -> str:
    """The key does not have the allowed form."""
    return f"Entry {entry} of Secret {secret} is no valid key: 20 to 128 characters of A-Z a-z 0-9 _ - are allowed."


def key_in_use(secret: str) -> str:
    """Another Client has the same key."""
    return f"The key in Secret {secret} is already the key of another Client. Put a key of its own there."


def gateway_fault(reason: str, gateway: str) -> str:
    """A gateway that can't be used now, by the reason's word."""
    texts = {
        Reason.GATEWAY_UNREACHABLE.value: f"Gateway {gateway} can't be reached. It is retried; see the RuntimeGateway's conditions.",
        Reason.GATEWAY_UNAUTHORIZED.value: f"Gateway {gateway} refuses the operator's credentials. The platform team must correct the credentials Secret.",
        Reason.GATEWAY_THROTTLED.value: f"Gateway {gateway} asked for less load. It is retried more slowly.",
        Reason.GATEWAY_REFUSED.value: f"Gateway {gateway} refused the request. See the operator's log; it is retried rarely.",
    }
    return texts.get(reason, f"Gateway {gateway} can't be used now ({reason}).")


def gateway_reset(gateway: str) -> str:
    """The gateway lost the registration."""
    return f"Gateway {gateway} lost this registration; the published one is being put back."


def terminating(*, gateway: str, reason: str) -> str:
    """A deletion that waits for a gateway."""
    return (
        f"Deletion waits until gateway {gateway} has taken the registration off ({reason}). "
        "To let the object go before that: annotate it with gateway-registrar.dev/force-delete=<its metadata.uid>."
    )


def observing(gateway: str) -> str:
    """A gateway in mode Observe."""
    return f"RuntimeGateway {gateway} has mode Observe: nothing is written to it. status.pendingChanges shows what would be."


# Contracts ---------------------------------------------------------------------------------------------------------


def contract_active(*, api: str, plan: str) -> str:
    """A live Contract."""
    return f"Calls to {api} on plan {plan} are let through."


def contract_waiting(client: str) -> str:
    """A valid Contract that is not published."""
    return f"Not live yet: it is an unpublished change of Client {client}. Reregister the Client to publish it."


def contract_registering(client: str) -> str:
    """A valid Contract whose Client is about to be registered."""
    return f"Not live yet: Client {client} is being registered."


def contract_changed(*, plan: str, version: str) -> str:
    """A Contract that is live with its former plan or version."""
    return f"Live with plan {plan} and version {version}; the change in the spec waits for a reregister of the Client."


def client_not_found(client: str) -> str:
    """The Client that a Contract names does not exist."""
    return f"Client {client} does not exist in this namespace. Create it, or correct spec.clientRef.name (recreate the Contract)."


def client_not_accepted(*, client: str, reason: str) -> str:
    """The Client itself is not accepted."""
    return f"Client {client} is not accepted ({reason}). Mend the Client first; see its conditions."


def client_retired(client: str) -> str:
    """The Client is retired."""
    return f"Client {client} is retired: none of its Contracts is live until it is reregistered."


def duplicate(other: str) -> str:
    """An older Contract has the same API version."""
    return f"Contract {other} of the same Client is older and already names this API version on this gateway. Delete one of them."


def api_not_published(*, api: str, gateway: str) -> str:
    """The API is not there."""
    return f"API {api} is not published on gateway {gateway}. Check spec.api, or publish the API; it is picked up when it appears."


def policy_unresolved(policy: str) -> str:
    """A policy of the chain can't be resolved."""
    return f"Policy {policy} of its chain can't be resolved, and a contract is pushed with its whole chain or not at all. Mend the Policy."


def not_granted(api: str) -> str:
    """The gateway wants a grant."""
    return f"No APIGrant lets this namespace use {api}. Ask the API's owner for one."


# Policies ----------------------------------------------------------------------------------------------------------

POLICY_ACCEPTED = "The Policy is valid for all of its targets."


def policy_target_not_found(target: str) -> str:
    """No target exists."""
    return f"Target {target} does not exist. Create it, or correct spec.targetRefs."


def policy_not_permitted(*, namespace: str, organization: str) -> str:
    """The namespace does not own the organization of a Plan or API target."""
    return f"Namespace {namespace} does not own organization {organization}, so its Policies can't target plans or APIs of it."


def policy_unsupported(*, type_: str) -> str:
    """The gateway has no such policy."""
    return f"Policies of type {type_} can't be rendered for this type of gateway."


def policy_programmed(*, live: int, total: int) -> str:
    """How far a Policy has come."""
    return f"Live in {live} of {total} contracts that it applies to."


# RuntimeGateways ---------------------------------------------------------------------------------------------------

GATEWAY_READY = "The gateway can be reached and accepts the operator's credentials."


def credentials_missing(*, name: str, namespace: str) -> str:
    """The credentials Secret is missing or incomplete."""
    return f'Secret {namespace}/{name} does not exist, has no label gateway-registrar.dev/allow-use: "true", or lacks username or password.'


def healing(*, done: int, total: int) -> str:
    """Registrations are being put back."""
    return f"The gateway lost registrations; {done} of {total} are live again."


def apis_missing(count: int) -> str:
    """Many APIs are gone."""
    return f"{count} APIs with contracts are gone from the gateway. Publish them again; the registrations follow by themselves."


# Actions -----------------------------------------------------------------------------------------------------------

ACTION_DONE = "Done."
ACTION_REFUSED_STATE = "Refused: spec.state is Retired. Set it to Registered first."
ACTION_REFUSED_EMPTY = "Refused: there is no valid Contract to register. Create one, or mend the rejected ones."
ACTION_REFUSED_PAUSED = "Refused: spec.paused is true. Set it to false first."
ACTION_NOTHING_TO_DO = "Nothing was registered; the Client is no longer retired."
ACTION_FIRST_SIGHT = (
    "Recorded, not carried out: the object was new or restored, and brought the token with it. Set a new token to act."
)
ACTION_SUPERSEDED = "Skipped: unregister was asked for as well, and it wins."
ACTION_KEY_SUPERSEDED = "Skipped: revoke-key was asked for as well, and it makes a new key too."
ACTION_KEY_ONLY = "Done: nothing is registered, so only the Secret has a new key."
ACTION_KEY_TIMED_OUT = (
    "Gave up waiting: a gateway could not be used for the whole action timeout. A new key that the Secret holds already is put on it when it can be "
    "used again; otherwise set a new token to try again."
)
KEY_ROTATION_DUE = "The key is replaced at status.apiKey.nextRotationAt. Read it from the Secret again by the end of the overlap that follows."
ACTION_TIMED_OUT = "Gave up: the gateway could not be used for the whole action timeout. Set a new token to try again."


def key_is_yours(secret: str) -> str:
    """A verb about a key that the operator does not make."""
    return f"Refused: spec.apiKey.source is Existing. Put a new key into Secret {secret}; it is pushed at once."


def key_not_rotatable(secret: str) -> str:
    """A rotation that has no Secret to write to."""
    return f"Refused: Secret {secret} is missing or was not made for this Client. See the ResolvedRefs condition."


def key_identity_taken(*, identity: str, gateway: str) -> str:
    """The free identity of a rotation is somebody else's."""
    return f"Refused: gateway {gateway} has a registration {identity} that this operator did not make; it is left as it is. Remove it there."


def key_observed(gateway: str) -> str:
    """A key can't be changed on a gateway that is not written to."""
    return f"Refused: RuntimeGateway {gateway} has mode Observe, so no key can be changed there."


def action_not_accepted(reason: str) -> str:
    """The Client can't be served."""
    return f"Refused: the Client is not accepted ({reason}). Mend that first."


def _contracts(count: int) -> str:
    return "contract" if count == 1 else "contracts"
