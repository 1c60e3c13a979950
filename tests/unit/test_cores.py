"""The daemon's threads stay on one processor at a time."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from syncd.cores import keep_together

ALLOWED = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
THREADS = Path("/proc/self/task")
several = pytest.mark.skipif(len(ALLOWED) < 2, reason="one processor only, or not Linux")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """This process runs tests on all processors again."""
    yield
    _let_all_run_on(ALLOWED)


def _let_all_run_on(processors: set[int]) -> None:
    for thread in THREADS.iterdir() if ALLOWED else ():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), processors)


def on() -> list[set[int]]:
    """Where each thread may run."""
    found = []
    for thread in THREADS.iterdir():
        with suppress(ProcessLookupError):
            found.append(os.sched_getaffinity(int(thread.name)))
    return found


async def seen(every: float, looks: int) -> list[list[set[int]]]:
    """What is seen in the course of some time."""
    keeping = asyncio.create_task(keep_together(every))
    found = []
    for _ in range(looks):
        await asyncio.sleep(0.02)
        found.append(on())
    keeping.cancel()
    return found


@several
def test_all_threads_are_on_one_processor_others_that_were_there_before_too() -> None:
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        (now,) = asyncio.run(seen(every=60, looks=1))
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert len(now) >= 4
    assert all(one == now[0] and len(one) == 1 for one in now)


@several
def test_the_system_may_choose_another_processor_from_time_to_time() -> None:
    looks = asyncio.run(seen(every=0.05, looks=12))
    assert any(one == ALLOWED for look in looks for one in look)
    assert any(len(one) == 1 for look in looks for one in look)


@several
def test_at_its_end_they_may_run_anywhere_again() -> None:
    (pinned,) = asyncio.run(seen(every=60, looks=1))
    assert len(pinned[0]) == 1
    assert all(one == ALLOWED for one in on())


@several
def test_a_processor_that_the_operator_has_chosen_is_kept() -> None:
    chosen = {max(ALLOWED)}
    _let_all_run_on(chosen)
    looks = asyncio.run(seen(every=0.01, looks=3))
    assert all(one == chosen for look in looks for one in look)
