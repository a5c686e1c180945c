"""The logs of all pods of a release, of those too that are gone: each is followed into a file from the moment it runs.

What this module deliberately does not do: read what the operator means; see `release`.
"""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from localenv.cluster import Cluster, Json

if TYPE_CHECKING:
    from tests.e2e.site import Site

_LOOK_SECONDS = 0.3


class Logs:
    """One file for each life of each container `operator` of the pods that a selector finds."""

    def __init__(self, site: Site, *, namespace: str, selector: str) -> None:
        self._site = site
        self._cluster = Cluster(site)
        self._path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        self._namespace = namespace
        self.folder = site.folder / "logs" / namespace
        self._followed: dict[str, subprocess.Popen[bytes]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Logs:
        """Begin to look for pods, until `stop`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Follow no pod any more."""
        self._ended.set()
        self._thread.join()
        for process in self._followed.values():
            process.terminate()
            process.wait()

    def follows(self, pod: Json) -> bool:
        """Whether the present life of the pod's container is followed."""
        return _life(pod) in self._followed

    def text(self) -> str:
        """What all of them have written so far, one life after the other."""
        return "".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

    def all_read(self) -> bool:
        """Whether every log is read to its end, because its container has ended."""
        return all(process.poll() is not None for process in self._followed.values())

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                pods = self._cluster.request("GET", self._path).body["items"]
            except (OSError, TypeError):
                continue  # the API server is away, as some tests will have it: the next look finds the pods
            for pod in pods:
                if pod.get("status", {}).get("containerStatuses") and not self.follows(pod) and _began(pod):
                    self._follow(pod)

    def _follow(self, pod: Json) -> None:
        life = _life(pod)
        with (self.folder / f"{life}.log").open("wb") as output:
            self._followed[life] = subprocess.Popen(
                [
                    str(self._site.kubectl),
                    f"--kubeconfig={self._site.kubeconfig}",
                    f"--namespace={self._namespace}",
                    "logs",
                    "--follow",
                    pod["metadata"]["name"],
                ],
                stdout=output,
                stderr=subprocess.DEVNULL,
            )


def _life(pod: Json) -> str:
    status = pod["status"]["containerStatuses"][0]
    began = pod["metadata"]["creationTimestamp"].replace(":", "")
    return f"{began}-{pod['metadata']['name']}-{status['restartCount']}"


def _began(pod: Json) -> bool:
    return not pod["status"]["containerStatuses"][0]["state"].keys() <= {"waiting"}
