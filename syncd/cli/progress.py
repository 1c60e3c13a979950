"""How far long work is: one line on the terminal, rewritten now and then; nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = 0.2  # seconds between two looks


class Progress:
    """Call it with what is done and, where it is known, how much there is."""

    def __init__(self, what: str, unit: str, *, per: float = 1.0) -> None:
        self._what = what
        self._unit = unit
        self._per = per  # how many of what is counted make one of the unit
        self._next = time.monotonic() + 2 * EVERY  # short work needs no line
        self._shown = False
        self._looked_at = sys.stderr.isatty()

    def __call__(self, done: float, total: float | None = None) -> None:
        if not self._looked_at or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        self._shown = True
        rest = f" of {total / self._per:,.0f}" if total else ""
        share = f" ({min(100.0, 100 * done / total):.0f} %)" if total else ""
        sys.stderr.write(f"\r\x1b[K{self._what}: {done / self._per:,.0f}{rest} {self._unit}{share}")
        sys.stderr.flush()

    def over(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def progress(what: str, unit: str, *, per: float = 1.0) -> Iterator[Progress]:
    """Shown while the block runs."""
    line = Progress(what, unit, per=per)
    try:
        yield line
    finally:
        line.over()
