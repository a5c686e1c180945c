"""KUBECONFIG_EXTERNAL: the local environment beside a cluster that exists already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.cluster import Cluster
from localenv.environment import Environment
from localenv.errors import LocalEnvError
from localenv.install import install

pytestmark = pytest.mark.integration


@pytest.fixture
def beside(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A second environment, whose cluster is the first one's; the first one's RuntimeGateway is put back afterwards."""
    kubeconfig = env.kubeconfig
    monkeypatch.setenv("KUBECONFIG_EXTERNAL", str(kubeconfig))
    second = Environment.up(tmp_path / "beside")
    try:
        yield second
    finally:
        second.down()
        monkeypatch.delenv("KUBECONFIG_EXTERNAL")
        install(env)


def test_an_existing_cluster_is_used(env: Environment, beside: Environment) -> None:
    """Fails when a control plane is started although one was named, or the objects go elsewhere."""
    assert set(beside.processes.names()) == {"backend", "gateway"}
    found = Cluster(beside).get("RuntimeGateway", "", "default") or {}
    assert found["spec"]["apiman"]["endpoint"] == beside.gateway_config_url != env.gateway_config_url
    assert f"KUBECONFIG={env.kubeconfig}" in (beside.folder / "env").read_text().splitlines()


def test_a_kubeconfig_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a wrong path silently means the built control plane."""
    monkeypatch.setenv("KUBECONFIG_EXTERNAL", str(tmp_path / "nowhere"))
    with pytest.raises(LocalEnvError, match="which is no file"):
        Environment.up(tmp_path / "environment")
