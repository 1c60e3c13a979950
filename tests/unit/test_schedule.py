"""When bells ring: whatever the wall clock does, each bell rings once and no moment is made up for."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from syncd.config import CronLine
from syncd.schedule import CronBell, Schedule

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
NOON = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC).timestamp()


def bell(line: str = "0 2 * * *", now: float = NOON) -> CronBell:
    return CronBell(CronLine(line), now)


def test_a_cron_bell_rings_once_when_its_moment_comes() -> None:
    one = bell("*/15 * * * *")
    rung = [second for second in range(3600) if one.rings(NOON + second)]
    assert rung == [870, 1770, 2670, 3570]


def test_the_very_moment_counts_once_and_not_again() -> None:
    one = bell("0 12 * * *", now=NOON - 31)
    assert [one.rings(NOON - 31 + second) for second in range(4)] == [False, True, False, False]


@pytest.mark.parametrize("leap", [10 * DAY, 400 * DAY, 4_000 * DAY])
@pytest.mark.parametrize("line", ["* * * * *", "0 2 * * *", "*/15 * * * *", "0 0 29 2 *"])
def test_n1_a_leap_forward_rings_at_most_once_and_computes_nothing_that_was_missed(line: str, leap: float) -> None:
    one = bell(line)
    began = time.process_time()
    first, second = one.rings(NOON + leap), one.rings(NOON + leap + 1)
    assert time.process_time() - began < 0.5
    assert (first, second) in {(True, False), (False, False)}
    assert first or line == "0 0 29 2 *"


@pytest.mark.parametrize("back", [59.0, HOUR, 10 * DAY, 400 * DAY])
def test_n1_a_clock_that_was_set_back_is_followed_from_there(back: float) -> None:
    one = bell("0 * * * *")
    assert not one.rings(NOON - back)
    assert not one.rings(NOON - back + 1)
    assert one.rings(NOON - back + HOUR)


def test_n1_a_clock_that_leapt_and_was_put_right_rings_on_as_before() -> None:
    one = bell()
    assert one.rings(NOON + 400 * DAY)
    assert not one.rings(NOON + 10)
    assert one.rings(NOON + 14 * HOUR)


@pytest.mark.parametrize("now", [0.0, -1e9, 2.5e11, 1e12, 1e18])
def test_n1_a_clock_beyond_any_calendar_stops_nobody(now: float) -> None:
    one = bell()
    one.rings(now)
    one.rings(NOON)
    assert one.rings(NOON + DAY)


class Wall:
    """A wall clock that is set while the real time goes on."""

    def __init__(self) -> None:
        self.off = NOON

    def now(self) -> float:
        return time.monotonic() + self.off


def test_n1_intervals_ring_on_while_the_wall_clock_is_thrown_about() -> None:
    async def main() -> list[float]:
        loop, wall = asyncio.get_running_loop(), Wall()
        schedule, rung = Schedule(wall.now), list[float]()
        schedule.tick(0.02, lambda: rung.append(loop.time()))
        schedule.cron(CronLine("* * * * *"), lambda: None)
        for off in (NOON + 400 * DAY, NOON - 400 * DAY, NOON):
            wall.off = off
            await asyncio.sleep(0.2)
        schedule.stop()
        await asyncio.sleep(0.1)
        return rung

    rung = asyncio.run(main())
    assert 3 <= len(rung) <= 31, "neither stopped nor flooded"


def test_n1_a_loop_that_stood_still_rings_once_for_all_that_it_missed() -> None:
    async def main() -> int:
        schedule, rung = Schedule(Wall().now), list[int]()
        schedule.tick(0.01, lambda: rung.append(1))
        time.sleep(0.5)  # as under SIGSTOP
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        schedule.stop()
        return len(rung)

    assert asyncio.run(main()) <= 2
