"""How little memory this process keeps, where its C library is glibc."""

from __future__ import annotations

import asyncio
import ctypes
from contextlib import suppress

FIRST, EVERY = 5.0, 600.0  # seconds until what is free is given back: what a start has left, and what work leaves
_M_ARENA_MAX = -8  # of mallopt(3)


def share() -> None:
    """One pool of memory for all threads, which take turns anyway: glibc would give each one of its own, 1.3 MB."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


async def give_back(first: float = FIRST, every: float = EVERY) -> None:
    """Until cancelled, now and then: whole pages that are free go back to the system. glibc by itself only gives back
    what lies behind all that is in use."""
    await asyncio.sleep(first)
    with suppress(AttributeError):
        trim = ctypes.CDLL(None).malloc_trim
        while True:
            trim(0)
            await asyncio.sleep(every)
