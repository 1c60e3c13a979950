"""How long an answer of the ledger is waited for, by one timer for all who wait.

asyncio's own has a timer for each of them, and keeps it until its time although the answer has come: a tenth of all
that a receiver does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from .file import LedgerBusy

EVERY = 0.25  # seconds between two looks: so much later may somebody be told


class Patience:
    """Whoever waits for longer than so many seconds is told LedgerBusy. Of one event loop."""

    def __init__(self, within: float) -> None:
        self._within = within
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()  # until when, in the order in which they came
        self._looks = False

    def watch(self, one: asyncio.Future[Any]) -> None:
        """From now on."""
        loop = one.get_loop()
        self._waiting.append((loop.time() + self._within, one))
        if not self._looks:
            self._looks = True
            loop.call_later(EVERY, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= loop.time()):
            _, one = self._waiting.popleft()
            if not one.done():
                one.set_exception(LedgerBusy(f"the ledger has not answered for {self._within:g} s"))
        self._looks = bool(self._waiting)
        if self._looks:
            loop.call_later(EVERY, self._look, loop)
