"""The operator as its users run it: a Helm release of the chart, in a namespace that enforces the restricted profile.

Invariants: there is one release at a time that watches the whole cluster, always of the same name and namespace, because Helm lets only the release that brought the
CRDs take them up again. What this module deliberately does not do: change the chart's defaults, but for what a test asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import helm_python

from localenv.charts import GATEWAYS_CHART, OPERATOR_CHART
from localenv.cluster import Cluster, Json, condition, until
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
        repository, _, tag = (image or self.site.images.operator).rpartition(":")
        wanted = {"image": {"repository": repository, "tag": tag}, **values}
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
        """Remove the release, as `helm uninstall` does, and wait until its pods are gone."""
        self._helm.uninstall(NAME, timeout=_HELM_SECONDS)
        self._replicas = 0
        until(lambda: not self.pods(), what="the operator's pods being gone", seconds=60)

    def uninstall_gateways(self) -> None:
        """Remove the release with the RuntimeGateway."""
        self._helm.uninstall(GATEWAYS, timeout=_HELM_SECONDS, ignore_not_found=True)

    # Its pods ----------------------------------------------------------------------------------------------------

    def pods(self) -> list[Json]:
        """Its pods, those that end included."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={_SELECTOR}"
        rows: list[Json] = self.cluster.request("GET", path).body["items"]
        return rows

    def wait_ready(self, *, seconds: float = 120.0) -> None:
        """Wait until as many pods as wanted are ready, no other is left, one of them leads, and all logs are followed."""

        def ready() -> bool:
            pods = self.pods()
            return (
                len(pods) == self._replicas
                and all(condition(pod, "Ready").get("status") == "True" for pod in pods)
                and all(self.logs.follows(pod) for pod in pods)
                and self.leader() in {pod["metadata"]["name"] for pod in pods}
            )

        try:
            until(ready, what=f"{self._replicas} ready pods", seconds=seconds)
        except LocalEnvError as error:
            pods = {pod["metadata"]["name"]: pod.get("status") for pod in self.pods()}
            raise LocalEnvError(f"{error}\nPods: {pods}\nThe end of the log:\n{self.tail()}") from error

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
        self.site.run_kubectl("scale", f"deployment/{NAME}", f"--namespace={NAMESPACE}", f"--replicas={replicas}")
        self._replicas = replicas

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


def gateways(site: Site) -> Json:
    """The values of the gateways' chart: the gateway in the cluster as `default`, open to everybody."""
    spec = {
        "type": "Apiman",
        "default": True,
        "contracts": "Any",
        "apiman": {
            "endpoint": workloads.GATEWAY_CONFIG_URL,
            "publicEndpoint": site.gateway_url,
            "credentialsSecretRef": {"name": CREDENTIALS},
            "allowPlainHttp": True,
        },
    }
    credentials = {"username": site.gateway_user, "password": site.gateway_password}
    return {"gateways": {"default": {"spec": spec, "credentials": credentials}}}
