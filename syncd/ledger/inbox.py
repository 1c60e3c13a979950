"""Raw answers: stored before they are understood, then applied to the jobs that asked.

Whatever comes, in whatever order and however often, states only move up: the first acceptable find
wins, a repeat changes nothing, and what comes too late is kept beside the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Answer, ContactRef, Delivery, EnrichmentResult, Field, Outcome, Source
from syncd.frozen import frozen

from . import decisions, ids, results, shares
from .arrivals import unpacked
from .claims import Lost
from .results import Attempt, Said
from .shares import milli
from .states import IN_FLIGHT, REOPENED_BY_LATE_ANSWER, UNDECIDED, DeliveryState, JobState, Reason
from .store import Move, Tx
from .submissions import Accepted, accept_many

UNSIGNED = "the vendor's signature is missing or wrong"
LAST_WORD = "the call that it answers had its last word already"
FAILED = "the provider failed, and did not say what it charged: the worst case stays reserved until no answer is due"
PAGE_BYTES = 32 << 20  # of what is read at once
SURPLUS_KEPT = 10  # deliveries of one call that are kept after its last word
FAIL_AGAIN = (900.0, 3_600.0, 21_600.0)  # seconds until a question that the provider failed at is asked again


@frozen(kw_only=True)
class Received:
    """A delivery that waits to be understood. `note`: why it was set aside before, if it was. `checked`: its signature
    was right when it came; its headers are not kept."""

    id: int
    provider: str
    delivery: Delivery
    note: str = ""
    checked: bool = False


def waiting(tx: Tx, limit: int, limit_bytes: int = PAGE_BYTES) -> list[int]:
    """The oldest deliveries that nobody has looked at, and nobody holds: as many as fit into so many bytes, and one at
    least."""
    found: list[int] = []
    room = limit_bytes
    for id_, size in tx.rows("deliveries_waiting", limit=limit):
        room -= size
        if room < 0 and found:
            break
        found.append(id_)
    return found


def received(tx: Tx, ids: Sequence[int]) -> list[Received]:
    """Those of these deliveries that nobody has looked at, oldest first."""
    return [
        Received(
            id=row["id"],
            provider=row["provider"],
            delivery=Delivery(
                submission_id=row["submission_id"],
                source=Source(row["source"]),
                body=unpacked(row["body"], row["sample"]),
                headers=parse(row["headers"] or "{}"),
                ref=None if row["ref"] is None else ContactRef.parse(row["ref"]),
                field=None if row["field"] is None else Field(row["field"]),
                part=row["part"],
            ),
            note=row["note"],
            checked=row["headers"] is None,
        )
        for row in tx.rows("deliveries_received", ids=dump(list(ids)))
    ]


def look_again(tx: Tx, note: str | None = None, *, limit: int) -> int:
    """The newest that were quarantined, for this reason or for any, wait to be understood once more."""
    return tx.run("quarantined_again", note=note, limit=limit)


def quarantine(tx: Tx, got: Received, note: str) -> bool:
    """Keep it, use it for nothing, for now; False if it was set aside for the same reason before."""
    news = tx.run("delivery_done", id=got.id, state=DeliveryState.QUARANTINED, note=note) == 1 and note != got.note
    tx.tally("deliveries_quarantined", int(news))
    return news


def had_last_word(tx: Tx, submission_ids: Iterable[str]) -> set[str]:
    """Of these calls, those whose answer was taken: nothing else counts that comes without a signature."""
    return {row[0] for row in tx.rows("had_last_word", ids=dump(sorted(submission_ids)))}


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


@frozen(kw_only=True)
class Reading:
    """A delivery and what it says. `poll_at`, `deadline`: of the call that it answers; UTC seconds. `fetch`: the whole
    result is to be polled for at once. `replaces`: a find may replace a value that was written before it came.
    `unsigned`: it counts only while the call has not had its last word."""

    got: Received
    answer: Answer
    poll_at: float | None
    deadline: float
    fetch: bool = False
    replaces: bool = False
    unsigned: bool = False


def apply(
    tx: Tx, got: Received, answer: Answer, *, poll_at: float | None, deadline: float, now: float, fetch: bool = False
) -> int:
    """T5 for one delivery, as `apply_many` does."""
    return apply_many(tx, [Reading(got=got, answer=answer, poll_at=poll_at, deadline=deadline, fetch=fetch)], now=now)


def apply_many(tx: Tx, readings: Sequence[Reading], *, now: float) -> int:
    """T5: results onto the jobs, credits onto the submissions, deliveries done. Returns jobs answered.

    The same as one after the other, in a few statements for all of them. An answer proves that its submission was
    accepted, even if its own 2xx never reached us. Raises Lost where one of them was read by somebody else: a delivery
    is applied once; and where an unsigned one has come too late since it was looked at.
    """
    if (unsigned := {one.got.delivery.submission_id for one in readings if one.unsigned}) and had_last_word(
        tx, unsigned
    ):
        raise Lost
    done = [(_note(one.answer), one.got.id) for one in readings]
    if tx.many("deliveries_applied", done) != len(done):
        raise Lost
    accept_many(tx, [_accepted(one) for one in readings], now=now)
    work = _Work(tx, now, _attempts_answered(tx, readings))
    for one in readings:
        for result in one.answer.results:
            for attempt in work.attempts(one.got.delivery.submission_id, result):
                work.apply(attempt, result, one.got)
                if one.replaces:
                    work.reconsider(attempt, result)
    work.flush()
    fetched = [one.got.delivery.submission_id for one in readings if one.fetch and not one.answer.final]
    if fetched:
        tx.run("submissions_poll_at", ids=dump(fetched), poll_at=now)
    _end_calls(tx, readings)
    _count_unmatched(tx, readings, work)
    return work.answered


def _end_calls(tx: Tx, readings: Sequence[Reading]) -> None:
    """Those of which this is the end, or whose provider has failed."""
    for one in readings:
        if _has_failed(one.answer):
            tx.run("submission_failed", id=one.got.delivery.submission_id, note=FAILED, deadline=one.deadline)
    _settle(tx, [one for one in readings if one.answer.final and not _has_failed(one.answer)])
    if over := [one.got.delivery.submission_id for one in readings if one.unsigned and _is_last_word(one.answer)]:
        tx.run("submissions_answered", ids=dump(over))


def _count_unmatched(tx: Tx, readings: Sequence[Reading], work: _Work) -> None:
    """Items that belong to nobody; those of people who were erased since they were asked about are dropped."""
    calls = {one.got.delivery.submission_id for one in readings if one.answer.unmatched} | work.without_attempt
    erased = (
        {row["submission_id"] for row in tx.rows("forgotten_requests", ids=dump(sorted(calls)))} if calls else set()
    )
    dropped = [one for one in readings if one.got.delivery.submission_id in erased]
    tx.tally("answers_of_forgotten", len(dropped))
    tx.tally("items_unmatched", sum(one.answer.unmatched for one in readings if one not in dropped))


def _has_failed(answer: Answer) -> bool:
    """The provider failed, and did not say what it charged."""
    failed = bool(answer.results) and all(result.outcome is Outcome.FAILED for result in answer.results)
    return answer.final and answer.charged is None and failed


def _is_last_word(answer: Answer) -> bool:
    """It says that somebody was found, or nobody; or is about somebody who was erased. A provider that failed, or ran
    out of credits, may still find them."""
    told = {result.outcome for result in answer.results}
    return answer.final and (not told or bool(told & {Outcome.FOUND, Outcome.NOT_FOUND}))


def _accepted(one: Reading) -> Accepted:
    return Accepted(one.got.delivery.submission_id, one.answer.provider_id, one.poll_at, one.deadline)


def _note(answer: Answer) -> str:
    return answer.note or (f"{answer.unmatched} items belong to no request of ours" if answer.unmatched else "")


def _attempts_answered(tx: Tx, readings: Iterable[Reading]) -> list[Attempt]:
    """The attempts that these answers speak of, as they stand now."""
    calls = [(one.got.delivery.submission_id, one.answer.results) for one in readings]
    named = dict.fromkeys((call, ids.own_part(call, one.request_id)) for call, results in calls for one in results)
    return list(map(Attempt.of, tx.packed("attempts_of_requests", requests=dump(list(named))))) if named else []


class _Work:
    """What answers do to jobs, kept together until `flush`: each answer sees what the ones before it did."""

    def __init__(self, tx: Tx, now: float, attempts: Iterable[Attempt]) -> None:
        self._tx, self._now = tx, now
        self._attempts: dict[tuple[str, str, str], list[Attempt]] = {}
        self._jobs: dict[int, tuple[JobState, str]] = {}  # state and reason
        for row in attempts:
            self._attempts.setdefault((row.submission_id, row.request_id, row.field), []).append(row)
            self._jobs[row.job_id] = (row.job_state, row.job_reason)
        self._said: list[Said] = []
        self._moves: list[Move] = []
        self._released: list[list[object]] = []
        self._again: list[tuple[int, float]] = []
        self.answered = 0
        self.without_attempt: set[str] = set()  # calls of which an answer speaks of a request that nobody made

    def attempts(self, submission_id: str, result: EnrichmentResult) -> Sequence[Attempt]:
        found = self._attempts.get((submission_id, result.request_id, result.field), ())
        if not found:
            self.without_attempt.add(submission_id)
        return found

    def apply(self, attempt: Attempt, result: EnrichmentResult, got: Received) -> None:
        waits = attempt.job_submission == attempt.submission_id
        if result.outcome is Outcome.NO_CREDITS:
            self._requeue(attempt, result, waits=waits)
            return
        if result.outcome is Outcome.MISSING and not waits:
            return
        self._said.append(Said(attempt, result, got.id))
        if result.outcome is Outcome.FAILED:
            self._fail(attempt, result, waits=waits)
            return
        state, reason = self._jobs[attempt.job_id]
        if _speaks_now(attempt, result, state, reason):
            self._answer(attempt.job_id, result)

    def reconsider(self, attempt: Attempt, result: EnrichmentResult) -> None:
        """A find for what was written already: whether it is the better one is decided."""
        written = self._jobs[attempt.job_id] == (JobState.DONE, Reason.WRITTEN)
        if written and result.outcome is Outcome.FOUND:
            self._again.append((attempt.job_id, self._now))

    def flush(self) -> None:
        """Carry out what was collected, a statement for each table."""
        results.add_many(self._tx, self._said, now=self._now)
        if self._released:
            self._tx.run("attempts_release", pairs=dump(self._released))
        decisions.again(self._tx, self._again)
        moved = self._tx.move_many(self._moves, now=self._now)
        self.answered += sum(move.target is JobState.ANSWERED and move.job_id in moved for move in self._moves)
        self._said, self._released, self._moves, self._again = [], [], [], []

    def _move(self, job: int, target: JobState, **values: object) -> None:
        source, _ = self._jobs[job]
        self._moves.append(Move(job, source, target, values))
        self._jobs[job] = (target, "")

    def _answer(self, job: int, result: EnrichmentResult) -> None:
        self._move(job, JobState.ANSWERED, note=result.note)

    def _requeue(self, attempt: Attempt, result: EnrichmentResult, *, waits: bool) -> None:
        """The credits ran out before this one: not processed, not paid, asked again once there are some."""
        self._released.append([attempt.submission_id, attempt.job_id])
        if waits and self._jobs[attempt.job_id][0] in IN_FLIGHT:
            note = result.note or "the provider's credits ran out"
            self._move(attempt.job_id, JobState.QUEUED, note=note)
            self._again.append((attempt.job_id, self._now))  # another provider, or none, may be wanted by now

    def _fail(self, attempt: Attempt, result: EnrichmentResult, *, waits: bool) -> None:
        """Undetermined, and not charged: asked again soon, some times; then it is an answer like another."""
        job = attempt.job_id
        self._released.append([attempt.submission_id, job])
        state, _ = self._jobs[job]
        if not waits or state not in IN_FLIGHT:
            return
        self.flush()  # what is counted next
        times = self._tx.value("failures", job_id=job, provider=attempt.provider, round=attempt.round)
        if times > len(FAIL_AGAIN):
            self._answer(job, result)
        elif state is JobState.SENT:  # a call that was taken on; `accept_many` has just said so of every other one
            due_at = self._now + FAIL_AGAIN[times - 1]
            self._move(job, JobState.WAITING, note="the provider failed: asked again soon", due_at=due_at)
            self._again.append((job, self._now))


def _speaks_now(attempt: Attempt, result: EnrichmentResult, state: JobState, reason: str) -> bool:
    """Does this result decide where the job stands, or is it a second opinion for the record? A find counts, however
    often was asked since."""
    found = result.outcome is Outcome.FOUND
    awaited = attempt.round == attempt.job_round and attempt.job_provider == attempt.provider
    if state in IN_FLIGHT:
        return awaited
    if state in UNDECIDED:
        return found or awaited
    return state is JobState.DONE and found and Reason(reason) in REOPENED_BY_LATE_ANSWER


def _settle(tx: Tx, final: Sequence[Reading]) -> None:
    """The last words; of several about one call the first stands, unless it told no charge and the next one does."""
    while final:
        first = {one.got.delivery.submission_id: one for one in reversed(final)}
        told = {id_: _charge(one.answer) for id_, one in first.items()}
        split = shares.of_charges(tx, {id_: charged or 0 for id_, (charged, _) in told.items()})
        rows = [[id_, *told[id_], split[id_]] for id_ in first]
        settled = {row[0] for row in tx.rows("submissions_settled", rows=dump(rows))}
        more = [row for row in rows if row[0] not in settled and row[1] is not None]
        if more:
            tx.run("submissions_more_charged", rows=dump(more))
        final = [one for one in final if one is not first[one.got.delivery.submission_id]]


def _charge(answer: Answer) -> tuple[int | None, str]:
    charged = None if answer.charged is None else milli(answer.charged)
    return charged, answer.note if charged is not None else "the provider did not say what it charged"
