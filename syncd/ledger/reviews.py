"""Values that wait for a person's decision, and what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .results import load_said
from .states import NEVER, JobState
from .store import Move, Tx

ACCEPTED, REFUSED = "accepted", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A value in question. `id` is its answer's; `speaks_for` and `speaks_against` are sentences about whose it is."""

    id: int
    ref: str  # connection/object/id
    sync: str
    field: str
    provider: str
    value: str
    why: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    contact: dict[str, Any]  # what is known of the contact, blanks left out
    answer: list[dict[str, Any]]  # whom the answer speaks of, one entry for each place
    since: float
    until: float | None  # None: as long as it takes

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        return {name: getattr(self, name) for name in self.__slots__}


class Doubtful(NamedTuple):
    """An answer that is in doubt, and the value in question; it waits for a person at most until a moment (UTC
    seconds)."""

    job_id: int
    result_id: int
    value: str
    why: str
    until: float | None


def opening(one: Doubtful) -> Move:
    """The move of a job whose answer is in doubt; `open_many` is told once it has moved."""
    due = NEVER if one.until is None else one.until
    return Move(one.job_id, JobState.ANSWERED, JobState.REVIEW, {"note": one.why, "due_at": due})


def open_many(tx: Tx, doubtful: Iterable[Doubtful], *, now: float) -> None:
    """These wait for a person."""
    rows = [[one.result_id, one.job_id, one.value, one.why, one.until] for one in doubtful]
    if rows:
        tx.run("reviews_open", rows=json.dumps(rows), now=now)


def waiting(tx: Tx) -> list[Review]:
    """Everything that waits for a decision, oldest first."""
    return [_review(row) for row in tx.rows("reviews_waiting")]


def decide(tx: Tx, ids: Sequence[int], decision: str, by: str, *, now: float) -> int:
    """Accept or refuse; the jobs are decided on again. Returns how many were still open."""
    jobs = {row["result_id"]: row["job_id"] for row in tx.rows("reviews_waiting")}
    decided = 0
    for id_ in ids:
        if id_ in jobs and tx.run("review_decide", result_id=id_, decision=decision, by=by, now=now):
            decided += 1
            tx.move(jobs[id_], JobState.REVIEW, JobState.ANSWERED, now=now, note=f"{decision} by {by}")
    return decided


def decide_overdue(tx: Tx, *, now: float) -> int:
    """Nobody has decided for as long as the operator wanted to wait: the next provider's turn."""
    values = {"note": "nobody has decided in time"}
    due = [Move(row[0], JobState.REVIEW, JobState.ANSWERED, values) for row in tx.rows("reviews_due", now=now)]
    return len(tx.move_many(due, now=now))


def _review(row: Any) -> Review:
    evidence = json.loads(row["evidence"] or "{}")
    return Review(
        id=row["result_id"],
        ref=row["ref"],
        sync=row["sync"],
        field=row["field"],
        provider=row["provider"],
        value=row["value"],
        why=row["why"],
        speaks_for=tuple(evidence.get("for", ())),
        speaks_against=tuple(evidence.get("against", ())),
        contact=json.loads(row["identity"]),
        answer=json.loads(row["said"]) if load_said(row["said"]) else [],
        since=row["opened_at"],
        until=row["until"],
    )
