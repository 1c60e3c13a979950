"""Everything that a decision is taken on, read for many contacts at once, by a fixed number of statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as with_default
from functools import lru_cache
from typing import TYPE_CHECKING

from syncd.contract.model import ContactRef, Field, Identity
from syncd.frozen import frozen
from syncd.people import emails
from syncd.people.evidence import NOTHING, Learned

from . import people, results, suppressions
from .contacts import Rules
from .results import Heard
from .states import JobState, Reason
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


@frozen(kw_only=True)
class Case:
    """One field of one contact, with all that is known of it. `job`: None where there was nothing to do so far.

    `selections`: ids of the selections that hold the contact. `written`: the value that we wrote last, by property.
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
    refused: Mapping[str, tuple[Reason, float]] = with_default(default_factory=dict)
    undone: tuple[float, int] | None = None


@frozen()
class Read:
    """Cases of some contacts, and what they were read from: a decision on a contact counts only while that stands."""

    cases: Sequence[Case]
    stamps: Mapping[int, int]  # by contact


def changed(tx: Tx, limit: int, *, now: float) -> list[int]:
    """Contacts to decide on because something was learned of them, or because their time has come."""
    rows = tx.rows("contacts_undecided", limit=limit) or tx.rows("contacts_due", limit=limit, now=now)
    return list(dict.fromkeys(row["id"] for row in rows))


def answered(tx: Tx, limit: int) -> list[int]:
    """Contacts to decide on because a provider or a person has answered."""
    return list(dict.fromkeys(row["id"] for row in tx.rows("contacts_answered", limit=limit)))


def read(tx: Tx, contact_ids: Iterable[int], rules: Rules) -> Read:
    """All cases of some contacts: of each field that lacks something, and of each job that is not under way."""
    rows = _Rows.of(tx, list(contact_ids))
    return Read(cases=list(_cases(tx, rows, rules)), stamps=rows.stamps())


def still(tx: Tx, before: Read) -> set[int]:
    """Contacts of which nothing has changed since they were read."""
    now = _Rows.of(tx, list(before.stamps)).stamps()
    return {id_ for id_, stamp in before.stamps.items() if now.get(id_) == stamp}


@dataclass(slots=True)
class _Rows:
    contacts: list[sqlite3.Row]
    jobs: dict[int, list[sqlite3.Row]]  # by contact
    members: dict[int, set[int]]
    newest: dict[int, int]  # result, by job

    @classmethod
    def of(cls, tx: Tx, ids: Sequence[int]) -> _Rows:
        wanted = json.dumps(list(ids))
        jobs: dict[int, list[sqlite3.Row]] = defaultdict(list)
        for row in tx.rows("cases_jobs", ids=wanted):
            jobs[row["contact_id"]].append(row)
        members: dict[int, set[int]] = defaultdict(set)
        for row in tx.rows("cases_members", ids=wanted):
            members[row["contact_id"]].add(row["selection_id"])
        job_ids = json.dumps([job["id"] for of_one in jobs.values() for job in of_one])
        newest = {row["job_id"]: row["newest"] for row in tx.rows("cases_newest", ids=job_ids)}
        return cls(tx.rows("cases_contacts", ids=wanted), jobs, members, newest)

    def stamps(self) -> dict[int, int]:
        return {row["id"]: self._stamp(row) for row in self.contacts}

    def _stamp(self, contact: sqlite3.Row) -> int:
        id_ = contact["id"]
        jobs = [(*job, self.newest.get(job["id"])) for job in self.jobs.get(id_, ())]
        return hash((*contact, *jobs, frozenset(self.members.get(id_, ()))))

    @property
    def job_ids(self) -> str:
        return json.dumps([job["id"] for of_one in self.jobs.values() for job in of_one])


def _cases(tx: Tx, rows: _Rows, rules: Rules) -> Iterable[Case]:
    heard, writes = _heard(tx, rows), _writes(tx, rows)
    kin = _kin(tx, rows) if rules.by_person else {}
    listed = suppressions.of_contacts(tx, [contact["id"] for contact in rows.contacts])
    for contact in rows.contacts:
        jobs = {Field(job["field"]): job for job in rows.jobs.get(contact["id"], ())}
        lacks = _lacks(contact["lacks"])
        blocked = {} if contact["blocked"] == "{}" else json.loads(contact["blocked"])
        elsewhere, own = kin.get(contact["id"], {}), _own(contact, jobs)
        ref = ContactRef(connection=contact["connection"], object=contact["object"], id=contact["ext_id"])
        for fld in sorted({*jobs, *lacks}):
            job = jobs.get(fld)
            if job is not None and job["state"] in UNDER_WAY:
                continue
            of_job = writes.get(job["id"], ()) if job is not None else ()
            written, refused = _of_writes(of_job)
            yield Case(
                contact_id=contact["id"],
                ref=ref,
                field=fld,
                person=contact["person"],
                identity=_known(contact, fld, jobs),
                own=own,
                became_at=contact["became_at"],
                seen_at=contact["pulled_at"],
                lacks=fld in lacks or fld not in (Field.EMAIL, Field.PHONE),
                blocked=listed.get(contact["id"]) or blocked.get(fld) or elsewhere.get(fld),
                selections=frozenset(rows.members.get(contact["id"], ())),
                job=None if job is None else _job(job),
                heard=tuple(heard.get(job["id"], ())) if job is not None else (),
                written=written,
                refused=refused,
                undone=_undone(of_job),
            )


@lru_cache(maxsize=64)
def _lacks(text: str) -> frozenset[Field]:
    return frozenset(Field(name) for name in json.loads(text))


def _job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        sync=row["sync"],
        state=JobState(row["state"]),
        reason=row["reason"],
        note=row["note"],
        provider=row["provider"],
        round=row["round"],
        value=row["value"] or "",
        destination=row["destination"],
        due_at=row["due_at"],
        ended_at=row["updated_at"],
        retried_at=row["retried_at"],
    )


def _known(contact: sqlite3.Row, fld: Field, jobs: Mapping[Field, sqlite3.Row]) -> Identity:
    mail = jobs.get(Field.EMAIL) if fld is not Field.EMAIL else None
    counts = mail is not None and mail["updated_at"] > contact["became_at"] and mail["reason"] != Reason.UNDONE
    found = mail["value"] if mail is not None and counts else None
    learned = Learned(contact["learned"], found)
    return people.usable(contact["identity"], contact["vague"], learned)


def _own(contact: sqlite3.Row, jobs: Mapping[Field, sqlite3.Row]) -> Identity:
    """What the CRM says of itself: the mailbox that we found and wrote is no news."""
    own = people.usable(contact["identity"], contact["vague"], NOTHING)
    mail = jobs.get(Field.EMAIL)
    ours = mail is not None and own.email is not None and emails.same(own.email, mail["value"] or "")
    return replace(own, email=None) if ours else own


def _heard(tx: Tx, rows: _Rows) -> dict[int, list[Heard]]:
    """Answers by job, oldest first; one that names another record's profile or mailbox comes with that doubt."""
    fields = {job["id"]: Field(job["field"]) for of_one in rows.jobs.values() for job in of_one}
    heard: dict[int, list[Heard]] = defaultdict(list)
    for row in tx.rows("cases_results", ids=rows.job_ids):
        heard[row["job_id"]].append(results.heard(row, fields[row["job_id"]]))
    _add_doubts(tx, rows, heard)
    return heard


def _add_doubts(tx: Tx, rows: _Rows, heard: dict[int, list[Heard]]) -> None:
    contacts = {row["id"]: row for row in rows.contacts}
    named: dict[tuple[int, int], set[int]] = {}  # keys of others that an answer names, by job and place
    for contact_id, jobs in rows.jobs.items():
        contact = contacts.get(contact_id)
        if contact is None:
            continue
        for job in jobs:
            for place, one in enumerate(heard.get(job["id"], ())):
                if one.result.candidates and not one.doubt:
                    named[job["id"], place] = people.keys_of_others(contact, one.result.said)
    wanted = sorted({key for keys in named.values() for key in keys})
    if not wanted:
        return
    holders: dict[int, list[sqlite3.Row]] = defaultdict(list)
    for row in tx.rows("cases_holders", keys=json.dumps(wanted)):
        holders[row["key"]].append(row)
    person = {job["id"]: contacts[id_]["person"] for id_, jobs in rows.jobs.items() if id_ in contacts for job in jobs}
    for (job_id, place), keys in named.items():
        other = next((h["ref"] for key in sorted(keys) for h in holders[key] if h["person"] != person[job_id]), None)
        if other is not None:
            doubt = people.names_record(other)
            heard[job_id][place] = replace(heard[job_id][place], doubt=doubt)


def _writes(tx: Tx, rows: _Rows) -> dict[int, list[sqlite3.Row]]:
    found: dict[int, list[sqlite3.Row]] = defaultdict(list)
    for row in tx.rows("cases_writes", ids=rows.job_ids):
        found[row["job_id"]].append(row)
    return found


def _of_writes(writes: Iterable[sqlite3.Row]) -> tuple[dict[str, str], dict[str, tuple[Reason, float]]]:
    written, refused = dict[str, str](), dict[str, tuple[Reason, float]]()
    for row in writes:
        if row["undone_at"] is not None:
            continue  # it was put back: what stood there before stands there now
        if row["state"] in ("written", "cleared", "unknown"):  # but for the first: it may have arrived
            written[row["property"]] = row["after"]
            refused.pop(row["after"], None)
        else:
            refused[row["after"]] = (_REFUSALS[row["state"]], row["at"])
    return written, refused


def _undone(writes: Iterable[sqlite3.Row]) -> tuple[float, int] | None:
    undone = [(row["undone_at"], row["undone_by"]) for row in writes if row["undone_at"] is not None]
    return max(undone, default=None)


def _kin(tx: Tx, rows: _Rows) -> dict[int, dict[Field, str]]:
    """Fields in which the same person's other record opted out, with a sentence."""
    found: dict[int, dict[Field, str]] = defaultdict(dict)
    for row in tx.rows("cases_kin", ids=json.dumps([contact["id"] for contact in rows.contacts])):
        for name in json.loads(row["opt_out"]):
            found[row["contact_id"]].setdefault(Field(name), f"opted_out: {row['ref']}")
    return found
