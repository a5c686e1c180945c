"""What is made from the models and the chart is committed as it is made, and `kubectl apply` can take it."""

from __future__ import annotations

import json

import pytest
import yaml

from localenv import manifests
from localenv.charts import OPERATOR_CHART, render
from localenv.install import CRDS

INSTALL = manifests.ROOT / "manifests" / "install.yaml"
ANNOTATION_LIMIT = 262_144
"""Bytes of all annotations of one object; a client-side apply keeps the whole object in one."""


def test_nothing_has_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    assert manifests.main(["--check"]) == 0, capsys.readouterr().out[:4000]


def test_a_drift_is_shown_with_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = manifests.wanted()
    copy = OPERATOR_CHART / "files" / "crds" / "gateway-registrar.dev_clients.yaml"
    monkeypatch.setattr(manifests, "wanted", lambda: wanted | {copy: "another\n"})
    assert manifests.main(["--check"]) == 1
    shown = capsys.readouterr()
    assert "charts/gateway-registrar/files/crds/gateway-registrar.dev_clients.yaml" in shown.out
    assert shown.err.rstrip().endswith("make manifests")


def test_the_namespace_comes_first_and_then_the_crds() -> None:
    kinds = [document["kind"] for document in yaml.safe_load_all(INSTALL.read_text())]
    assert kinds[:6] == ["Namespace", *["CustomResourceDefinition"] * 5]
    assert kinds[-1] == "Deployment"


def test_it_has_every_object_of_the_chart_and_no_label_of_helm() -> None:
    installed = {
        (row["kind"], row["metadata"]["name"])
        for row in yaml.safe_load_all(INSTALL.read_text())
        if row["kind"] != "Namespace"
    }
    assert installed == {(row["kind"], row["metadata"]["name"]) for row in render()}
    assert "managed-by" not in INSTALL.read_text()
    assert "helm.sh/chart" not in INSTALL.read_text()


def test_each_object_fits_into_the_annotation_of_a_client_side_apply() -> None:
    for document in yaml.safe_load_all(INSTALL.read_text()):
        assert len(json.dumps(document)) < ANNOTATION_LIMIT / 2, document["metadata"]["name"]


def test_the_charts_crds_are_the_generated_ones_with_the_keep_policy() -> None:
    crds = {row["metadata"]["name"]: row for row in render() if row["kind"] == "CustomResourceDefinition"}
    originals = {row["metadata"]["name"]: row for row in (yaml.safe_load(p.read_text()) for p in CRDS.glob("*.yaml"))}
    for row in crds.values():
        assert row["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crds == originals
