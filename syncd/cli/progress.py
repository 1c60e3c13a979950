"""How far long work is: one line on the terminal, rewritten now and then; nothing where nobody looks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = 0.2  # seconds between two lines
SHORT = 0.4  # seconds: work that takes no longer needs no line


class Progress:
    """Call it with what is done and, where it is known, how much there is."""

    def __init__(self, what: str, unit: str, *, per: float = 1.0) -> None:
        self._what = what
        self._unit = unit
        self._per = per  # how many of what is counted make one of the unit
        self._begun = time.monotonic()
        self._far: tuple[float, float | None] = (0.0, None)
        self._over = threading.Event()

    def __call__(self, done: float, total: float | None = None) -> None:
        self._far = (done, total)

    def show_until_over(self) -> None:
        """Rewrite the line until the work is over, then remove it. In its own thread: one step may take long."""
        shown = False
        while not self._over.wait(EVERY if shown else SHORT):
            shown = True
            sys.stderr.write(f"\r\x1b[K{self._line()}")
            sys.stderr.flush()
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def over(self) -> None:
        """The work has ended."""
        self._over.set()

    def _line(self) -> str:
        done, total = self._far
        rest = f" of {total / self._per:,.0f}" if total else ""
        share = f" ({min(100.0, 100 * done / total):.0f} %)" if total else ""
        seconds = time.monotonic() - self._begun
        return f"{self._what}: {done / self._per:,.0f}{rest} {self._unit}{share}, {seconds:.0f} s"


@contextmanager
def progress(what: str, unit: str, *, per: float = 1.0) -> Iterator[Progress]:
    """Shown while the block runs."""
    line = Progress(what, unit, per=per)
    thread = threading.Thread(target=line.show_until_over, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield line
    finally:
        line.over()
        if thread.is_alive():
            thread.join()
