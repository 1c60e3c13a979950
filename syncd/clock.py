"""Time as the daemon has it: the host's own, or a sandbox's compressed one for rehearsals."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The host's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RehearsalClock:
    """`speed` seconds pass in one, since `origin` (UTC seconds); the sandbox keeps the same time.

    `skip` leaps over time in which nothing happens.
    """

    def __init__(self, speed: float, origin: float | None = None) -> None:
        self.speed = speed
        self.origin = time.time() if origin is None else origin
        self._skipped = 0.0
        self._leapt = asyncio.Event()

    def now(self) -> float:
        return self.origin + (time.time() - self.origin) * self.speed + self._skipped

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
