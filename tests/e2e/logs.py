"""The logs of all pods of a release, of those too that are gone: each is followed into a file from the moment it runs.

What this module deliberately does not do: read what the operator means; see `release`.
"""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localenv.cluster import Cluster, Json

if TYPE_CHECKING:
    from tests.e2e.site import Site

_LOOK_SECONDS = 0.3


class Logs:
    """What each life of each container of the pods that a selector finds has written.

    Following ends with the API server that it goes through, and with a kubelet that has no file to spare: it is then begun anew, into a file of its own, from the start.
    """

    def __init__(self, site: Site, *, namespace: str, selector: str) -> None:
        self._site = site
        self._cluster = Cluster(site)
        self._path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        self._namespace = namespace
        self.folder = site.folder / "logs" / namespace
        self._followed: dict[str, _Followed] = {}
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
        for followed in self._followed.values():
            followed.process.terminate()
            followed.process.wait()

    def follows(self, pod: Json) -> bool:
        """Whether the present life of the pod's container is followed."""
        followed = self._followed.get(_life(pod))
        return followed is not None and followed.process.poll() is None

    def text(self) -> str:
        """What all of them have written so far, one life after the other."""
        return "".join(self._followed[life].text() for life in sorted(self._followed))

    def all_read(self) -> bool:
        """Whether every log is read to its end, because its container has ended."""
        return all(followed.process.poll() is not None for followed in self._followed.values())

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                pods = self._cluster.request("GET", self._path).body["items"]
            except (OSError, TypeError):
                continue  # the API server is away, as some tests will have it: the next look finds the pods
            for pod in pods:
                if _runs(pod) and not self.follows(pod):
                    self._follow(pod)

    def _follow(self, pod: Json) -> None:
        life = _life(pod)
        files = [*(self._followed[life].files if life in self._followed else ())]
        files.append(self.folder / f"{life}.{len(files)}.log")
        command = [str(self._site.kubectl), f"--kubeconfig={self._site.kubeconfig}", f"--namespace={self._namespace}"]
        with files[-1].open("wb") as output:
            process = subprocess.Popen(
                [*command, "logs", "--follow", pod["metadata"]["name"]], stdout=output, stderr=subprocess.DEVNULL
            )
        self._followed[life] = _Followed(process, tuple(files))


@dataclass(frozen=True, slots=True)
class _Followed:
    """One life of a container: the process that follows it now, and a file for each time that following was begun."""

    process: subprocess.Popen[bytes]
    files: tuple[Path, ...]

    def text(self) -> str:
        """The most that was read of it."""
        return max((file.read_text(errors="replace") for file in self.files), key=len)


def _life(pod: Json) -> str:
    status = (pod["status"].get("containerStatuses") or [{}])[0]
    began = pod["metadata"]["creationTimestamp"].replace(":", "")
    return f"{began}-{pod['metadata']['name']}-{status.get('restartCount', 0)}"


def _runs(pod: Json) -> bool:
    statuses = pod["status"].get("containerStatuses")
    return bool(statuses) and "running" in statuses[0]["state"]
