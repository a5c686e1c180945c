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
    PARTIALLY_REGISTERED = "PartiallyRegistered"
    SAME_GATEWAY = "SameGateway"
    TOO_LARGE = "SnapshotTooLarge"
    BLOCKED = "Blocked"
    DRIFTED = "Drifted"
    RENDERED_ANEW = "RenderedAnew"

    # A Contract
    ACTIVE = "Active"
    DUPLICATE = "Duplicate"
    CLIENT_NOT_FOUND = "ClientNotFound"
    CLIENT_NOT_ACCEPTED = "ClientNotAccepted"
    CLIENT_RETIRED = "ClientRetired"
    API_NOT_PUBLISHED = "ApiNotPublished"
    NOT_GRANTED = "NotGranted"
    UNKNOWN_PLAN = "UnknownPlan"
    EXPIRED = "Expired"
    EXPIRING = "Expiring"
    API_DEPRECATED = "ApiDeprecated"
    POLICY_UNRESOLVED = "PolicyUnresolved"
    NOT_YET_LIVE = "NotYetLive"

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
    GATEWAY_IN_USE = "InUse"

    # An action
    ACTION_SUCCEEDED = "ActionSucceeded"
    ACTION_FAILED = "ActionFailed"
    ACTION_SKIPPED = "ActionSkipped"

    # A change of a gateway
    CHANGE_FAILED = "ChangeFailed"
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


def partially_registered(*, lacking: str) -> str:
    """Some of the Client's gateways have their part, some do not."""
    return (
        f"Registered, but not on every gateway: {lacking} lacks its part. It is put there as soon as that gateway can take it; "
        "see the RuntimeGateway's conditions, and whether it has a registration of somebody else's under this identity."
    )


def same_gateway(*, gateway: str, home: str) -> str:
    """Two RuntimeGateways with one endpoint."""
    return (
        f"RuntimeGateways {gateway} and {home} have the same endpoint, so they are one gateway, which has one place for this Client. "
        f"Leave out gatewayRef, or name {home}."
    )


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


ADOPTION_KEY_REFUSED = "It can't be adopted: its key is not of the allowed form (20 to 128 characters of A-Z a-z 0-9 _ -), or is another Client's."


def adoption_not_proven(gateway: str) -> str:
    """`adopt: true` without a proof."""
    return (
        "To adopt it, put its current key into a Secret and use spec.apiKey.source: Existing, "
        f"or have the platform team add this namespace to spec.adoption.namespaces of RuntimeGateway {gateway}."
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


def drifted(*, gateway: str, difference: str) -> str:
    """The gateway has something else, and it is only reported."""
    return (
        f"Gateway {gateway} does not have what is published: {difference}. It is only reported (drift.mode is Observe). "
        "Undo it on the gateway, or reregister the Client to publish again."
    )


def blocked(*, gateway: str, reason: str, off: bool) -> str:
    """The platform's emergency stop, in the platform's words."""
    state = "its key opens nothing there" if off else "it is being taken off; the key may still work"
    return f"Blocked by the platform team on gateway {gateway} ({reason}): {state}. Only the platform team can lift it."


def blocked_contract(gateway: str) -> str:
    """A Contract of a blocked Client."""
    return f"The platform team has blocked the Client on gateway {gateway}; see the Client's Blocked condition."


def rendered_anew(gateway: str) -> str:
    """Surgery was not possible."""
    return (
        f"Gateway {gateway} no longer had what was last sent, so the registration was made anew: "
        "Secrets and policies of other namespaces are as they are now."
    )


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


def policy_lost(gateway: str) -> str:
    """A published contract that can't be put back."""
    return (
        f"Gateway {gateway} lost this contract, and a Policy of its published chain is gone since, so it can't be put back as it was. "
        "Reregister the Client to publish it with the Policies that there are now."
    )


def contract_drifted(gateway: str) -> str:
    """A published Contract on a gateway that has something else, which is only reported."""
    return f"Gateway {gateway} does not have what is published; it is only reported (drift.mode is Observe). See the Client's Drifted condition."


def apis_vanished(*, api: str, gateway: str) -> str:
    """The API is not there, and neither are many others: it is the gateway that is wrong."""
    return f"API {api} is gone from gateway {gateway} together with many others; the Contract waits for the gateway to be mended."


def policy_unresolved(policy: str, why: str = "") -> str:
    """A policy of the chain can't be resolved."""
    because = f" ({why})" if why else ""
    return f"Policy {policy} of its chain can't be resolved{because}, and a contract is pushed with its whole chain or not at all. Mend the Policy."


def not_granted(api: str) -> str:
    """The gateway wants a grant."""
    return f"No APIGrant lets this namespace use {api}. Ask the API's owner for one."


_PLANS_SHOWN = 16


def unknown_plan(*, api: str, plan: str, known: list[str]) -> str:
    """The API may be used, but not on that plan."""
    more = f" and {len(known) - _PLANS_SHOWN} more" if len(known) > _PLANS_SHOWN else ""
    names = ", ".join(known[:_PLANS_SHOWN])
    return f"No APIGrant for {api} names plan {plan}; named are: {names}{more}. Correct spec.plan, or ask the API's owner for the plan."


def contract_expired(at: str) -> str:
    """A Contract that has come to its end; `at` is the end as the spec has it."""
    return f"It ended at {at}. To bring it back, set spec.expiresAt to a later time or remove it."


def contract_expiring(at: str) -> str:
    """A Contract that will soon end; `at` is the end as the spec has it."""
    return f"Ends at {at} and is taken off then. To keep it, set spec.expiresAt to a later time or remove it."


def api_deprecated(*, api: str, sunset: str, replaced_by: str) -> str:
    """The API's owner announces its end; both times and words are the grant's."""
    instead = f" Use instead: {replaced_by}." if replaced_by else " Ask its owner what to use instead."
    return f"API {api} is deprecated and will stop at {sunset}.{instead}"


def access_lost(reason: str) -> str:
    """Why a contract was taken off, in one clause of a log entry."""
    return "it has expired" if reason == Reason.EXPIRED else "it is no longer granted"


# APIGrants ---------------------------------------------------------------------------------------------------------

GRANT_ACCEPTED = "Contracts can be made under this grant."


def grant_not_permitted(*, namespace: str, organization: str) -> str:
    """A grant for an organization that its namespace does not own."""
    return (
        f"Namespace {namespace} does not own organization {organization} on any gateway, so this grant has no effect. "
        "Move it to a namespace that does, or ask the platform team for an entry in the RuntimeGateway's spec.organizations."
    )


def grant_ambiguous(*, namespace: str) -> str:
    """A grant that names no organization, in a namespace with several."""
    return (
        f"Namespace {namespace} has several organizations, so this grant has no effect. "
        "Create an APIGrant with spec.organization set to the one that is meant."
    )


# Policies ----------------------------------------------------------------------------------------------------------

POLICY_ACCEPTED = "The Policy is valid for all of its targets."
POLICY_PASSWORDS_UNCHECKED = (
    "The Policy is valid for all of its targets. With ldapIdentity.extractRoles the gateway relies on the directory to refuse searches after a wrong password: "
    "a directory that lets anybody read lets every password pass. Make sure that yours does not answer anonymous searches, or set extractRoles to false."
)


def policy_target_not_found(target: str) -> str:
    """No target exists."""
    return f"Target {target} does not exist. Create it, or correct spec.targetRefs."


def policy_not_permitted(*, namespace: str, organization: str) -> str:
    """The namespace does not own the organization of a Plan or API target."""
    return f"Namespace {namespace} does not own organization {organization}, so its Policies can't target plans or APIs of it."


def policy_unsupported(*, type_: str) -> str:
    """The gateway has no such policy."""
    return f"Policies of type {type_} can't be rendered for this type of gateway."


def policy_secret_missing(*, secret: str) -> str:
    """A Secret that the Policy refers to is not there, or the operator may not read it."""
    return (
        f'Secret {secret} does not exist in the Policy\'s namespace, or lacks the label gateway-registrar.dev/allow-use: "true" that lets '
        "the operator read it. Create or label it; contracts that are live already stay as they are."
    )


def policy_secret_entry(*, secret: str, entry: str) -> str:
    """The Secret has no such entry, or what it holds can't be a password."""
    return (
        f"Entry {entry} of Secret {secret} is missing, empty, longer than 1024 bytes or no plain text (a line break at its end is a common cause). "
        "Correct the Secret, or the passwordSecretRef."
    )


POLICY_AT_HOME = "Policies in the operator's own namespace can't refer to Secrets: its credentials are there. Move the Policy to the namespace that it belongs to."


def policy_incomplete(type_: str) -> str:
    """Something is missing in an object older than the schema, or an address has a form that the gateway does not know."""
    return (
        f"The configuration of spec.{type_} lacks a required field, or the gateway could not match an entry of its ipList (allowed are IPv4 addresses, "
        "blocks and ranges, * for whole numbers, and single IPv6 addresses). Correct the Policy."
    )


POLICY_EXPANDS = "The configuration, with what its Secrets hold, contains '${', which the gateway would replace by values of its own environment. Remove it."


def policy_custom_not_allowed(*, gateway: str = "") -> str:
    """The platform team does not allow the code that the Policy names."""
    where = f"RuntimeGateway {gateway}" if gateway else "any RuntimeGateway"
    return (
        f"spec.custom.implementation is not allowed by spec.customPolicies.allow of {where}. "
        "Ask the platform team to allow it, or use one of the typed policies."
    )


def policy_custom_typed(type_: str) -> str:
    """A custom policy that names the code of a typed one, whose rules it would go around."""
    return f"spec.custom.implementation names the code of the typed policy {type_}. Use spec.{type_}, so that its limits are counted together with others."


def policy_conflicted(*, winner: str, contract: str) -> str:
    """Another limit has the bucket in which this one would count."""
    return (
        f"Left out on Contract {contract}: the gateway counts it together with the limit of Policy {winner}, which comes first. "
        "An owner's limit comes before a consumer's, a plan's before an API's, then order, namespace and name decide. Remove one of the two."
    )


def contract_bucket_conflict(other: str) -> str:
    """Two versions of one API whose owner's limits would reset each other."""
    return (
        f"The gateway counts calls of this API together with those of Contract {other}, and the owner's limits on the two have different periods, "
        "so one would reset the other. Delete one of the two, or ask the API's owner for limits of one period."
    )


NEW_PASSWORDS = "a referenced Secret has changed"


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


def registrations_gone(*, gone: int, total: int) -> str:
    """Registrations are gone, and it is only reported."""
    return f"{gone} of {total} registrations are gone from the gateway. It is only reported (drift.mode is Observe); set it to Correct to have them back."


def gateway_in_use(*, name: str, count: int) -> str:
    """A RuntimeGateway whose deletion waits for its Clients."""
    return (
        f"Deletion waits: {count} {'Client has' if count == 1 else 'Clients have'} registrations on gateway {name}. "
        "Delete those Clients, or retire them; if the gateway is gone for good, force their deletion (see docs/how-to/uninstall.md)."
    )


def apis_missing(count: int) -> str:
    """Many APIs are gone."""
    return f"{count} APIs with contracts are gone from the gateway. Publish them again; the registrations follow by themselves."


# Actions -----------------------------------------------------------------------------------------------------------

ACTION_DONE = "Done."
ACTION_REFUSED_STATE = "Refused: spec.state is Retired. Set it to Registered first."
ACTION_REFUSED_EMPTY = "Refused: there is no valid Contract to register. Create one, or mend the rejected ones."
ACTION_REFUSED_TOO_LARGE = "Refused: what would be published is too large for the status. Use fewer Contracts or smaller policies for this Client."
ACTION_REFUSED_PAUSED = "Refused: spec.paused is true. Set it to false first."
ACTION_REFUSED_BLOCKED = "Refused: the platform team has blocked this Client. See its Blocked condition."
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
ACTION_RETIREMENT_STANDS = (
    "The gateway could not be used for the whole action timeout. The retirement stands, and is carried out as soon as it can be; "
    "a new reregister token undoes it."
)


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


def action_key_unusable(reason: str) -> str:
    """The key can't be used, so nothing can be registered with it."""
    return f"Refused: the key can't be used ({reason}). Read the ResolvedRefs condition and mend it first."


def action_foreign(gateway: str) -> str:
    """The identity is somebody else's on the gateway."""
    return f"Refused: gateway {gateway} has a registration under this identity that this operator did not make; it is left as it is."


def action_observed(gateway: str) -> str:
    """The gateway is only looked at."""
    return f"Refused: RuntimeGateway {gateway} has mode Observe, so nothing is written to it."


def taken_over(gateway: str) -> str:
    """A registration that no status recorded."""
    return (
        f"Gateway {gateway} has a registration under this Client's key that no status recorded; it counts as published."
    )


def change_failed(*, what: str, detail: str) -> str:
    """A change of a gateway that does not work; the operator goes on trying."""
    return f"{what} does not work {detail}. It is tried again; see the conditions."


def _contracts(count: int) -> str:
    return "contract" if count == 1 else "contracts"
