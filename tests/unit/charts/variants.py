"""The values with which the charts are rendered in more than one test: golden files here, dry runs on the real API server elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART

Json = dict[str, Any]

EVERYTHING: Json = {
    "image": {"repository": "registry.example.com:5000/platform/gateway-registrar", "digest": "sha256:" + "0a" * 32},
    "imagePullSecrets": [{"name": "pull"}],
    "replicas": 3,
    "settings": {"settleSeconds": 0.5, "logLevel": "debug", "auditLog": "/audit/lines.log", "probesPort": 9090},
    "serviceAccount": {"name": "registrar", "annotations": {"example.com/team": "platform"}},
    "actionPolicy": {"enabled": True, "aggregateTo": ["edit", "admin"], "validationActions": ["Deny", "Audit"]},
    "livenessProbe": {
        "periodSeconds": 10,
        "timeoutSeconds": 15,
        "failureThreshold": 8,
        "terminationGracePeriodSeconds": 5,
    },
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "podSecurityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
    "podAnnotations": {"example.com/scrape": "true"},
    "podLabels": {"team": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "platform", "effect": "NoSchedule"}],
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway-registrar"}},
                }
            ]
        }
    },
    "priorityClassName": "system-cluster-critical",
    "topologySpreadConstraints": [
        {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/certificates/ca.crt"}],
    "extraVolumes": [
        {"name": "certificates", "configMap": {"name": "ca"}},
        {"name": "audit", "persistentVolumeClaim": {"claimName": "audit"}},
    ],
    "extraVolumeMounts": [
        {"name": "certificates", "mountPath": "/certificates", "readOnly": True},
        {"name": "audit", "mountPath": "/audit"},
    ],
    "networkPolicy": {
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": {
            "enabled": True,
            "gateways": [{"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}],
        },
    },
    "metrics": {
        "service": {"annotations": {"example.com/port": "metrics"}},
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "relabelings": [{"action": "labeldrop", "regex": "pod"}],
            "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
        },
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "APIs"}, "namespace": "monitoring"},
    },
    "commonLabels": {"example.com/cost-centre": "4711"},
}
"""Every toggle of the operator's chart away from its default, or on."""

NAMESPACED: Json = {"watchNamespaces": ["team-a", "team-b"]}
"""The namespaced mode."""

LEAST: Json = {
    "replicas": 1,
    "settings": {"lease": False},
    "crds": {"enabled": False},
    "rbac": {"create": False, "aggregateUserRoles": False},
    "serviceAccount": {"create": False, "name": "registrar"},
    "podDisruptionBudget": {"enabled": False},
    "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    "networkPolicy": {"enabled": False},
    "metrics": {"service": {"enabled": False}},
}
"""Every toggle off, for a cluster whose administrators make the rest."""

GATEWAYS: Json = {
    "gateways": {
        "default": {
            "annotations": {"example.com/team": "platform"},
            "spec": {
                "type": "Apiman",
                "default": True,
                "apiman": {
                    "endpoint": "https://gateway-config.example.com",
                    "publicEndpoint": "https://api.example.com",
                    "credentialsSecretRef": {"name": "default-gateway-credentials"},
                },
                "organizations": [{"name": "acme", "namespaces": ["acme-prod"]}, {"name": "system", "namespaces": []}],
                "limits": {"maxInFlight": 20, "requestsPerSecond": 200},
            },
            "credentials": {"username": "registrar", "password": "not-a-real-one"},
        },
        "standby": {
            "spec": {
                "type": "Apiman",
                "mode": "Observe",
                "apiman": {
                    "endpoint": "https://standby.example.com",
                    "credentialsSecretRef": {"name": "standby-gateway-credentials"},
                },
            }
        },
    },
    "grants": {
        "orders-for-shop": {
            "namespace": "acme-prod",
            "spec": {
                "organization": "acme",
                "apis": [{"name": "orders", "versions": ["1.0"]}],
                "plans": ["gold"],
                "from": {"namespaces": ["shop"]},
                "deprecated": {"sunset": "2027-01-31T12:00:00Z", "replacedBy": "orders 2.0"},
            },
        }
    },
    "commonLabels": {"example.com/cost-centre": "4711"},
}
"""Two gateways, one with credentials from values, and a grant."""

VARIANTS: dict[str, tuple[Path, Json]] = {
    "operator-default": (OPERATOR_CHART, {}),
    "operator-everything": (OPERATOR_CHART, EVERYTHING),
    "operator-namespaced": (OPERATOR_CHART, NAMESPACED),
    "operator-least": (OPERATOR_CHART, LEAST),
    "gateways": (GATEWAYS_CHART, GATEWAYS),
}
"""By the name of the golden file."""
