"""When bells ring: intervals on the monotonic clock, cron lines by comparing the wall clock with its last reading.

APScheduler rings what has a schedule of its own. It takes its time from the wall clock: once that was set, each of its
jobs is begun anew, or it would wait for a clock that was set back to catch up. What the stages look for every second or
so are plain timers of the event loop, at a tenth of the cost.

Where several workers share a database, beats for all of them are rung by procrastinate, in one of them at a time.

Nothing here looks at how many moments were missed: after a suspended host, a stopped process or a stepped clock
each bell rings once, and a clock that was set back is followed from there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import structlog

from syncd.ledger.place import Url

if TYPE_CHECKING:
    from .intervals import Intervals

log = structlog.get_logger("syncd.daemon")

LOOK = 1.0  # real seconds between two looks at the wall clock
STEP = 2.0  # seconds by which it must have deviated between them to have been set


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
        self._intervals: Intervals | None = None
        self._looking = False
        self._beating: asyncio.Task[None] | None = None
        self._offset = 0.0  # the host's wall clock less the monotonic one

    def every(self, seconds: float, ring: Callable[[], object]) -> None:
        """Ring every so many real seconds, for the first time after as many."""
        from .intervals import Intervals  # noqa: PLC0415 - after callbacks are taken

        self._look_at_clocks()
        self._intervals = self._intervals or Intervals()
        self._intervals.add(seconds, ring)

    def cron(self, line: Line, ring: Callable[[], object]) -> None:
        """Ring when the wall clock passes a moment of the line."""
        self._look_at_clocks()
        self._cron.append((CronBell(line, self._wall()), ring))

    def tick(self, seconds: float, ring: Callable[[], object]) -> None:
        """As `every`, for what rings every second or so."""
        number = len(self._timers)
        loop = asyncio.get_running_loop()

        def again(due: float) -> None:
            ring()
            arm(max(due + seconds, loop.time()))  # what was missed is not made up for

        def arm(due: float) -> None:
            self._timers[number] = loop.call_at(due, again, due)

        arm(loop.time() + seconds)

    def now_and_then(self, seconds: float, ring: Callable[[], object]) -> None:
        """Ring at least every so many real seconds, not at the same moment as other processes."""
        loop, number = asyncio.get_running_loop(), len(self._timers)

        def arm() -> None:
            self._timers[number] = loop.call_later(seconds * random.uniform(0.75, 1.0), again)  # noqa: S311 - jitter

        def again() -> None:
            ring()
            arm()

        arm()

    def beats(self, place: Url, seconds: int, ring: Callable[[], object]) -> None:
        """Ring every so many real seconds in one of the processes that work with a database."""

        async def run() -> None:
            try:
                module = await asyncio.to_thread(import_module, "syncd.shared_bells")  # half a second
            except ImportError as error:
                log.warning("shared_bells_missing", why=str(error), cure='pip install "syncd[postgres]"')
            else:
                await module.ring(place, seconds, ring)

        self._beating = asyncio.create_task(run(), name="shared bells")

    def stop(self) -> None:
        """No bell any more."""
        if self._beating is not None:
            self._beating.cancel()
        for timer in self._timers.values():
            timer.cancel()
        if self._intervals is not None:
            self._intervals.stop()

    def _look_at_clocks(self) -> None:
        if not self._looking:
            self._looking = True
            self._offset = time.time() - time.monotonic()
            self.tick(LOOK, self._look)

    def _look(self) -> None:
        offset = time.time() - time.monotonic()
        if self._intervals is not None and abs(offset - self._offset) > STEP:
            self._intervals.begin_anew()
        self._offset = offset
        now = self._wall()
        for bell, ring in self._cron:
            if bell.rings(now):
                ring()
