"""What an installation has left in the cluster: every object of every kind is looked at.

What this module deliberately does not do: remove anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localenv.cluster import Json
from tests.e2e.workloads import GATEWAY_NAMESPACE

if TYPE_CHECKING:
    from tests.e2e.site import Site

OURS = "gateway-registrar"
"""What the name of everything of ours begins with, its API group included."""
_SAID_OF_US = ("Event", "Node")
"""Kinds that only tell what happened, or which images a node has."""


def of_release(site: Site, release: str) -> set[str]:
    """The objects that a Helm release says are its own, as `Kind namespace/name`."""
    return {
        _name(row)
        for row in _everything(site)
        if (row["metadata"].get("annotations") or {}).get("meta.helm.sh/release-name") == release
    }


def of_ours(site: Site) -> set[str]:
    """The objects that we or Helm made, or that speak of our kinds: all but the suite's own gateway, whose images have names like ours."""
    return {
        _name(row)
        for row in _everything(site)
        if row["kind"] not in _SAID_OF_US
        and row["metadata"].get("namespace") != GATEWAY_NAMESPACE
        and OURS in json.dumps({**row, "metadata": {**row["metadata"], "managedFields": None}})
    }


def _everything(site: Site) -> list[Json]:
    kinds = site.run_kubectl("api-resources", "--verbs=list", "--output=name").split()
    found: list[Json] = json.loads(site.run_kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json"))[
        "items"
    ]
    return found


def _name(row: Json) -> str:
    return f"{row['kind']} {row['metadata'].get('namespace', '')}/{row['metadata']['name']}"
