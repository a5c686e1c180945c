"""The Kubernetes discovery of a Prometheus that is built without one, as Debian's package is: a server for its `http_sd_configs`.

Run in a pod as `python discovery.py PORT`, with nothing but Python's library: `GET /NAMESPACE` reads that namespace's Services, EndpointSlices and Pods under the
pod's own ServiceAccount, and answers with the targets and the labels `__meta_kubernetes_*` that Prometheus' own role `endpointslice` has, as far as a
ServiceMonitor needs them.

Invariant: an endpoint is a target whether it is ready or not, as it is there. What this module deliberately does not do: choose; relabelling does (`scraping`).
"""

from __future__ import annotations

import json
import os
import re
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_META = "__meta_kubernetes_"
_SECONDS = 10


def groups(*, services: list[Json], slices: list[Json], pods: list[Json]) -> Iterator[Json]:
    """One group for each port of each endpoint."""
    named = {row["metadata"]["name"]: row for row in services}
    running = {row["metadata"]["name"]: row for row in pods}
    for row in slices:
        service = named.get(row["metadata"].get("labels", {}).get("kubernetes.io/service-name", ""))
        for endpoint in row.get("endpoints") or ():
            pod = running.get((endpoint.get("targetRef") or {}).get("name", ""))
            for port in row.get("ports") or ():
                labels = {
                    "namespace": row["metadata"]["namespace"],
                    "endpointslice_port_name": port.get("name") or "",
                    **(_service(service) if service else {}),
                    **(_pod(pod, port["port"]) if pod else {}),
                }
                yield {
                    "targets": [f"{endpoint['addresses'][0]}:{port['port']}"],
                    "labels": {f"{_META}{name}": value for name, value in labels.items()},
                }


def _service(found: Json) -> dict[str, str]:
    labels = {re.sub(r"[^a-zA-Z0-9_]", "_", name): value for name, value in found["metadata"].get("labels", {}).items()}
    return {
        "service_name": found["metadata"]["name"],
        **{f"service_label_{name}": value for name, value in labels.items()},
        **dict.fromkeys((f"service_labelpresent_{name}" for name in labels), "true"),
    }


def _pod(found: Json, port: int) -> dict[str, str]:
    """What is said of the pod, and of its container that has that port."""
    containers = [
        row["name"]
        for row in found["spec"]["containers"]
        if any(each["containerPort"] == port for each in row.get("ports") or ())
    ]
    return {
        "pod_name": found["metadata"]["name"],
        "pod_phase": found.get("status", {}).get("phase", ""),
        "pod_container_name": next(iter(containers), ""),
    }


def _listed(path: str) -> list[Json]:
    """All objects of a kind, as the pod's account may read them."""
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    headers = {"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text()}"}
    request = urllib.request.Request(f"{server}{path}", headers=headers)
    trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=_SECONDS, context=trusted) as answer:
        rows: list[Json] = json.load(answer)["items"]
        return rows


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        namespace = self.path.strip("/")
        found = groups(
            services=_listed(f"/api/v1/namespaces/{namespace}/services"),
            slices=_listed(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"),
            pods=_listed(f"/api/v1/namespaces/{namespace}/pods"),
        )
        body = json.dumps(list(found)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), _Handler).serve_forever()
