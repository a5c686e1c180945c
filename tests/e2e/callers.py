"""Calls through the gateway all the time, each answer judged by what the statuses promised while the call was under way.

Invariants: no call is left out of the judgement; an answer that does not come is a wrong one. What this module deliberately does not do: say what is promised
(`promises`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from localenv.cluster import Answer, Cluster, Json
from tests.e2e.promises import PATH, Allowed, Line, Said, Seen, said

LAG_SECONDS = 1.0
"""How long the gateway's data plane may follow its configuration, which is what a status tells: what was promised that long ago is still right."""
THREADS = 3
CALLS_PER_SECOND = 45.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that no status allowed; `at` is in seconds since the calls began."""

    line: Line
    said: Said
    allowed: Allowed
    at: float
    why: str = ""


class Board:
    """What is promised, by when it was, and every answer that was not right. All methods are for any thread."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.wrong: list[Wrong] = []
        self.judged: Counter[Allowed] = Counter()
        self.longest_pause = 0.0
        self.began = self._last = time.monotonic()
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
            self.judged[allowed] += 1
            self.longest_pause, self._last = max(self.longest_pause, now - self._last), now
            if say not in allowed:
                self.wrong.append(Wrong(line, say, allowed, now - self.began, why))

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
    """Threads that call one line after the other through the gateway's Service, as long as they are not stopped."""

    cluster: Cluster
    board: Board
    _threads: list[threading.Thread] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _turn: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Callers:
        """Begin."""
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; the calls that are under way are waited for."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _next(self) -> Line | None:
        with self._lock:
            lines = self.board.lines()
            self._turn += 1
            return lines[self._turn % len(lines)] if lines else None

    def _run(self) -> None:
        while not self._ended.wait(THREADS / CALLS_PER_SECOND):
            line = self._next()
            if line is not None:
                call(self.board, line, lambda line=line: self.cluster.fetch(line.api, line.key, PATH))  # type: ignore[misc]


def call(board: Board, line: Line, fetch: Callable[[], Answer]) -> None:
    """One call, judged."""
    board.promised(line)
    sent = time.monotonic()
    try:
        answer = fetch()
    except OSError as error:
        board.judge(line, Said.FAULT, sent=sent, why=f"no answer: {error}")
    else:
        board.judge(line, said(answer), sent=sent, why=f"HTTP {answer.status}")
