"""Jobs that only time moves."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.contract.model import Field

from .states import JobState
from .store import Tx


def queue_due(tx: Tx, *, now: float) -> int:
    """What waited until now is queued again."""
    return tx.run("jobs_due", now=now)


def ask_again(tx: Tx, sync: str, first: Mapping[Field, str], *, before: float, now: float) -> int:
    """What nobody could find, and was last asked about before a moment, starts a new round."""
    rows = [row for row in tx.rows("jobs_to_ask_again", sync=sync, before=before) if row["field"] in first]
    for row in rows:
        tx.move(
            row["id"],
            JobState.DONE,
            JobState.QUEUED,
            now=now,
            round=row["round"] + 1,
            provider=first[Field(row["field"])],
            note="asked again after a while",
        )
    return len(rows)
