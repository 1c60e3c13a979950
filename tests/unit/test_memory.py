"""What is free goes back to the system."""

import asyncio
import ctypes
import gc
from pathlib import Path

import pytest

from syncd import memory

PIECE = 4_000  # bytes: such pieces come from the heap, and lie between those that stay
STATM = Path("/proc/self/statm")
PAGE = 4096


def resident() -> int:
    return int(STATM.read_text().split()[1]) * PAGE


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_pages_that_are_free_between_others_are_given_back() -> None:
    async def some_rounds() -> None:
        task = asyncio.create_task(memory.give_back(first=0.0, every=0.05))
        await asyncio.sleep(0.2)
        task.cancel()

    pieces = [bytearray(PIECE) for _ in range(20_000)]
    stays = pieces[::100]
    pieces.clear()
    gc.collect()
    before = resident()
    asyncio.run(some_rounds())
    assert before - resident() > 20_000 * PIECE / 2
    assert len(stays) == 200
