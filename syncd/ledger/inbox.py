"""Raw answers: stored before they are understood, then applied to the jobs that asked.

Whatever comes, in whatever order and however often, states only move up: the first acceptable find
wins, a repeat changes nothing, and what comes too late is kept beside the result.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.contract.model import Answer, ContactRef, Delivery, EnrichmentResult, Field, Outcome, Source

from . import results
from .states import IN_FLIGHT, REOPENED_BY_LATE_ANSWER, UNDECIDED, DeliveryState, JobState, Reason
from .store import Tx
from .submissions import accept, milli

if TYPE_CHECKING:
    import sqlite3


UNSIGNED = "the vendor's signature is missing or wrong"
LAST_WORD = "the call that it answers had its last word already"
FAILED = "the provider failed, and did not say what it charged: the worst case stays reserved until no answer is due"
SURPLUS_KEPT = 10  # deliveries of one call that are kept after its last word
FAIL_AGAIN = (900.0, 3_600.0, 21_600.0)  # seconds until a question that the provider failed at is asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A delivery that waits to be understood. `note`: why it was set aside before, if it was."""

    id: int
    provider: str
    delivery: Delivery
    note: str = ""


def store(
    tx: Tx,
    provider: str,
    delivery: Delivery,
    *,
    now: float,
    state: DeliveryState = DeliveryState.RECEIVED,
    note: str = "",
) -> bool:
    """T4: keep the raw answer; False for one that is here already, byte for byte.

    What came by callback and was not taken as the last word is read once more when a poll brings the same.
    """
    way = (provider, delivery.submission_id, state, *filter(None, (delivery.part,)))
    digest = hashlib.sha256(b"\0".join((*(word.encode() for word in way), delivery.body)))
    repeats = tx.value(
        "delivery_store",
        provider=provider,
        submission_id=delivery.submission_id,
        source=delivery.source,
        digest=digest.digest(),
        headers=json.dumps(dict(delivery.headers)),
        body=delivery.body,
        ref=None if delivery.ref is None else str(delivery.ref),
        field=delivery.field,
        part=delivery.part,
        state=state,
        note=note,
        now=now,
    )
    fetched = delivery.source is Source.POLL and repeats > 0
    return bool(repeats == 0 or (fetched and tx.run("delivery_fetched", digest=digest.digest())))


def received(tx: Tx, limit: int) -> list[Received]:
    """The oldest deliveries that nobody has looked at."""
    return [
        Received(
            id=row["id"],
            provider=row["provider"],
            delivery=Delivery(
                submission_id=row["submission_id"],
                source=Source(row["source"]),
                body=row["body"],
                headers=json.loads(row["headers"]),
                ref=None if row["ref"] is None else ContactRef.parse(row["ref"]),
                field=None if row["field"] is None else Field(row["field"]),
                part=row["part"],
            ),
            note=row["note"],
        )
        for row in tx.rows("deliveries_received", limit=limit)
    ]


def look_again(tx: Tx, note: str | None = None, *, limit: int) -> int:
    """The newest that were quarantined, for this reason or for any, wait to be understood once more."""
    return tx.run("quarantined_again", note=note, limit=limit)


def quarantine(tx: Tx, got: Received, note: str) -> bool:
    """Keep it, use it for nothing, for now; False if it was set aside for the same reason before."""
    tx.run("delivery_done", id=got.id, state=DeliveryState.QUARANTINED, note=note)
    news = note != got.note
    tx.tally("deliveries_quarantined", int(news))
    return news


def had_last_word(tx: Tx, submission_id: str) -> bool:
    """Is a call settled, and was its answer taken?"""
    return tx.row("had_last_word", id=submission_id) is not None


def set_aside_surplus(tx: Tx, got: Received) -> None:
    """What comes after the last word is kept, a few of them, and counted; it changes nothing."""
    tx.tally("deliveries_surplus")
    if tx.value("surplus_of", id=got.delivery.submission_id) >= SURPLUS_KEPT:
        tx.run("delivery_drop", id=got.id)
    else:
        tx.run("delivery_done", id=got.id, state=DeliveryState.SURPLUS, note=LAST_WORD)


def count_paid_unread(tx: Tx) -> None:
    """An answer that was paid for could not be read."""
    tx.tally("paid_answers_set_aside")


def apply(
    tx: Tx,
    got: Received,
    answer: Answer,
    *,
    poll_at: float | None,
    deadline: float,
    now: float,
    fetch: bool = False,
) -> int:
    """T5: results onto the jobs, credits onto the submission, delivery done. Returns jobs answered.

    An answer proves that the submission was accepted, even if its own 2xx never reached us. `fetch`: the
    whole result is to be polled for at once.
    """
    submission_id = got.delivery.submission_id
    accept(tx, submission_id, answer.provider_id, poll_at=poll_at, deadline=deadline, now=now)
    attempts = tx.rows("attempts_of_submission", submission_id=submission_id)
    answered = 0
    for result in answer.results:
        for attempt in attempts:
            if attempt["request_id"] == result.request_id and attempt["field"] == result.field:
                answered += _apply_result(tx, attempt, result, got, now=now)
    if answer.final and answer.charged is None and _failed(answer):
        tx.run("submission_failed", id=submission_id, note=FAILED, deadline=deadline)
    elif answer.final:
        _settle(tx, submission_id, answer)
    elif fetch:
        tx.run("submission_poll_at", id=submission_id, poll_at=now)
    note = answer.note or (f"{answer.unmatched} items belong to no request of ours" if answer.unmatched else "")
    tx.tally("items_unmatched", answer.unmatched)
    tx.run("delivery_done", id=got.id, state=DeliveryState.APPLIED, note=note)
    return answered


def _apply_result(tx: Tx, attempt: sqlite3.Row, result: EnrichmentResult, got: Received, *, now: float) -> int:
    if result.outcome is Outcome.NO_CREDITS:
        return _requeue(tx, attempt, result, now=now)
    if result.outcome is Outcome.MISSING and attempt["job_submission"] != attempt["submission_id"]:
        return 0
    results.add(
        tx,
        attempt["job_id"],
        attempt["provider"],
        attempt["round"],
        result.outcome,
        note=result.note,
        now=now,
        submission_id=attempt["submission_id"],
        delivery_id=got.id,
        result=result,
        attempt=attempt,
    )
    if result.outcome is Outcome.FAILED:
        return _fail(tx, attempt, result, now=now)
    if not _speaks_now(attempt, result):
        return 0
    return int(tx.move(attempt["job_id"], JobState(attempt["job_state"]), JobState.ANSWERED, now=now, note=result.note))


def _speaks_now(attempt: sqlite3.Row, result: EnrichmentResult) -> bool:
    """Does this result decide where the job stands, or is it a second opinion for the record?"""
    state, found = JobState(attempt["job_state"]), result.outcome is Outcome.FOUND
    if attempt["round"] != attempt["job_round"]:
        return False
    if state in IN_FLIGHT:
        return bool(attempt["job_provider"] == attempt["provider"])
    if state in UNDECIDED:
        return found or bool(attempt["job_provider"] == attempt["provider"])
    return state is JobState.DONE and found and Reason(attempt["job_reason"]) in REOPENED_BY_LATE_ANSWER


def _requeue(tx: Tx, attempt: sqlite3.Row, result: EnrichmentResult, *, now: float) -> int:
    """The credits ran out before this one: not processed, not paid, asked again once there are some."""
    tx.run("attempt_release", submission_id=attempt["submission_id"], job_id=attempt["job_id"])
    state = JobState(attempt["job_state"])
    if attempt["job_submission"] == attempt["submission_id"] and state in IN_FLIGHT:
        tx.move(
            attempt["job_id"], state, JobState.QUEUED, now=now, note=result.note or "the provider's credits ran out"
        )
    return 0


def _fail(tx: Tx, attempt: sqlite3.Row, result: EnrichmentResult, *, now: float) -> int:
    """Undetermined, and not charged: asked again soon, some times; then it is an answer like another."""
    tx.run("attempt_release", submission_id=attempt["submission_id"], job_id=attempt["job_id"])
    job, state = attempt["job_id"], JobState(attempt["job_state"])
    if attempt["job_submission"] != attempt["submission_id"] or state not in IN_FLIGHT:
        return 0
    times = tx.value("failures", job_id=job, provider=attempt["provider"], round=attempt["round"])
    if times > len(FAIL_AGAIN):
        return int(tx.move(job, state, JobState.ANSWERED, now=now, note=result.note))
    due_at = now + FAIL_AGAIN[times - 1]
    if state is JobState.SENT:  # a call that was taken on; `accept` has just said so of every other one
        tx.move(job, state, JobState.WAITING, now=now, note="the provider failed: asked again soon", due_at=due_at)
    return 0


def _failed(answer: Answer) -> bool:
    return bool(answer.results) and all(result.outcome is Outcome.FAILED for result in answer.results)


def _settle(tx: Tx, submission_id: str, answer: Answer) -> None:
    charged = None if answer.charged is None else milli(answer.charged)
    note = answer.note if charged is not None else "the provider did not say what it charged"
    if tx.run("submission_settled", id=submission_id, charged_mc=charged, note=note) == 0 and charged is not None:
        tx.run("submission_more_charged", id=submission_id, charged_mc=charged)
