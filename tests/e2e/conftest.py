"""Clusters for the session, one for each process that runs tests: in each one release that the tests set as they need it, and one namespace for each test.

`make e2e` runs two such processes (pytest-xdist), each with whole modules of it. E2E_DIR keeps the cluster in that folder for the next run of one process alone;
`python -m tests.e2e down` ends it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from localenv.cluster import Cluster
from tests.e2e import making, workloads
from tests.e2e.node import Node
from tests.e2e.release import Release
from tests.e2e.site import Site

LONGEST_FIRST = (
    "load",
    "uninstall",
    "why",
    "alerts",
    "probes",
    "faults",
    "namespace_deletion",
    "upgrade",
    "namespaced",
)
"""The modules that take a minute or more, so that processes side by side end at about the same time; docs/benchmarks.md has the seconds."""
_SITES = "E2E_SITES"
"""The variable that names the folder of the processes' own folders; the first process makes it, and those that it starts inherit it."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of this run's clusters, in the process that outlives the others."""
    if not hasattr(config, "workerinput") and not os.environ.get("E2E_DIR"):
        os.environ[_SITES] = tempfile.mkdtemp(prefix="registrar-e2e-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder, and before it what a process that was interrupted has left: pytest-xdist gives it ten seconds for its own clean-up."""
    if hasattr(config, "workerinput") or _SITES not in os.environ:
        return
    sites = Path(os.environ.pop(_SITES))
    for folder in sites.iterdir():
        making.end(folder)
    shutil.rmtree(sites)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; the order within a module stays."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The cluster of this process, with the gateway in it."""
    kept = os.environ.get("E2E_DIR")
    folder = Path(kept or Path(os.environ[_SITES], os.environ.get("PYTEST_XDIST_WORKER", "one")))
    made = making.make(folder.resolve())
    try:
        made.site.deploy()
        yield made.site
    finally:
        if not kept:
            made.remove()
            shutil.rmtree(folder)


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
    """A fresh namespace, which is an organization of the same name, and which enforces the restricted profile. It stays, empty of our kinds, as long as the cluster."""
    name = f"e2e-{uuid4().hex[:8]}"
    site.apply(workloads.namespace(name))
    yield name
    site.clear(name)


@pytest.fixture
def node(site: Site) -> Node:
    """The one node, where this machine can reach into it."""
    if not site.node:
        pytest.skip("KUBECONFIG_EXTERNAL is set: the suite can't reach into a node of that cluster")
    # Deleting a namespace while the API server starts may end without the objects of CRDs, which that one does not serve yet; they then stay without a namespace.
    site.wait_namespaces_gone()
    return Node(site.node)
