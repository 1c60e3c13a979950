"""The sandbox's clock: fast, jumping, and never asleep past its time."""

from __future__ import annotations

import asyncio
import time

import pytest

from syncd.sandbox.clock import SandboxClock


def test_it_runs_as_fast_as_told() -> None:
    clock = SandboxClock(speed=1000.0)
    began, wall = clock.now(), time.time()
    while time.time() == wall:
        pass
    assert clock.now() - began >= (time.time() - wall) * 999 > 0


def test_its_origin_is_when_it_starts_to_run_faster() -> None:
    origin = time.time() - 10
    assert SandboxClock(speed=60, origin=origin).now() >= origin + 600


def test_skipping_moves_it_forward_only() -> None:
    clock = SandboxClock()
    before = clock.now()
    clock.skip(3600)
    assert clock.now() >= before + 3600
    with pytest.raises(ValueError, match="only goes forward"):
        clock.skip(-1)


def test_it_must_run() -> None:
    with pytest.raises(ValueError, match="positive"):
        SandboxClock(speed=0)


def test_sleep_lasts_its_own_seconds() -> None:
    clock = SandboxClock(speed=10_000.0)
    before = clock.now()
    asyncio.run(clock.sleep(60))
    assert clock.now() >= before + 60


def test_a_skip_past_the_deadline_wakes_sleepers_at_once() -> None:
    async def scenario() -> None:
        clock = SandboxClock()
        sleeper = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        clock.skip(3601)
        await asyncio.wait_for(sleeper, 5)

    asyncio.run(scenario())


def test_a_skip_that_is_too_short_lets_them_sleep_on() -> None:
    async def scenario() -> None:
        clock = SandboxClock()
        sleeper = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        clock.skip(1800)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sleeper.done()
        clock.skip(1801)
        await asyncio.wait_for(sleeper, 5)

    asyncio.run(scenario())


def test_a_skip_from_another_thread_wakes_them_too() -> None:
    async def scenario() -> None:
        clock = SandboxClock()
        sleeper = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        await asyncio.to_thread(clock.skip, 3601)
        await asyncio.wait_for(sleeper, 5)

    asyncio.run(scenario())
