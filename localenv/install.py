"""What the local environment puts into the cluster: the CRDs, the operator's namespace and account, the gateway's credentials and the RuntimeGateway `default`.

Everything is applied on the server's side, so that doing it again changes nothing. What this module deliberately does not do: create Clients.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localenv import account

if TYPE_CHECKING:
    from localenv.environment import Environment

CRDS = Path(__file__).parent.parent / "crds"
NAMESPACE = "gateway-registrar-system"
CREDENTIALS = "default-gateway-credentials"


def install(environment: Environment) -> None:
    """Apply everything; raises LocalEnvError with kubectl's message when the API server refuses."""
    environment.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    environment.run_kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
    for manifest in (_namespace(), _credentials(environment), runtime_gateway(environment)):
        environment.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(manifest))
    account.grant(environment)
    account.write_kubeconfig(environment, environment.operator_kubeconfig)


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
