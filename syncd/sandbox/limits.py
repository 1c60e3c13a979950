"""Rate windows on the sandbox clock.

Here is only the counting: which answer a refused call gets is each vendor's to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from syncd.sandbox.clock import SandboxClock

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Windows(Protocol):
    """A budget of calls over one or more lengths of time."""

    def admit(self) -> bool:
        """Whether a call has room in every window now; only an admitted call is counted."""
        ...

    def wait(self) -> float:
        """Seconds of the sandbox clock until a call would be admitted; 0 when one would be now."""
        ...


class CalendarWindows:
    """Fixed windows that begin anew at each full minute, hour, day of UTC; bursts inside one are welcome."""

    def __init__(self, clock: SandboxClock, limits: Mapping[float, int]) -> None:
        """`limits`: calls allowed per window, by the window's length in seconds."""
        self._clock = clock
        self._limits = dict(limits)
        self._used = dict.fromkeys(limits, (0, 0))  # which window, calls in it

    def admit(self) -> bool:
        """See Windows."""
        now = self._clock.now()
        if any(self._count(length, now) >= limit for length, limit in self._limits.items()):
            return False
        for length in self._limits:
            self._used[length] = (int(now // length), self._count(length, now) + 1)
        return True

    def wait(self) -> float:
        """See Windows."""
        now = self._clock.now()
        full = (length for length, limit in self._limits.items() if self._count(length, now) >= limit)
        return max((length - now % length for length in full), default=0.0)

    def _count(self, length: float, now: float) -> int:
        window, calls = self._used[length]
        return calls if window == int(now // length) else 0


class SlidingWindows:
    """Never more than so many calls in any stretch of the given length: the strictest reading of a limit."""

    def __init__(self, clock: SandboxClock, limits: Mapping[float, int]) -> None:
        """`limits`: calls allowed per stretch, by its length in seconds."""
        self._clock = clock
        self._limits = dict(limits)
        self._times: dict[float, deque[float]] = {length: deque() for length in limits}

    def admit(self) -> bool:
        """See Windows."""
        if self.wait() > 0:
            return False
        now = self._clock.now()
        for times in self._times.values():
            times.append(now)
        return True

    def wait(self) -> float:
        """See Windows."""
        now = self._clock.now()
        waits = [0.0]
        for length, times in self._times.items():
            while times and times[0] <= now - length:
                times.popleft()
            if len(times) >= self._limits[length]:
                waits.append(times[0] + length - now)
        return max(waits)
