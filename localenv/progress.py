"""Says that long work goes on.

What this module deliberately does not do: guess how far it is.
"""

from __future__ import annotations

import threading
import time

_SECONDS = 15.0


class progress:
    """Says that something long goes on, every few seconds, until it ends."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()

    def __enter__(self) -> None:
        print(f"{self._what} ...", flush=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        print(f"{self._what.split(' (')[0]}: {time.monotonic() - self._began:.0f} s", flush=True)

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            print(f"  still {self._what.split(' (')[0]}: {time.monotonic() - self._began:.0f} s", flush=True)
