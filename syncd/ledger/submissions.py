"""Paid calls: intents with their reservation of credits, and how each call ended. Who may be asked: `candidates`.

Credits cross this border as Decimal and are kept as thousandths.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field as with_default
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import (
    ContactRef,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
    Identity,
    Outcome,
    Submission,
)
from syncd.frozen import frozen
from syncd.people.identity import BLANK

from . import budgets, decisions, ids, people, permits, results, room, suppressions
from .permits import Permit, Use
from .results import EVER, Attempt, Said, Since, dump_identity, load_identity
from .room import Limit
from .shares import Shares, reservation
from .states import JobState, SubmissionState
from .store import Call, Move, Tx, together

DAY = 86_400.0
NOBODY = 0  # no process has this number
ERASED = ContactRef(connection="erased", object="erased", id="erased")  # of requests about people who were erased since
FORGOTTEN = "this ledger knows no such call"  # it was restored from a copy that is older than the call


@frozen(kw_only=True)
class Item:
    """One request of a submission and the jobs that it asks for."""

    request: EnrichmentRequest
    jobs: Mapping[Field, int]
    rounds: Mapping[Field, int]
    way: str = ""


class Stale(Exception):
    """A job left the queue since dispatch looked, nobody wants it any more, or the same person or the identical
    question is being asked about: nothing was written."""


@frozen()
class Intent:
    """A call that is to be made, with the jobs that it asks for and what limits it: see `intend`."""

    submission: Submission
    items: Sequence[Item]
    provider: str
    sync: str
    reserve: Shares
    limits: Sequence[Limit]
    deadline: float
    now: float
    since: Mapping[Field, Since] = with_default(default_factory=dict)
    by_person: bool = True
    permit: Permit | None = None
    refresh: bool = False


def _intend_all(tx: Tx, calls: Sequence[Call]) -> list[None]:
    intend_many(tx, [Intent(*call.args, **call.kwargs) for call in calls])
    return [None] * len(calls)


@together(_intend_all)
def intend(
    tx: Tx,
    submission: Submission,
    items: Sequence[Item],
    *,
    provider: str,
    sync: str,
    reserve: Shares,
    limits: Sequence[Limit],
    deadline: float,
    now: float,
    since: Mapping[Field, Since] = MappingProxyType({}),
    by_person: bool = True,
    permit: Permit | None = None,
    refresh: bool = False,
) -> None:
    """T2: the intent, its attempts and the worst-case reservation, before anything is sent. It is the right of one
    process, that of the `permit`, to make this call.

    Raises OverBudget, or Stale when a job left the queue or is another provider's by now, its contact was filled,
    blocked or put on the suppression list since it was chosen, the same person is being asked about, or the identical
    question was asked `since` then (a field that is not in it: ever), or what `permits.use` does; either undoes it all.
    """
    values = (provider, sync, reserve, limits, deadline, now, since, by_person, permit, refresh)
    intend_many(tx, [Intent(submission, items, *values)])


def intend_many(tx: Tx, intents: Sequence[Intent]) -> None:
    """T2 for several calls: all of them, or none. Raises what `intend` does for any of them."""
    permits.use(tx, [_use(one, one.permit) for one in intents if one.permit is not None])
    _reserve(tx, intents)
    attempts = [_attempts_of(one) for one in intents]
    every = [attempt for of_one in attempts for attempt in of_one]
    _send(tx, every, now=max(one.now for one in intents))
    _not_asked_elsewhere(tx, every, intents)
    turns: dict[tuple[str, str, bool], list[tuple[int, int]]] = {}
    for one, of_one in zip(intents, attempts, strict=True):
        turn = turns.setdefault((one.provider, one.sync, one.by_person), [])
        turn += ((attempt.job_id, attempt.round) for attempt in of_one)
    for (provider, sync, by_person), wanted in turns.items():
        values = {"provider": provider, "sync": sync, "by_person": int(by_person), "wanted": dump(wanted)}
        if tx.row("jobs_not_wanted", **values) is not None:
            raise Stale
    if suppressions.of_jobs(tx, [attempt.job_id for attempt in every]):
        raise Stale
    tx.many("attempts_make", every)


def _use(intent: Intent, permit: Permit) -> Use:
    jobs = [job for item in intent.items for job in item.jobs.values()]
    return Use(permit, intent.provider, intent.sync, jobs, intent.now)


def _reserve(tx: Tx, intents: Sequence[Intent]) -> None:
    """The calls with the worst case of each. Once all are reserved, nothing that limits them may be exceeded."""
    seen: dict[str, Mapping[Field, Decimal]] = {}
    counted: dict[Limit, Decimal] = {}
    rows = []
    for one in intents:
        if one.provider not in seen:
            seen[one.provider] = budgets.dearest(tx, one.provider, now=one.now)
        fields = [field for item in one.items for field in item.jobs]
        reserve = budgets.at_least(seen[one.provider], fields, one.reserve)
        counted |= room.counting(one.limits, reserve)
        owner = None if one.permit is None else one.permit.owner.id
        what = (len(one.items), *reservation(reserve))
        rows.append((one.submission.id, one.provider, one.sync, *what, one.now, one.deadline, owner, int(one.refresh)))
    tx.many("submission_make", rows)
    room.require(tx, counted, now=max((one.now for one in intents), default=0.0), made=True)


class _Attempt(NamedTuple):
    """What `attempts_make` takes, in its order."""

    job_id: int
    submission_id: str
    request: str
    provider: str
    round: int
    way: str
    question: int | None
    asked: str
    at: float


def _attempts_of(intent: Intent) -> list[_Attempt]:
    """One for each field of each request."""
    requests = zip(intent.submission.requests, intent.items, strict=True)
    return [one for request, item in requests for one in _attempts_at(intent, request, item)]


def _attempts_at(intent: Intent, request: EnrichmentRequest, item: Item) -> Iterator[_Attempt]:
    """One for each field; what is told is the same for all, and stands with the first."""
    told = request.identity
    own = ids.own_part(intent.submission.id, request.id)
    for n, (field, job_id) in enumerate(item.jobs.items()):
        yield _Attempt(
            job_id=job_id,
            submission_id=intent.submission.id,
            request=own,
            provider=intent.provider,
            round=item.rounds[field],
            way=item.way,
            question=results.question(field, told),
            asked="" if n else dump_identity(told),
            at=intent.now,
        )


def _send(tx: Tx, attempts: Sequence[_Attempt], *, now: float) -> None:
    moves = [
        Move(one.job_id, JobState.QUEUED, JobState.SENDING, {"submission_id": one.submission_id}) for one in attempts
    ]
    try:
        moved = tx.move_many(moves, now=now)
    except tx.conflict as error:  # the same person is being asked about (`job_asked`)
        raise Stale from error
    if len(moved) != len(moves):
        raise Stale


def _not_asked_elsewhere(tx: Tx, attempts: Sequence[_Attempt], intents: Iterable[Intent]) -> None:
    """Looked at once the jobs are being sent, so that two of them about one person are seen, too."""
    if len({(one.question, one.provider) for one in attempts}) != len(attempts):
        raise Stale
    fields = [(one, field) for one in intents for item in one.items for field in item.jobs]
    questions = [
        (attempt.question, attempt.provider, *intent.since.get(field, EVER))
        for attempt, (intent, field) in zip(attempts, fields, strict=True)
    ]
    if tx.row("questions_taken", questions=dump(questions)) is not None:
        raise Stale


class Accepted(NamedTuple):
    """A call that was taken on. `poll_at`, `deadline`: UTC seconds."""

    id: str
    provider_id: str | None
    poll_at: float | None
    deadline: float


def _accept_all(tx: Tx, calls: Sequence[Call]) -> list[None]:
    for note in dict.fromkeys(call.kwargs.get("note", "") for call in calls):
        alike = [call for call in calls if call.kwargs.get("note", "") == note]
        told = [Accepted._make((*call.args, call.kwargs["poll_at"], call.kwargs["deadline"])) for call in alike]
        accept_many(tx, told, now=max(call.kwargs["now"] for call in alike), note=note)
    return [None] * len(calls)


@together(_accept_all)
def accept(
    tx: Tx,
    submission_id: str,
    provider_id: str | None,
    *,
    poll_at: float | None,
    deadline: float,
    now: float,
    note: str = "",
) -> None:
    """T3: the provider took it. Callbacks may have come first: states only go up."""
    accept_many(tx, [Accepted(submission_id, provider_id, poll_at, deadline)], now=now, note=note)


def accept_many(tx: Tx, calls: Iterable[Accepted], *, now: float, note: str = "") -> None:
    """T3 for many calls; of several words about one the first, but for the provider's id."""
    told: dict[str, Accepted] = {}
    for one in calls:
        known = told.setdefault(one.id, one)
        if known.provider_id is None and one.provider_id is not None:
            told[one.id] = known._replace(provider_id=one.provider_id)
    unsure = [row[0] for row in tx.rows("submissions_unsure", ids=dump(list(told)))]
    tx.run("submissions_accepted", rows=dump(list(told.values())))
    _move_flight(tx, unsure, (JobState.SENDING, JobState.IN_DOUBT), JobState.SENT, now=now, note=note)


def refuse(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """Definitely not carried out: nothing was spent, the jobs are as they were.

    Does nothing when a callback has proved the opposite in the meantime.
    """
    if tx.run("submission_refused", id=submission_id, note=note) != 1:
        return
    _move_flight(tx, [submission_id], (JobState.SENDING,), JobState.QUEUED, now=now, note=note)
    tx.run("attempt_release", submission_id=submission_id)


def reject(tx: Tx, submission_id: str, note: str, *, now: float) -> None:
    """The provider refuses the person for good: an answer that cost nothing."""
    if tx.run("submission_refused", id=submission_id, note=note) != 1:
        return
    said = [Said(one, _without_answer(one, Outcome.SKIPPED, note)) for one in _attempts(tx, submission_id)]
    results.add_many(tx, said, now=now)
    _move_flight(tx, [submission_id], (JobState.SENDING,), JobState.ANSWERED, now=now, note=note)
    tx.run("attempt_release", submission_id=submission_id)


def give_up(tx: Tx, submission_id: str, job_ids: Collection[int], note: str, *, now: float) -> None:
    """Of a call that was refused: these queued jobs are not sent again, the refusal is the provider's answer."""
    said = [
        Said(one, _without_answer(one, Outcome.SKIPPED, note))
        for one in _attempts(tx, submission_id)
        if one.job_id in job_ids
    ]
    results.add_many(tx, said, now=now)
    tx.move_many([Move(id_, JobState.QUEUED, JobState.ANSWERED, {"note": note}) for id_ in sorted(job_ids)], now=now)


def doubt(tx: Tx, submission_id: str, note: str, *, hold_until: float, now: float) -> None:
    """Nobody can say whether it was carried out: the reservation stays, and it is not sent again."""
    tx.run(
        "submission_state",
        id=submission_id,
        source=SubmissionState.INTENT,
        target=SubmissionState.IN_DOUBT,
        note=note,
        deadline=hold_until,
        due=None,
    )
    _move_flight(tx, [submission_id], (JobState.SENDING,), JobState.IN_DOUBT, now=now, note=note)


def count_open(tx: Tx, provider: str) -> int:
    """Paid calls of a provider that are under way, unanswered or in doubt."""
    return int(tx.value("submissions_open", provider=provider))


def recover(tx: Tx, hold: Mapping[str, float], *, now: float, owner: int = NOBODY) -> int:
    """Every intent without an outcome whose process has ended or stands still is in doubt, but not those of `owner`,
    who knows better. `hold`: seconds per provider. Returns how many there were."""
    rows = tx.rows("submissions_intended", owner=owner, now=now)
    for row in rows:
        note = "syncd stopped while it was being sent"
        doubt(tx, row["id"], note, hold_until=now + hold.get(row["provider"], 2 * DAY), now=now)
    return len(rows)


class Wanted(NamedTuple):
    """A call to be loaded. `requests`: the ids of those that are enough; None for all of them. `known`: with what is
    known of each contact by now."""

    id: str
    requests: frozenset[str] | None = None
    known: bool = True


def load(tx: Tx, submission_id: str) -> Submission | None:
    """A submission with its requests as they were asked (without its callback's address)."""
    return load_many(tx, [Wanted(submission_id)]).get(submission_id)


def load_many(tx: Tx, wanted: Iterable[Wanted]) -> dict[str, Submission]:
    """Those of these submissions that the ledger knows; of one that is wanted twice, all that is wanted.

    Where none of the named requests is one of the submission's, it has all of them.
    """
    calls: dict[str, Wanted] = {}
    for one in wanted:
        calls[one.id] = _both(calls[one.id], one) if one.id in calls else one
    rows = tx.rows("submissions_get", ids=dump(list(calls)))
    provider_ids = {row["id"]: row["provider_id"] for row in rows}
    found = _requests(tx, [calls[id_] for id_ in provider_ids])
    if lost := [calls[id_]._replace(requests=None) for id_ in provider_ids if id_ not in found and calls[id_].requests]:
        found |= _requests(tx, lost)
    if erased := [id_ for id_ in provider_ids if not found.get(id_)]:
        found |= _of_the_forgotten(tx, erased)
    return {
        id_: Submission(id=id_, requests=tuple(found.get(id_, ())), callback_url="", provider_id=provider_id)
        for id_, provider_id in provider_ids.items()
    }


def _of_the_forgotten(tx: Tx, calls: Sequence[str]) -> dict[str, list[EnrichmentRequest]]:
    """Calls about nobody but people who were erased: their answers are still read, for what they cost."""
    found: dict[str, list[EnrichmentRequest]] = {}
    for row in tx.rows("forgotten_requests", ids=dump(calls)):
        fields = tuple(Field(name) for name in parse(row["fields"]))
        request = EnrichmentRequest(id=row["request_id"], ref=ERASED, identity=BLANK, fields=fields)
        found.setdefault(row["submission_id"], []).append(request)
    return found


def _both(one: Wanted, other: Wanted) -> Wanted:
    requests = None if one.requests is None or other.requests is None else one.requests | other.requests
    return Wanted(one.id, requests, one.known or other.known)


class _Asked(NamedTuple):
    """One field of a request, and of whom, as `requests_of_submissions` selects it."""

    submission_id: str
    request_id: str
    asked: str
    field: str
    connection: str
    object: str
    ext_id: str
    identity: str | None  # where what is known is wanted, and is still about whom was asked
    vague: str
    learned: str | None
    found_email: str | None


def _requests(tx: Tx, calls: Sequence[Wanted]) -> dict[str, list[EnrichmentRequest]]:
    named = [[one.id, ids.own_part(one.id, request)] for one in calls for request in sorted(one.requests or ())]
    whole = [one.id for one in calls if not one.requests]
    with_known = int(any(one.known for one in calls))
    rows = tx.packed("requests_named", wanted=dump(named), known=with_known) if named else []
    rows += tx.packed("requests_of_submissions", ids=dump(whole), known=with_known) if whole else []
    parts: dict[tuple[str, str], list[_Asked]] = {}
    for row in map(_Asked._make, rows):
        parts.setdefault((row.submission_id, row.request_id), []).append(row)
    known = {one.id for one in calls if one.known}
    found: dict[str, list[EnrichmentRequest]] = {}
    for (id_, request_id), of_one in parts.items():
        found.setdefault(id_, []).append(_request(request_id, of_one, known=id_ in known))
    return found


def _known(one: _Asked) -> Identity:
    return BLANK if one.identity is None else people.known(one.identity, one.vague, one.learned, one.found_email)


def _request(request_id: str, rows: Sequence[_Asked], *, known: bool) -> EnrichmentRequest:
    first = rows[0]
    return EnrichmentRequest(
        id=request_id,
        ref=ContactRef(connection=first.connection, object=first.object, id=first.ext_id),
        identity=load_identity(first.asked),
        fields=tuple(Field(row.field) for row in rows),
        known=_known(first) if known else BLANK,
    )


@frozen(kw_only=True)
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
        due=None,
    )
    if undone != 1:
        return
    tx.run("submission_refused", id=submission_id, note=note)
    tx.run("attempt_release", submission_id=submission_id)
    _move_flight(tx, [submission_id], (JobState.IN_DOUBT,), JobState.QUEUED, now=now, note=note)


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
    reserved_mc, shares = reservation({delivery.field: reserve[delivery.field]})
    tx.run(
        "submission_make",
        id=delivery.submission_id,
        provider=provider,
        sync=job["sync"],
        requests=1,
        reserved_mc=reserved_mc,
        shares=shares,
        now=now,
        deadline=now + DAY,
        owner=None,
        refresh=0,
    )
    sent = {"submission_id": delivery.submission_id, "provider": provider, "asked_person": ""}
    tx.move(job["id"], JobState.QUEUED, JobState.SENDING, now=now, **sent)
    call = delivery.submission_id
    told = dump_identity(people.known(contact["identity"], contact["vague"], contact["learned"]))
    tx.many("attempts_make", [_Attempt(job["id"], call, "", provider, job["round"], "", None, told, now)])
    tx.tally("calls_adopted")
    return True


def overdue(tx: Tx, ask: Iterable[str], *, now: float) -> list[tuple[str, str, SubmissionState]]:
    """(id, provider, state) of what waited for an answer for long enough, or was held in doubt long enough, but not
    at one of the providers for which a person is asked (`ask`) what to do then."""
    rows = tx.rows("submissions_overdue", ask=dump(list(ask)), now=now)
    return [(row["id"], row["provider"], SubmissionState(row["state"])) for row in rows]


def expire(
    tx: Tx, submission_id: str, source: SubmissionState, note: str, *, now: float, due: float | None = None
) -> None:
    """No answer came: each open job is answered with *missing*; the worst case stays reserved.

    Does nothing when an answer came in the last moment, or the call has time until after `due` (UTC seconds) by now.
    """
    if not _end(tx, submission_id, source, note, due):
        return
    outcome = Outcome.UNRESOLVED if source is SubmissionState.IN_DOUBT else Outcome.MISSING
    waiting = (JobState.SENT, JobState.IN_DOUBT)
    said = [
        Said(one, _without_answer(one, outcome, note))
        for one in _attempts(tx, submission_id)
        if one.job_submission == submission_id and one.job_state in waiting
    ]
    results.add_many(tx, said, now=now)
    _move_flight(tx, [submission_id], waiting, JobState.ANSWERED, now=now, note=note)


def end_failed(tx: Tx, *, now: float) -> int:
    """What the provider failed at, and has not answered since, costs nothing any more; returns how many calls."""
    return tx.run("submissions_failed_for_good", now=now)


def resend(tx: Tx, submission_id: str, note: str, *, now: float, due: float | None = None) -> None:
    """The operator's policy lets what is in doubt be asked once more, by an attempt of its own; the first reservation
    stays. `due`: as in `expire`.

    What was resent before is given up instead: once means once.
    """
    attempts = _attempts(tx, submission_id)
    if any(_asked_times(tx, attempt) > 1 for attempt in attempts):
        note = "sent twice, and no answer either time"
        expire(tx, submission_id, SubmissionState.IN_DOUBT, note, now=now, due=due)
        return
    if not _end(tx, submission_id, SubmissionState.IN_DOUBT, note, due):
        return
    tx.run("attempt_release", submission_id=submission_id)
    _move_flight(tx, [submission_id], (JobState.IN_DOUBT,), JobState.QUEUED, now=now, note=note)


def calls_since(tx: Tx, provider: str, since: float) -> list[float]:
    """When the provider was called, for the rate windows after a restart."""
    return [row[0] for row in tx.rows("calls_since", provider=provider, since=since)]


def is_silent(tx: Tx, provider: str, calls: int, *, since: float, until: float) -> bool:
    """Was none of the last `calls` calls answered that were accepted between two moments?"""
    states = [row[0] for row in tx.rows("calls_latest", provider=provider, since=since, until=until, limit=calls)]
    return len(states) == calls and SubmissionState.SETTLED not in states


def to_poll(tx: Tx, provider: str, limit: int, *, now: float) -> list[str]:
    """Accepted submissions whose result may be asked for now."""
    return [row[0] for row in tx.rows("submissions_to_poll", provider=provider, limit=limit, now=now)]


def polled(tx: Tx, submission_id: str, poll_at: float | None) -> None:
    """When to ask next; None: never again."""
    tx.run("submission_poll_at", id=submission_id, poll_at=poll_at)


def poll_all_now(tx: Tx, provider: str, *, now: float) -> None:
    """After a start every open result is asked for: callbacks may have been missed."""
    tx.run("submissions_poll_now", provider=provider, now=now)


def _end(tx: Tx, submission_id: str, source: SubmissionState, note: str, due: float | None) -> bool:
    values = {"source": source, "target": SubmissionState.EXPIRED, "note": note, "deadline": None, "due": due}
    return tx.run("submission_state", id=submission_id, **values) == 1


def _without_answer(attempt: Attempt, outcome: Outcome, note: str) -> EnrichmentResult:
    return EnrichmentResult(request_id="", field=attempt.field, outcome=outcome, note=note)


def _attempts(tx: Tx, submission_id: str) -> list[Attempt]:
    return list(map(Attempt.of, tx.packed("attempts_of_submissions", ids=dump([submission_id]))))


def _asked_times(tx: Tx, attempt: Attempt) -> int:
    rows = tx.rows("attempts_of_job", job_id=attempt.job_id)
    same = [r for r in rows if r["provider"] == attempt.provider and r["round"] == attempt.round]
    return sum(r["state"] != SubmissionState.REFUSED for r in same)


def _move_flight(
    tx: Tx,
    submission_ids: Collection[str],
    sources: Collection[JobState],
    target: JobState,
    *,
    now: float,
    note: str = "",
) -> None:
    """Move the jobs that wait for these calls, and stand at one of `sources`. What is to be asked once more is decided
    on first: another provider, or none, may be wanted by now."""
    if not submission_ids:
        return
    flying = tx.rows("jobs_in_flight", ids=dump(list(submission_ids)))
    jobs = [(id_, JobState(state)) for state, ids in flying if state in sources for id_ in parse(ids)]
    moved = tx.move_many([Move(id_, state, target, {"note": note}) for id_, state in jobs], now=now)
    if target is JobState.QUEUED:
        decisions.again(tx, [(id_, now) for id_ in sorted(moved)])
