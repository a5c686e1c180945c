"""The operator's metrics: controller-runtime's names, so that stock dashboards work, and our own.

`operator` has all of them, `controllers` and `gateways` the groups that other modules are handed alone, `families` the registry below.

Invariants: no label names an object (60,000 of them would be 60,000 series), a gateway's name alone is allowed; the registry belongs to one
`Metrics`, so two operators in one process do not mix. What this package deliberately does not do: serve them (see `engine.probes`), or look at
the operator: who counts something tells it, who knows something is asked when the metrics are read.
"""

from registrar.metrics.controllers import ApiServerCalls, QueueMetrics
from registrar.metrics.families import Families, Family
from registrar.metrics.gateways import GatewayCalls, GatewayFigures
from registrar.metrics.operator import Metrics

__all__ = ["ApiServerCalls", "Families", "Family", "GatewayCalls", "GatewayFigures", "Metrics", "QueueMetrics"]
