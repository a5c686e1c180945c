"""What an API server says of itself where our CRDs are installed, in the documents that `registrar.engine.served` reads.

Invariant: made from the same models as `crds/`, so it is what a real one says as far as the operator looks; `tests/integration/test_unfit_clusters.py` asks a real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from registrar.resources.base import GROUP, VERSION
from registrar.resources.kinds import KINDS, Kind
from registrar.resources.schema import crd

Json = dict[str, Any]


def documents(crds: Iterable[Json] | None = None, *, version: str = "v1.36.2") -> dict[str, Json]:
    """The documents by their paths, for these CRDs (ours, unless given) on a cluster of that version."""
    rows = [crd(kind) for kind in KINDS] if crds is None else list(crds)
    about = {"/version": {"gitVersion": version}}
    if not rows:
        return about
    return about | {
        f"/apis/{GROUP}/{VERSION}": {"resources": [row for made in rows for row in _resources(made)]},
        f"/openapi/v3/apis/{GROUP}/{VERSION}": {"components": {"schemas": dict(map(_schema, rows))}},
    }


def changed(plural: str, **spec: Any) -> list[Json]:
    """Our CRDs, with some members of one CRD's `spec` replaced."""
    return [crd(kind) | {"spec": crd(kind)["spec"] | (spec if kind.plural == plural else {})} for kind in KINDS]


def schema_of(kind: Kind) -> Json:
    """A fresh copy of the kind's schema, to be put back with `with_schema`."""
    schema: Json = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def with_schema(kind: Kind, schema: Json) -> list[Json]:
    """Our CRDs, one of them with another schema."""
    version = crd(kind)["spec"]["versions"][0] | {"schema": {"openAPIV3Schema": schema}}
    return changed(kind.plural, versions=[version])


def _resources(made: Json) -> Iterator[Json]:
    spec = made["spec"]
    row = {"kind": spec["names"]["kind"], "namespaced": spec["scope"] == "Namespaced"}
    yield row | {"name": spec["names"]["plural"]}
    for subresource in spec["versions"][0].get("subresources") or ():
        yield row | {"name": f"{spec['names']['plural']}/{subresource}"}


def _schema(made: Json) -> tuple[str, Json]:
    name = made["spec"]["names"]["kind"]
    of = {"group": GROUP, "version": VERSION, "kind": name}
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return f"dev.{GROUP}.{VERSION}.{name}", schema | {"x-kubernetes-group-version-kind": [of]}
