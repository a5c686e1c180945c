"""A Prometheus in the cluster, without root, with the discovery beside it that it lacks, and what it says.

Invariant: it is asked through the API server, so no port of this machine is opened. What this module deliberately does not do: know the operator's metrics.
"""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localenv.cluster import Cluster, Json, until
from localenv.errors import LocalEnvError
from tests.e2e import discovery, workloads
from tests.e2e.site import Site

NAME, PORT = "prometheus", 9090
_DISCOVERY, _DISCOVERY_PORT = "discovery", 8000
_FOLDER = "/etc/prometheus"
_SCRIPT = "discovery.py"


class Prometheus:
    """One Prometheus in a namespace of its own, which looks for targets in another one."""

    def __init__(self, site: Site, *, namespace: str, watched: str) -> None:
        self._site = site
        self._cluster = Cluster(site)
        self._namespace = namespace
        self._watched = watched
        self._role = f"prometheus-{namespace}"

    def start(self, *, scrape_configs: Sequence[Json], rules: Json, seconds: float = 120.0) -> None:
        """Deploy it and wait until it answers; rules are evaluated every second."""
        config = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": [f"{_FOLDER}/rules.json"],
            "scrape_configs": list(scrape_configs),
        }
        # JSON is YAML, and Prometheus does not mind the name.
        files = {"prometheus.json": json.dumps(config), "rules.json": json.dumps(rules)}
        self._site.apply(workloads.namespace(self._namespace), *self._rights(), *self._discovery())
        # A name that is not there yet may be looked up outside the cluster, and whoever answers there is then asked for good.
        self._site.run_kubectl(
            "rollout", "status", f"deployment/{_DISCOVERY}", f"-n{self._namespace}", f"--timeout={seconds:.0f}s"
        )
        self._site.apply(*self._prometheus(files))
        try:
            until(self._answers, what="Prometheus answering", seconds=seconds)
        except LocalEnvError as error:
            log = self._site.run_kubectl("logs", f"deployment/{NAME}", f"--namespace={self._namespace}", "--tail=20")
            raise LocalEnvError(f"{error} The end of its log:\n{log}") from error

    def remove(self) -> None:
        """Take it away, and the rights."""
        for kind in ("rolebinding", "role"):
            self._site.run_kubectl("delete", kind, self._role, f"--namespace={self._watched}", "--ignore-not-found")
        self._site.run_kubectl("delete", "namespace", self._namespace, "--ignore-not-found", "--wait=false")

    def _discovery(self) -> list[Json]:
        """What looks for the targets; it alone has rights."""
        script = {_SCRIPT: Path(discovery.__file__).read_text()}
        command = ["/opt/registrar/bin/python", f"{_FOLDER}/{_SCRIPT}", str(_DISCOVERY_PORT)]
        image = self._site.images.operator
        return [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": self._meta(_DISCOVERY)},
            *self._workload(_DISCOVERY, image, command, script, _DISCOVERY_PORT, serviceAccountName=_DISCOVERY),
        ]

    def _prometheus(self, files: dict[str, str]) -> list[Json]:
        command = [
            "/bin/prometheus",
            f"--config.file={_FOLDER}/prometheus.json",
            "--storage.tsdb.path=/tmp/data",
            f"--web.listen-address=:{PORT}",
        ]
        image = self._site.images.prometheus
        return self._workload(NAME, image, command, files, PORT, automountServiceAccountToken=False)

    def _workload(
        self, name: str, image: str, command: list[str], files: dict[str, str], port: int, **pod: object
    ) -> list[Json]:
        """A Deployment of a program with its files and its Service."""
        where, ports = self._namespace, {"http": port}
        mounts: dict[str, Json] = {_FOLDER: {"configMap": {"name": name}}}
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._meta(name), "data": files},
            workloads.deployment(
                name, image=image, command=command, ports=ports, namespace=where, mounts=mounts, **pod
            ),
            workloads.service(name, ports=ports, namespace=where),
        ]

    def _meta(self, name: str) -> Json:
        return {"name": name, "namespace": self._namespace}

    def _rights(self) -> list[Json]:
        """What its discovery reads, where it looks for targets."""
        meta = {"name": self._role, "namespace": self._watched}
        rbac = "rbac.authorization.k8s.io"
        verbs = ["get", "list", "watch"]
        rules = [
            {"apiGroups": [""], "resources": ["services", "pods"], "verbs": verbs},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
        ]
        subject = {"kind": "ServiceAccount", **self._meta(_DISCOVERY)}
        bound = {"apiGroup": rbac, "kind": "Role", "name": self._role}
        return [
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": bound,
                "subjects": [subject],
            },
        ]

    # What it says ------------------------------------------------------------------------------------------------

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; fails with what it says when it refuses."""
        service = f"/api/v1/namespaces/{self._namespace}/services/{NAME}:{PORT}/proxy"
        answer = self._cluster.request("GET", f"{service}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert answer.status == 200, (path, parameters, answer)
        return answer.body["data"]

    def query(self, expression: str) -> list[tuple[Json, float]]:
        """The labels and the value of each series that an expression gives now; those without a number are left out."""
        rows = ((row["metric"], float(row["value"][1])) for row in self.ask("query", query=expression)["result"])
        return [(labels, value) for labels, value in rows if not math.isnan(value)]

    def targets(self) -> list[Json]:
        """What it scrapes."""
        found: list[Json] = self.ask("targets", state="active")["activeTargets"]
        return found

    def rules(self) -> list[Json]:
        """Its rules, with how their last evaluation went."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> list[Json]:
        """The labels of the alerts that fire."""
        return [alert["labels"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"]

    def wait_firing(self, *, seconds: float = 60.0, **labels: str) -> Json:
        """Wait until an alert with these labels fires; returns all of its labels."""
        found: list[Json] = []

        def fires() -> bool:
            found.extend(self._with(labels))
            return bool(found)

        until(fires, what=f"the alert {labels} firing", seconds=seconds)
        return found[0]

    def wait_silent(self, *, seconds: float = 60.0, **labels: str) -> None:
        """Wait until no alert with these labels fires."""
        until(lambda: not self._with(labels), what=f"the alert {labels} being over", seconds=seconds)

    def _with(self, labels: dict[str, str]) -> list[Json]:
        return [found for found in self.firing() if labels.items() <= found.items()]

    def _answers(self) -> bool:
        service = f"/api/v1/namespaces/{self._namespace}/services/{NAME}:{PORT}/proxy"
        answer = self._cluster.request("GET", f"{service}/api/v1/status/runtimeinfo")
        return answer.status == 200
