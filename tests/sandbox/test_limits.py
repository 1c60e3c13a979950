"""Rate windows, on a clock that only moves when told to."""

from __future__ import annotations

import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.limits import DAY, HOUR, MINUTE, CalendarWindows, SlidingWindows


class StillClock(SandboxClock):
    """Stands still, except for skips."""

    def now(self) -> float:
        """Seconds skipped so far."""
        return self.skipped


def test_a_calendar_window_allows_a_burst_at_its_end_and_another_at_the_next_ones_start() -> None:
    clock = StillClock()
    windows = CalendarWindows(clock, {MINUTE: 3})
    clock.skip(59)
    assert [windows.admit() for _ in range(4)] == [True, True, True, False]
    assert windows.wait() == 1
    clock.skip(1)
    assert [windows.admit() for _ in range(4)] == [True, True, True, False]


def test_a_sliding_window_does_not() -> None:
    clock = StillClock()
    windows = SlidingWindows(clock, {MINUTE: 3})
    clock.skip(59)
    assert [windows.admit() for _ in range(4)] == [True, True, True, False]
    clock.skip(1)
    assert windows.wait() == 59
    clock.skip(59)
    assert windows.admit()


@pytest.mark.parametrize("kind", [CalendarWindows, SlidingWindows])
def test_the_hour_and_the_day_bind_too_and_a_refused_call_is_not_counted(
    kind: type[CalendarWindows] | type[SlidingWindows],
) -> None:
    clock = StillClock()
    windows = kind(clock, {MINUTE: 2, HOUR: 3, DAY: 5})
    assert [windows.admit() for _ in range(9)].count(True) == 2
    clock.skip(MINUTE)
    assert [windows.admit() for _ in range(9)].count(True) == 1
    assert windows.wait() == (HOUR - MINUTE)
    clock.skip(HOUR)
    assert [windows.admit() for _ in range(9)].count(True) == 2
    clock.skip(HOUR)
    assert not windows.admit()
    clock.skip(DAY)
    assert windows.admit()
