"""On which processor this process runs.

Python lets one of its threads run at a time. Where they stand on several processors, each turn finds what the last one
worked on in another processor's cache, and waking the next thread takes longer: the same work costs a tenth to a
fifth more. So all threads stay on one; every few seconds the system may choose another, as others may be busy there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

EVERY = 5.0  # seconds after which the system may choose another processor
CHOICE = 0.05  # seconds in which it does
_SELF = Path("/proc/self")
_PROCESSOR = 36  # the place of `processor` in stat(5), behind the name


async def keep_together(every: float = EVERY) -> None:
    """Until cancelled; what the process may not leave anyway (`CPUAffinity=`, a container's share) stays as it is."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    if len(allowed) < 2:
        return
    with suppress(OSError):  # a sandbox forbids it, or hides /proc: then everything stays as it is
        try:
            while True:
                _let_run_on({_where()})
                await asyncio.sleep(every)
                _let_run_on(allowed)
                await asyncio.sleep(CHOICE)
        finally:
            _let_run_on(allowed)


def _where() -> int:
    """The processor on which the main thread ran last."""
    return int((_SELF / "stat").read_text().rpartition(")")[2].split()[_PROCESSOR])


def _let_run_on(processors: Collection[int]) -> None:
    for thread in (_SELF / "task").iterdir():
        with suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread.name), processors)
