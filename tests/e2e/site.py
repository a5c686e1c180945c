"""The cluster that the suite runs in, whichever it is, with the gateway, its backend and the ways to reach them.

Invariants: what a test asks of the gateway goes through its Service; a user other than the administrator is a ServiceAccount with the cluster's own role `edit`,
which the chart extends. What this module deliberately does not do: install the operator; that is `release`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from localenv import account, kubectl
from localenv.cluster import Cluster, Json, until
from localenv.errors import LocalEnvError
from localenv.gateway import APIS, Api, GatewayApi
from localenv.kind.cluster import KindCluster, node_name
from localenv.kind.images import Images
from registrar.kube.config import KubeAccess, load_access
from registrar.resources.kinds import KINDS
from tests.e2e import workloads
from tests.e2e.workloads import GATEWAY_NAMESPACE

DEVELOPER = "developer"


@dataclass(slots=True)
class Site:
    """The cluster as the tests see it. `node` is the container of its node, empty where the suite can't touch one."""

    folder: Path
    kubeconfig: Path
    kubectl: Path
    images: Images
    traffic_port: int
    config_port: int
    gateway_password: str
    gateway_user: str = "admin"
    node: str = ""

    # What `localenv.cluster.Cluster` looks at --------------------------------------------------------------------

    @property
    def keeps_connections(self) -> bool:
        """Two clusters fill the machine, and everything that is waited for is asked for twenty times a second."""
        return True

    @property
    def gateway_url(self) -> str:
        """Where APIs are called: the Service of the gateway."""
        return f"http://127.0.0.1:{self.traffic_port}"

    @property
    def gateway_config_url(self) -> str:
        """The gateway's configuration API, as the suite reaches it."""
        return f"http://127.0.0.1:{self.config_port}"

    def access(self, user: str = "admin") -> KubeAccess:
        """How to reach the API server as the administrator, or as a user that `developer` has made."""
        return load_access(str(self.kubeconfig if user == "admin" else self._kubeconfig_of(user)))

    def reset_gateway(self) -> None:
        """Kill the gateway's pod: the next one comes back empty, and gets its APIs again."""
        self.kill_gateway()
        self.wait_gateway()
        self.publish_apis()

    # The gateway -------------------------------------------------------------------------------------------------

    @property
    def gateway_api(self) -> GatewayApi:
        """The gateway's configuration API."""
        return GatewayApi(url=self.gateway_config_url, user=self.gateway_user, password=self.gateway_password)

    def wait_gateway(self, *, seconds: float = 120.0) -> None:
        """Wait until the gateway's Deployment is rolled out and the gateway answers."""
        self._wait_rolled_out(workloads.GATEWAY, seconds=seconds)
        until(self.gateway_api.up, what="the gateway answering through its Service", seconds=seconds)
        until(self._carries_calls, what="the gateway taking calls through its Service", seconds=seconds)

    def _carries_calls(self) -> bool:
        """Whether a call gets any answer; a port-forward may lead to the pod before for a moment, and ends the connection."""
        try:
            Cluster(self).call("nobody/nothing/0")
        except (OSError, HTTPException):
            return False
        return True

    def kill_gateway(self) -> None:
        """Kill the gateway's pod: the next one comes back empty, without an API."""
        selector = f"app={workloads.GATEWAY}"
        before = self.run_kubectl("get", "pods", f"-n{GATEWAY_NAMESPACE}", f"-l{selector}", "-oname")
        self.run_kubectl("delete", "-n", GATEWAY_NAMESPACE, *before.split(), "--grace-period=0", "--force")

    def publish_apis(self, *apis: Api) -> None:
        """Publish APIs in front of the backend; all of `APIS` when none is named."""
        for api in apis or APIS:
            self.gateway_api.publish(api, backend=workloads.BACKEND_URL)

    def deploy(self) -> None:
        """Put the gateway and its backend into the cluster, and publish the APIs; does nothing to what is there."""
        manifests = workloads.manifests(self.images, user=self.gateway_user, password=self.gateway_password)
        self.apply(*manifests)
        self.wait_gateway()
        self._wait_rolled_out(workloads.BACKEND, seconds=120.0)
        self.publish_apis()

    def _wait_rolled_out(self, deployment: str, *, seconds: float) -> None:
        """Wait for a Deployment of the gateway's namespace; raises LocalEnvError with the end of its log when its pods don't come up."""
        name, within = f"deployment/{deployment}", f"-n{GATEWAY_NAMESPACE}"
        try:
            self.run_kubectl("rollout", "status", name, within, f"--timeout={seconds:.0f}s")
        except LocalEnvError as error:
            log = self.run_kubectl("logs", name, within, "--all-containers", "--tail=20")
            raise LocalEnvError(f"{error}\nThe end of its log:\n{log}") from error

    # The cluster -------------------------------------------------------------------------------------------------

    def apply(self, *manifests: Json) -> None:
        """Apply manifests of any kind on the server's side; raises LocalEnvError with kubectl's message when one is refused."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed)

    def clear(self, namespace: str) -> None:
        """Ask for the end of all that is of our kinds in a namespace.

        It is there a second later; that of the namespace itself takes ten or more, because Kubernetes looks again only then at what has a finalizer.
        """
        kinds = ",".join(kind.crd_name for kind in KINDS if not kind.cluster_scoped)
        self.run_kubectl("delete", kinds, "--all", f"--namespace={namespace}", "--wait=false")

    def wait_namespaces_gone(self, *, seconds: float = 120.0) -> None:
        """Wait until no namespace is being deleted: earlier tests leave theirs to be."""

        def gone() -> bool:
            rows = Cluster(self).request("GET", "/api/v1/namespaces").body["items"]
            return all(row["status"]["phase"] == "Active" for row in rows)

        until(gone, what="the namespaces of earlier tests being gone", seconds=seconds)

    def developer(self, namespace: str, *, role: str = "edit") -> Cluster:
        """The view of somebody who has that role of the cluster in that namespace, and nothing else of the cluster."""
        name = f"{namespace}-{DEVELOPER}"
        subject = {"kind": "ServiceAccount", "name": DEVELOPER, "namespace": namespace}
        bound = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        meta = {"name": DEVELOPER, "namespace": namespace}
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": bound,
                "subjects": [subject],
            },
        )
        account.write_kubeconfig(self, self._kubeconfig_of(name), account=DEVELOPER, namespace=namespace)
        found = Cluster(self, user=name)
        found.wait_rights(namespace, account.user_rules(role))
        return found

    def kubeconfig_of_developer(self, namespace: str) -> Path:
        """The kubeconfig of who `developer` has made for that namespace, for the plugin and for kubectl."""
        return self._kubeconfig_of(f"{namespace}-{DEVELOPER}")

    def _kubeconfig_of(self, user: str) -> Path:
        return self.folder / f"kubeconfig-{user}"

    def run_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator and return what it prints; raises LocalEnvError with its message when it fails."""
        return kubectl.run(self.kubectl, *arguments, kubeconfig=self.kubeconfig, stdin=stdin, seconds=300)

    def load(self, image: str) -> None:
        """Put an image of the engine into the cluster's node, where the suite has one."""
        cluster = KindCluster.at(self.node.removesuffix(node_name("")), folder=self.folder)
        if cluster is None:
            raise LocalEnvError(f"The node {self.node} does not run any more; `docker ps --all` says why.")
        cluster.load(image)
