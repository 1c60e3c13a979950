"""Calls to the outside, as they are watched: how long each took, how it ended, and a span each where traces are wanted.

A connector does nothing for it. The two places where calls are made (`http`, `sdk_http`) use `Outside`; who calls a
connector sets `WATCH`. A call that nobody watches costs a look at a context variable.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
MOST_ROUTES = 40  # of one connection: what comes later is counted as `other`
FAILED = frozenset({"unreachable", "timeout", "broken", "5xx"})  # outcomes by which a vendor seems to be down

_SEGMENT = re.compile(r"v\d+(?:\.\d+)?|\d{4}-\d\d|[A-Za-z][A-Za-z_-]{0,39}")  # versions and words; all else is an id


class Span(Protocol):
    """What became of a call, for its trace."""

    def end(self, outcome: str) -> None:
        """Called once."""


class Tracer(Protocol):
    """Where spans go. None of what it is told is personal."""

    def call(self, connection: str, method: str, route: str) -> Span:
        """A call to the outside begins."""

    def unit(self, name: str, of: str, facts: Mapping[str, object]) -> AbstractContextManager[None]:
        """A unit of work; its facts are told when it ends."""

    def close(self) -> None:
        """What is left is sent."""


@dataclass(slots=True)
class Timing:
    """Calls of one method and route: how many took at most so many seconds (`BUCKETS`, then all the others)."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0


@dataclass(slots=True)
class Health:
    """How a connection's calls have gone lately. Moments are monotonic seconds."""

    answered_at: float | None = None
    failing_since: float | None = None
    failures: int = 0  # in a row
    why: str = ""  # the outcome of the last one


@dataclass(slots=True)
class Calls:
    """All calls of this process, by connection, method and route. Threads may share it."""

    tracer: Tracer | None = None
    timings: dict[tuple[str, str, str], Timing] = field(default_factory=dict)
    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    health: dict[str, Health] = field(default_factory=dict)
    _routes: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, connection: str, method: str, route: str, outcome: str, seconds: float) -> None:
        """One call has ended."""
        with self._lock:
            key = self._key(connection, method, route)
            timing = self.timings[key]
            timing.counts[bisect_left(BUCKETS, seconds)] += 1
            timing.seconds += seconds
            self.outcomes[*key, outcome] += 1
            _note(self.health.setdefault(connection, Health()), outcome, time.monotonic())

    def snapshot(self) -> tuple[dict[tuple[str, str, str], Timing], dict[tuple[str, str, str, str], int]]:
        """A copy that nobody changes."""
        with self._lock:
            timings = {key: Timing(list(one.counts), one.seconds) for key, one in self.timings.items()}
            return timings, dict(self.outcomes)

    def _key(self, connection: str, method: str, route: str) -> tuple[str, str, str]:
        key = (connection, method, route)
        if key in self.timings:
            return key
        if self._routes[connection] >= MOST_ROUTES:
            key = (connection, method, "other")
        self._routes[connection] += 1
        self.timings.setdefault(key, Timing())
        return key


def _note(health: Health, outcome: str, now: float) -> None:
    if outcome not in FAILED:
        health.answered_at, health.failing_since, health.failures, health.why = now, None, 0, ""
        return
    health.failing_since = now if health.failing_since is None else health.failing_since
    health.failures += 1
    health.why = outcome


WATCH: ContextVar[tuple[Calls, str] | None] = ContextVar("watch", default=None)  # who watches, and for which connection


@contextmanager
def watching(calls: Calls, connection: str) -> Iterator[None]:
    """What is called within is noted as this connection's."""
    token = WATCH.set((calls, connection))
    try:
        yield
    finally:
        WATCH.reset(token)


def route_of(path: str) -> str:
    """A path without its query, its ids replaced, so that there are few of them and none is personal."""
    path = path.partition("?")[0]
    return "/".join(part if not part or _SEGMENT.fullmatch(part) else "{id}" for part in path.split("/"))[:120]


class Outside:
    """Around one call: `with Outside(method, path) as call: …; call.answered(status)`."""

    __slots__ = ("_begun", "_method", "_outcome", "_path", "_span", "_watch")

    def __init__(self, method: str, path: str) -> None:
        self._method, self._path = method, path
        self._watch = WATCH.get()
        self._outcome = ""
        self._span: Span | None = None

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        if self._watch is not None and self._watch[0].tracer is not None:
            calls, connection = self._watch
            self._span = calls.tracer.call(connection, self._method, route_of(self._path))  # type: ignore[union-attr]
        return self

    def answered(self, status: int) -> None:
        """The whole answer has come."""
        self._outcome = "429" if status == 429 else f"{status // 100}xx"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is None:
            return
        outcome = self._outcome if error is None else _outcome_of(error)
        calls, connection = self._watch
        if outcome != "cancelled":
            calls.note(connection, self._method, route_of(self._path), outcome, time.monotonic() - self._begun)
        if self._span is not None:
            self._span.end(outcome)


def _outcome_of(error: BaseException) -> str:
    """By the names that urllib3 and httpx give their errors: none of them is imported for this."""
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    if "Cancelled" in names:
        return "cancelled"
    if any(one in names for one in ("ConnectTimeout", "ConnectError", "NewConnection", "ProxyError")):
        return "unreachable"
    return "timeout" if "Timeout" in names else "broken"
