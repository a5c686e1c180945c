"""Reads a custom resource state configuration in the way in which kube-state-metrics does: `pkg/customresourcestate` of kubernetes/kube-state-metrics.

The models are its configuration types, where a field that it does not know is refused (it ignores one, which is how a mistake goes unseen). `scrape` follows
`registry_factory.go`: the path, then the values under it, then the labels.

Invariants: what it would log as an error is raised as ValueError here. What this module deliberately does not do: `*` labels and CEL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Path = list[str]
Labels = dict[str, str]
NAME = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
MetricName = Annotated[str, Field(pattern=NAME)]
LabelPaths = dict[MetricName, Path]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GaugeConfig(_Model):
    """One number, or one for each element of a list or a map."""

    path: Path
    valueFrom: Path = []
    labelsFromPath: LabelPaths = {}
    labelFromKey: str = ""
    nilIsZero: bool = False


class InfoConfig(_Model):
    """Always 1, with labels."""

    path: Path = []
    labelsFromPath: LabelPaths = {}
    labelFromKey: str = ""


class StateSetConfig(_Model):
    """One series for each state, of which one is 1."""

    path: Path
    valueFrom: Path = []
    labelsFromPath: LabelPaths = {}
    labelName: MetricName
    list: Annotated[list[str], Field(min_length=2)]


class Each(_Model):
    """The union: the member that its type names has to be there."""

    type: Literal["Gauge", "Info", "StateSet"]
    gauge: GaugeConfig | None = None
    info: InfoConfig | None = None
    stateSet: StateSetConfig | None = None


class Generator(_Model):
    """One metric."""

    name: MetricName
    help: Annotated[str, Field(min_length=1)]
    each: Each
    commonLabels: Labels = {}
    labelsFromPath: LabelPaths = {}


class GroupVersionKind(_Model):
    """What is looked at."""

    group: str
    version: str
    kind: str


class Resource(_Model):
    """The metrics of one kind."""

    groupVersionKind: GroupVersionKind
    resourcePlural: str = ""
    metricNamePrefix: MetricName
    commonLabels: Labels = {}
    labelsFromPath: LabelPaths = {}
    metrics: list[Generator]


class Spec(_Model):
    """All kinds."""

    resources: list[Resource]


class Configuration(_Model):
    """The whole file."""

    kind: Literal["CustomResourceStateMetrics"]
    spec: Spec


def scrape(resource: Resource, obj: Mapping[str, Any]) -> dict[str, float]:
    """Every series of one object, written as Prometheus writes it, labels sorted."""
    found: dict[str, float] = {}
    for metric in resource.metrics:
        base = _labels(obj, resource.labelsFromPath | metric.labelsFromPath)
        for labels, value in _values(metric.each, obj):
            pairs = ",".join(f'{key}="{text}"' for key, text in sorted({**base, **labels}.items()))
            series = f"{resource.metricNamePrefix}_{metric.name}{{{pairs}}}"
            if series in found:
                raise ValueError(f"the series {series} is there twice")
            found[series] = value
    return found


def get(path: Path, value: Any) -> Any:
    """What a path leads to; `[key=value]` picks an element of a list."""
    for part in path:
        if value is None:
            return None
        if part.startswith("["):
            key, _, wanted = part[1:-1].partition("=")
            rows = value if isinstance(value, list) else []
            value = next((row for row in rows if isinstance(row, Mapping) and row.get(key) == wanted), None)
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _values(each: Each, obj: Mapping[str, Any]) -> Iterator[tuple[Labels, float]]:
    match each:
        case Each(type="Gauge", gauge=GaugeConfig() as gauge):
            yield from _gauge(gauge, get(gauge.path, obj))
        case Each(type="Info", info=InfoConfig() as info):
            target = get(info.path, obj)
            for row in target if isinstance(target, list) else [target]:
                if labels := _labels(row, info.labelsFromPath):
                    yield labels, 1.0
        case Each(type="StateSet", stateSet=StateSetConfig() as states):
            state = get(states.valueFrom, get(states.path, obj))
            if isinstance(state, str):
                for entry in states.list:
                    yield {states.labelName: entry}, float(entry == state)
        case _:
            raise ValueError(f"expected each.{each.type} to not be nil")


def _gauge(gauge: GaugeConfig, target: Any) -> Iterator[tuple[Labels, float]]:
    rows: list[tuple[Labels, Any]] = [({}, target)]
    if isinstance(target, list):
        rows = [({}, row) for row in target]
    elif isinstance(target, Mapping):
        rows = [({gauge.labelFromKey: key} if gauge.labelFromKey else {}, row) for key, row in target.items()]
    for labels, row in rows:
        number = get(gauge.valueFrom, row)
        if number is not None:
            yield {**labels, **_labels(row, gauge.labelsFromPath)}, _number(number)


def _labels(obj: Any, paths: LabelPaths) -> Labels:
    found = {name: get(path, obj) for name, path in paths.items()}
    return {name: str(value) for name, value in found.items() if value is not None}


def _number(value: Any) -> float:
    """As `toFloat64`: a condition's status, a time, or a number."""
    if isinstance(value, str):
        words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0, "unknown": 0.0}
        if value.lower() in words:
            return words[value.lower()]
        if value[4:5] == "-":
            return datetime.fromisoformat(value).timestamp()
    if not isinstance(value, str | int | float):
        raise ValueError(f"expected number but was {value}")
    return float(value)
