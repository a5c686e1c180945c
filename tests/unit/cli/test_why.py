"""What `why` finds, and which command it prints: one row for each way in which a Client or Contract can be blocked."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from registrar.cli.diagnosis.facts import Facts, LeaseFact, SecretState, secret_refs
from registrar.cli.diagnosis.mend import aimed, apply, kubectl, manifest
from registrar.cli.diagnosis.walk import diagnose
from registrar.resources.reasons import Reason
from tests.unit.cli.objects import client, condition, contract, facts, gateway, grant, policy, unseen

OPERATOR = "gateway-registrar-system"
EXISTING = {"apiKey": {"source": "Existing", "secretName": "own"}}
PASSWORD = {"staticIdentity": {"identities": [{"username": "u", "passwordSecretRef": {"name": "users", "key": "u"}}]}}


def not_live(reason: str, *, name: str = "orders", phase: str = "Pending", **spec: Any) -> dict[str, Any]:
    return contract(condition("Ready", "False", reason), name=name, phase=phase, **spec)


def unready(reason: str, *more: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return gateway(condition("Ready", "False", reason), *more, **spec)


def at_service(found: dict[str, Any]) -> dict[str, Any]:
    """The gateway, with the name of a Service as its address."""
    found["spec"]["apiman"]["endpoint"] = "http://gateway.apiman.svc.cluster.local:8081"
    return found


def blocked_client(type_: str, reason: str, status: str = "False", **changed: Any) -> dict[str, Any]:
    return client(condition("Ready", "False", reason), condition(type_, status, reason), **changed)


def recently(found: dict[str, Any]) -> dict[str, Any]:
    """The object, changed in this very second."""
    found["metadata"]["managedFields"] = [{"time": "2027-01-15T08:00:00Z", "manager": "kubectl"}]
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A set-up, and what is to be said about it."""

    case: str
    facts: Facts
    where: str
    reason: str
    command: str
    waits: bool = False


ROWS = [
    Row(
        "wrong password for the gateway",
        facts(gateways={"default": unready("GatewayUnauthorized")}),
        "RuntimeGateway default",
        "GatewayUnauthorized",
        "create secret generic gw-credentials",
    ),
    Row(
        "credentials without the label",
        facts(
            gateways={"default": unready("CredentialsNotFound")},
            secrets={(OPERATOR, "gw-credentials"): SecretState.UNLABELLED},
        ),
        "RuntimeGateway default",
        "CredentialsNotFound",
        f"kubectl -n {OPERATOR} label secret gw-credentials gateway-registrar.dev/allow-use=true --overwrite",
    ),
    Row(
        "a gateway that does not answer",
        facts(gateways={"default": unready("GatewayUnreachable")}),
        "RuntimeGateway default",
        "GatewayUnreachable",
        "https://gw.example.com/config/system/status",
    ),
    Row(
        "a gateway that is being healed",
        facts(gateways={"default": unready("Healing")}),
        "RuntimeGateway default",
        "Healing",
        "",
        waits=True,
    ),
    Row(
        "no default gateway",
        facts(
            client=blocked_client("ResolvedRefs", "NoDefaultGateway", identity={}),
            contracts=(),
            gateways={"one": gateway(name="one", default=False)},
        ),
        "Client team-a/shop",
        "NoDefaultGateway",
        """kubectl patch runtimegateway one --type merge -p '{"spec": {"default": true}}'""",
    ),
    Row(
        "two default gateways",
        facts(
            client=blocked_client("ResolvedRefs", "AmbiguousDefault", identity={}),
            contracts=(),
            gateways={"a": gateway(name="a"), "b": gateway(name="b")},
        ),
        "Client team-a/shop",
        "AmbiguousDefault",
        """kubectl patch runtimegateway b --type merge -p '{"spec": {"default": false}}'""",
    ),
    Row(
        "a gateway that does not exist",
        facts(
            client=blocked_client(
                "ResolvedRefs", "GatewayNotFound", identity={}, spec={"gatewayRef": {"name": "defalt"}}
            ),
            contracts=(),
        ),
        "Client team-a/shop",
        "GatewayNotFound",
        "kubectl -n team-a delete client shop",
    ),
    Row(
        "an API that the gateway does not have",
        facts(contracts=(not_live("ApiNotPublished", version="9.9"), contract(name="other", version="1.0"))),
        "Contract team-a/orders",
        "ApiNotPublished",
        """patch contract orders --type merge -p '{"spec": {"api": {"version": "1.0"}}}'""",
    ),
    Row(
        "an API of which no version is known",
        facts(contracts=(not_live("ApiNotPublished"),)),
        "Contract team-a/orders",
        "ApiNotPublished",
        "kubectl -n team-a edit contract orders",
    ),
    Row(
        "an API whose name is misspelled",
        facts(
            contracts=(
                not_live("ApiNotPublished", api={"organization": "acme", "name": "order", "version": "1.0"}),
                contract(name="other"),
            )
        ),
        "Contract team-a/orders",
        "ApiNotPublished",
        "kubectl -n team-a delete contract orders",
    ),
    Row(
        "not granted",
        facts(contracts=(not_live("NotGranted", phase="Rejected"),)),
        "Contract team-a/orders",
        "NotGranted",
        "kind: APIGrant",
    ),
    Row(
        "a plan that nobody names",
        facts(
            contracts=(not_live("UnknownPlan", phase="Rejected", plan="golden"),),
            grants=(grant(plans=["silver", "gold"]),),
        ),
        "Contract team-a/orders",
        "UnknownPlan",
        """-p '{"spec": {"plan": "gold"}}'""",
    ),
    Row(
        "an expired Contract",
        facts(contracts=(not_live("Expired", phase="Rejected"),)),
        "Contract team-a/orders",
        "Expired",
        """-p '{"spec": {"expiresAt": null}}'""",
    ),
    Row(
        "two Contracts for one API",
        facts(contracts=(contract(), not_live("Duplicate", name="second", phase="Rejected"))),
        "Contract team-a/second",
        "Duplicate",
        "kubectl -n team-a delete contract second",
    ),
    Row(
        "no Contract at all",
        facts(client=client(condition("Ready", "False", "NoContracts"), phase="Created"), contracts=()),
        "Client team-a/shop",
        "NoContracts",
        'kubectl registrar subscribe shop "${API:?}"',
    ),
    Row(
        "no Contract, and an API is granted",
        facts(
            client=client(condition("Ready", "False", "NoContracts"), phase="Created"),
            contracts=(),
            grants=(grant(plans=["gold"]),),
        ),
        "Client team-a/shop",
        "NoContracts",
        "kubectl registrar subscribe shop acme/orders/1.0 --plan gold -n team-a",
    ),
    Row(
        "a missing Client",
        facts(kind="Contract", name="orders", client=None, contract=not_live("ClientNotFound")),
        "Contract team-a/orders",
        "ClientNotFound",
        "kind: Client",
    ),
    Row(
        "a deleted Secret of an Existing key",
        facts(client=blocked_client("ResolvedRefs", "SecretNotFound", spec=EXISTING)),
        "Client team-a/shop",
        "SecretNotFound",
        'kubectl -n team-a create secret generic own --from-literal=apiKey="${API_KEY:?}"',
    ),
    Row(
        "a Secret without the label",
        facts(
            client=blocked_client("ResolvedRefs", "SecretNotFound", spec=EXISTING),
            secrets={("team-a", "own"): SecretState.UNLABELLED},
        ),
        "Client team-a/shop",
        "SecretNotFound",
        "kubectl -n team-a label secret own",
    ),
    Row(
        "a key that another Client has",
        facts(client=blocked_client("ResolvedRefs", "KeyInUse", spec=EXISTING)),
        "Client team-a/shop",
        "KeyInUse",
        "create secret generic own",
    ),
    Row(
        "a Secret in the way",
        facts(client=blocked_client("ResolvedRefs", "SecretNotOwned")),
        "Client team-a/shop",
        "SecretNotOwned",
        "shop-registrar-key",
    ),
    Row(
        "a missing Secret of a Policy",
        facts(
            contracts=(not_live("PolicyUnresolved"),),
            policies=(
                policy(
                    condition("Accepted", "False", "SecretNotFound"), name="passwords", basicAuthentication=PASSWORD
                ),
            ),
        ),
        "Policy team-a/passwords",
        "SecretNotFound",
        'create secret generic users --from-literal=u="${SECRET_U:?}"',
    ),
    Row(
        "an owner's Policy that can't be resolved",
        facts(contracts=(not_live("PolicyUnresolved"),)),
        "Contract team-a/orders",
        "PolicyUnresolved",
        "kubectl registrar reregister shop --wait -n team-a",
    ),
    Row(
        "a limit in another one's bucket",
        facts(policies=(policy(condition("Accepted", "False", "Conflicted")),)),
        "Policy team-a/limit",
        "Conflicted",
        "kubectl -n team-a edit policy.gateway-registrar.dev limit",
    ),
    Row(
        "paused",
        facts(client=client(condition("Paused", "True", "Paused"))),
        "Client team-a/shop",
        "Paused",
        """kubectl -n team-a patch client shop --type merge -p '{"spec": {"paused": false}}'""",
    ),
    Row(
        "retired by annotation",
        facts(
            client=client(condition("Ready", "False", "Retired"), phase="Retired"),
            contracts=(not_live("ClientRetired"),),
        ),
        "Client team-a/shop",
        "Retired",
        "kubectl registrar reregister shop --wait -n team-a",
    ),
    Row(
        "a Contract of a Client that its spec retires",
        facts(
            kind="Contract",
            name="orders",
            client=client(condition("Ready", "True", "Retired"), phase="Retired", spec={"state": "Retired"}),
            contract=not_live("ClientRetired"),
        ),
        "Client team-a/shop",
        "Retired",
        """-p '{"spec": {"state": "Registered"}}'""",
    ),
    Row(
        "restored",
        facts(client=client(condition("Ready", "False", "Restored"), phase="Retired")),
        "Client team-a/shop",
        "Restored",
        "kubectl registrar reregister shop",
    ),
    Row(
        "pending changes",
        facts(
            client=client(
                condition("Published", "False", "UnpublishedChanges"), condition("Ready", "True", "ServingPrevious")
            )
        ),
        "Client team-a/shop",
        "UnpublishedChanges",
        "kubectl registrar diff shop -n team-a",
    ),
    Row(
        "blocked",
        facts(
            client=blocked_client("Blocked", "Blocked", "True"),
            gateways={"default": gateway(blocked=[{"organization": "team-a", "clientId": "shop", "reason": "leaked"}])},
        ),
        "Client team-a/shop",
        "Blocked",
        '"op": "remove", "path": "/spec/blocked/0"',
    ),
    Row(
        "a gateway that is only looked at",
        facts(
            client=client(condition("Observing", "True", "Observing")), gateways={"default": gateway(mode="Observe")}
        ),
        "Client team-a/shop",
        "Observing",
        """patch runtimegateway default --type merge -p '{"spec": {"mode": "Manage"}}'""",
    ),
    Row(
        "a registration of somebody else",
        facts(client=blocked_client("Registered", "AlreadyExists")),
        "Client team-a/shop",
        "AlreadyExists",
        """-p '{"spec": {"adopt": true}}'""",
    ),
    Row(
        "an identity that another Client has",
        facts(client=blocked_client("Accepted", "IdentityTaken")),
        "Client team-a/shop",
        "IdentityTaken",
        "clientId: shop-team-a",
    ),
    Row(
        "an organization of others",
        facts(client=blocked_client("Accepted", "NotPermitted", spec={"organization": "acme"})),
        "Client team-a/shop",
        "NotPermitted",
        "organization: team-a",
    ),
    Row(
        "several organizations",
        facts(
            client=blocked_client("Accepted", "AmbiguousOrganization"),
            gateways={
                "default": gateway(
                    organizations=[{"name": "x", "namespaces": ["team-a"]}, {"name": "y", "namespaces": ["team-a"]}]
                )
            },
        ),
        "Client team-a/shop",
        "AmbiguousOrganization",
        "organization: x",
    ),
    Row(
        "an operator that does not run",
        facts(client=unseen(), lease=LeaseFact(age=300.0)),
        "Client team-a/shop",
        "OperatorNotRunning",
        f"kubectl -n {OPERATOR} get deployments,pods,leases",
    ),
    Row(
        "an operator that nobody ever started",
        facts(client=unseen(), lease=LeaseFact(age=None)),
        "Client team-a/shop",
        "OperatorNotRunning",
        f"kubectl -n {OPERATOR} get deployments,pods,leases",
    ),
    Row(
        "an operator that is scaled to nothing",
        facts(client=unseen(), lease=LeaseFact(age=None), stopped=("gateway-registrar",)),
        "Client team-a/shop",
        "OperatorNotRunning",
        f"kubectl -n {OPERATOR} scale deployment gateway-registrar --replicas=2",
    ),
    Row(
        "an operator that does not look, asked by who may not read its Lease",
        facts(client=unseen(), gateways=None, grants=None),
        "Client team-a/shop",
        "NotSeen",
        "kubectl registrar why shop -n team-a",
    ),
    Row(
        "a gateway's fault, asked by who may not read RuntimeGateways",
        facts(client=blocked_client("Registered", "GatewayUnauthorized"), gateways=None, grants=None),
        "Client team-a/shop",
        "GatewayUnauthorized",
        "kubectl registrar why shop -n team-a",
    ),
    Row(
        "no default gateway, asked about a Contract by who may not read RuntimeGateways",
        facts(
            kind="Contract",
            name="orders",
            client=blocked_client("ResolvedRefs", "NoDefaultGateway", identity={}),
            contract=contract(),
            gateways=None,
            grants=None,
        ),
        "Client team-a/shop",
        "NoDefaultGateway",
        "kubectl registrar why contract/orders -n team-a",
    ),
    Row(
        "not granted, asked by who may not read RuntimeGateways",
        facts(contracts=(not_live("NotGranted", phase="Rejected"),), gateways=None, grants=None),
        "Contract team-a/orders",
        "NotGranted",
        "kubectl registrar why shop -n team-a",
    ),
    Row(
        "a gateway behind a Service that does not answer",
        facts(gateways={"default": at_service(unready("GatewayUnreachable"))}),
        "RuntimeGateway default",
        "GatewayUnreachable",
        "kubectl -n apiman get services,endpointslices",
    ),
    Row(
        "an operator that does not watch the namespace",
        facts(client=unseen(), lease=LeaseFact(age=2.0)),
        "Client team-a/shop",
        "NotSeen",
        f"kubectl -n {OPERATOR} logs",
    ),
    Row(
        "a change of this moment",
        facts(client=recently(unseen()), lease=LeaseFact(age=2.0)),
        "Client team-a/shop",
        "NotSeenYet",
        "",
        waits=True,
    ),
    Row(
        "a token that nobody has handled",
        facts(
            client=client()
            | {"metadata": client()["metadata"] | {"annotations": {"gateway-registrar.dev/reregister": "t1"}}},
            lease=LeaseFact(age=300.0),
        ),
        "Client team-a/shop",
        "OperatorNotRunning",
        "get deployments,pods,leases",
    ),
    Row(
        "an action that failed",
        facts(
            client=client(
                condition("Ready", "True", "ServingPrevious"),
                actions=[
                    {
                        "name": "reregister",
                        "outcome": "Failed",
                        "message": "Refused: no",
                        "completedAt": "2026-11-02T00:00:00Z",
                    }
                ],
            )
        ),
        "Client team-a/shop",
        "ActionFailed",
        "kubectl registrar reregister shop --wait -n team-a",
    ),
    Row(
        "a deletion that waits",
        facts(
            client={
                **client(condition("Ready", "False", "Terminating")),
                "metadata": client()["metadata"] | {"deletionTimestamp": "2026-11-02T00:00:00Z"},
            }
        ),
        "Client team-a/shop",
        "Terminating",
        "kubectl registrar force-delete shop -n team-a",
    ),
    Row(
        "a registration under way",
        facts(
            client=client(
                condition("Ready", "False", "RegistrationPending"),
                condition("Registered", "False", "RegistrationPending"),
            )
        ),
        "Client team-a/shop",
        "RegistrationPending",
        "",
        waits=True,
    ),
    Row(
        "a reason that this plugin does not know",
        facts(client=blocked_client("Accepted", "FromTheFuture")),
        "Client team-a/shop",
        "FromTheFuture",
        "kubectl -n team-a describe client.gateway-registrar.dev shop",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case)
def test_the_first_thing_that_blocks(row: Row) -> None:
    found = diagnose(row.facts)
    assert found is not None, "nothing was found"
    assert (found.where, found.reason, found.waits) == (row.where, row.reason, row.waits)
    assert row.command in "\n".join(mend.command for mend in found.mends)
    assert bool(found.mends) != row.waits, "what can be mended has a mend, and what passes by itself has none"


def test_every_command_is_one_that_a_shell_can_read() -> None:
    commands = [mend.command for row in ROWS if (found := diagnose(row.facts)) is not None for mend in found.mends]
    aimed_ones = [aimed(command, ("--context", "it's one")) for command in commands]
    script = "\n".join(f"# {place}\n{command}" for place, command in enumerate((*commands, *aimed_ones)))
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert len(commands) > len(ROWS) and checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "known",
    [
        facts(),
        facts(gateways=None, grants=None, policies=()),
        facts(kind="Contract", name="orders", contract=contract()),
        facts(client=client(condition("Ready", "True", "Retired"), phase="Retired", spec={"state": "Retired"})),
        facts(lease=LeaseFact(age=300.0)),
        facts(
            client=client(actions=[{"name": "reregister", "outcome": "Failed", "completedAt": "2026-11-02T00:00:00Z"}])
        ),
    ],
    ids=[
        "all well",
        "as a tenant sees it",
        "a Contract",
        "retired as wanted",
        "no Lease of a test",
        "a failure that was made up for",
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(known: Facts) -> None:
    assert diagnose(known) is None


def test_what_comes_first_on_the_way_is_said_first() -> None:
    """A wrong password explains everything behind it, whatever else is wrong."""
    worst = facts(
        client=blocked_client("ResolvedRefs", "SecretNotFound", spec=EXISTING),
        contracts=(not_live("NotGranted"),),
        gateways={"default": unready("GatewayUnauthorized")},
    )
    found = diagnose(worst)
    assert found is not None and found.reason == Reason.GATEWAY_UNAUTHORIZED


def test_a_deletion_that_waits_leads_to_its_gateway_first() -> None:
    """Letting the object go leaves a key that works; mending the gateway does not."""
    found = diagnose(
        facts(
            client={
                **client(condition("Ready", "False", "Terminating", "Deletion waits.")),
                "metadata": client()["metadata"] | {"deletionTimestamp": "2026-11-02T00:00:00Z"},
            },
            gateways={"default": unready("GatewayUnauthorized")},
        )
    )
    assert found is not None and found.message == "Deletion waits.\nwords"
    assert ["create secret" in mend.command for mend in found.mends] == [True, False]
    assert "force-delete" in found.mends[-1].command


def test_a_contract_is_not_blamed_for_another_one() -> None:
    mine = contract()
    known = facts(kind="Contract", name="orders", contract=mine, contracts=(mine, not_live("NotGranted", name="other")))
    assert diagnose(known) is None


def test_only_a_gateway_that_the_subject_uses_is_looked_at() -> None:
    assert (
        diagnose(facts(gateways={"default": gateway(), "other": unready("GatewayUnreachable", name="other")})) is None
    )


@given(text=st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text))
def test_no_value_leaves_its_quotes(text: str) -> None:
    """A name from the cluster is one word of the command, whatever is in it."""
    assert shlex.split(kubectl("get", text)) == ["kubectl", "get", text]


def test_the_flags_reach_every_call_and_nothing_that_is_applied() -> None:
    spec = {"description": "| kubectl delete everything"}
    command = f"{kubectl('delete', 'client', 'a')}\n{apply(manifest('Client', 'n', 'a', spec))}"
    lines = aimed(command, ("--context", "x y")).splitlines()
    assert lines[0] == "kubectl --context 'x y' delete client a"
    assert lines[1] == "kubectl --context 'x y' apply -f - <<'EOF'"
    assert yaml.safe_load("\n".join(lines[2:-1]))["spec"] == spec
    assert aimed("a | kubectl apply -f -", ("--context", "c")) == "a | kubectl --context c apply -f -"
    assert aimed("kubectl registrar diff a -n n", ("--context", "c")) == "kubectl registrar diff a -n n --context c"


def test_the_block_is_lifted_only_where_it_still_stands() -> None:
    """The patch tests the entry that was read: by then another one may stand at its place."""
    entry = {"organization": "team-a", "clientId": "shop", "version": "1.0", "reason": "leaked"}
    listed = [{"organization": "team-b", "clientId": "shop", "reason": "x"}, entry]
    known = facts(client=blocked_client("Blocked", "Blocked", "True"), gateways={"default": gateway(blocked=listed)})
    found = diagnose(known)
    assert found is not None
    operations = json.loads(shlex.split(found.mends[0].command)[-1])
    assert operations == [
        {"op": "test", "path": "/spec/blocked/1", "value": entry},
        {"op": "remove", "path": "/spec/blocked/1"},
    ]


def test_secrets_that_a_policy_refers_to_are_found_wherever_they_are() -> None:
    assert secret_refs(
        {"a": [{"passwordSecretRef": {"name": "s", "key": "k"}}], "b": {"secretRef": {"name": "t"}}}
    ) == (
        ("s", "k"),
        ("t", "password"),
    )


def test_no_lease_counts_as_held_for_ever() -> None:
    assert LeaseFact(age=10.0).held and not LeaseFact(age=60.0).held and not LeaseFact(age=None).held
