"""What stock dashboards for operators read: reconciliations, the work queue and the calls of the API server, under controller-runtime's names.

Names, labels, result words and buckets are controller-runtime's and client-go's (`pkg/internal/controller/metrics`, `pkg/metrics/workqueue.go`,
`component-base/metrics/prometheus/restclient`). There is one queue for all kinds, so its `name` is `clients` whatever kind a key has.

What this module deliberately does not do: `controller_runtime_terminal_reconcile_errors_total` and `..._reconcile_timeouts_total`, because no error here is given
up and no pass has a time limit of its own; a series that is always 0 would say that somebody looks.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from registrar.metrics.families import Bound, Families

CONTROLLERS = ("Client", "Policy", "APIGrant", "RuntimeGateway")
RESULTS = ("success", "error", "requeue", "requeue_after")
QUEUE = "clients"
NO_ANSWER = "<error>"
"""The code of a call that got no answer; client-go's word for it."""
_PASS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
                 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60)  # fmt: skip
_QUEUE_BUCKETS = tuple(10.0**power for power in range(-8, 4))
_CALL_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 45.0, 60.0)


class ReconcileMetrics:
    """The passes of the workers, by controller."""

    def __init__(self, families: Families) -> None:
        """Declare them, with a series for every controller and result from the start, so that the first error is an increase."""
        self._results = Bound(families.counter(
            "controller_runtime_reconcile_total", "Passes over one object, by result.", "controller", "result"
        ))  # fmt: skip
        self._errors = Bound(families.counter(
            "controller_runtime_reconcile_errors_total", "Passes that ended with an error.", "controller"
        ))  # fmt: skip
        self._panics = Bound(families.counter(
            "controller_runtime_reconcile_panics_total", "Passes that ended with an error that nobody expected: a bug.", "controller"
        ))  # fmt: skip
        self._seconds = Bound(families.histogram(
            "controller_runtime_reconcile_time_seconds", "Time of one pass.", "controller", buckets=_PASS_BUCKETS
        ))  # fmt: skip
        self._active = Bound(families.gauge(
            "controller_runtime_active_workers", "Workers that are at a pass now.", "controller"
        ))  # fmt: skip
        self._most = Bound(families.gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers that there are; all controllers share them.", "controller"
        ))  # fmt: skip
        for controller in CONTROLLERS:
            for result in RESULTS:
                self._results(controller, result)
            for bound in (self._errors, self._panics, self._seconds, self._active, self._most):
                bound(controller)

    def workers(self, count: int) -> None:
        """How many workers there are."""
        for controller in CONTROLLERS:
            self._most(controller).set(count)

    def working(self, controller: str) -> AbstractContextManager[None]:
        """Around one pass: a worker is busy with it."""
        return self._active(controller).track_inprogress()

    def reconciled(self, controller: str, result: str, *, seconds: float) -> None:
        """One pass over one object ended; `result` is success, error, requeue or requeue_after."""
        self._results(controller, result).inc()
        self._seconds(controller).observe(seconds)
        if result == "error":
            self._errors(controller).inc()

    def panic(self, controller: str) -> None:
        """A pass ended with an error that nobody expected."""
        self._panics(controller).inc()


class QueueMetrics:
    """The work queue's counters; the queue itself tells them, and is asked for the gauges when the metrics are read."""

    def __init__(self, families: Families) -> None:
        """Declare them."""
        self.depth = families.gauge("workqueue_depth", "Keys that wait for a worker.", "name").labels(QUEUE)
        self.oldest = families.gauge(
            "workqueue_oldest_seconds", "Age of the oldest key that waits for a worker; 0 where no worker runs.", "name"
        ).labels(QUEUE)
        self.unfinished = families.gauge(
            "workqueue_unfinished_work_seconds", "Seconds of work that is under way, over all workers.", "name"
        ).labels(QUEUE)
        self.longest = families.gauge(
            "workqueue_longest_running_processor_seconds",
            "Seconds for which the longest pass under way has run.",
            "name",
        ).labels(QUEUE)
        self._adds = families.counter("workqueue_adds_total", "Keys that were added.", "name").labels(QUEUE)
        self._retries = families.counter("workqueue_retries_total", "Keys that wait out a backoff.", "name").labels(
            QUEUE
        )
        self._waited = families.histogram(
            "workqueue_queue_duration_seconds", "Time that a key waited for a worker.", "name", buckets=_QUEUE_BUCKETS
        ).labels(QUEUE)
        self._worked = families.histogram(
            "workqueue_work_duration_seconds", "Time that a worker had a key.", "name", buckets=_QUEUE_BUCKETS
        ).labels(QUEUE)
        self.added = self._adds.inc
        self.retried = self._retries.inc
        self.waited = self._waited.observe
        self.worked = self._worked.observe


class ApiServerCalls:
    """The operator's own calls of the API server. Kopf's watch streams have a client of their own and are not among them."""

    def __init__(self, families: Families) -> None:
        """Declare them."""
        self._count = Bound(families.counter(
            "rest_client_requests_total", "Calls of the API server, by the code of the answer.", "code", "method", "host"
        ))  # fmt: skip
        self._seconds = Bound(families.histogram(
            "rest_client_request_duration_seconds", "Time until the API server had answered in full.", "verb", "host", buckets=_CALL_BUCKETS
        ))  # fmt: skip

    def answered(self, method: str, host: str, code: str, *, seconds: float) -> None:
        """One call ended; `code` is the HTTP code, or `NO_ANSWER`."""
        self._count(code, method, host).inc()
        self._seconds(method, host).observe(seconds)
