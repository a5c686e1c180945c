"""What the local environment puts into the cluster: the CRDs, the operator's namespace and account, the gateway's credentials and the RuntimeGateway `default`.

Everything is applied on the server's side, so that doing it again changes nothing. The CRDs can be taken out again.
What this module deliberately does not do: create Clients.
"""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localenv import account
from localenv.cluster import GROUP, Answer, Cluster, until
from localenv.errors import LocalEnvError

if TYPE_CHECKING:
    from localenv.environment import Environment

CRDS = Path(__file__).parent.parent / "crds"
NAMESPACE = "gateway-registrar-system"
CREDENTIALS = "default-gateway-credentials"
_CRD_API = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install(environment: Environment) -> None:
    """Apply everything; raises LocalEnvError with kubectl's message when the API server refuses."""
    environment.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    environment.run_kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
    for manifest in (_namespace(), _credentials(environment), runtime_gateway(environment)):
        environment.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(manifest))
    account.grant(environment)
    account.write_kubeconfig(environment, environment.operator_kubeconfig)


def remove_crds(cluster: Cluster) -> None:
    """Delete every CRD of our group, and return when all are gone; raises LocalEnvError after a minute.

    `kubectl delete crd --wait` is not enough for CRDs that were made a moment ago. The API server's finalizer lists what there is of the kind; while the kind's watch
    cache is not filled, that fails with "storage is (re)initializing", and when the finalizer then trips over its own last status write, it forgets the CRD and looks
    again minutes later, or when anything but the condition Terminating changes. So something is changed in each look. Source: `updateCustomResourceDefinition` in
    pkg/controller/finalizer/crd_finalizer.go of apiextensions-apiserver v0.36.2; seen in about every eighth deletion on a busy machine.
    """
    for name in _our_crds(cluster):
        _refused_unless_gone(cluster.request("DELETE", f"{_CRD_API}/{name}"))
    looks = itertools.count()

    def gone() -> bool:
        left = _our_crds(cluster)
        nudge = {"metadata": {"annotations": {f"{GROUP}/asked-again": str(next(looks))}}}
        for name in left:
            path = f"{_CRD_API}/{name}"
            _refused_unless_gone(cluster.request("PATCH", path, nudge, content_type="application/merge-patch+json"))
        return not left

    until(gone, what="the CRDs being gone", seconds=60)


def _our_crds(cluster: Cluster) -> list[str]:
    rows = cluster.request("GET", _CRD_API).body["items"]
    return [row["metadata"]["name"] for row in rows if row["spec"]["group"] == GROUP]


def _refused_unless_gone(answer: Answer) -> None:
    if answer.status >= 300 and answer.status != 404:
        raise LocalEnvError(f"A CRD can't be deleted: {answer.body}")


def _namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _credentials(environment: Environment) -> dict[str, Any]:
    values = {"username": environment.gateway_user, "password": environment.gateway_password}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": CREDENTIALS,
            "namespace": NAMESPACE,
            "labels": {"gateway-registrar.dev/allow-use": "true"},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def runtime_gateway(environment: Environment) -> dict[str, Any]:
    """The RuntimeGateway `default`: everybody may use every API, each namespace its own organization."""
    return {
        "apiVersion": "gateway-registrar.dev/v1alpha1",
        "kind": "RuntimeGateway",
        "metadata": {"name": "default"},
        "spec": {
            "type": "Apiman",
            "default": True,
            "contracts": "Any",
            "apiman": {
                "endpoint": environment.gateway_config_url,
                "publicEndpoint": environment.gateway_url,
                "credentialsSecretRef": {"name": CREDENTIALS},
                "allowPlainHttp": True,
            },
        },
    }
