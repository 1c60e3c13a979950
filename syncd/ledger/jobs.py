"""Jobs that only time moves, or another configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from syncd.contract.model import Field, Outcome

from . import results
from .states import JobState, Reason
from .store import Move, Tx

if TYPE_CHECKING:
    import sqlite3


def queue_due(tx: Tx, *, now: float) -> int:
    """What waited until now is queued again."""
    due = [Move(row[0], JobState.WAITING, JobState.QUEUED) for row in tx.rows("jobs_due", now=now)]
    return len(tx.move_many(due, now=now))


def ask_again(tx: Tx, sync: str, first: Mapping[Field, str], *, before: float, now: float) -> int:
    """What nobody could find, and was last asked about before a moment, starts a new round."""
    rows = [row for row in tx.rows("jobs_to_ask_again", sync=sync, before=before) if row["field"] in first]
    return sum(_new_round(tx, row, first, now=now) for row in rows)


def _new_round(tx: Tx, row: sqlite3.Row, first: Mapping[Field, str], *, now: float) -> int:
    return int(
        tx.move(
            row["id"],
            JobState.DONE,
            JobState.QUEUED,
            now=now,
            round=row["round"] + 1,
            provider=first[Field(row["field"])],
            note="asked again after a while",
        )
    )


def ask_undetermined_again(tx: Tx, sync: str, first: Mapping[Field, str], *, before: float, now: float) -> int:
    """What no provider could say anything of, and was last asked about before a moment, starts a new round."""
    rows = [row for row in tx.rows("jobs_undetermined", sync=sync, before=before) if row["field"] in first]
    return sum(_new_round(tx, row, first, now=now) for row in rows)


def not_seen_again(tx: Tx, sync: str, since: int, *, now: float) -> int | None:
    """After a restoration and a whole pull, what waits for a contact that lacks nothing any more is done.

    `since`: the last pull before the restoration. Returns how many jobs moved, of a page; None as long
    as there was no whole pull.
    """
    if tx.row("run_complete_since", sync=sync, run=since) is None:
        return None
    rows = tx.rows("jobs_not_seen", sync=sync)
    for row in rows:
        note = "filled, gone or deselected since the copy that was restored"
        tx.move(row["id"], JobState(row["state"]), JobState.DONE, now=now, reason=Reason.VALUE_KEPT, note=note)
    return len(rows)


def not_asked(tx: Tx, sync: str, field: Field, providers: Iterable[str], *, now: float) -> int:
    """What waits for a provider that the configuration no longer names gets an answer without a question.

    Returns how many jobs moved, of a page: call it until it is 0.
    """
    rows = tx.rows("jobs_not_asked", sync=sync, field=field, providers=json.dumps(list(providers)))
    for row in rows:
        note = f"{row['provider']} is not asked for the {field} any more"
        tx.move(row["id"], JobState(row["state"]), JobState.ANSWERED, now=now, note=note)
        results.add(tx, row["id"], row["provider"], row["round"], Outcome.SKIPPED, note=note, now=now)
    return len(rows)
