"""Kubernetes Events for people: recorded without waiting, sent in the background, dropped when there are too many.

Invariants: recording never blocks and never fails; the same Event on the same object is sent once per window; an Event that can't be sent
is counted and forgotten, because the status says the same. What this module deliberately does not do: hold anything that is not said elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from registrar.clock import Clock
from registrar.errors import KubeError
from registrar.kube.client import EVENTS, KubeClient
from registrar.metrics import Metrics
from registrar.seam import Site

log = logging.getLogger(__name__)

CONTROLLER = "gateway-registrar.dev/registrar"
API_VERSION = "gateway-registrar.dev/v1alpha1"
_NOTE = 1024
_WINDOW = 60.0
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    note: str
    warning: bool


class EventRecorder:
    """Takes Events from anywhere and sends them one after the other."""

    def __init__(
        self,
        client: KubeClient,
        *,
        clock: Clock,
        metrics: Metrics,
        instance: str,
        capacity: int = 1000,
        rate: float = 25.0,
    ) -> None:
        """`instance` names this process; at most `capacity` Events wait, at most `rate` are sent in a second."""
        self._client = client
        self._clock = clock
        self._metrics = metrics
        self._instance = instance
        self._interval = 1.0 / rate
        self._queue: asyncio.Queue[_Event] = asyncio.Queue(capacity)
        self._seen: OrderedDict[_Event, float] = OrderedDict()

    def record(
        self, *, kind: str, namespace: str, name: str, uid: str, reason: str, note: str, warning: bool = False
    ) -> None:
        """Have an Event sent about that object; the note is cut at 1 KiB."""
        event = _Event(kind, namespace, name, uid, str(reason), note[:_NOTE], warning)
        now = self._clock.monotonic()
        if now < self._seen.get(event, float("-inf")) + _WINDOW:
            return
        self._seen[event] = now
        self._seen.move_to_end(event)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._metrics.event_dropped()

    async def run(self) -> None:
        """Send what is recorded, until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._send(event)
            finally:
                self._queue.task_done()
            await asyncio.sleep(self._interval)

    async def flush(self, *, deadline: float) -> None:
        """Give what is still queued that many seconds to be sent; `run` must still be running."""
        with contextlib.suppress(TimeoutError):
            # What is not sent by then is lost, as promised.
            await asyncio.wait_for(self._queue.join(), timeout=deadline)

    async def _send(self, event: _Event) -> None:
        namespace = event.namespace or "default"
        body = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{event.name[:200]}.{uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": event.reason,
            "reason": event.reason,
            "note": event.note,
            "type": "Warning" if event.warning else "Normal",
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": event.kind,
                "namespace": event.namespace,
                "name": event.name,
                "uid": event.uid,
            },
        }
        try:
            await self._client.create(EVENTS, namespace=namespace, body=body, site=Site.EVENT_CREATE)
        except KubeError as error:
            self._metrics.event_dropped()
            log.debug("event %s of %s/%s was not sent: %s", event.reason, event.namespace, event.name, error)
