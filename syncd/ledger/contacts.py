"""Contacts as they were pulled, the cursors of the pulls, and the jobs that a plan makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from syncd.contract.model import OPT_OUTS, Contact, ContactRef, Field, Identity, Page
from syncd.contract.normal import tidy
from syncd.people import employers

from . import people
from .results import dump_identity, load_identity
from .states import JobState, Reason
from .store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A contact as the ledger keeps it: tidy, with what it lacks and what must not be filled."""

    id: int
    sync: str
    ref: ContactRef
    identity: Identity
    person: str | None
    lacks: frozenset[Field]
    blocked: Mapping[Field, str]  # the person's other records' opt-outs included


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator says of people. `own_domains`: nobody's employer. `by_person`: an opt-out is the person's."""

    own_domains: frozenset[str] = frozenset()
    by_person: bool = True


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


def store_page(
    tx: Tx, sync: str, run: int, page: Page, fields: Iterable[Field], *, now: float, rules: Rules = Rules()
) -> int:
    """Contacts and cursor in one transaction; a repeated page changes nothing. Returns how many."""
    wanted = tuple(fields)
    for contact in page.contacts:
        store(tx, sync, contact, wanted, now=now, rules=rules)
    tx.run("cursor_set", sync=sync, value=json.dumps(page.cursor), now=now)
    tx.run("run_page", id=run, contacts=len(page.contacts), stale=page.stale)
    return len(page.contacts)


def store_look(
    tx: Tx,
    sync: str,
    seen: Iterable[Contact],
    gone: Iterable[ContactRef],
    fields: Iterable[Field],
    *,
    now: float,
    rules: Rules = Rules(),
) -> None:
    """What a look at known contacts has shown: how they are now, and who is not there or not selected any more."""
    wanted = tuple(fields)
    for contact in seen:
        store(tx, sync, contact, wanted, now=now, rules=rules)
    for ref in gone:
        row = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
        if row is not None:
            left(tx, sync, row["id"], now=now)


def left(tx: Tx, sync: str, contact_id: int, *, now: float) -> None:
    """A contact was deleted, or is not in the sync's selection any more: what was not asked about it is not asked.

    What was paid for stays. A pull that brings the contact again queues the jobs again."""
    row = tx.row("contact_by_id", id=contact_id)
    jobs = tx.rows("jobs_left", contact_id=contact_id, sync=sync)
    lacks = [] if row is None else json.loads(row["lacks"])
    over = {job["field"] for job in jobs}
    tx.run("contact_left", id=contact_id, lacks=json.dumps([field for field in lacks if field not in over]), now=now)
    note = "deleted in the CRM, or not in the sync's selection any more"
    for job in jobs:
        tx.move(job["id"], JobState(job["state"]), JobState.DONE, now=now, reason=Reason.LEFT, note=note)


def end_run(tx: Tx, run: int, *, now: float, error: str = "") -> None:
    """Note how a pull ended."""
    tx.run("run_end", id=run, now=now, error=error)


def pulled(contact: Contact, sync: str, fields: Iterable[Field], *, rules: Rules = Rules()) -> Pulled:
    """A contact of the CRM in the ledger's terms."""
    return Pulled(
        id=0,
        sync=sync,
        ref=contact.ref,
        identity=_identity(contact, rules),
        person=None,
        lacks=frozenset(f for f in fields if not contact.values.get(f)),
        blocked=dict(contact.blocked),
    )


def _identity(contact: Contact, rules: Rules) -> Identity:
    """Tidy, with what the mapped properties hold: they are the person's, too."""
    identity = contact.identity
    mail, phone = contact.values.get(Field.EMAIL), contact.values.get(Field.PHONE)
    identity = tidy(
        replace(
            identity,
            email=identity.email or mail,
            emails=tuple(dict.fromkeys((*identity.emails, mail))) if mail and identity.email else identity.emails,
            phones=tuple(dict.fromkeys((*identity.phones, phone))) if phone else identity.phones,
        )
    )
    own = identity.domain is not None and employers.domain(identity.domain) in rules.own_domains
    return replace(identity, domain=None) if own else identity


def store(
    tx: Tx, sync: str, contact: Contact, fields: tuple[Field, ...], *, now: float, rules: Rules = Rules()
) -> None:
    """Insert or update one contact; it is recognised and planned anew only if something that matters changed."""
    known = pulled(contact, sync, fields, rules=rules)
    where = {"connection": contact.ref.connection, "object": contact.ref.object, "ext_id": contact.ref.id}
    before = tx.row("contact_by_ref", **where)
    identity = dump_identity(known.identity)
    opt_out = json.dumps({f: why for f, why in sorted(known.blocked.items()) if why in OPT_OUTS})
    contact_id: int = tx.value(
        "contact_store",
        **where,
        sync=sync,
        revision=contact.revision,
        identity=identity,
        lacks=json.dumps(sorted(known.lacks)),
        blocked=json.dumps(known.blocked, sort_keys=True),
        opt_out=opt_out,
        now=now,
    )
    if before is None or before["identity"] != identity or before["person"] is None or before["revision"] == "":
        former = None if before is None else load_identity(before["identity"])
        people.recognise(tx, contact_id, known.identity, former, now=now)
    if (before["opt_out"] if before else "{}") != opt_out:
        row = tx.row("contact_by_id", id=contact_id)
        tx.run("kin_replan", person=None if row is None else row["person"], id=contact_id)


def restate(tx: Tx, contact_id: int, identity: Identity, *, now: float) -> None:
    """Who a record is about now, as it was read just before a write; all that hangs on it is judged anew."""
    row = tx.row("contact_by_id", id=contact_id)
    if row is not None and row["identity"] != dump_identity(identity):
        tx.run("contact_restate", id=contact_id, identity=dump_identity(identity))
        people.recognise(tx, contact_id, identity, load_identity(row["identity"]), now=now)


def unplanned(tx: Tx, limit: int, *, rules: Rules = Rules()) -> list[Pulled]:
    """Contacts that no plan has looked at since they changed."""
    return [_pulled(tx, row, rules) for row in tx.rows("contact_unplanned", limit=limit)]


def _pulled(tx: Tx, row: Any, rules: Rules) -> Pulled:
    lacks = frozenset(Field(f) for f in json.loads(row["lacks"]))
    blocked = {Field(f): why for f, why in json.loads(row["blocked"]).items()}
    if rules.by_person:
        elsewhere = {f: people.kin_opted_out(tx, row, f) for f in lacks - blocked.keys()}
        blocked |= {f: f"opted_out: {ref}" for f, ref in elsewhere.items() if ref}
    return Pulled(
        id=row["id"],
        sync=row["sync"],
        ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
        identity=people.known(row),
        person=row["person"],
        lacks=lacks,
        blocked=blocked,
    )


def has_job(tx: Tx, ref: ContactRef, field: Field) -> bool:
    """Is there a job for this field of this contact, in whatever state?"""
    row = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
    return row is not None and tx.row("job_of_contact", contact_id=row["id"], field=field) is not None


def apply_plan(tx: Tx, contacts: Iterable[Pulled], jobs: Iterable[NewJob], *, now: float) -> int:
    """Make the jobs and mark the contacts planned, together. Returns how many jobs are new.

    A job that exists is left alone, except one that was blocked and is not any more, one whose contact had left
    the selection, and one that no provider could be asked about as long as so little was known of the contact.
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
    elif known["reason"] in (Reason.BLOCKED, Reason.LEFT):
        # What was asked before is not bought again.
        asked = any(r["round"] == known["round"] for r in tx.rows("results_of_job", job_id=known["id"]))
        target = JobState.ANSWERED if asked else JobState.QUEUED
        tx.move(known["id"], JobState.DONE, target, now=now, provider=job.provider)
