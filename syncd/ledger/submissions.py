"""Paid calls: candidates, intents with their reservation of credits, and how each call ended.

Credits cross this border as Decimal and are kept as thousandths.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from syncd.contract.model import ContactRef, Delivery, EnrichmentRequest, Field, Identity, Outcome, Submission

from .contacts import dump_identity, load_identity
from .states import UNDECIDED, JobState, Reason, SubmissionState
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0
FORGOTTEN = "this ledger knows no such call"  # it was restored from a copy that is older than the call


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued job with all that dispatch decides on."""

    job_id: int
    field: Field
    round: int
    since: float  # when it was queued
    ref: ContactRef
    identity: Identity  # what is known of the person; exactly as asked before, if it was
    person: str | None
    lacking: bool  # the CRM still lacks the field, as far as the last pull knows
    blocked: str | None
    email_job: int | None  # the job for the same contact's e-mail, while it is under way
    in_flight_elsewhere: int | None  # a job that asks this provider about the same person now
    known_result: int | None  # what this provider has answered about the same person


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The operator's caps on a sync's credits, None where there is none."""

    per_day: Decimal | None = None
    per_month: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One request of a submission and the jobs that it asks for."""

    request: EnrichmentRequest
    jobs: Mapping[Field, int]
    rounds: Mapping[Field, int]


class Stale(Exception):
    """A job left the queue since dispatch looked, or nobody wants it any more: nothing was written."""


class OverBudget(Exception):
    """The intent would let spent and reserved credits exceed a cap; nothing was written."""


def candidates(tx: Tx, sync: str, provider: str, limit: int, *, known_since: float) -> list[Candidate]:
    """Jobs whose turn it is at a provider, in order of priority, then age."""
    rows = tx.rows("candidates", sync=sync, provider=provider, limit=limit, known_since=known_since)
    return [_candidate(row) for row in rows]


def intend(
    tx: Tx,
    submission: Submission,
    items: Sequence[Item],
    *,
    provider: str,
    sync: str,
    reserve: Decimal,
    budget: Budget,
    deadline: float,
    now: float,
) -> None:
    """T2: the intent, its attempts and the worst-case reservation, before anything is sent.

    Raises OverBudget, or Stale when a job left the queue or its contact was filled or blocked since
    it was chosen; either undoes it all.
    """
    check_budget(tx, sync, reserve, budget, now=now)
    tx.run(
        "submission_make",
        id=submission.id,
        provider=provider,
        sync=sync,
        requests=len(items),
        reserved_mc=milli(reserve),
        now=now,
        deadline=deadline,
    )
    for item in items:
        for field, job in item.jobs.items():
            moved = tx.move(job, JobState.QUEUED, JobState.SENDING, now=now, submission_id=submission.id)
            if not moved or tx.row("job_still_wanted", id=job) is None:
                raise Stale
            tx.run(
                "attempt_make",
                job_id=job,
                submission_id=submission.id,
                request_id=item.request.id,
                provider=provider,
                round=item.rounds[field],
                asked=dump_identity(item.request.identity),
                now=now,
            )


def accept(
    tx: Tx, submission_id: str, provider_id: str | None, *, poll_at: float | None, deadline: float, now: float
) -> None:
    """T3: the provider took it. Callbacks may have come first: states only go up."""
    tx.run("submission_accepted", id=submission_id, provider_id=provider_id, poll_at=poll_at, deadline=deadline)
    for attempt in _attempts(tx, submission_id):
        _move_flight(tx, attempt, (JobState.SENDING, JobState.IN_DOUBT), JobState.SENT, now=now)


def refuse(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """Definitely not carried out: nothing was spent, the jobs are as they were.

    Does nothing when a callback has proved the opposite in the meantime.
    """
    if tx.run("submission_refused", id=submission_id, note=note) != 1:
        return
    for attempt in _attempts(tx, submission_id):
        _move_flight(tx, attempt, (JobState.SENDING,), JobState.QUEUED, now=now, note=note)
    tx.run("attempt_release", submission_id=submission_id, job_id=None)


def reject(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """The provider refuses the person for good: an answer that cost nothing."""
    if tx.run("submission_refused", id=submission_id, note=note) != 1:
        return
    for attempt in _attempts(tx, submission_id):
        add_result(tx, attempt["job_id"], attempt["provider"], attempt["round"], Outcome.SKIPPED, note=note, now=now)
        _move_flight(tx, attempt, (JobState.SENDING,), JobState.ANSWERED, now=now, note=note)
    tx.run("attempt_release", submission_id=submission_id, job_id=None)


def doubt(tx: Tx, submission_id: str, note: str, *, hold_until: float, now: float) -> None:
    """Nobody can say whether it was carried out: the reservation stays, and it is not sent again."""
    tx.run(
        "submission_state",
        id=submission_id,
        source=SubmissionState.INTENT,
        target=SubmissionState.IN_DOUBT,
        note=note,
        deadline=hold_until,
    )
    for attempt in _attempts(tx, submission_id):
        _move_flight(tx, attempt, (JobState.SENDING,), JobState.IN_DOUBT, now=now, note=note)


def recover(tx: Tx, hold: Mapping[str, float], *, now: float) -> int:
    """After a crash: every intent without an outcome is in doubt. `hold`: seconds per provider."""
    rows = tx.rows("submissions_intended")
    for row in rows:
        note = "syncd stopped while it was being sent"
        doubt(tx, row["id"], note, hold_until=now + hold.get(row["provider"], 2 * DAY), now=now)
    return len(rows)


def load(tx: Tx, submission_id: str) -> Submission | None:
    """A submission with its requests as they were asked (without its callback's address)."""
    row = tx.row("submission_get", id=submission_id)
    if row is None:
        return None
    grouped: dict[str, list[sqlite3.Row]] = {}
    for attempt in _attempts(tx, submission_id):
        grouped.setdefault(attempt["request_id"], []).append(attempt)
    requests = tuple(
        EnrichmentRequest(
            id=request_id,
            ref=ContactRef(connection=rows[0]["connection"], object=rows[0]["object"], id=rows[0]["ext_id"]),
            identity=load_identity(rows[0]["asked"]),
            fields=tuple(Field(row["field"]) for row in rows),
        )
        for request_id, rows in grouped.items()
    )
    return Submission(id=submission_id, requests=requests, callback_url="", provider_id=row["provider_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A call of which nobody can say whether it was carried out."""

    id: str
    provider: str
    sync: str
    requests: int
    reserved: Decimal  # credits at risk
    since: float
    hold_until: float
    note: str


def doubts(tx: Tx) -> list[Doubt]:
    """Everything that is in doubt, oldest first."""
    return [
        Doubt(
            id=row["id"],
            provider=row["provider"],
            sync=row["sync"],
            requests=row["requests"],
            reserved=Decimal(row["reserved_mc"]) / 1000,
            since=row["created_at"],
            hold_until=row["deadline"],
            note=row["note"],
        )
        for row in tx.rows("in_doubt")
    ]


def not_sent(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """A person knows that a doubtful call was never carried out: nothing was spent, ask again.

    Does nothing when an answer has proved the opposite in the meantime.
    """
    undone = tx.run(
        "submission_state",
        id=submission_id,
        source=SubmissionState.IN_DOUBT,
        target=SubmissionState.INTENT,
        note=note,
        deadline=None,
    )
    if undone != 1:
        return
    tx.run("submission_refused", id=submission_id, note=note)
    tx.run("attempt_release", submission_id=submission_id, job_id=None)
    for attempt in _attempts(tx, submission_id):
        _move_flight(tx, attempt, (JobState.IN_DOUBT,), JobState.QUEUED, now=now, note=note)


def adopt(tx: Tx, delivery: Delivery, provider: str, reserve: Mapping[Field, Decimal], *, now: float) -> bool:
    """An answer to a call that this ledger has forgotten, because it was restored from an older copy.

    A call about one person has that request's id.

    Its address is genuine and says whom and what it is about: if that is still to be asked, this was
    the asking. False where it can't be told, or was asked again since.
    """
    if delivery.ref is None or delivery.field is None:
        return False
    where = delivery.ref
    contact = tx.row("contact_by_ref", connection=where.connection, object=where.object, ext_id=where.id)
    job = None if contact is None else tx.row("job_of_contact", contact_id=contact["id"], field=delivery.field)
    if contact is None or job is None or job["state"] != JobState.QUEUED:
        return False
    tx.run(
        "submission_make",
        id=delivery.submission_id,
        provider=provider,
        sync=job["sync"],
        requests=1,
        reserved_mc=milli(reserve[delivery.field]),
        now=now,
        deadline=now + DAY,
    )
    tx.move(
        job["id"], JobState.QUEUED, JobState.SENDING, now=now, submission_id=delivery.submission_id, provider=provider
    )
    tx.run(
        "attempt_make",
        job_id=job["id"],
        submission_id=delivery.submission_id,
        request_id=delivery.submission_id,
        provider=provider,
        round=job["round"],
        asked=contact["identity"],
        now=now,
    )
    tx.tally("calls_adopted")
    return True


def overdue(tx: Tx, decided: Iterable[str], *, now: float) -> list[tuple[str, str, SubmissionState]]:
    """(id, provider, state) of what waited for an answer for long enough, or was held in doubt long
    enough at one of the providers for which it is `decided` what to do then."""
    rows = tx.rows("submissions_overdue", decided=json.dumps(list(decided)), now=now)
    return [(row["id"], row["provider"], SubmissionState(row["state"])) for row in rows]


def expire(tx: Tx, submission_id: str, source: SubmissionState, note: str, *, now: float) -> None:
    """No answer came: each open job is answered with *missing*; the worst case stays reserved.

    Does nothing when an answer came in the last moment.
    """
    if not _end(tx, submission_id, source, note):
        return
    for attempt in _attempts(tx, submission_id):
        if attempt["job_state"] in (JobState.SENT, JobState.IN_DOUBT) and attempt["job_submission"] == submission_id:
            outcome = Outcome.UNRESOLVED if source is SubmissionState.IN_DOUBT else Outcome.MISSING
            add_result(tx, attempt["job_id"], attempt["provider"], attempt["round"], outcome, note=note, now=now)
            _move_flight(tx, attempt, (JobState.SENT, JobState.IN_DOUBT), JobState.ANSWERED, now=now, note=note)


def resend(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """The operator's policy lets what is in doubt be asked once more; the first reservation stays.

    What was resent before is given up instead: once means once.
    """
    attempts = _attempts(tx, submission_id)
    if any(_asked_times(tx, attempt) > 1 for attempt in attempts):
        expire(tx, submission_id, SubmissionState.IN_DOUBT, "sent twice, and no answer either time", now=now)
        return
    if not _end(tx, submission_id, SubmissionState.IN_DOUBT, note):
        return
    tx.run("attempt_release", submission_id=submission_id, job_id=None)
    for attempt in attempts:
        _move_flight(tx, attempt, (JobState.IN_DOUBT,), JobState.QUEUED, now=now, note=note)


def skip(tx: Tx, candidate: Candidate, provider: str, note: str, *, now: float) -> None:
    """The provider can't be asked about this person: an answer without a question."""
    if tx.move(candidate.job_id, JobState.QUEUED, JobState.ANSWERED, now=now, note=note):
        add_result(tx, candidate.job_id, provider, candidate.round, Outcome.SKIPPED, note=note, now=now)


def share(tx: Tx, candidate: Candidate, *, now: float) -> None:
    """The provider has answered about the same person already: take that, pay nothing."""
    note = "the same person was answered already"
    if tx.move(candidate.job_id, JobState.QUEUED, JobState.ANSWERED, now=now, note=note):
        tx.run("result_copy", id=candidate.known_result, job_id=candidate.job_id, round=candidate.round)
        tx.tally("answers_shared")


def stand_behind(tx: Tx, candidate: Candidate, behind: int, note: str, *, now: float) -> None:
    """Wait until another job has moved on; nothing happens when it has already, or nobody would wake us."""
    if JobState(tx.value("job_state", id=behind)) not in UNDECIDED | {JobState.ANSWERED}:
        return
    tx.move(candidate.job_id, JobState.QUEUED, JobState.WAITING, now=now, behind=behind, note=note, due_at=now + DAY)


def drop(tx: Tx, candidate: Candidate, reason: Reason, note: str, *, now: float) -> None:
    """There is nothing to find any more."""
    tx.move(candidate.job_id, JobState.QUEUED, JobState.DONE, now=now, reason=reason, note=note)


def calls_since(tx: Tx, provider: str, since: float) -> list[float]:
    """When the provider was called, for the rate windows after a restart."""
    return [row[0] for row in tx.rows("calls_since", provider=provider, since=since)]


def to_poll(tx: Tx, provider: str, limit: int, *, now: float) -> list[str]:
    """Accepted submissions whose result may be asked for now."""
    return [row[0] for row in tx.rows("submissions_to_poll", provider=provider, limit=limit, now=now)]


def polled(tx: Tx, submission_id: str, poll_at: float | None) -> None:
    """When to ask next; None: never again."""
    tx.run("submission_poll_at", id=submission_id, poll_at=poll_at)


def poll_all_now(tx: Tx, provider: str, *, now: float) -> None:
    """After a start every open result is asked for: callbacks may have been missed."""
    tx.run("submissions_poll_now", provider=provider, now=now)


def add_result(
    tx: Tx,
    job_id: int,
    provider: str,
    round_: int,
    outcome: Outcome,
    *,
    note: str,
    now: float,
    submission_id: str | None = None,
    delivery_id: int | None = None,
    candidates: str = "[]",
    mismatch: bool = False,
) -> None:
    """Append what a provider said about one job, once: a repeat of the same words adds nothing."""
    tx.run(
        "result_add",
        job_id=job_id,
        provider=provider,
        round=round_,
        submission_id=submission_id,
        delivery_id=delivery_id,
        outcome=outcome,
        candidates=candidates,
        mismatch=int(mismatch),
        note=note,
        now=now,
    )


def milli(amount: Decimal) -> int:
    """Credits as whole thousandths, rounded up: a reservation is never too small."""
    return math.ceil(amount * 1000)


def check_budget(tx: Tx, sync: str, reserve: Decimal, budget: Budget, *, now: float) -> None:
    """Raises OverBudget when so much more could exceed a cap."""
    today = int(now // DAY)
    for cap, days in ((budget.per_day, 1), (budget.per_month, 30)):
        if cap is not None and tx.value("spent_since", sync=sync, day=today - days + 1) + milli(reserve) > milli(cap):
            raise OverBudget(f"{cap} credits in {days} day{'s' if days > 1 else ''}")


def _end(tx: Tx, submission_id: str, source: SubmissionState, note: str) -> bool:
    target = SubmissionState.EXPIRED
    return tx.run("submission_state", id=submission_id, source=source, target=target, note=note, deadline=None) == 1


def _attempts(tx: Tx, submission_id: str) -> list[sqlite3.Row]:
    return tx.rows("attempts_of_submission", submission_id=submission_id)


def _asked_times(tx: Tx, attempt: sqlite3.Row) -> int:
    rows = tx.rows("attempts_of_job", job_id=attempt["job_id"])
    same = [r for r in rows if r["provider"] == attempt["provider"] and r["round"] == attempt["round"]]
    return sum(r["state"] != SubmissionState.REFUSED for r in same)


def _move_flight(
    tx: Tx,
    attempt: sqlite3.Row,
    sources: Iterable[JobState],
    target: JobState,
    *,
    now: float,
    note: str = "",
) -> None:
    """Move a job only while this submission is the one it waits for."""
    state = JobState(attempt["job_state"])
    if attempt["job_submission"] == attempt["submission_id"] and state in sources:
        tx.move(attempt["job_id"], state, target, now=now, note=note)


def _candidate(row: sqlite3.Row) -> Candidate:
    field = Field(row["field"])
    identity = load_identity(row["asked_before"] or row["identity"])
    under_way = row["mail_state"] not in (None, JobState.ACCEPTED, JobState.WRITING, JobState.DONE)
    if identity.email is None and row["mail_value"] and not row["asked_before"]:
        identity = replace(identity, email=row["mail_value"])
    return Candidate(
        job_id=row["id"],
        field=field,
        round=row["round"],
        since=row["updated_at"],
        ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
        identity=identity,
        person=row["person"],
        lacking=field in json.loads(row["lacks"]),
        blocked=json.loads(row["blocked"]).get(field),
        email_job=row["mail_id"] if under_way else None,
        in_flight_elsewhere=row["same_person_in_flight"],
        known_result=row["known_result"],
    )
