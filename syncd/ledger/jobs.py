"""Jobs that only time moves."""

from __future__ import annotations

from .states import JobState
from .store import Move, Tx


def queue_due(tx: Tx, *, now: float) -> int:
    """What waited until now is queued again."""
    due = [Move(row[0], JobState.WAITING, JobState.QUEUED) for row in tx.rows("jobs_due", now=now)]
    return len(tx.move_many(due, now=now))
