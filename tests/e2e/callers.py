"""Calls through the gateway all the time, each answer judged by what the statuses promised while the call was under way.

Invariants: no call is left out of the judgement; an answer that does not come is a wrong one. What this module deliberately does not do: say what is promised
(`promises`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from itertools import count

from localenv.cluster import Answer, Cluster, Json
from tests.e2e.promises import PATH, Allowed, Line, Said, Seen, said

LAG_SECONDS = 1.0
"""How long the gateway's data plane may follow its configuration, which is what a status tells: what was promised that long ago is still right."""
THREADS = 3
CALLS_PER_SECOND = 45.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that no status allowed; `at` is in seconds since its `Judged` began."""

    line: Line
    said: Said
    allowed: Allowed
    at: float
    why: str = ""


@dataclass(slots=True)
class Judged:
    """The answers of some time: those that were wrong, how many there were for each promise, and for how many seconds at most none came."""

    wrong: list[Wrong] = field(default_factory=list)
    by_promise: Counter[Allowed] = field(default_factory=Counter)
    longest_pause: float = 0.0
    began: float = field(default_factory=time.monotonic)


class Board:
    """What is promised, by when it was, and how the answers were. All methods are for any thread."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.judged = Judged()
        self._last = time.monotonic()
        self._promised: defaultdict[Line, list[tuple[float, Allowed]]] = defaultdict(list)
        self._lock = threading.RLock()

    def update(self, kind: str, found: Json, gone: bool) -> None:
        """Take in an object as the watch tells it."""
        with self._lock:
            self.seen.update(kind, found, gone=gone)
            for line in self.seen.lines():
                self._promise(line)

    def asked(self, client: str, verb: str, token: str) -> None:
        """An action will be asked for now: from here on its effect may show."""
        with self._lock:
            self.seen.tokens[client][verb] = token
            self._promise_all(client)

    def deleted(self, client: str, contract: str) -> None:
        """A Contract will be deleted now."""
        with self._lock:
            self.seen.deletions.add(contract)
            self._promise_all(client)

    def client(self, name: str) -> Json:
        """A Client as the watch told it last; empty when there is none."""
        with self._lock:
            return self.seen.clients.get(name, {})

    def contract(self, name: str) -> Json:
        """The same for a Contract."""
        with self._lock:
            return self.seen.contracts.get(name, {})

    def overlaps(self, client: str) -> bool:
        """Whether the Client's Secret holds a former key beside the current one."""
        with self._lock:
            secret = self.seen.secrets.get(f"{client}-api-key", {})
            return "previousApiKey" in (secret.get("data") or {})

    def lines(self) -> list[Line]:
        """Everything that can be called, or could be once."""
        with self._lock:
            return list(self.seen.lines())

    def promised(self, line: Line) -> Allowed:
        """What is promised at this moment."""
        with self._lock:
            return self._promise(line)

    def judge(self, line: Line, say: Said, *, sent: float, why: str = "") -> None:
        """Count the answer, and keep it when it was wrong at every moment since `sent` (monotonic), less the gateway's lag."""
        with self._lock:
            now = time.monotonic()
            self._promise(line)
            rows = self._promised[line]
            since = sent - LAG_SECONDS
            first = max((number for number, (at, _) in enumerate(rows) if at <= since), default=0)
            allowed = frozenset[Said]().union(*(row for _, row in rows[first:]))
            judged = self.judged
            judged.by_promise[allowed] += 1
            judged.longest_pause, self._last = max(judged.longest_pause, now - self._last), now
            if say not in allowed:
                judged.wrong.append(Wrong(line, say, allowed, now - judged.began, why))

    def take(self) -> Judged:
        """The answers since the last time that they were taken."""
        with self._lock:
            judged, self.judged = self.judged, Judged()
            self._last = time.monotonic()
            return judged

    def _promise_all(self, client: str) -> None:
        for line in self.seen.lines():
            if line.client == client:
                self._promise(line)

    def _promise(self, line: Line) -> Allowed:
        allowed = self.seen.allowed(line, now=time.time())
        rows = self._promised[line]
        if not rows or rows[-1][1] != allowed:
            rows.append((time.monotonic(), allowed))
        return allowed


@dataclass(slots=True)
class Callers:
    """Threads that call one line after the other through the gateway's Service, within a context."""

    cluster: Cluster
    board: Board
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))
    _running: list[Future[None]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _turn: count[int] = field(default_factory=count)

    def __enter__(self) -> Callers:
        """Begin."""
        self._running = [self._pool.submit(self._run) for _ in range(THREADS)]
        return self

    def __exit__(self, *_: object) -> None:
        """End; the calls that are under way are waited for, and what stopped a thread is raised."""
        self._ended.set()
        self._pool.shutdown()
        for running in self._running:
            running.result()

    def _run(self) -> None:
        while not self._ended.wait(THREADS / CALLS_PER_SECOND):
            lines = self.board.lines()
            if lines:
                line = lines[next(self._turn) % len(lines)]
                call(self.board, line, partial(self.cluster.fetch, line.api, line.key, PATH))


def call(board: Board, line: Line, fetch: Callable[[], Answer]) -> None:
    """One call, judged."""
    board.promised(line)
    sent = time.monotonic()
    try:
        answer = fetch()
    except (OSError, HTTPException) as error:
        board.judge(line, Said.FAULT, sent=sent, why=f"no answer: {error!r}")
    else:
        board.judge(line, said(answer), sent=sent, why=f"HTTP {answer.status}")
