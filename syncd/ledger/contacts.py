"""Contacts as they were pulled, the cursors of the pulls, and the jobs that a plan makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.contract.normal import name_key, person_key, profile_key, tidy

from .states import JobState, Reason
from .store import Tx

_AMBIGUOUS = "*"  # in place of a profile: this name belongs to more than one


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A contact as the ledger keeps it: tidy, with what it lacks and what must not be filled."""

    id: int
    sync: str
    ref: ContactRef
    identity: Identity
    person: str | None
    lacks: frozenset[Field]
    blocked: Mapping[Field, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a plan decides on one field of one contact: ask `provider`, or be done for `reason`."""

    contact: Pulled
    field: Field
    provider: str = ""
    reason: Reason | None = None
    note: str = ""


def cursor(tx: Tx, sync: str) -> dict[str, Any] | None:
    """Where the last pull of this sync ended, or None before the first."""
    text = tx.value("cursor_get", sync=sync)
    return None if text is None else dict(json.loads(text))


def start_run(tx: Tx, sync: str, *, now: float) -> int:
    """Note that a pull began; returns its id."""
    return tx.insert("run_start", sync=sync, now=now)


def store_page(tx: Tx, sync: str, run: int, page: Page, fields: Iterable[Field], *, now: float) -> int:
    """Contacts and cursor in one transaction; a repeated page changes nothing. Returns how many."""
    wanted = tuple(fields)
    for contact in page.contacts:
        store(tx, sync, contact, wanted, now=now)
    tx.run("cursor_set", sync=sync, value=json.dumps(page.cursor), now=now)
    tx.run("run_page", id=run, contacts=len(page.contacts), stale=page.stale)
    return len(page.contacts)


def end_run(tx: Tx, run: int, *, now: float, error: str = "") -> None:
    """Note how a pull ended."""
    tx.run("run_end", id=run, now=now, error=error)


def pulled(contact: Contact, sync: str, fields: Iterable[Field], *, row_id: int = 0) -> Pulled:
    """A contact of the CRM in the ledger's terms."""
    identity = tidy(contact.identity)
    return Pulled(
        id=row_id,
        sync=sync,
        ref=contact.ref,
        identity=identity,
        person=person_key(identity),
        lacks=frozenset(f for f in fields if not contact.values.get(f)),
        blocked=dict(contact.blocked),
    )


def store(tx: Tx, sync: str, contact: Contact, fields: tuple[Field, ...], *, now: float) -> None:
    """Insert or update one contact; it is planned anew only if something that matters changed."""
    known = pulled(contact, sync, fields)
    person = recognise(tx, known.identity)
    tx.run(
        "contact_store",
        connection=contact.ref.connection,
        object=contact.ref.object,
        ext_id=contact.ref.id,
        sync=sync,
        revision=contact.revision,
        identity=dump_identity(known.identity),
        person=person,
        lacks=json.dumps(sorted(known.lacks)),
        blocked=json.dumps(known.blocked, sort_keys=True),
        now=now,
    )


def recognise(tx: Tx, identity: Identity) -> str | None:
    """The person behind an identity: somebody known by this profile, or by this name at this company.

    Two different profiles are two people, whatever they are called, and a name that was seen with two
    profiles identifies nobody any more: None then, as when too little is known.
    """
    profile, name = profile_key(identity), name_key(identity)
    by_name = None if name is None else tx.row("person_get", key=name)
    seen_with = None if by_name is None else by_name["profile"]
    if by_name is not None and seen_with == _AMBIGUOUS:
        name = None
    elif by_name is not None and profile is not None and seen_with not in (None, profile):
        tx.run("person_set", key=name, person=by_name["person"], profile=_AMBIGUOUS)
        name = None
    by_profile = None if profile is None else tx.row("person_get", key=profile)
    known = by_profile or (by_name if name is not None else None)
    person: str | None = known["person"] if known is not None else (profile or name)
    if profile is not None:
        tx.run("person_set", key=profile, person=person, profile=profile)
    if name is not None:
        tx.run("person_set", key=name, person=person, profile=profile or seen_with)
    return person


def unplanned(tx: Tx, limit: int) -> list[Pulled]:
    """Contacts that no plan has looked at since they changed."""
    return [
        Pulled(
            id=row["id"],
            sync=row["sync"],
            ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
            identity=load_identity(row["identity"]),
            person=row["person"],
            lacks=frozenset(Field(f) for f in json.loads(row["lacks"])),
            blocked={Field(f): why for f, why in json.loads(row["blocked"]).items()},
        )
        for row in tx.rows("contact_unplanned", limit=limit)
    ]


def has_job(tx: Tx, ref: ContactRef, field: Field) -> bool:
    """Is there a job for this field of this contact, in whatever state?"""
    row = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
    return row is not None and tx.row("job_of_contact", contact_id=row["id"], field=field) is not None


def apply_plan(tx: Tx, contacts: Iterable[Pulled], jobs: Iterable[NewJob], *, now: float) -> int:
    """Make the jobs and mark the contacts planned, together. Returns how many jobs are new.

    A job that exists is left alone, except one that was blocked and is not any more, and one that no
    provider could be asked about as long as so little was known of the contact.
    """
    made = sum(_make(tx, job, now=now) for job in jobs)
    for contact in contacts:
        tx.run("contact_planned", id=contact.id)
    return made


def _make(tx: Tx, job: NewJob, *, now: float) -> int:
    made = tx.run(
        "job_make",
        contact_id=job.contact.id,
        sync=job.contact.sync,
        field=job.field,
        person=job.contact.person,
        state=JobState.DONE if job.reason else JobState.QUEUED,
        reason=job.reason or "",
        note=job.note,
        provider=job.provider,
        now=now,
    )
    if not made and job.reason is None:
        _reopen(tx, job, now=now)
    return made


def _reopen(tx: Tx, job: NewJob, *, now: float) -> None:
    known = tx.row("job_of_contact", contact_id=job.contact.id, field=job.field)
    if known is None:
        return
    if known["reason"] == Reason.REJECTED:
        note, round_ = "the contact has changed since", known["round"] + 1
        tx.move(known["id"], JobState.DONE, JobState.QUEUED, now=now, provider=job.provider, note=note, round=round_)
    elif known["reason"] == Reason.BLOCKED:
        # What was asked before the block is not bought again.
        asked = any(r["round"] == known["round"] for r in tx.rows("results_of_job", job_id=known["id"]))
        target = JobState.ANSWERED if asked else JobState.QUEUED
        tx.move(known["id"], JobState.DONE, target, now=now, provider=job.provider)


def dump_identity(identity: Identity) -> str:
    """Identity as JSON, blanks left out."""
    return json.dumps({k: v for k, v in asdict(identity).items() if v}, ensure_ascii=False, sort_keys=True)


def load_identity(text: str) -> Identity:
    """The reverse of `dump_identity`."""
    return Identity(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(text).items()})
