"""The gateway and its backend as workloads of the cluster: a Deployment with a Service each, in a namespace that enforces the restricted profile.

The gateway's configuration is that of `localenv.gateway`. What this module deliberately does not do: publish APIs, or anything of the operator's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from localenv.cluster import Json
from localenv.gateway import command, configuration
from localenv.kind.images import GATEWAY_JAR, Images

GATEWAY_NAMESPACE = "apiman"
GATEWAY = "apiman-gateway"
BACKEND = "backend"
TRAFFIC_PORT, CONFIG_PORT, BACKEND_PORT = 8080, 8081, 8080
TRAFFIC_NODE_PORT, CONFIG_NODE_PORT = 30080, 30081
GATEWAY_CONFIG_URL = f"http://{GATEWAY}.{GATEWAY_NAMESPACE}.svc:{CONFIG_PORT}"
BACKEND_URL = f"http://{BACKEND}.{GATEWAY_NAMESPACE}.svc:{BACKEND_PORT}"
_CONFIGURATION = Path("/etc/apiman/gateway.json")
_EVERYWHERE = "0.0.0.0"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""The label that makes a namespace refuse pods that ask for more than the restricted profile."""

OURS = {"app.kubernetes.io/managed-by": "e2e-suite"}
"""The label of every namespace that the suite makes; it does not have the product's name, by which the tests look for what an installation leaves."""


def manifests(images: Images, *, user: str, password: str) -> list[Json]:
    """The namespace, the configuration, both Deployments and their Services."""
    content = configuration(
        config_port=CONFIG_PORT, traffic_port=TRAFFIC_PORT, user=user, password=password, hostname=_EVERYWHERE
    )
    return [
        namespace(GATEWAY_NAMESPACE),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": _meta(GATEWAY),
            "stringData": {"gateway.json": json.dumps(content | {"hostname": "0.0.0.0"})},
        },
        deployment(
            GATEWAY,
            image=images.gateway,
            command=command(java="java", jar=GATEWAY_JAR, config=_CONFIGURATION, heap="256m", scratch=Path("/tmp")),
            ports={"traffic": TRAFFIC_PORT, "config": CONFIG_PORT},
            mounts={str(_CONFIGURATION.parent): {"secret": {"secretName": GATEWAY}}},
        ),
        service(GATEWAY, ports={"traffic": TRAFFIC_PORT, "config": CONFIG_PORT}, nodes=_NODE_PORTS),
        deployment(BACKEND, image=images.backend, ports={"http": BACKEND_PORT}),
        service(BACKEND, ports={"http": BACKEND_PORT}),
    ]


_NODE_PORTS = {"traffic": TRAFFIC_NODE_PORT, "config": CONFIG_NODE_PORT}


def deployment(
    name: str,
    *,
    image: str,
    ports: Mapping[str, int],
    command: Sequence[str] = (),
    namespace: str = GATEWAY_NAMESPACE,
    mounts: Mapping[str, Json] | None = None,
    **pod: object,
) -> Json:
    """One pod of an image, ready when its first port is open, with nothing that the restricted profile forbids.

    `command` is used instead of the image's own; `mounts` are volumes by the path at which the container has them; `pod` is added to the pod's spec.
    """
    volumes = {"/tmp": {"emptyDir": {}}, **(mounts or {})}
    names = {path: f"volume-{number}" for number, path in enumerate(volumes)}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(command)} if command else {}),
        "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
        "readinessProbe": {"tcpSocket": {"port": next(iter(ports))}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": names[path], "mountPath": path} for path in volumes],
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": names[path], **source} for path, source in volumes.items()],
        **pod,
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(name, namespace),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(
    name: str, *, ports: Mapping[str, int], namespace: str = GATEWAY_NAMESPACE, nodes: Mapping[str, int] | None = None
) -> Json:
    """A Service in front of a `deployment` of the same name; `nodes` are the NodePorts of its ports, if it is to have some."""
    rows = [
        {"name": port, "port": number, "targetPort": port, **({"nodePort": nodes[port]} if nodes else {})}
        for port, number in ports.items()
    ]
    spec = {"type": "NodePort" if nodes else "ClusterIP", "selector": {"app": name}, "ports": rows}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name, namespace), "spec": spec}


def namespace(name: str) -> Json:
    """A namespace that enforces the restricted profile, as all of the suite's do."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED | OURS}}


def _meta(name: str, namespace: str = GATEWAY_NAMESPACE) -> Json:
    return {"name": name, "namespace": namespace}
