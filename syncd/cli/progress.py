"""How far long work is: one line on the terminal, rewritten now and then; nothing where nobody looks."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

EVERY = 0.2  # seconds between two lines
CLEAR = "\r\x1b[K"
SHORT = 0.4  # seconds: work that takes no longer needs no line


class Progress:
    """Call it with what is done and, where it is known, how much there is, and what else is to be told."""

    def __init__(self, what: str, unit: str, *, per: float = 1.0, rate: bool = False) -> None:
        self._what = what
        self._unit = unit
        self._per = per  # how many of what is counted make one of the unit
        self._rate = rate
        self._begun = time.monotonic()
        self._far: tuple[float, float | None, str] = (0.0, None, "")
        self._over = threading.Event()

    def __call__(self, done: float, total: float | None = None, more: str = "") -> None:
        self._far = (done, total, more)

    def show_until_over(self) -> None:
        """Rewrite the line until the work is over, then remove it. In its own thread: one step may take long."""
        shown = False
        while not self._over.wait(EVERY if shown else SHORT):
            shown = True
            sys.stderr.write(f"{CLEAR}{fitting(self._line())}")
            sys.stderr.flush()
        if shown:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def over(self) -> None:
        """The work has ended."""
        self._over.set()

    def _line(self) -> str:
        done, total, more = self._far
        rest = f" of {total / self._per:,.0f}" if total else ""
        share = f" ({min(100.0, 100 * done / total):.0f} %)" if total else ""
        seconds = time.monotonic() - self._begun
        told = [f"{self._what}: {done / self._per:,.0f}{rest} {self._unit}{share}", f"{seconds:.0f} s"]
        if self._rate and seconds >= 1:
            told.insert(1, f"{done / self._per / seconds:,.0f} a second")
        return ", ".join(filter(None, (*told[:-1], more, told[-1])))


def fitting(line: str) -> str:
    """Cut, so that it stays one line and can be cleared."""
    columns = shutil.get_terminal_size().columns
    return line if len(line) < columns else f"{line[: columns - 2]}…"


class AboveProgress:
    """Standard error for whoever writes whole lines while progress is shown: they stand above it."""

    def write(self, text: str) -> int:
        """After clearing what is shown; it is shown again soon."""
        return sys.stderr.write(f"{CLEAR}{text}")

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def progress(what: str, unit: str, *, per: float = 1.0, rate: bool = False) -> Iterator[Progress]:
    """Shown while the block runs."""
    line = Progress(what, unit, per=per, rate=rate)
    thread = threading.Thread(target=line.show_until_over, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield line
    finally:
        line.over()
        if thread.is_alive():
            thread.join()


@asynccontextmanager
async def looking(look: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Beside the work, `look` asks again and again how far it is; it ends with the work."""
    task = asyncio.create_task(look(), name="progress")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
