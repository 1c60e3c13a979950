"""Everything that a decision is taken on, read for many contacts at once, by a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as with_default
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ASKED, ContactRef, Field, Identity
from syncd.frozen import frozen
from syncd.people import emails
from syncd.people.evidence import NOTHING, Learned

from . import people, results, suppressions
from .contacts import Rules
from .results import AnswerRow, Heard
from .states import STATES, JobState, Reason
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

UNDER_WAY = frozenset({JobState.SENDING, JobState.SENT, JobState.IN_DOUBT, JobState.WRITING})
_REFUSALS = {"duplicate_of": Reason.DUPLICATE, "write_refused": Reason.WRITE_REFUSED}


@frozen(kw_only=True)
class Job:
    """Where the work on one field of one contact stands."""

    id: int
    sync: str
    state: JobState
    reason: str
    note: str
    provider: str
    round: int
    value: str
    destination: str
    due_at: float
    ended_at: float  # UTC seconds of its last move
    retried_at: float  # UTC seconds; 0: never
    refreshing: bool  # a value of ours is verified again, since `retried_at`


class Stood(NamedTuple):
    """A value that we wrote; `result_id`: the answer that it is from (None: not known), `at`: UTC seconds."""

    value: str
    result_id: int | None
    at: float


@frozen(kw_only=True)
class Case:
    """One field of one contact, with all that is known of it. `job`: None where there was nothing to do so far.

    `selections`: ids of the selections that hold the contact. `written`: the value that we wrote last, by property;
    `cleared`: those before it that somebody has cleared. `stands`: what the CRM still holds of ours, as far as known.
    `refused`: values that the CRM does not take for good, why, and since when. `undone`: when a value of ours was put
    back last (UTC seconds), and by which run.
    """

    contact_id: int
    ref: ContactRef
    field: Field
    person: str | None
    identity: Identity  # what is usable of the contact, with what answers brought
    own: Identity  # the same without that, and without the mailbox that we wrote
    became_at: float
    seen_at: float
    lacks: bool
    blocked: str | None
    selections: frozenset[int]
    job: Job | None = None
    heard: tuple[Heard, ...] = ()
    written: Mapping[str, str] = with_default(default_factory=dict)
    cleared: Mapping[str, Sequence[str]] = with_default(default_factory=dict)
    stands: Mapping[str, Stood] = with_default(default_factory=dict)
    refused: Mapping[str, tuple[Reason, float]] = with_default(default_factory=dict)
    undone: tuple[float, int] | None = None
    requested: bool = False  # somebody wants this contact now


@frozen()
class Read:
    """Cases of some contacts, and what they were read from: a decision on a contact counts only while that stands."""

    cases: Sequence[Case]
    contact_ids: Sequence[int]
    rows: _Texts


def changed(tx: Tx, limit: int, *, now: float) -> list[int]:
    """Contacts to decide on because something was learned of them, or because their time has come."""
    ids = tx.packed("contacts_undecided", limit=limit) or tx.packed("contacts_due", limit=limit, now=now)
    return list(dict.fromkeys(ids))


def answered(tx: Tx, limit: int) -> list[int]:
    """Contacts to decide on because a provider or a person has answered."""
    return list(dict.fromkeys(tx.packed("contacts_answered", limit=limit)))


def read(tx: Tx, contact_ids: Iterable[int], rules: Rules) -> Read:
    """All cases of some contacts: of each field that lacks something, and of each job that is not under way."""
    texts = _Texts.read(tx, list(contact_ids))
    rows = _Rows.of(texts)
    return Read(cases=list(_cases(tx, rows, rules)), contact_ids=[one.id for one in rows.contacts], rows=texts)


def still(tx: Tx, before: Read) -> set[int]:
    """Contacts of which nothing has changed since they were read."""
    texts = _Texts.read(tx, before.contact_ids)
    if texts == before.rows:
        return set(before.contact_ids)
    then, now = _Rows.of(before.rows).by_contact(), _Rows.of(texts).by_contact()
    return {id_ for id_, rows in then.items() if now.get(id_) == rows}


class _Texts(NamedTuple):
    """The rows of some contacts and of their jobs, as the ledger gives them: equal texts are equal rows."""

    contacts: str
    jobs: str

    @classmethod
    def read(cls, tx: Tx, contact_ids: Sequence[int]) -> _Texts:
        ids = dump(contact_ids)
        return cls(tx.value("cases_contacts", ids=ids) or "[]", tx.value("cases_jobs", ids=ids) or "[]")


class _Contact(NamedTuple):
    """All of a contact that a decision depends on, as `cases_contacts` selects it."""

    id: int
    connection: str
    object: str
    ext_id: str
    identity: str
    person: str | None
    lacks: str
    blocked: str
    became_at: float
    pulled_at: float
    vague: str
    learned: str | None
    planned: int
    requested: int
    selections: str


class _JobRow(NamedTuple):
    """The same of a job, as `cases_jobs` selects it."""

    id: int
    contact_id: int
    sync: str
    field: Field
    state: JobState
    reason: str
    note: str
    provider: str
    round: int
    value: str | None
    destination: str
    due_at: float
    updated_at: float
    retried_at: float
    priority: int
    newest: int | None  # result

    @classmethod
    def of(cls, row: Sequence[Any]) -> _JobRow:
        id_, contact, sync, field, state, *rest = row
        return cls(id_, contact, sync, _FIELDS[field], STATES[state], *rest)


_FIELDS = {one.value: one for one in Field}  # `Field(...)` takes three times as long, for each job


@dataclass(slots=True)
class _Rows:
    contacts: list[_Contact]
    jobs: dict[int, list[_JobRow]]  # by contact

    @classmethod
    def of(cls, texts: _Texts) -> _Rows:
        jobs: dict[int, list[_JobRow]] = defaultdict(list)
        for job in map(_JobRow.of, parse(texts.jobs)):
            jobs[job.contact_id].append(job)
        return cls(list(map(_Contact._make, parse(texts.contacts))), jobs)

    def by_contact(self) -> dict[int, tuple[_Contact, list[_JobRow]]]:
        return {contact.id: (contact, self.jobs.get(contact.id, [])) for contact in self.contacts}

    @property
    def job_ids(self) -> str:
        return dump([job.id for of_one in self.jobs.values() for job in of_one])


def _cases(tx: Tx, rows: _Rows, rules: Rules) -> Iterable[Case]:
    heard, writes = _heard(tx, rows) if rows.jobs else {}, _writes(tx, rows)
    kin = _kin(tx, rows) if rules.by_person else {}
    listed = suppressions.of_contacts(tx, [contact.id for contact in rows.contacts])
    for contact in rows.contacts:
        jobs = {job.field: job for job in rows.jobs.get(contact.id, ())}
        lacks = _lacks(contact.lacks)
        blocked = {} if contact.blocked == "{}" else parse(contact.blocked)
        elsewhere, own = kin.get(contact.id, {}), _own(contact, jobs)
        ref = ContactRef(connection=contact.connection, object=contact.object, id=contact.ext_id)
        selections = _ids(contact.selections)
        for fld in sorted({*jobs, *lacks}):
            job = jobs.get(fld)
            if job is not None and job.state in UNDER_WAY:
                continue
            of_field = writes.get((contact.id, fld), ())
            of_ours = _of_writes(of_field) if of_field else _NOTHING
            yield Case(
                contact_id=contact.id,
                ref=ref,
                field=fld,
                person=contact.person,
                identity=_known(contact, fld, jobs),
                own=own,
                became_at=contact.became_at,
                seen_at=contact.pulled_at,
                lacks=fld in lacks or fld not in ASKED,
                blocked=listed.get(contact.id) or blocked.get(fld) or elsewhere.get(fld),
                selections=selections,
                job=None if job is None else _job(job),
                heard=tuple(heard.get(job.id, ())) if job is not None else (),
                written=of_ours.written,
                cleared=of_ours.cleared,
                stands=of_ours.stands,
                refused=of_ours.refused,
                undone=_undone(of_field) if of_field else None,
                requested=bool(contact.requested),
            )


@lru_cache(maxsize=64)
def _ids(text: str) -> frozenset[int]:
    return frozenset(parse(text))


@lru_cache(maxsize=64)
def _lacks(text: str) -> frozenset[Field]:
    return frozenset(Field(name) for name in parse(text))


def _job(row: _JobRow) -> Job:
    return Job(
        id=row.id,
        sync=row.sync,
        state=row.state,
        reason=row.reason,
        note=row.note,
        provider=row.provider,
        round=row.round,
        value=row.value or "",
        destination=row.destination,
        due_at=row.due_at,
        ended_at=row.updated_at,
        retried_at=row.retried_at,
        refreshing=row.priority < 0 and row.state is not JobState.DONE,
    )


def _known(contact: _Contact, fld: Field, jobs: Mapping[Field, _JobRow]) -> Identity:
    mail = jobs.get(Field.EMAIL) if fld is not Field.EMAIL else None
    counts = mail is not None and mail.updated_at > contact.became_at and mail.reason != Reason.UNDONE
    found = mail.value if mail is not None and counts else None
    learned = Learned(contact.learned, found) if contact.learned or found else NOTHING
    return people.usable(contact.identity, contact.vague, learned)


def _own(contact: _Contact, jobs: Mapping[Field, _JobRow]) -> Identity:
    """What the CRM says of itself: the mailbox that we found and wrote is no news."""
    own = people.usable(contact.identity, contact.vague, NOTHING)
    mail = jobs.get(Field.EMAIL)
    ours = mail is not None and own.email is not None and emails.same(own.email, mail.value or "")
    return replace(own, email=None) if ours else own


def _heard(tx: Tx, rows: _Rows) -> dict[int, list[Heard]]:
    """Answers by job, oldest first; one that names another record's profile or mailbox comes with that doubt."""
    fields = {job.id: job.field for of_one in rows.jobs.values() for job in of_one}
    heard: dict[int, list[Heard]] = defaultdict(list)
    for row in map(AnswerRow._make, tx.packed("cases_results", ids=rows.job_ids)):
        heard[row.job_id].append(results.heard(row, fields[row.job_id]))
    _add_doubts(tx, rows, heard)
    return heard


def _add_doubts(tx: Tx, rows: _Rows, heard: dict[int, list[Heard]]) -> None:
    named: dict[tuple[int, int], frozenset[int]] = {}  # keys of others that an answer names, by job and place
    person: dict[int, str | None] = {}  # by job
    for contact in rows.contacts:
        for job in rows.jobs.get(contact.id, ()):
            person[job.id] = contact.person
            for place, one in enumerate(heard.get(job.id, ())):
                if one.result.candidates and not one.doubt:
                    named[job.id, place] = people.keys_of_others(contact.identity, one.result.said)
    wanted = sorted({key for keys in named.values() for key in keys})
    if not wanted:
        return
    holders: dict[int, list[sqlite3.Row]] = defaultdict(list)
    for row in tx.rows("cases_holders", keys=dump(wanted)):
        holders[row["key"]].append(row)
    for (job_id, place), keys in named.items():
        other = next((h["ref"] for key in sorted(keys) for h in holders[key] if h["person"] != person[job_id]), None)
        if other is not None:
            doubt = people.names_record(other)
            heard[job_id][place] = replace(heard[job_id][place], doubt=doubt)


def _writes(tx: Tx, rows: _Rows) -> dict[tuple[int, str], list[sqlite3.Row]]:
    found: dict[tuple[int, str], list[sqlite3.Row]] = defaultdict(list)
    for row in tx.rows("cases_writes", ids=dump([contact.id for contact in rows.contacts])):
        found[row["contact_id"], row["field"]].append(row)
    return found


class _OfWrites(NamedTuple):
    """See `Case`."""

    written: dict[str, str]
    cleared: dict[str, list[str]]
    stands: dict[str, Stood]
    refused: dict[str, tuple[Reason, float]]


_NOTHING = _OfWrites({}, {}, {}, {})


def _of_writes(writes: Iterable[sqlite3.Row]) -> _OfWrites:
    """What became of the values that were written to one field, the oldest first."""
    found = _OfWrites({}, {}, {}, {})
    for row in writes:
        if row["undone_at"] is not None:
            continue  # it was put back: what stood there before stands there now
        if row["state"] in ("written", "cleared", "unknown"):
            found.refused.pop(row["after"], None)
            found.stands.pop(row["property"], None)
        else:
            found.refused[row["after"]] = (_REFUSALS[row["state"]], row["at"])
        if row["state"] in ("written", "cleared"):  # not "unknown": what became of it is seen before the next write
            former = found.written.get(row["property"])
            if former is not None and former != row["before"]:
                found.cleared.setdefault(row["property"], []).append(former)
            found.written[row["property"]] = row["after"]
        if row["state"] == "written":
            found.stands[row["property"]] = Stood(row["after"], row["result_id"], row["at"])
    return found


def _undone(writes: Iterable[sqlite3.Row]) -> tuple[float, int] | None:
    undone = [(row["undone_at"], row["undone_by"]) for row in writes if row["undone_at"] is not None]
    return max(undone, default=None)


def _kin(tx: Tx, rows: _Rows) -> dict[int, dict[Field, str]]:
    """Fields in which the same person's other record opted out, with a sentence."""
    found: dict[int, dict[Field, str]] = defaultdict(dict)
    for row in tx.rows("cases_kin", ids=dump([contact.id for contact in rows.contacts])):
        for name in parse(row["opt_out"]):
            found[row["contact_id"]].setdefault(Field(name), f"opted_out: {row['ref']}")
    return found
