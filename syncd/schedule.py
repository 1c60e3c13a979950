"""When bells ring: intervals on the monotonic clock, cron lines by comparing the wall clock with its last reading.

Nothing here looks at how many moments were missed: after a suspended host, a stopped process or a stepped clock
each bell rings once, and a clock that was set back is followed from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

LOOK = 1.0  # real seconds between two looks at the wall clock


class Line(Protocol):
    """A cron line, see `config.CronLine`."""

    def next_after(self, now: float) -> float | None:
        """Its first moment after `now`, both in UTC seconds, or None where there is none."""


class CronBell:
    """Says whether a moment of a cron line has come since the last look."""

    def __init__(self, line: Line, now: float) -> None:
        self._line = line
        self._seen, self._next = now, line.next_after(now)

    def rings(self, now: float) -> bool:
        """Once, however many moments were passed; counts anew from `now` where the clock was set back."""
        set_back, self._seen = now < self._seen, now
        due = not set_back and self._next is not None and now >= self._next
        if set_back or due:
            self._next = self._line.next_after(now)
        return due


class Schedule:
    """Rings bells in the running event loop, until stopped. `wall`: the clock that cron lines are about."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._cron: list[tuple[CronBell, Callable[[], object]]] = []

    def every(self, seconds: float, ring: Callable[[], object]) -> None:
        """Ring every so many real seconds, for the first time after as many."""
        number = len(self._timers)
        loop = asyncio.get_running_loop()

        def again(due: float) -> None:
            ring()
            arm(max(due + seconds, loop.time()))  # what was missed is not made up for

        def arm(due: float) -> None:
            self._timers[number] = loop.call_at(due, again, due)

        arm(loop.time() + seconds)

    def cron(self, line: Line, ring: Callable[[], object]) -> None:
        """Ring when the wall clock passes a moment of the line."""
        if not self._cron:
            self.every(LOOK, self._look)
        self._cron.append((CronBell(line, self._wall()), ring))

    def stop(self) -> None:
        """No bell any more."""
        for timer in self._timers.values():
            timer.cancel()

    def _look(self) -> None:
        now = self._wall()
        for bell, ring in self._cron:
            if bell.rings(now):
                ring()
