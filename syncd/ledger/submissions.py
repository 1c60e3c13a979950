"""Paid calls: candidates, intents with their reservation of credits, and how each call ended.

Credits cross this border as Decimal and are kept as thousandths.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from syncd.contract.model import (
    ContactRef,
    Delivery,
    EnrichmentRequest,
    Field,
    Identity,
    Outcome,
    Question,
    Submission,
)
from syncd.people import evidence

from . import people, results
from .results import Heard, dump_identity, load_identity
from .states import UNDECIDED, JobState, Reason, SubmissionState
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0
FORGOTTEN = "this ledger knows no such call"  # it was restored from a copy that is older than the call


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A job for the same field of another record of the person, or (`namesake`) of one that may be the same person:
    where it stands, and what was said about it lately."""

    job_id: int
    state: JobState
    provider: str
    namesake: bool
    heard: tuple[Heard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued job with all that dispatch decides on."""

    job_id: int
    field: Field
    round: int
    since: float  # when it was queued
    ref: ContactRef
    identity: Identity  # what is usable of the contact
    person: str | None
    names: frozenset[str]  # name at employer, where another record may be the same person
    lacking: bool  # the CRM still lacks the field, as far as the last pull knows
    blocked: str | None  # why it must not be filled, the person's other records included
    email_job: int | None  # the job for the same contact's e-mail, while it is under way
    ways: frozenset[str]  # in which the provider was asked in this round
    found_by: frozenset[str]  # providers whose finds this job has in this round, its own or shared ones
    again: Question | None  # what was asked in vain and is to be asked once more, word for word
    relatives: tuple[Relative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An identical question that was asked lately: for which job, and the answer's id once there is one."""

    job_id: int
    under_way: bool
    result_id: int | None


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
    way: str = ""


class Stale(Exception):
    """A job left the queue since dispatch looked, nobody wants it any more, or the same person or the identical
    question is being asked about: nothing was written."""


class OverBudget(Exception):
    """The intent would let spent and reserved credits exceed a cap; nothing was written."""


def candidates(
    tx: Tx,
    sync: str,
    provider: str,
    limit: int,
    *,
    known_since: float,
    by_person: bool = True,
    fields: Sequence[Field] | None = None,
    at_least: int = 0,
) -> list[Candidate]:
    """Jobs whose turn it is at a provider, in order of priority, then age.

    `known_since`: answers about other records count from then on. `by_person`: an opt-out is the person's.
    `fields`: of these only; `at_least`: of that priority or a higher one.
    """
    wanted = None if fields is None else json.dumps(list(fields))
    rows = tx.rows("candidates", sync=sync, provider=provider, limit=limit, fields=wanted, at_least=at_least)
    return [_candidate(tx, row, known_since, by_person=by_person) for row in rows]


def asked(tx: Tx, questions: Sequence[str], *, since: float) -> dict[str, Asked]:
    """Of these questions (digests), those that were asked since a moment, for whomever: the newest of each."""
    rows = tx.rows("questions_asked", questions=json.dumps(list(questions)), since=since)
    return {
        row["question"]: Asked(job_id=row["job_id"], under_way=bool(row["under_way"]), result_id=row["result_id"])
        for row in rows
    }


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
    known_since: float = 0.0,
    by_person: bool = True,
) -> None:
    """T2: the intent, its attempts and the worst-case reservation, before anything is sent.

    Raises OverBudget, or Stale when a job left the queue, its contact was filled or blocked since it was chosen,
    the same person is being asked about, or the identical question was asked since `known_since`; either undoes
    it all.
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
        for field in item.jobs:
            _attempt(tx, submission.id, item, field, provider, since=known_since, by_person=by_person, now=now)


def _attempt(
    tx: Tx, submission_id: str, item: Item, field: Field, provider: str, *, since: float, by_person: bool, now: float
) -> None:
    job, told = item.jobs[field], item.request.identity
    question = results.question(provider, field, told)
    free = tx.row("question_is_asked", question=question, since=since) is None
    wanted = tx.row("job_still_wanted", id=job, by_person=int(by_person)) is not None
    if not (free and wanted and tx.move(job, JobState.QUEUED, JobState.SENDING, now=now, submission_id=submission_id)):
        raise Stale
    tx.run(
        "attempt_make",
        job_id=job,
        submission_id=submission_id,
        request_id=item.request.id,
        provider=provider,
        round=item.rounds[field],
        way=item.way,
        question=question,
        asked=dump_identity(told),
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
        results.add(
            tx,
            attempt["job_id"],
            attempt["provider"],
            attempt["round"],
            Outcome.SKIPPED,
            note=note,
            now=now,
            submission_id=submission_id,
            attempt=attempt,
        )
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
            known=people.known(rows[0]),
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
        way="",
        question="",
        asked=dump_identity(people.known(contact)),
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
            job, provider, round_ = attempt["job_id"], attempt["provider"], attempt["round"]
            results.add(
                tx, job, provider, round_, outcome, note=note, now=now, submission_id=submission_id, attempt=attempt
            )
            _move_flight(tx, attempt, (JobState.SENT, JobState.IN_DOUBT), JobState.ANSWERED, now=now, note=note)


def end_failed(tx: Tx, *, now: float) -> int:
    """What the provider failed at, and has not answered since, costs nothing any more; returns how many calls."""
    return tx.run("submissions_failed_for_good", now=now)


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
        results.add(
            tx,
            candidate.job_id,
            provider,
            candidate.round,
            Outcome.SKIPPED,
            note=note,
            now=now,
            known=candidate.identity,
        )


def share(tx: Tx, candidate: Candidate, result_id: int, way: str, note: str, *, doubt: str = "", now: float) -> None:
    """An answer that was given for another record speaks for this one, too: take that, pay nothing.

    `doubt`: why a person should look before it is written.
    """
    if tx.move(candidate.job_id, JobState.QUEUED, JobState.ANSWERED, now=now, note=note):
        results.copy(tx, result_id, candidate.job_id, candidate.round, way=way, doubt=doubt, note=note, now=now)
        tx.tally("answers_shared")


def stand_behind(tx: Tx, candidate: Candidate, behind: int, note: str, *, now: float) -> None:
    """Wait until another job has moved on; nothing happens when it has already, or nobody would wake us."""
    if JobState(tx.value("job_state", id=behind)) not in UNDECIDED | {JobState.ANSWERED, JobState.REVIEW}:
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


def _candidate(tx: Tx, row: sqlite3.Row, known_since: float, *, by_person: bool) -> Candidate:
    field = Field(row["field"])
    identity = people.known(row)
    under_way = row["mail_state"] not in (None, JobState.REVIEW, JobState.ACCEPTED, JobState.WRITING, JobState.DONE)
    blocked, ways = json.loads(row["blocked"]).get(field), frozenset(json.loads(row["ways"]))
    if blocked is None and by_person and row["kin"]:
        elsewhere = tx.value("kin_opted_out", person=row["person"], id=row["contact_id"], field=field)
        blocked = f"opted_out: {elsewhere}" if elsewhere else None
    return Candidate(
        job_id=row["id"],
        field=field,
        round=row["round"],
        since=row["updated_at"],
        ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
        identity=identity,
        person=row["person"],
        names=_names(identity) if row["namesakes"] else frozenset(),
        lacking=field in json.loads(row["lacks"]),
        blocked=blocked,
        email_job=row["mail_id"] if under_way else None,
        ways=ways,
        found_by=frozenset(json.loads(row["found_by"])),
        again=_again(row["asked_before"], ways),
        relatives=_relatives(tx, row, field, known_since) if row["kin"] or row["namesakes"] else (),
    )


def _names(identity: Identity) -> frozenset[str]:
    return frozenset(key for _, key in evidence.keys(identity, evidence.MEDIUM))


def _again(asked_before: str | None, ways: frozenset[str]) -> Question | None:
    """Not what was asked in the same way since, or answered for another record."""
    before = json.loads(asked_before) if asked_before else None
    if before is None or before["way"] in ways:
        return None
    return Question(way=before["way"], told=load_identity(before["told"]))


def _relatives(tx: Tx, row: sqlite3.Row, field: Field, since: float) -> tuple[Relative, ...]:
    """The same person's other records first, then those that may be the same person."""
    same = tx.rows("jobs_of_person", person=row["person"], field=field, job_id=row["id"]) if row["kin"] else []
    alike = (
        tx.rows("jobs_of_namesakes", contact_id=row["contact_id"], person=row["person"], field=field)
        if row["namesakes"]
        else []
    )
    return tuple(
        Relative(
            job_id=job["id"],
            state=JobState(job["state"]),
            provider=job["provider"],
            namesake=namesake,
            heard=tuple(results.heard(r, field) for r in tx.rows("results_since", job_id=job["id"], since=since)),
        )
        for jobs, namesake in ((same, False), (alike, True))
        for job in jobs
    )
