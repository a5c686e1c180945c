"""What the API server serves: its version, and our kinds as its CRDs describe them.

An operator of another version than its CRDs, or one that meets kinds of the same name of somebody else, would look alive while the API server drops what it writes.
All is read from documents that every account may read (`/version`, discovery, OpenAPI), so no right on CustomResourceDefinitions is needed.

Invariants: nothing is written; CRDs that are newer than the operator are fine, and so are older ones as long as they keep what the operator must find again. What this
module deliberately does not do: wait, or end the start; that is `startup`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registrar.errors import KubeNotFound
from registrar.kube.client import KubeClient
from registrar.resources.base import GROUP, VERSION
from registrar.resources.kinds import KINDS, Json, Kind
from registrar.resources.schema import object_schema

OLDEST_KUBERNETES = (1, 28)
"""Before it the API server has no SelfSubjectReview; the charts' kubeVersion and the documentation say the same."""
_SAID_AT_MOST = 3
_MEND = "Apply the CRDs of this version, with the chart's crds.enabled=true or `kubectl apply --server-side -f crds/`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the API server says; `resources` by their name, such as `clients/status`, `schemas` by kind. Both are empty where our group and version are unknown."""

    version: str
    resources: Mapping[str, Json]
    schemas: Mapping[str, Json]


async def ask(client: KubeClient) -> Served:
    """Read it; raises a KubeError when the API server does not answer, KubeRefused when it does not let us read it."""
    version = await client.about("/version")
    try:
        listed = await client.about(f"/apis/{GROUP}/{VERSION}")
        document = await client.about(f"/openapi/v3/apis/{GROUP}/{VERSION}")
    except KubeNotFound:
        listed, document = {}, {}
    return Served(
        version=str(version.get("gitVersion", "")),
        resources={str(row.get("name")): row for row in listed.get("resources") or ()},
        schemas=dict(_schemas(document)),
    )


def _schemas(document: Json) -> Iterator[tuple[str, Json]]:
    for schema in ((document.get("components") or {}).get("schemas") or {}).values():
        for of in schema.get("x-kubernetes-group-version-kind") or ():
            if of.get("group") == GROUP and of.get("version") == VERSION:
                yield str(of.get("kind")), schema


def too_old(served: Served) -> str:
    """One line when the cluster is older than the operator can work on; empty when it is not, or does not say its version."""
    found = re.match(r"v?(\d+)\.(\d+)", served.version)
    if found is None or (int(found[1]), int(found[2])) >= OLDEST_KUBERNETES:
        return ""
    needed = ".".join(map(str, OLDEST_KUBERNETES))
    return f"the cluster is Kubernetes {found[0]}, and {needed} or newer is needed. Upgrade the cluster."


def unfit(served: Served) -> str:
    """One line when the operator can't work with the cluster's CRDs, because they are missing, too old or somebody else's; else empty."""
    if not served.resources:
        return f"the cluster does not serve {GROUP}/{VERSION}. {_MEND}."
    faults = [f"{kind.crd_name} {fault}" for kind in KINDS for fault in _faults(kind, served)]
    if not faults:
        return ""
    return f"the cluster's CRDs are not those of this operator: {_list(faults)}. {_MEND}; if they are another product's, remove that first."


def unusable(served: Served) -> str:
    """One line when older CRDs lack fields that the operator can do without; else empty."""
    lacking = [
        f"{kind.crd_name} {path}"
        for kind in KINDS
        if kind.name in served.schemas
        for path, needed in _lacking(object_schema(kind), served.schemas[kind.name])
        if not needed
    ]
    if not lacking:
        return ""
    return f"the cluster's CRDs are older than this operator, so nobody can set {_list(lacking)}. {_MEND}."


def _faults(kind: Kind, served: Served) -> Iterator[str]:
    """What makes a CRD one that the operator can't work with."""
    resource, schema = served.resources.get(kind.plural), served.schemas.get(kind.name)
    if resource is None:
        yield "is missing"
    elif resource.get("kind") != kind.name or schema is None:
        yield f"is not of kind {kind.name}"
    elif resource.get("namespaced") is kind.cluster_scoped:
        yield f"is {'namespaced' if kind.cluster_scoped else 'cluster-scoped'}"
    elif f"{kind.plural}/status" not in served.resources:
        yield "has no status subresource"
    else:
        wanted = object_schema(kind)
        yield from (f"has no {path}" for path, needed in _lacking(wanted, schema) if needed)
        yield from (f"has another type of {path}" for path in _retyped(_of(wanted), _of(schema)))


def _lacking(wanted: Json, found: Json) -> Iterator[tuple[str, bool]]:
    """The fields of the operator's schema that the served one lacks, each with whether the operator needs it.

    It needs all of a status, where it must find again what it wrote, and what is required of a spec. Any other field of a spec that nobody can set does no harm.
    """
    for path, required in _missing(_of(wanted), _of(found)):
        yield path, required or path.partition(".")[0] == "status"


def _of(schema: Json) -> Json:
    """The parts of an object that are ours: its metadata is Kubernetes' own."""
    return schema | {
        "properties": {k: v for k, v in (schema.get("properties") or {}).items() if k in ("spec", "status")}
    }


def _missing(wanted: Json, found: Json, path: str = "") -> Iterator[tuple[str, bool]]:
    """The fields that are not in `found`, the outermost of each branch, with whether `wanted` requires them."""
    properties = found.get("properties") or {}
    for name in wanted.get("properties") or ():
        if name not in properties:
            yield _join(path, name), name in (wanted.get("required") or ())
    for inner, mine, theirs in _children(wanted, found, path):
        yield from _missing(mine, theirs, inner)


def _retyped(wanted: Json, found: Json, path: str = "") -> Iterator[str]:
    """The fields that both have, and whose types differ; the outermost of each branch."""
    for inner, mine, theirs in _children(wanted, found, path):
        if mine.get("type") != theirs.get("type"):
            yield inner
        else:
            yield from _retyped(mine, theirs, inner)


def _children(wanted: Json, found: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    """The schemas below two schemas that both have: of fields, of a list's items, of a map's values."""
    properties = found.get("properties") or {}
    for name, child in (wanted.get("properties") or {}).items():
        if name in properties:
            yield _join(path, name), child, properties[name]
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(wanted.get(key), dict) and isinstance(found.get(key), dict):
            yield path + suffix, wanted[key], found[key]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _list(parts: list[str]) -> str:
    more = len(parts) - _SAID_AT_MOST
    return ", ".join(parts[:_SAID_AT_MOST]) + (f", and {more} more" if more > 0 else "")
