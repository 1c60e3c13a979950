"""Keeping within a vendor's rate limits, from data: windows of so many calls in so many seconds.

A `Pacer` belongs to one connection. It never sleeps while holding a promise to spend: dispatch asks
`ready_in()` first, and only writes its intent once a call may go out at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

A_LONG_WAIT = 600.0  # seconds
A_WHILE = 1.0  # seconds: who waits for a place looks up as often, to see whether the pacer was closed


class Clock(Protocol):
    """Time, given and never taken, so that tests, the demo and the simulation can bend it."""

    def now(self) -> float:
        """UTC seconds since 1970, as the wall clock has it."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Wait so many of this clock's seconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` calls in `seconds`. `fixed`: counted per calendar window (a clock minute),
    otherwise over any such span."""

    seconds: float
    limit: int
    fixed: bool = False


def _narrowed(window: Window, spare: float) -> Window:
    """Less what is to be left over, of a window in which waiting for a place would take long."""
    if not spare or window.seconds <= A_LONG_WAIT:
        return window
    return replace(window, limit=max(1, window.limit - math.ceil(window.limit * spare)))


class Pacer:
    """Counts calls against every window at once. Not thread-safe: use it from the event loop."""

    def __init__(self, windows: Sequence[Window], clock: Clock) -> None:
        self._clock = clock
        self._windows = tuple(windows)
        self._calls: list[float] = []  # ascending
        self._blocked_until = 0.0
        self._closed = False

    @property
    def windows(self) -> tuple[Window, ...]:
        return self._windows

    @property
    def longest(self) -> float:
        """Seconds of history that the windows look back on."""
        return max((w.seconds for w in self._windows), default=0.0)

    def learn(self, windows: Sequence[Window]) -> None:
        """Replace the limits by those that the vendor told."""
        self._windows = tuple(windows)

    def seed(self, calls: Iterable[float]) -> None:
        """Take over calls made before a restart, as UTC seconds."""
        self._calls = sorted([*self._calls, *calls])

    def block(self, seconds: float) -> None:
        """No call for so long, whatever the windows say."""
        self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)

    def ready_in(self, spare: float = 0.0) -> float:
        """Seconds until one call may go out; 0.0 means now. `spare`: the part of the limits over more than ten minutes
        that is left for others."""
        if self._closed:
            return math.inf
        now = self._clock.now()
        del self._calls[: bisect_right(self._calls, now - self.longest)]
        if self._calls and self._calls[-1] > now:  # the clock was set back
            self._calls = [min(call, now) for call in self._calls]
        blocked = self._blocked_until - self._clock.monotonic()
        return max([0.0, blocked, *(self._wait(_narrowed(w, spare), now) for w in self._windows)])

    def limits(self, spare: float = 0.0) -> tuple[Window, ...]:
        """The windows as `ready_in` looks at them."""
        return tuple(_narrowed(window, spare) for window in self._windows)

    def left(self, window: Window) -> int:
        """How many more calls a window allows now."""
        now = self._clock.now()
        first = math.floor(now / window.seconds) * window.seconds if window.fixed else now - window.seconds
        look = bisect_left if window.fixed else bisect_right
        return max(0, window.limit - (len(self._calls) - look(self._calls, first)))

    def take(self) -> None:
        """Record a call that goes out now."""
        self._calls.append(self._clock.now())

    def close(self) -> None:
        """No call any more: whoever waits for a place is told that there will be none."""
        self._closed = True

    def open(self) -> None:
        """Calls may go out again, as the windows say."""
        self._closed = False

    async def acquire(self) -> bool:
        """Wait for a place and take it; False when there will be none, because the pacer was closed."""
        while (wait := self.ready_in()) > 0:
            if self._closed:
                return False
            await self._clock.sleep(min(wait, A_WHILE))
        self.take()
        return True

    def _wait(self, window: Window, now: float) -> float:
        if window.limit <= 0:
            return window.seconds
        if window.fixed:
            start = math.floor(now / window.seconds) * window.seconds
            used = len(self._calls) - bisect_left(self._calls, start)
            return 0.0 if used < window.limit else start + window.seconds - now
        used = len(self._calls) - bisect_right(self._calls, now - window.seconds)
        return 0.0 if used < window.limit else self._calls[-window.limit] + window.seconds - now
