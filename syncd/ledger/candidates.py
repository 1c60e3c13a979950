"""Who may be asked now, with all that this is decided on; and those who are put aside instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ContactRef, Field, Identity, Outcome, Question
from syncd.frozen import frozen
from syncd.people import evidence

from . import people, results, suppressions
from .results import EVER, AnswerRow, Heard, Since, load_identity
from .states import UNDECIDED, JobState, Reason
from .store import Tx

DAY = 86_400.0
RELATIVES = 100  # records of one person that are looked at


@frozen(kw_only=True)
class Relative:
    """A job for the same field of another record of the person, or (`namesake`) of one that may be the same person:
    where it stands, and what was said about it lately."""

    job_id: int
    state: JobState
    provider: str
    namesake: bool
    heard: tuple[Heard, ...]


@frozen(kw_only=True)
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
    lacking: bool  # the CRM still lacks the field, as far as the last pull knows; or `refreshing`
    blocked: str | None  # why it must not be filled, the person's other records included
    email_job: int | None  # the job for the same contact's e-mail, while it is under way
    ways: frozenset[str]  # in which the provider was asked in this round
    finds: frozenset[str]  # calls whose finds count for this job: its own, or shared ones
    again: Question | None  # what was asked in vain and is to be asked once more, word for word
    refreshing: float | None = None  # since when (UTC seconds) a value of ours that the CRM held is verified again
    pulled_at: float = 0.0  # when the CRM was last asked for the contact
    relatives: tuple[Relative, ...] = ()


@frozen(kw_only=True)
class Asked:
    """An identical question that was asked lately: for which job, and the answer's id once there is one."""

    job_id: int
    under_way: bool
    result_id: int | None


def waiting(
    tx: Tx,
    sync: str,
    provider: str,
    limit: int,
    *,
    fields: Sequence[Field] | None = None,
    at_least: int = 0,
    at_most: int = 99,
) -> list[int]:
    """Jobs whose turn it is at a provider and that nobody holds, in order of priority, then age.

    `fields`: of these only; `at_least`, `at_most`: of these priorities.
    """
    wanted = None if fields is None else dump(list(fields))
    of = {"sync": sync, "provider": provider}
    return tx.packed("candidates_waiting", **of, limit=limit, fields=wanted, at_least=at_least, at_most=at_most)


class Page(NamedTuple):
    """Jobs whose turn it is, and the newest step of the history when they were looked up."""

    jobs: tuple[int, ...]
    newest: int


def page(
    tx: Tx,
    sync: str,
    provider: str,
    limit: int,
    *,
    fields: Sequence[Field] | None = None,
    at_least: int = 0,
    at_most: int = 99,
) -> Page:
    """What `waiting` returns: two that are equal were looked up while nothing moved."""
    jobs = waiting(tx, sync, provider, limit, fields=fields, at_least=at_least, at_most=at_most)
    return Page(tuple(jobs), tx.value("step_newest") or 0 if jobs else 0)


def candidates(
    tx: Tx,
    sync: str,
    provider: str,
    jobs: Sequence[int],
    *,
    since: Mapping[Field, Since] = MappingProxyType({}),
    by_person: bool = True,
) -> list[Candidate]:
    """Those of these jobs whose turn it is at a provider by now, in order of priority, then age.

    `since`: from when on what was said of other records counts. `by_person`: an opt-out is the person's.
    """
    rows = [_Row.of(row) for row in tx.packed("candidates", sync=sync, provider=provider, ids=dump(list(jobs)))]
    if not rows:
        return []
    page = _Page.read(tx, rows, since, by_person=by_person)
    return [_candidate(row, page) for row in rows]


class _Row(NamedTuple):
    """A job and its contact, as `candidates` selects them."""

    id: int
    field: Field
    person: str | None
    round: int
    provider: str
    priority: int
    updated_at: float
    retried_at: float
    contact_id: int
    connection: str
    object: str
    ext_id: str
    identity: str
    vague: str
    learned: str | None
    namesakes: int
    lacks: str
    blocked: str
    pulled_at: float
    became_at: float
    mail_id: int | None
    mail_state: str | None
    found_email: str | None
    kin: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> _Row:
        id_, field, *rest = row
        return cls(id_, _FIELDS[field], *rest)


_FIELDS = {one.value: one for one in Field}  # `Field(...)` takes three times as long, for each job


@dataclass(slots=True)
class _Page:
    """What was said and asked before about the jobs of a page, each by job; identities are made once a contact."""

    ways: Mapping[int, set[str]]
    finds: Mapping[int, set[str]]
    asked_before: Mapping[int, Question]
    relatives: Mapping[int, Sequence[Relative]]
    opted_out: Mapping[int, str]
    listed: Mapping[int, str]  # by contact: why it is on the suppression list
    identities: dict[tuple[int, str | None], Identity]

    @classmethod
    def read(cls, tx: Tx, rows: Sequence[_Row], since: Mapping[Field, Since], *, by_person: bool) -> _Page:
        ways: dict[int, set[str]] = defaultdict(set)
        finds: dict[int, set[str]] = defaultdict(set)
        ids = dump([row.id for row in rows])
        turn = {row.id: (row.provider, row.round) for row in rows}
        became_at = {row.id: row.became_at for row in rows}
        for row in tx.rows("candidates_heard", ids=ids):
            provider, round_ = turn[row["job_id"]]
            if row["outcome"] == Outcome.FOUND and row["asked_at"] >= became_at[row["job_id"]]:
                finds[row["job_id"]].add(row["submission_id"])
            if (row["provider"], row["round"]) == (provider, round_) and row["outcome"] != Outcome.FAILED:
                ways[row["job_id"]].add(row["way"])
        before: dict[int, Question] = {}
        for row in tx.rows("candidates_asked", ids=ids):
            if (row["provider"], row["round"]) != turn[row["job_id"]]:
                continue
            if row["live"]:
                ways[row["job_id"]].add(row["way"])
            elif row["state"] == "expired":
                before[row["job_id"]] = Question(way=row["way"], told=load_identity(row["asked"]))
        return cls(
            ways=ways,
            finds=finds,
            asked_before=before,
            relatives=_relatives(tx, rows, since),
            opted_out=_opted_out(tx, rows) if by_person else {},
            listed=suppressions.of_contacts(tx, [row.contact_id for row in rows]),
            identities={},
        )

    def identity(self, row: _Row) -> Identity:
        key = (row.contact_id, row.found_email)
        known = self.identities.get(key)
        if known is None:
            known = people.known(row.identity, row.vague, row.learned, row.found_email)
            self.identities[key] = known
        return known

    def again(self, job_id: int) -> Question | None:
        """Not what was asked in the same way since, or answered for another record."""
        before = self.asked_before.get(job_id)
        return None if before is None or before.way in self.ways.get(job_id, ()) else before


def _candidate(row: _Row, page: _Page) -> Candidate:
    field, id_, identity = row.field, row.id, page.identity(row)
    under_way = row.mail_state not in (None, JobState.REVIEW, JobState.ACCEPTED, JobState.WRITING, JobState.DONE)
    blocked = page.listed.get(row.contact_id)
    if blocked is None and row.blocked != "{}":
        blocked = parse(row.blocked).get(field)
    if blocked is None and id_ in page.opted_out:
        blocked = f"opted_out: {page.opted_out[id_]}"
    return Candidate(
        job_id=id_,
        field=field,
        round=row.round,
        since=row.updated_at,
        ref=ContactRef(connection=row.connection, object=row.object, id=row.ext_id),
        identity=identity,
        person=row.person,
        names=_names(identity) if row.namesakes else frozenset(),
        lacking=field in _lacks(row.lacks) or row.priority < 0,
        refreshing=row.retried_at if row.priority < 0 else None,
        blocked=blocked,
        email_job=row.mail_id if under_way else None,
        ways=frozenset(page.ways.get(id_, ())),
        finds=frozenset(page.finds.get(id_, ())),
        again=page.again(id_),
        pulled_at=row.pulled_at,
        relatives=tuple(page.relatives.get(id_, ())),
    )


@lru_cache(maxsize=64)
def _lacks(text: str) -> frozenset[str]:
    return frozenset(parse(text))


def _names(identity: Identity) -> frozenset[str]:
    return frozenset(key for _, key in evidence.keys(identity, evidence.MEDIUM))


def _opted_out(tx: Tx, rows: Sequence[_Row]) -> dict[int, str]:
    """By job: the same person's other record that says not to fill this field."""
    wanted = dump([[row.id, row.contact_id, row.field] for row in rows if row.kin])
    return {row["job_id"]: row["ref"] for row in tx.rows("opted_out_elsewhere", wanted=wanted)}


def _relatives(tx: Tx, rows: Sequence[_Row], since: Mapping[Field, Since]) -> dict[int, list[Relative]]:
    """By job: the same person's other records first, then those that may be the same person; a hundred of each."""
    fields = {row.id: row.field for row in rows}
    kin = dump([row.id for row in rows if row.kin])
    alike = dump([row.id for row in rows if row.namesakes])
    jobs = [(row, False) for row in tx.rows("jobs_of_person", ids=kin)] if kin != "[]" else []
    jobs += [(row, True) for row in tx.rows("jobs_of_namesakes", ids=alike)] if alike != "[]" else []
    if not jobs:
        return {}
    heard: dict[int, list[AnswerRow]] = defaultdict(list)
    wanted = sorted({(row["id"], *since.get(fields[row["for_job"]], EVER)) for row, _ in jobs})
    for one in map(AnswerRow._make, tx.rows("results_since", wanted=dump(wanted))):
        heard[one.job_id].append(one)
    found: dict[int, list[Relative]] = defaultdict(list)
    counts: dict[tuple[int, bool], int] = defaultdict(int)
    for row, namesake in jobs:
        key = (row["for_job"], namesake)
        counts[key] += 1
        if counts[key] <= RELATIVES:
            found[row["for_job"]].append(
                Relative(
                    job_id=row["id"],
                    state=JobState(row["state"]),
                    provider=row["provider"],
                    namesake=namesake,
                    heard=tuple(results.heard(one, fields[row["for_job"]]) for one in heard[row["id"]]),
                )
            )
    return found


def asked(tx: Tx, provider: str, questions: Mapping[int, Since]) -> dict[int, Asked]:
    """Of these questions (digests) to a provider, those that were asked since a moment, for whomever: the newest of
    each. Those that found somebody, or were not answered, count as finds do."""
    wanted = dump([[question, provider, *since] for question, since in questions.items()])
    rows = tx.rows("questions_asked", questions=wanted)
    return {
        row["question"]: Asked(job_id=row["job_id"], under_way=bool(row["under_way"]), result_id=row["result_id"])
        for row in rows
    }


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
