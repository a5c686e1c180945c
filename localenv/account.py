"""The operator's ServiceAccount and roles, as the chart renders them, and a kubeconfig with a token of that account.

Invariant: nothing here grants a right that the chart does not. What this module deliberately does not do: start the operator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from localenv.charts import OPERATOR_CHART, render

Json = dict[str, Any]
NAMESPACE = "gateway-registrar-system"
RELEASE = "gateway-registrar"
_LIFETIME = "24h"


def objects(*, values: Json | None = None, release: str = RELEASE) -> list[Json]:
    """The ServiceAccount of a release with these values, its bindings and the roles that they bind; the roles for users are left out."""
    rows = render(OPERATOR_CHART, values, namespace=NAMESPACE, release=release)
    bindings = [row for row in rows if row["kind"] in ("ClusterRoleBinding", "RoleBinding")]
    bound = {(row["roleRef"]["kind"], row["roleRef"]["name"]) for row in bindings}
    roles = [row for row in rows if (row["kind"], row["metadata"]["name"]) in bound]
    return [row for row in rows if row["kind"] == "ServiceAccount"] + roles + bindings


def user_rules(*roles: str) -> list[Json]:
    """What the chart adds to these of the cluster's own roles (view, edit, admin), which a user has in a namespace."""
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{role}" for role in roles}
    rows = render(OPERATOR_CHART, namespace=NAMESPACE, release=RELEASE)
    return [
        rule
        for row in rows
        if row["kind"] == "ClusterRole" and labels & row["metadata"].get("labels", {}).keys()
        for rule in row["rules"]
    ]


class RunsKubectl(Protocol):
    """What can run kubectl as the administrator."""

    def run_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what it prints; raises LocalEnvError with its message when it fails."""


def grant(environment: RunsKubectl) -> None:
    """Apply them; raises LocalEnvError with kubectl's message when the API server refuses."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects()}
    environment.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listed))


def write_kubeconfig(
    environment: RunsKubectl, file: Path, *, account: str = RELEASE, namespace: str = NAMESPACE
) -> None:
    """Write a kubeconfig with a new token of the ServiceAccount, good for a day."""
    token = environment.run_kubectl("create", "token", account, f"--namespace={namespace}", f"--duration={_LIFETIME}")
    config = json.loads(environment.run_kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
    config["users"] = [{"name": account, "user": {"token": token.strip()}}]
    config["contexts"][0]["context"] |= {"user": account, "namespace": namespace}
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
