"""Does the ledger work? A commit that does nothing, and a look: tried one at a time, whoever asks."""

from __future__ import annotations

import asyncio
import time

from syncd.ledger.file import LedgerError
from syncd.ledger.store import Ledger, Tx

WITHIN = 5.0  # seconds in which it must have answered


class Trial:
    """Tries when it is asked; a try that hangs is not repeated, but told."""

    def __init__(self, ledger: Ledger, within: float = WITHIN) -> None:
        self._ledger = ledger
        self._within = within
        self._running: asyncio.Task[str] | None = None
        self.took: float | None = None  # seconds, of the last one that came to its end

    async def why(self) -> str:
        """Why the ledger can't be worked with, or ""."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._try(), name="ledger-trial")
        done, _ = await asyncio.wait([self._running], timeout=self._within)
        return self._running.result() if done else f"it has not answered for {self._within:g} s"

    async def _try(self) -> str:
        begun = time.monotonic()
        try:
            await self._ledger.write(_nothing)
            await self._ledger.read(_nothing)
        except LedgerError as error:
            return str(error)
        self.took = time.monotonic() - begun
        return ""


def _nothing(_: Tx) -> None:
    """A unit of work that does nothing."""
