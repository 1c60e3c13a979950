"""What providers said about jobs: appended once, never changed, read back whenever a decision is taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Candidate, EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.frozen import frozen
from syncd.people.answers import About
from syncd.people.identity import BLANK

from .states import STATES, JobState
from .store import Tx

ACCEPTED, REFUSED = "accepted", "refused"  # a person's decisions
APPROVAL = "approval"  # why a value waits that is not in doubt


@frozen(kw_only=True)
class Heard:
    """One answer of a provider to one job, with what is decided on.

    `call`: the submission that it answers. `way` and `told`: how the provider was asked, and what it was told.
    `asked_at`: UTC seconds; of an answer that was shared, when it was. `doubt`: why an answer that was given for
    another record is doubtful for this one, or "". `decision`: a person's, "accepted" or "refused" ("" without one);
    `until`: how long a decision is waited for. `in_review`: the value that waits for one; `for_approval`: it is not in
    doubt, a person is only to approve it; `approved`: the value that a person has approved.
    """

    id: int
    provider: str
    result: EnrichmentResult
    call: str | None = None
    way: str = ""
    told: Identity = BLANK
    asked_at: float = 0.0
    doubt: str = ""
    decision: str = ""
    until: float | None = None
    in_review: str | None = None
    for_approval: bool = False
    approved: str | None = None


class Since(NamedTuple):
    """From when on answers count (UTC seconds): misses, and finds."""

    missed: float
    found: float


EVER = Since(0.0, 0.0)


class Attempt(NamedTuple):
    """A job's part in a call, with what was told, and where the job stands, as `attempts_of_requests` selects it."""

    job_id: int
    submission_id: str
    request_id: str
    field: Field
    provider: str
    round: int
    way: str
    asked: str
    job_state: JobState
    job_reason: str
    job_submission: str | None
    job_round: int
    job_provider: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> Attempt:
        job, call, request, field, provider, round_, way, asked, state, *rest = row
        return cls(job, call, request, _FIELDS[field], provider, round_, way, asked, STATES[state], *rest)


_FIELDS = {one.value: one for one in Field}  # `Field(...)` takes three times as long, for each job


class Said(NamedTuple):
    """What an answer says to an attempt, and the delivery that brought it."""

    attempt: Attempt
    result: EnrichmentResult
    delivery_id: int | None = None


def add(
    tx: Tx,
    job_id: int,
    provider: str,
    round_: int,
    outcome: Outcome,
    *,
    note: str,
    now: float,
    known: Identity = BLANK,
) -> None:
    """Append what came of a job without a question, once: a repeat of the same adds nothing.

    `known`: what the provider could have been told.
    """
    row = _Row(job_id, provider, round_, outcome, note=note, told=dump_identity(known))
    _add(tx, [row], now=now)


def add_many(tx: Tx, said: Iterable[Said], *, now: float) -> None:
    """Append what answers said, each to the attempt that asked, once: a repeat of the same words adds nothing."""
    _add(tx, [_row(one) for one in said], now=now)


class _Row(NamedTuple):
    """What `results_add` takes, in its order."""

    job_id: int
    provider: str
    round: int
    outcome: str
    submission_id: str | None = None
    delivery_id: int | None = None
    candidates: str = "[]"
    said: str = "[]"
    told: str | None = None
    way: str = ""
    note: str = ""

    @property
    def words(self) -> tuple[Any, ...]:
        """Equal for rows that say the same. (A failure is counted once for each call.)"""
        call = self.submission_id if self.outcome == Outcome.FAILED else None
        return self[:4], self.candidates, self.said, self.way, call


def _row(one: Said) -> _Row:
    attempt, result = one.attempt, one.result
    return _Row(
        attempt.job_id,
        attempt.provider,
        attempt.round,
        result.outcome,
        attempt.submission_id,
        one.delivery_id,
        dump_candidates(result),
        _beside(result.said, attempt.asked),
        way=attempt.way,
        note=result.note,
    )


def _add(tx: Tx, rows: Iterable[_Row], *, now: float) -> None:
    """Of rows that say the same, the first."""
    distinct: dict[tuple[Any, ...], _Row] = {}
    for row in rows:
        distinct.setdefault(row.words, row)
    tx.many("results_add", [(*row, now) for row in distinct.values()])


def copy(tx: Tx, result_id: int, job_id: int, round_: int, *, way: str, doubt: str, note: str, now: float) -> None:
    """Let an answer that was given for another record speak for this job, too."""
    tx.run("result_copy", id=result_id, job_id=job_id, round=round_, way=way, doubt=doubt, note=note, now=now)


class AnswerRow(NamedTuple):
    """A row of `answer` as the statements select it; from `decision` on its review's, where there is one."""

    job_id: int
    id: int
    provider: str
    outcome: str
    candidates: str
    said: str
    note: str
    call: str | None
    way: str
    told: str
    asked_at: float
    doubt: str
    decision: str
    until: float | None
    review_why: str | None
    review_value: str | None


def heard(row: AnswerRow, field: Field) -> Heard:
    """The answer in a row."""
    decision, value, for_approval = row.decision, row.review_value, row.review_why == APPROVAL
    return Heard(
        id=row.id,
        provider=row.provider,
        result=EnrichmentResult(
            request_id="",
            field=field,
            outcome=_OUTCOMES[row.outcome],
            candidates=load_candidates(row.candidates) if row.candidates != "[]" else (),
            said=load_said(row.said),
            note=row.note,
        ),
        call=row.call,
        way=row.way,
        told=load_identity(row.told),
        asked_at=row.asked_at,
        doubt=row.doubt,
        decision="" if for_approval and decision == ACCEPTED else decision,
        until=row.until,
        in_review=value if decision == "" else None,
        for_approval=for_approval,
        approved=value if for_approval and decision == ACCEPTED else None,
    )


_OUTCOMES = {one.value: one for one in Outcome}  # `Outcome(...)` takes three times as long, for each answer
_GRADES = {one.value: one for one in Grade}


def judged(tx: Tx, verdicts: Iterable[tuple[int, About]]) -> None:
    """Keep how answers were judged, for those who look: the decision itself is taken anew each time."""
    rows = [[id_, about.verdict, _evidence(about.agrees, about.contradicts)] for id_, about in verdicts]
    if rows:
        tx.run("evidence_add", rows=dump(rows))
        tx.run("results_judged", rows=dump(rows))


@lru_cache(maxsize=256)  # most answers agree in the same things
def _evidence(agrees: tuple[str, ...], contradicts: tuple[str, ...]) -> str:
    return dump({"for": agrees, "against": contradicts})


@lru_cache(maxsize=2048)
def question(field: Field, told: Identity) -> int:
    """A digest (64 bits) of what a provider is told: equal for identical questions, whoever they are asked for.

    Which provider it is does not go in: its connection may get another name.
    """
    basis = f"{field}|{dump_identity(told)}"
    digest = hashlib.blake2b(basis.casefold().encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big", signed=True)


def dump_candidates(result: EnrichmentResult) -> str:
    """Candidates as JSON, best first: of each its parts in their order, without the blanks at the end."""
    return dump([_listed(c) for c in result.candidates])


def _listed(candidate: Candidate) -> list[Any]:
    parts = [getattr(candidate, name) for name in _OF_CANDIDATE]
    while not parts[-1]:
        del parts[-1]
    return parts


def load_candidates(text: str) -> tuple[Candidate, ...]:
    """The reverse of `dump_candidates`."""
    return tuple(_candidate(*parts) for parts in parse(text))


def _candidate(grade: str, *parts: Any) -> Candidate:
    return Candidate(**dict(zip(_OF_CANDIDATE[1:], parts, strict=False)), grade=_GRADES[grade])


def candidates_in_full(text: str) -> list[dict[str, Any]]:
    """What `dump_candidates` wrote, for people: each part with its name, blanks left out."""
    return [{name: held for name in _OF_CANDIDATE if (held := getattr(c, name))} for c in load_candidates(text)]


def dump_said(said: Iterable[Identity]) -> str:
    """What an answer said of people, as JSON."""
    return "[" + ",".join(dump_identity(one) for one in said) + "]"


@lru_cache(maxsize=1024)
def _beside(said: tuple[Identity, ...], asked: str) -> str:
    """The same, shorter: of one person only what differs from whom it was asked about. The view `answer` undoes it."""
    if len(said) != 1 or not asked:
        return dump_said(said)
    told = parse(asked)
    one = {k: [*v] if isinstance(v, tuple) else v for k, v in _held(said[0]).items()}
    return dump(dict.fromkeys(told.keys() - one.keys()) | {k: v for k, v in one.items() if v != told.get(k)})


@lru_cache(maxsize=1024)
def load_said(text: str) -> tuple[Identity, ...]:
    """The reverse of `dump_said`."""
    return tuple(_identity(one) for one in parse(text))


@lru_cache(maxsize=4096)
def dump_identity(identity: Identity) -> str:
    """Identity as JSON with short names (see `schema.sql`), blanks left out."""
    return dump(_held(identity))


_SHORT = {
    "company": "co",
    "country": "c",
    "domain": "d",
    "email": "e",
    "emails": "es",
    "employer_country": "ec",
    "first_name": "fn",
    "full_name": "n",
    "last_name": "ln",
    "linkedin_url": "in",
    "others": "o",
    "phones": "ps",
    "shared": "s",
    "title": "t",
}
_LONG = {short: name for name, short in _SHORT.items()}
_OF_CANDIDATE = ("grade", "value", "word", "region", "line", "note")  # the grade first: `answered` looks for `["valid"`


def _held(identity: Identity) -> dict[str, Any]:
    """The parts that hold something. (`dataclasses.asdict` copies deeply, at twenty times the cost.)"""
    return {short: held for name, short in _SHORT.items() if (held := getattr(identity, name))}


def in_full(parts: dict[str, Any]) -> dict[str, Any]:
    """What `dump_identity` wrote, for people: each part with its name."""
    return {_LONG[short]: held for short, held in parts.items()}


@lru_cache(maxsize=2048)
def load_identity(text: str) -> Identity:
    """The reverse of `dump_identity`. Each stage reads the same contacts, one soon after the other."""
    return _identity(parse(text))


def _identity(parts: dict[str, Any]) -> Identity:
    """From what `dump_identity` wrote."""
    held: dict[str, Any] = {_LONG[k]: tuple(v) if isinstance(v, list) else v for k, v in parts.items()}
    return Identity(**held)
