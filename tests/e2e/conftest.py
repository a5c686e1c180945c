"""One cluster for the session, one release that the tests set as they need it, one namespace for each test.

E2E_DIR keeps the cluster in that folder for the next run; `python -m tests.e2e down` ends it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from uuid import uuid4

import pytest

from localenv.cluster import Cluster
from tests.e2e import making, workloads
from tests.e2e.node import Node
from tests.e2e.release import Release
from tests.e2e.site import Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The cluster, with the gateway in it."""
    kept = os.environ.get("E2E_DIR")
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="registrar-e2e-") as folder:
        made = making.make(Path(folder).resolve())
        try:
            made.site.deploy()
            yield made.site
        finally:
            if not kept:
                made.remove()


@pytest.fixture(scope="session")
def cluster(site: Site) -> Cluster:
    """The administrator's view."""
    return Cluster(site)


@pytest.fixture(scope="session")
def release(site: Site) -> Iterator[Release]:
    """The release, as the last test left it: `ensure` sets it."""
    made = Release(site)
    yield made
    made.close()


@pytest.fixture
def operator(release: Release) -> Release:
    """The release with the chart's defaults, and the RuntimeGateway `default`."""
    release.ensure()
    release.ensure_gateways()
    return release


@pytest.fixture
def namespace(site: Site) -> Iterator[str]:
    """A fresh namespace, which is an organization of the same name, and which enforces the restricted profile."""
    name = f"e2e-{uuid4().hex[:8]}"
    site.apply(workloads.namespace(name))
    yield name
    site.run_kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def node(site: Site) -> Node:
    """The one node, where this machine can reach into it."""
    if not site.node:
        pytest.skip("KUBECONFIG_EXTERNAL is set: the suite can't reach into a node of that cluster")
    # Deleting a namespace while the API server starts may end without the objects of CRDs, which that one does not serve yet; they then stay without a namespace.
    site.wait_namespaces_gone()
    return Node(site.node)
