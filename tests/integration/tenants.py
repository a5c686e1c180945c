"""Two teams for the tests of tenancy: a namespace each, a user each with the rights that the chart gives an `admin` there, and no other right."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localenv.account import user_rules
from localenv.cluster import Answer, Cluster, Json
from localenv.environment import Environment

RBAC = "rbac.authorization.k8s.io/v1"
ALLOW_USE = {"gateway-registrar.dev/allow-use": "true"}
_RULES = [
    *user_rules("edit", "admin"),
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "watch"]},
]


@dataclass(frozen=True, slots=True)
class Team:
    """One team: its user's view of the cluster, and its namespace."""

    user: str
    namespace: str
    cluster: Cluster

    def post(self, kind: str, name: str, spec: Json, *, namespace: str = "", **metadata: Any) -> Answer:
        """Create an object as the team's user; whatever the API server says."""
        where = namespace or self.namespace
        body = {
            "apiVersion": "gateway-registrar.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name} | ({} if kind == "RuntimeGateway" else {"namespace": where}) | metadata,
            "spec": spec,
        }
        return self.cluster.request("POST", self.cluster.path(kind, where), body)

    def made(self, kind: str, name: str, spec: Json, **metadata: Any) -> None:
        """Create an object, which the schema must let pass."""
        answer = self.post(kind, name, spec, **metadata)
        assert answer.status == 201, answer.body

    def secret(self, name: str, data: dict[str, str], **metadata: Any) -> None:
        """Create a Secret of the team's own."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }
        answer = self.cluster.request("POST", self.cluster.path("Secret", self.namespace), body)
        assert answer.status == 201, answer.body

    def client(self, name: str, **spec: Any) -> None:
        """Create a Client."""
        self.made("Client", name, spec)

    def contract(self, name: str, *, client: str, organization: str = "acme", api: str = "orders", **spec: Any) -> None:
        """Create a Contract."""
        reference = {"organization": organization, "name": api, "version": "1.0"}
        self.made("Contract", name, {"clientRef": {"name": client}, "api": reference, "plan": "gold", **spec})

    def refused(self, kind: str, name: str, reason: str, *, type_: str = "Ready", seconds: float = 30) -> Json:
        """Wait until the object says that it is refused for that reason."""
        return self.cluster.wait_refused(kind, self.namespace, name, reason, type_=type_, seconds=seconds)


def team(env: Environment, admin: Cluster, user: str, namespace: str) -> Team:
    """Give the user the rights in that namespace; returns when the API server goes by them."""
    role = {"kind": "Role", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    for plural, manifest in (
        ("roles", {"kind": "Role", "rules": _RULES}),
        ("rolebindings", {"kind": "RoleBinding", "roleRef": role, "subjects": [subject]}),
    ):
        body = {"apiVersion": RBAC, "metadata": {"name": "edit", "namespace": namespace}, **manifest}
        answer = admin.request("POST", f"/apis/{RBAC}/namespaces/{namespace}/{plural}", body)
        assert answer.status == 201, answer.body
    found = Team(user=user, namespace=namespace, cluster=Cluster(env, user=user))
    found.cluster.wait_rights(namespace, _RULES)
    return found


def said(team: Team) -> str:
    """All that the operator tells the team: statuses and Events in its namespace."""
    rows = [
        row.get("status")
        for kind in ("Client", "Contract", "Policy", "APIGrant")
        for row in team.cluster.list(kind, team.namespace)
    ]
    events = [event.get("note") for event in team.cluster.list("Event", team.namespace)]
    return json.dumps([rows, events])


def unchanged(check: Callable[[], Any]) -> Callable[[], None]:
    """A check, to be made later, that something is as it is now."""
    before = check()

    def verify() -> None:
        assert check() == before

    return verify
