"""The time all emulated vendors share: it may run faster than the wall clock, and it may jump.

Limits, delays, histories and portal midnights are all counted on it. No vendor's rule lives here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time


class SandboxClock:
    """UTC seconds that pass `speed` times as fast as the wall's; safe to use from several threads."""

    def __init__(self, speed: float = 1.0, origin: float | None = None) -> None:
        """`origin`: the wall time (Unix seconds) from which on it runs at `speed`; default: now."""
        if speed <= 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self.speed = speed
        self.origin = time.time() if origin is None else origin
        self.skipped = 0.0
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def now(self) -> float:
        """Unix seconds, UTC, on this clock."""
        return self.origin + (time.time() - self.origin) * self.speed + self.skipped

    def skip(self, seconds: float) -> None:
        """Jump forward; whoever sleeps past the new time wakes at once."""
        if seconds < 0:
            raise ValueError(f"the clock only goes forward, not {seconds} s")
        self.skipped += seconds
        for loop, nudge in list(self._sleepers):
            with contextlib.suppress(RuntimeError):  # that loop has ended, and its sleeper with it
                loop.call_soon_threadsafe(nudge.set)

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` of this clock's time have passed."""
        deadline = self.now() + seconds
        while (left := deadline - self.now()) > 0:
            nudge = asyncio.Event()
            sleeper = (asyncio.get_running_loop(), nudge)
            self._sleepers.add(sleeper)
            try:
                # A skip between `left` and `add` would nudge nobody: look again before waiting.
                if deadline > self.now():
                    await asyncio.wait_for(nudge.wait(), left / self.speed)
            except TimeoutError:
                continue  # the deadline is here, unless the wall clock was set back meanwhile
            finally:
                self._sleepers.discard(sleeper)
