"""`contrib/kustomize/`, with the real `kubectl kustomize`: every reference to a name follows the name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localenv.environment import ROOT, Environment
from tests.verdicts.contrib import CONTRIB

pytestmark = pytest.mark.integration
Json = dict[str, Any]

SOURCE = """
apiVersion: gateway-registrar.dev/v1alpha1
kind: Client
metadata: {name: shop}
spec: {gatewayRef: {name: edge}, apiKey: {source: Existing, secretName: key}}
---
apiVersion: gateway-registrar.dev/v1alpha1
kind: Client
metadata: {name: elsewhere}
spec: {gatewayRef: {name: platforms-own}}
---
apiVersion: gateway-registrar.dev/v1alpha1
kind: Contract
metadata: {name: orders}
spec: {clientRef: {name: shop}, gatewayRef: {name: edge}, api: {organization: acme, name: orders, version: "1.0"}, plan: gold}
---
apiVersion: gateway-registrar.dev/v1alpha1
kind: Policy
metadata: {name: limit}
spec:
  targetRefs: [{kind: Client, name: shop}, {kind: Contract, name: orders}, {kind: Plan, organization: acme, name: gold}]
  basicAuthentication:
    realm: shop
    staticIdentity: {identities: [{username: alice, passwordSecretRef: {name: users, key: alice}}]}
---
apiVersion: gateway-registrar.dev/v1alpha1
kind: Policy
metadata: {name: directory}
spec:
  targetRefs: [{kind: Client, name: shop}]
  basicAuthentication:
    realm: shop
    ldapIdentity: {credentials: {username: reader, passwordSecretRef: {name: users, key: ldap}}}
---
apiVersion: gateway-registrar.dev/v1alpha1
kind: RuntimeGateway
metadata: {name: edge}
spec: {apiman: {credentialsSecretRef: {name: users}}}
---
apiVersion: v1
kind: Secret
metadata: {name: users}
"""


@pytest.fixture
def built(env: Environment, tmp_path: Path) -> Iterator[dict[str, Json]]:
    """A base with every reference, with a prefix and a suffix; the objects by kind and former name."""
    # Kustomize takes relative paths only, and follows no link out of a root.
    (tmp_path / "contrib").mkdir()
    for name in ("kustomization.yaml", "name-reference.yaml"):
        (tmp_path / "contrib" / name).write_text((CONTRIB / "kustomize" / name).read_text())
    base, overlay = tmp_path / "base", tmp_path / "overlay"
    base.mkdir()
    overlay.mkdir()
    (base / "all.yaml").write_text(SOURCE)
    generator = {"name": "key", "literals": ["apiKey=not-a-real-key-not-a-real-key"]}
    write(base, resources=["all.yaml"], components=["../contrib"], secretGenerator=[generator])
    write(overlay, resources=["../base"], namePrefix="staging-", nameSuffix="-blue")
    rows = list(yaml.safe_load_all(env.run_kubectl("kustomize", str(overlay))))
    yield {f"{row['kind']} {row['metadata']['name'].split('-')[1]}": row for row in rows}


def write(folder: Path, **content: Any) -> None:
    """A kustomization.yaml."""
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))


def test_references_follow(built: dict[str, Json]) -> None:
    """Fails when a name moves and one of its references does not."""
    shop, contract = built["Client shop"]["spec"], built["Contract orders"]["spec"]
    assert built["Client shop"]["metadata"]["name"] == "staging-shop-blue"
    assert shop["gatewayRef"]["name"] == contract["gatewayRef"]["name"] == "staging-edge-blue"
    assert contract["clientRef"]["name"] == "staging-shop-blue"
    targets = [target["name"] for target in built["Policy limit"]["spec"]["targetRefs"]]
    assert targets == ["staging-shop-blue", "staging-orders-blue", "gold"]
    identity = built["Policy limit"]["spec"]["basicAuthentication"]["staticIdentity"]["identities"][0]
    ldap = built["Policy directory"]["spec"]["basicAuthentication"]["ldapIdentity"]
    gateway = built["RuntimeGateway edge"]["spec"]["apiman"]
    for reference in (
        identity["passwordSecretRef"],
        ldap["credentials"]["passwordSecretRef"],
        gateway["credentialsSecretRef"],
    ):
        assert reference["name"] == "staging-users-blue"


def test_a_generated_secret_brings_its_hash(built: dict[str, Json]) -> None:
    """Fails when a changed key would not reach the Client, whose reference would name the former Secret."""
    name = built["Secret key"]["metadata"]["name"]
    assert name.startswith("staging-key-blue-")
    assert built["Client shop"]["spec"]["apiKey"]["secretName"] == name


def test_what_is_elsewhere_stays(built: dict[str, Json]) -> None:
    """Fails when the platform's RuntimeGateway, a plan or an API gets a team's prefix."""
    assert built["Client elsewhere"]["spec"]["gatewayRef"]["name"] == "platforms-own"
    assert built["Contract orders"]["spec"]["api"] == {"organization": "acme", "name": "orders", "version": "1.0"}


def test_every_reference_of_the_crds_is_named() -> None:
    """Fails when a kind gets a new reference and the component does not know it."""
    rows = yaml.safe_load((CONTRIB / "kustomize" / "name-reference.yaml").read_text())["nameReference"]
    named = {f"{spec['kind']} {spec['path']}" for row in rows for spec in row["fieldSpecs"]}
    assert named == {path for file in (ROOT / "crds").glob("*.yaml") for path in references(file)}


def references(file: Path) -> set[str]:
    """The fields of a CRD's spec that hold another object's name."""
    crd = yaml.safe_load(file.read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    def walk(schema: Json, path: str) -> Iterator[str]:
        for name, member in schema.get("properties", {}).items():
            inner = f"{path}/{name}"
            if name.endswith(("Ref", "Refs")):
                yield f"{inner}/name"
            elif name == "secretName":
                yield inner
            yield from walk(member, inner)
        if "items" in schema:
            yield from walk(schema["items"], path)

    return {f"{crd['spec']['names']['kind']} {path}" for path in walk(spec, "spec")}


ARGO_CD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data: {url: "https://argo.example.com"}
"""
FLUX = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop, namespace: flux-system, labels: {gateway-registrar.dev/health-checks: "true"}}
spec: {path: ./shop, interval: 10m, prune: true}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: other, namespace: flux-system}
spec: {path: ./other, interval: 10m, prune: true}
"""


def patched(env: Environment, folder: Path, component: str, source: str) -> dict[str, Json]:
    """Objects with one of our components applied to them, by name."""
    (folder / component).mkdir()
    for file in (CONTRIB / component).glob("*.yaml"):
        (folder / component / file.name).write_text(file.read_text())
    base = folder / "base"
    base.mkdir()
    (base / "all.yaml").write_text(source)
    write(base, resources=["all.yaml"], components=[f"../{component}"])
    return {row["metadata"]["name"]: row for row in yaml.safe_load_all(env.run_kubectl("kustomize", str(base)))}


def test_the_component_for_argo_cd(env: Environment, tmp_path: Path) -> None:
    """Fails when it takes a key from the ConfigMap that is there, or brings a script that is not the one that is tested."""
    data = patched(env, tmp_path, "argo-cd", ARGO_CD)["argocd-cm"]["data"]
    ours = yaml.safe_load((CONTRIB / "argo-cd" / "argocd-cm.yaml").read_text())["data"]
    assert data == {"url": "https://argo.example.com"} | ours


def test_the_component_for_flux(env: Environment, tmp_path: Path) -> None:
    """Fails when a Kustomization gets health checks that did not ask for them, or loses a field of its own."""
    built = patched(env, tmp_path, "flux", FLUX)
    ours = yaml.safe_load((CONTRIB / "flux" / "health-checks.yaml").read_text())["spec"]
    assert built["shop"]["spec"] == {"path": "./shop", "interval": "10m", "prune": True} | ours
    assert built["other"]["spec"] == {"path": "./other", "interval": "10m", "prune": True}
