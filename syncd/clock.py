"""Time as the daemon has it: the host's own, or a sandbox's compressed one for rehearsals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """The host's clock. `wall`: another one in place of the host's own wall clock."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall

    def now(self) -> float:
        return self._wall()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RehearsalClock:
    """`speed` seconds pass in one, since `origin` (UTC seconds); the sandbox keeps the same time.

    `skip` leaps over time in which nothing happens. `wall`: as in `SystemClock`.
    """

    def __init__(self, speed: float, origin: float | None = None, wall: Callable[[], float] = time.time) -> None:
        self.speed, self._wall = speed, wall
        self.origin = wall() if origin is None else origin
        self._skipped = 0.0
        self._leapt = asyncio.Event()

    def now(self) -> float:
        return self.origin + (self._wall() - self.origin) * self.speed + self._skipped

    def monotonic(self) -> float:
        return time.monotonic() * self.speed + self._skipped

    async def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            leap = self._leapt
            try:
                async with asyncio.timeout(left / self.speed):
                    await leap.wait()
            except TimeoutError:
                return

    def skip(self, seconds: float) -> None:
        """Leap forward, waking those who sleep so that they look again."""
        self._skipped += seconds
        leapt, self._leapt = self._leapt, asyncio.Event()
        leapt.set()
