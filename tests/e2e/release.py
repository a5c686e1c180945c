"""The operator as its users run it: a Helm release of the chart, in a namespace that enforces the restricted profile.

Invariants: there is one release at a time that watches the whole cluster, always of the same name and namespace, because Helm lets only the release that brought the
CRDs take them up again. What this module deliberately does not do: change the chart's defaults, but for what a test asks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import helm_python

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART
from localenv.cluster import API, Cluster, Json, condition, until
from localenv.errors import LocalEnvError
from tests.e2e import workloads
from tests.e2e.logs import Logs
from tests.e2e.workloads import namespace

if TYPE_CHECKING:
    from tests.e2e.site import Site

NAME = "gateway-registrar"
NAMESPACE = "gateway-registrar-system"
GATEWAYS = "gateway-registrar-gateways"
CREDENTIALS = "default-gateway-credentials"
_SELECTOR = f"app.kubernetes.io/name={NAME},app.kubernetes.io/instance={NAME}"
_HELM_SECONDS = 180


class Release:
    """One release of the operator's chart, and with it one of the gateways' chart."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cluster = Cluster(site)
        self._helm = helm_python.Config(kubeconfig_path=site.kubeconfig, namespace=NAMESPACE)
        self.logs = Logs(site, namespace=NAMESPACE, selector=_SELECTOR).start()
        self._replicas = 2

    def close(self) -> None:
        """Let go of Helm and of the logs; the release stays."""
        self.logs.stop()
        self._helm.close()

    # Installing and removing -------------------------------------------------------------------------------------

    def ensure(self, *, chart: Path = OPERATOR_CHART, image: str = "", **values: Any) -> Release:
        """Have it installed with these values over the chart's defaults, and wait until its pods are ready.

        Raises LocalEnvError with Helm's message, or with the end of the operator's log when it does not become ready.
        """
        wanted = {"image": _image(image or self.site.images.operator), **values}
        self._replicas = wanted.get("replicas", 2)
        if not self.installed():
            self.site.apply(namespace(NAMESPACE))
            self._helm.install(str(chart), NAME, wanted, namespace=NAMESPACE, timeout=_HELM_SECONDS)
        elif self._helm.get_values(NAME) != wanted or chart != OPERATOR_CHART:
            self._helm.upgrade(str(chart), NAME, wanted, namespace=NAMESPACE, timeout=_HELM_SECONDS, reset_values=True)
        self.wait_ready()
        return self

    def ensure_gateways(self) -> None:
        """Have the RuntimeGateway `default` and its credentials, from the second chart."""
        if not self.installed(GATEWAYS):
            self._helm.install(str(GATEWAYS_CHART), GATEWAYS, gateways(self.site), namespace=NAMESPACE)
        self.cluster.wait(
            "RuntimeGateway", "", "default", lambda o: condition(o, "Ready").get("status") == "True", what="Ready"
        )

    def installed(self, name: str = NAME) -> bool:
        """Whether Helm knows the release."""
        return any(release["name"] == name for release in self._helm.list())

    def uninstall(self) -> None:
        """Remove the release, as `helm uninstall` does, wait until its pods are gone, and take its Lease away."""
        self._helm.uninstall(NAME, timeout=_HELM_SECONDS)
        self._replicas = 0
        until(lambda: not self.pods(), what="the operator's pods being gone", seconds=60)
        # Their rights go first, so they can't give it back. The next leader would wait until it has run out, and no test is about that.
        self.cluster.delete("Lease", NAMESPACE, NAME)

    def uninstall_gateways(self) -> None:
        """Remove the release with the RuntimeGateway."""
        self._helm.uninstall(GATEWAYS, timeout=_HELM_SECONDS, ignore_not_found=True)

    # Its pods ----------------------------------------------------------------------------------------------------

    def pods(self) -> list[Json]:
        """Its pods, those that end included."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={_SELECTOR}"
        rows: list[Json] = self.cluster.request("GET", path).body["items"]
        return rows

    def pod(self, name: str) -> Json:
        """One of them as it is now."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}"
        found: Json = self.cluster.request("GET", path).body
        return found

    def wait_ready(self, *, seconds: float = 120.0) -> None:
        """Wait until as many pods as wanted are ready, no other is left, one of them leads, and all logs are followed."""

        def ready() -> bool:
            pods = self.pods()
            return (
                self._rolled_out()
                and len(pods) == self._replicas
                and all(condition(pod, "Ready").get("status") == "True" and _stays(pod) for pod in pods)
                and all(self.logs.follows(pod) for pod in pods)
                and self.leader() in {pod["metadata"]["name"] for pod in pods}
            )

        try:
            until(ready, what=f"{self._replicas} ready pods", seconds=seconds)
        except LocalEnvError as error:
            pods = {pod["metadata"]["name"]: pod.get("status") for pod in self.pods()}
            raise LocalEnvError(f"{error}\nPods: {pods}\nThe end of the log:\n{self.tail()}") from error

    def _rolled_out(self) -> bool:
        """Whether all pods are those of the present template: right after an upgrade the former ones are still there, and ready."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
        found = self.cluster.request("GET", path).body
        status = found["status"]
        seen = (status.get("observedGeneration"), status.get("updatedReplicas", 0))
        return seen == (found["metadata"]["generation"], self._replicas)

    def leader(self) -> str:
        """The pod that has the Lease; empty when nobody has it."""
        found = self.cluster.get("Lease", NAMESPACE, NAME) or {}
        return str(found.get("spec", {}).get("holderIdentity") or "").partition("_")[0]

    def pod_metrics(self, pod: str) -> str:
        """What /metrics of a pod says."""
        return self.site.run_kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")

    def wait_quiet(self, *, clients: int, seconds: float = 60.0) -> None:
        """Wait until the leader has looked at that many Clients since it started, and neither works nor has work waiting."""
        until(lambda: self._quiet(clients), what=f"rest after {clients} Clients", seconds=seconds)

    def _quiet(self, clients: int) -> bool:
        figures = dict(line.rsplit(" ", 1) for line in self.metrics().splitlines() if not line.startswith("#"))
        looked = figures.get('controller_runtime_reconcile_total{controller="Client",result="success"}', 0)
        waiting = figures.get('workqueue_depth{name="clients"}', 1)
        working = figures.get('controller_runtime_active_workers{controller="Client"}', 1)
        return float(looked) >= clients and float(waiting) == 0 and float(working) == 0

    # What the demo's steps ask (`localenv.stage.Runs`) -----------------------------------------------------------

    def start(self) -> Release:
        """Scale it up again, and wait until it is ready."""
        self._scale(2)
        self.wait_ready()
        return self

    def stop(self) -> None:
        """Scale it to nothing, and wait until every pod is gone and its log read to the end."""
        self._scale(0)
        until(lambda: not self.pods(), what="the operator's pods being gone", seconds=60)
        until(self.logs.all_read, what="their logs being read", seconds=20)

    def _scale(self, replicas: int) -> None:
        # By Helm, as it applies on the server's side: after `kubectl scale` its next upgrade would find a conflict.
        values = self.values() | {"replicas": replicas}
        self._helm.upgrade(
            str(OPERATOR_CHART), NAME, values, namespace=NAMESPACE, timeout=_HELM_SECONDS, reset_values=True
        )
        self._replicas = replicas

    def disown_scaling(self) -> None:
        """Take from `kubectl scale` its word on the number of replicas, which would stand against Helm's next one."""
        until(self._scaling_disowned, what="the Deployment's replicas being Helm's alone", seconds=20)

    def _scaling_disowned(self) -> bool:
        """False when the object was written in between, as its status is now and then."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
        meta = self.cluster.request("GET", path).body["metadata"]
        kept = [row for row in meta["managedFields"] if row.get("subresource") != "scale"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "managedFields": kept}}
        answer = self.cluster.request("PATCH", path, body, content_type="application/merge-patch+json")
        return answer.status == 200

    def metrics(self) -> str:
        """What /metrics of the leader says; nothing while nobody leads."""
        leader = self.leader()
        return self.pod_metrics(leader) if leader else ""

    def changing_calls(self) -> int:
        """How many effects on a gateway the audit lines tell, from all pods that there were."""
        return self.logs.text().count('"logger":"registrar.audit"')

    def tail(self, lines: int = 30) -> str:
        """The end of the logs."""
        return "\n".join(self.logs.text().splitlines()[-lines:])

    # Upgrading and rolling back, as docs/how-to/upgrade.md does --------------------------------------------------

    def upgrade(self, chart: Path, *, image: str) -> None:
        """Upgrade with the chart's new defaults and the values that the user has given (`--reset-then-reuse-values`), and wait as `--wait` does."""
        values = self.values() | {"image": _image(image)}
        self._helm.upgrade(
            str(chart), NAME, values, namespace=NAMESPACE, timeout=_HELM_SECONDS, reset_values=True, wait="watcher"
        )
        self.wait_ready()

    def rollback(self) -> None:
        """Go back to the revision before, and wait as `--wait` does."""
        self._helm.rollback(NAME, timeout=_HELM_SECONDS, wait="watcher")
        self.wait_ready()

    def values(self) -> Json:
        """The values that the user has given."""
        return dict(self._helm.get_values(NAME))

    def audit_lines(self) -> list[Json]:
        """The audit lines of all pods that there were."""
        whole = [line for line in self.logs.text().splitlines() if line.startswith('{"time"') and line.endswith("}")]
        rows = [json.loads(line) for line in whole]
        return [json.loads(row["message"]) for row in rows if row["logger"] == "registrar.audit"]


def _stays(pod: Json) -> bool:
    """Whether nobody has asked for its end; it is ready until it has ended."""
    return "deletionTimestamp" not in pod["metadata"]


def _image(name: str) -> Json:
    """The chart's value for an image of that name and tag."""
    repository, _, tag = name.rpartition(":")
    return {"repository": repository, "tag": tag}


def gateways(site: Site) -> Json:
    """The values of the gateways' chart: the gateway in the cluster as `default`, open to everybody."""
    credentials = {"username": site.gateway_user, "password": site.gateway_password}
    spec = _gateway_spec(site, credentialsSecretRef={"name": CREDENTIALS})
    return {"gateways": {"default": {"spec": spec | {"default": True}, "credentials": credentials}}}


def runtime_gateway(site: Site, name: str, **apiman: object) -> Json:
    """The manifest of a RuntimeGateway of a test's own, not the default, at the gateway in the cluster; `apiman` are other fields of that section."""
    spec = _gateway_spec(site, **({"credentialsSecretRef": {"name": CREDENTIALS}} | apiman))
    return {"apiVersion": API, "kind": "RuntimeGateway", "metadata": {"name": name}, "spec": spec}


def _gateway_spec(site: Site, **apiman: object) -> Json:
    endpoints = {"endpoint": workloads.GATEWAY_CONFIG_URL, "publicEndpoint": site.gateway_url, "allowPlainHttp": True}
    return {"type": "Apiman", "contracts": "Any", "apiman": endpoints | apiman}
