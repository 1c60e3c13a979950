"""Jobs that only time moves."""

from __future__ import annotations

from .store import Tx


def queue_due(tx: Tx, *, now: float) -> int:
    """What waited until now is queued again."""
    return tx.run("jobs_due", now=now)
