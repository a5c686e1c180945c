"""Objects as the API server tells of them, as soon as it does: one watch stream for each kind, by the library of the Kubernetes project.

Invariant: a stream that ends before it is told to fails the test in `__exit__`; what it would have told is not made up for.
What this module deliberately does not do: keep what it is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from localenv.cluster import API, Json
from localenv.errors import LocalEnvError

Told = Callable[[Json, bool], None]
"""Takes an object, and whether it is gone."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource in a namespace: `group` is empty for those of the core."""

    plural: str
    group: str = ""
    version: str = "v1"


CLIENTS, CONTRACTS = (Kind(plural, *API.split("/")) for plural in ("clients", "contracts"))
SECRETS, PODS = Kind("secret"), Kind("pod")
LEASES = Kind("leases", "coordination.k8s.io")


@dataclass(slots=True)
class Watching:
    """Streams of one namespace, each with whom it tells; a context in which they run."""

    kubeconfig: Path
    namespace: str
    kinds: dict[Kind, Told]
    _watches: list[Any] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _errors: list[Exception] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watching:
        """Open the streams."""
        for kind, told in self.kinds.items():
            stream = watch.Watch()  # type: ignore[no-untyped-call]
            self._watches.append(stream)
            # Here and not in the thread: the library copies certificates into files, and forgets those that two threads have made at once.
            events = stream.stream(*self._list(kind))  # type: ignore[no-untyped-call]
            self._threads.append(threading.Thread(target=self._run, args=(events, kind, told), daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close them; raises LocalEnvError when one has ended by itself."""
        self._ending.set()
        for stream, thread in zip(self._watches, self._threads, strict=True):
            stream.stop()
            thread.join(timeout=10)
        if self._errors:
            raise LocalEnvError(f"A watch of {self.namespace} ended: {self._errors[0]!r}") from self._errors[0]

    def _run(self, events: Iterator[Any], kind: Kind, told: Told) -> None:
        try:
            for event in events:
                told(event["raw_object"], event["type"] == "DELETED")
        except Exception as error:
            if not self._ending.is_set():
                self._errors.append(error)
            return
        if not self._ending.is_set():
            self._errors.append(RuntimeError(f"the stream of {kind.plural} ended"))

    def _list(self, kind: Kind) -> tuple[Any, ...]:
        """A function of the library that lists the kind, and its arguments."""
        api = config.new_client_from_config(config_file=str(self.kubeconfig))  # type: ignore[no-untyped-call]
        if kind.group:
            custom = client.CustomObjectsApi(api)
            return (custom.list_namespaced_custom_object, kind.group, kind.version, self.namespace, kind.plural)
        return (getattr(client.CoreV1Api(api), f"list_namespaced_{kind.plural}"), self.namespace)
