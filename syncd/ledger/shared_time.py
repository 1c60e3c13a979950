"""The time of a database that several hosts share: each of them goes by it, whatever its own wall clock says.

It is asked for now and then; in between, the host's monotonic clock counts on. So limits, deadlines and days are the
same for all, and a host whose clock is wrong or is set does nothing too early. (Leases do not even rely on that: they
are measured in the database itself.)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .store import Tx

if TYPE_CHECKING:
    from .store import Ledger

SLOW = 0.5  # seconds: an answer that took longer says too little of when it was given


class SharedTime:
    """The wall clock in `SystemClock` and `RehearsalClock`; the host's own until it has been asked for once."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def __call__(self) -> float:
        return time.time() if self._offset is None else time.monotonic() + self._offset

    async def look(self, ledger: Ledger) -> None:
        """Ask the database. It may be a little later there than we take it to be then, and never earlier. Raises
        LedgerError."""
        before = time.monotonic()
        told = await ledger.read(_told)
        after = time.monotonic()
        if self._offset is None or after - before <= SLOW:
            self._offset = told - after


def _told(tx: Tx) -> float:
    return float(tx.value("ledger_time", now=time.time()))
