"""Writes what is made from the models and the chart: the chart's CRDs, the generated parts of the values' schemas, and `manifests/install.yaml`.

Run as `python -m localenv.manifests`, or with `--check` to learn whether the committed files are what they should be.

Invariants: a CRD's one source is `crds/`, a setting's is `registrar.settings`; the chart repeats both and adds nothing.
What this module deliberately does not do: write the hand-made parts of a schema, or apply anything.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from localenv.charts import CHARTS, GATEWAYS_CHART, OPERATOR_CHART, render_text
from localenv.install import CRDS
from registrar.settings import Settings

Json = dict[str, Any]
ROOT = CHARTS.parent
COMMAND = "make manifests"
NAMESPACE = "gateway-registrar-system"
NOT_IN_VALUES = frozenset({"namespace", "watch_namespaces", "kubeconfig", "identity"})
"""Settings that the chart sets by other means, or that must not be the same in every pod."""
_OF_HELM = ("app.kubernetes.io/managed-by: Helm", "helm.sh/chart:")
_ORDER = (
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Deployment",
)
_INSTALL_HEADER = f"""\
# The operator with the chart's default values: kubectl apply -f install.yaml. Made from charts/gateway-registrar by: {COMMAND}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: gateway-registrar
    pod-security.kubernetes.io/enforce: restricted
"""


def settings_schema() -> Json:
    """The schema of the value `settings`: every setting of the operator that a release may choose, under its name in camelCase."""
    fields: Json = Settings.model_json_schema(by_alias=False)["properties"]
    properties = {
        to_camel(name): {key: value for key, value in field.items() if key not in ("title", "default")}
        for name, field in fields.items()
        if name not in NOT_IN_VALUES
    }
    # 0 takes a free port, which no probe, Service or NetworkPolicy could know.
    properties["probesPort"] |= {"minimum": 1, "description": "Port of /healthz, /readyz and /metrics."}
    properties["probesHost"]["minLength"] = 1
    return {
        "type": "object",
        "description": "The operator's settings; all are needed, so leave out none of the defaults by null.",
        "additionalProperties": False,
        "properties": properties,
        "required": sorted(properties),
    }


def spec_schema(crd: str) -> Json:
    """The spec of a CRD as a JSON schema that knows no other keys; CEL rules stay with the API server."""
    definition = yaml.safe_load((CRDS / f"gateway-registrar.dev_{crd}.yaml").read_text(encoding="utf-8"))
    schema: Json = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return _plain(schema)


def _plain(schema: Json) -> Json:
    """The schema without what only Kubernetes knows, closed against unknown keys."""
    out: Json = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "default"}
    if "properties" in out:
        out["properties"] = {name: _plain(part) for name, part in out["properties"].items()}
        out.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _plain(out[key])
    return out


def install_manifest() -> str:
    """The chart with its default values as one file for `kubectl apply`, the Namespace in front; without Helm's own labels."""
    documents: list[tuple[int, str]] = []
    for name, text in render_text(OPERATOR_CHART, namespace=NAMESPACE).items():
        for document in text.split("\n---\n") if name.endswith(".yaml") else ():
            lines = [line for line in document.strip().removeprefix("---\n").splitlines() if not _drop(line)]
            if found := yaml.safe_load("\n".join(lines)):
                documents.append((_ORDER.index(found["kind"]), "\n".join(lines) + "\n"))
    documents.sort(key=lambda row: row[0])
    return "---\n".join((_INSTALL_HEADER, *(text for _, text in documents)))


def _drop(line: str) -> bool:
    """Whether a line is a comment of its own, a separator or a label of Helm's."""
    stripped = line.strip()
    return line == "---" or line.startswith("# ") or stripped.startswith(_OF_HELM)


def wanted() -> dict[Path, str]:
    """The text of each file, in the order in which they build on each other; stale copies of CRDs have none."""
    out = {
        OPERATOR_CHART / "files" / "crds" / path.name: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")
    }
    for chart, generated in (
        (OPERATOR_CHART, {("properties", "settings"): settings_schema}),
        (
            GATEWAYS_CHART,
            {
                ("$defs", "runtimeGatewaySpec"): lambda: spec_schema("runtimegateways"),
                ("$defs", "apiGrantSpec"): lambda: spec_schema("apigrants"),
            },
        ),
    ):
        path = chart / "values.schema.json"
        schema = json.loads(path.read_text(encoding="utf-8"))
        for (section, name), make in generated.items():
            schema[section][name] = make()
        out[path] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return out


def write(files: dict[Path, str]) -> None:
    """Write the files, and remove copies of CRDs that are gone."""
    for path in (OPERATOR_CHART / "files" / "crds").glob("*.yaml"):
        if path not in files:
            path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def difference(files: dict[Path, str]) -> str:
    """A unified diff from what is there to what should be; empty when they agree."""
    present = set((OPERATOR_CHART / "files" / "crds").glob("*.yaml")) | files.keys()
    lines: list[str] = []
    for path in sorted(present):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        name = str(path.relative_to(ROOT))
        lines += difflib.unified_diff(
            before.splitlines(True), files.get(path, "").splitlines(True), name, f"made/{name}"
        )
    return "".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit code: 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="localenv.manifests", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with a diff when a file differs")
    options = parser.parse_args(arguments)
    install = ROOT / "manifests" / "install.yaml"
    if not options.check:
        write(wanted())
        # Rendered last: it is made from what was just written.
        write(wanted() | {install: install_manifest()})
        return 0
    if diff := difference(wanted() | {install: install_manifest()}):
        print(diff, end="")
        print(f"These files are not what they are made from. Run: {COMMAND}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
