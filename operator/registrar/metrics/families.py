"""A registry that knows what is in it: each family's name as it is exposed, its type, its labels and what it says.

Invariants: a family is declared once; a child is looked up by its label values without the library's own lookup, which takes twice as long and
would be on the way of every call. What this module deliberately does not do: name any metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

M = TypeVar("M", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Family:
    """One family as it is exposed: a counter's name ends with `_total`; a histogram's has `_bucket`, `_sum` and `_count`."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]


class Bound(Generic[M]):
    """The children of one family, by their label values."""

    __slots__ = ("_children", "_family")

    def __init__(self, family: M) -> None:
        """`family` has at least one label."""
        self._family: M = family
        self._children: dict[tuple[str, ...], M] = {}

    def __call__(self, *values: str) -> M:
        """The child with these values, in the order of the labels; made when it is first asked for."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._family.labels(*values)
        return child


class Families:
    """The registry of one operator, and the list of what is in it."""

    def __init__(self) -> None:
        """Start empty."""
        # One `_created` series beside each counter would double their number, and no dashboard reads them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.rows: list[Family] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter; `name` ends with `_total`."""
        self.rows.append(Family(name, "counter", text, labels))
        return Counter(name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge."""
        self.rows.append(Family(name, "gauge", text, labels))
        return Gauge(name, text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        """A histogram; `buckets` are upper bounds, without the infinite one."""
        self.rows.append(Family(name, "histogram", text, labels))
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def gauges(
        self, declared: Iterable[Family], read: Callable[[], Iterable[tuple[str, Sequence[str], float]]]
    ) -> None:
        """Gauges whose values `read` gives when the metrics are read: a name, label values and a value each; a series that it leaves out is gone."""
        rows = list(declared)
        self.rows += rows
        self.registry.register(_Read(rows, read))


class _Read(Collector):
    """Gauges that are made anew for each reading."""

    def __init__(self, rows: list[Family], read: Callable[[], Iterable[tuple[str, Sequence[str], float]]]) -> None:
        self._rows = rows
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(row.name, row.help, labels=row.labels) for row in self._rows]

    def collect(self) -> Iterable[Metric]:
        families = {row.name: GaugeMetricFamily(row.name, row.help, labels=row.labels) for row in self._rows}
        for name, values, value in self._read():
            families[name].add_metric(values, value)
        return families.values()
