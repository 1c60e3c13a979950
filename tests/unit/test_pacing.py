"""Pacing on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.contract.pacing import Pacer, Window
from syncd.contract.testing import StillClock

MINUTE, HOUR = 60.0, 3600.0


FULL_MINUTE = 1_800_000_000.0


def pacer(*windows: Window, clock: StillClock | None = None) -> tuple[Pacer, StillClock]:
    clock = clock or StillClock(FULL_MINUTE)
    return Pacer(windows, clock), clock


def take(one: Pacer, times: int) -> None:
    for _ in range(times):
        assert one.ready_in() == 0.0
        one.take()


def test_without_windows_there_is_no_waiting() -> None:
    one, _ = pacer()
    take(one, 1000)
    assert one.longest == 0.0


def test_rolling_window_frees_a_place_when_its_call_is_old() -> None:
    one, clock = pacer(Window(MINUTE, 2))
    take(one, 1)
    clock.time += 20
    take(one, 1)
    assert one.ready_in() == 40.0
    clock.time += 40
    take(one, 1)
    assert one.ready_in() == 20.0


def test_case_71_fixed_window_starts_anew_with_the_clock_minute() -> None:
    one, clock = pacer(Window(MINUTE, 3, fixed=True))
    clock.time += 59
    take(one, 3)
    assert one.ready_in() == 1.0
    clock.time += 1
    take(one, 3)  # a burst across the boundary is allowed
    assert one.ready_in() == 60.0


def test_case_32_the_tightest_window_decides() -> None:
    one, clock = pacer(Window(MINUTE, 2), Window(HOUR, 3))
    take(one, 2)
    assert one.ready_in() == 60.0
    clock.time += 60
    take(one, 1)
    assert one.ready_in() == HOUR - 60
    assert one.longest == HOUR


@pytest.mark.parametrize("fixed", [False, True])
def test_a_clock_that_was_set_back_does_not_stop_the_calls(fixed: bool) -> None:
    one, clock = pacer(Window(MINUTE, 2, fixed=fixed))
    take(one, 2)
    clock.time -= 40 * 24 * HOUR
    assert 0 < one.ready_in() <= MINUTE
    clock.time += one.ready_in()
    take(one, 2)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_limit_of_nothing_is_never_ready(fixed: bool) -> None:
    one, clock = pacer(Window(MINUTE, 0, fixed=fixed))
    assert one.ready_in() > 0
    clock.time += 1000
    assert one.ready_in() > 0


def test_case_32_learnt_limits_replace_the_old_ones() -> None:
    one, _ = pacer(Window(MINUTE, 100))
    take(one, 5)
    one.learn([Window(MINUTE, 5)])
    assert one.windows == (Window(MINUTE, 5),)
    assert one.ready_in() == 60.0


def test_calls_before_a_restart_count() -> None:
    one, clock = pacer(Window(MINUTE, 3))
    one.seed([clock.time - 10, clock.time - 30, clock.time - 5, clock.time - 999])
    assert one.ready_in() == 30.0


def test_block_holds_whatever_the_windows_say() -> None:
    one, clock = pacer(Window(MINUTE, 5))
    one.block(90)
    one.block(10)  # a shorter one changes nothing
    assert one.ready_in() == 90.0
    clock.time += 90
    assert one.ready_in() == 0.0


def test_acquire_waits_on_the_clock_and_takes_a_place() -> None:
    one, clock = pacer(Window(MINUTE, 1))

    async def three() -> None:
        for _ in range(3):
            await one.acquire()

    asyncio.run(three())
    assert sum(clock.slept) == 120.0


def test_who_waits_for_a_place_hears_that_there_will_be_none() -> None:
    one, _ = pacer(Window(HOUR, 1))

    async def wait_and_close() -> bool:
        assert await one.acquire()
        waiting = asyncio.create_task(one.acquire())
        await asyncio.sleep(0)
        one.close()
        return await waiting

    assert asyncio.run(wait_and_close()) is False


def test_case_71_a_clock_that_is_set_back_does_not_open_the_gate() -> None:
    one, clock = pacer(Window(MINUTE, 2))
    take(one, 2)
    clock.time -= HOUR
    assert one.ready_in() > 0


@given(
    st.lists(st.floats(0, 90), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(5, 12),
    st.booleans(),
)
def test_no_window_is_ever_exceeded(pauses: list[float], per_minute: int, per_hour: int, fixed: bool) -> None:
    windows = (Window(MINUTE, per_minute, fixed=fixed), Window(HOUR, per_hour))
    one, clock = pacer(*windows)
    made: list[float] = []
    for pause in pauses:
        clock.time += pause
        wait = one.ready_in()
        if wait > 0:
            clock.time += wait
        if one.ready_in() == 0:
            one.take()
            made.append(clock.time)
    for window in windows:
        for at in made:
            if window.fixed:
                used = sum(1 for other in made if other // window.seconds == at // window.seconds)
            else:
                used = sum(1 for other in made if at - window.seconds < other <= at)
            assert used <= window.limit


def test_after_waiting_as_long_as_told_it_is_ready() -> None:
    one, clock = pacer(Window(MINUTE, 7, fixed=True), Window(HOUR, 11))
    for step in range(200):
        clock.time += 0.1 * (step % 13)
        clock.time += one.ready_in()
        assert one.ready_in() <= 1e-6
        one.take()
