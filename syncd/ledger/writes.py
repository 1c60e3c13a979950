"""From an answer to the CRM: verdicts, write intents, and what became of each write."""

from __future__ import annotations

import json
from dataclasses import dataclass

from syncd.contract.model import ContactRef, Field, Identity
from syncd.people.evidence import NOTHING, Learned
from syncd.people.identity import BLANK

from . import people
from .results import load_identity, load_said
from .states import JobState, Reason
from .store import Tx

REFUSED_FIRST = 300.0  # seconds until what a rule refused is tried again, doubled each time
REFUSED_LONGEST = 6 * 3600.0
REFUSED_FOR = 60 * 86_400.0  # seconds after which it is not
LANDS = 120.0  # seconds in which a write reaches the CRM, or never does: several times as long as a call may take


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWrite:
    """A job with a verified value. `begun`: a write was intended and never resolved."""

    job_id: int
    contact_id: int
    state: JobState
    ref: ContactRef
    field: Field  # of the CRM's property that it is written to
    asked: Field  # what was asked for
    value: str
    accepted_at: float
    identity: Identity = BLANK  # all that the ledger knows of the contact
    vague: tuple[str, ...] = ()  # profiles and mailboxes of it that identify nobody
    learned: Learned = NOTHING  # what answers brought
    said: tuple[Identity, ...] = ()  # whom the answer speaks of
    verdict: str = ""  # how that was judged when it was accepted; "" for what needs no judging
    decided: bool = False  # a person has accepted it
    begun: bool = False
    before: str = ""
    seen: str = ""  # the CRM's stamp of the newest version at the first read


def accept(
    tx: Tx, job_id: int, value: str, note: str, *, now: float, result_id: int | None = None, target: Field | None = None
) -> bool:
    """A value that the policy takes: to be written back, to the field's own property or to `target`'s."""
    extra = {"result_id": result_id, "destination": target or ""}
    return tx.move(job_id, JobState.ANSWERED, JobState.ACCEPTED, now=now, value=value, note=note, due_at=now, **extra)


def next_turn(tx: Tx, job_id: int, provider: str, note: str, *, now: float, round_: int | None = None) -> bool:
    """Nothing acceptable so far: the next provider is asked, in a new round where one is given."""
    return tx.move(job_id, JobState.ANSWERED, JobState.QUEUED, now=now, provider=provider, note=note, round=round_)


def give_up(tx: Tx, job_id: int, reason: Reason, note: str, *, now: float) -> bool:
    """Nothing acceptable, and nobody left to ask."""
    return tx.move(job_id, JobState.ANSWERED, JobState.DONE, now=now, reason=reason, note=note)


def to_write(tx: Tx, sync: str, limit: int, *, now: float) -> list[ToWrite]:
    """What is accepted and due, and what a crash left in the middle of a write; oldest first."""
    found = []
    for row in tx.rows("jobs_to_write", sync=sync, now=now, limit=limit):
        begun = tx.row("write_open", job_id=row["id"])
        found.append(
            ToWrite(
                job_id=row["id"],
                contact_id=row["contact_id"],
                state=JobState(row["state"]),
                ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
                field=Field(row["destination"] or row["field"]),
                asked=Field(row["field"]),
                value=row["value"],
                accepted_at=row["updated_at"],
                identity=load_identity(row["identity"]),
                vague=tuple(json.loads(row["vague"])),
                learned=Learned(row["learned"], row["found_email"]),
                said=load_said(row["said"] or "[]"),
                verdict=row["verdict"] or "",
                decided=row["decision"] == "accepted",
                begun=begun is not None,
                before="" if begun is None else begun["before"],
                seen="" if begun is None else begun["seen"],
            )
        )
    return found


def waiting_since(tx: Tx, sync: str, before: float, limit: int) -> int:
    """How many found values still wait to be written that were found before a moment; counts to `limit`."""
    return int(tx.value("writes_waiting", sync=sync, before=before, limit=limit))


def opted_out_elsewhere(tx: Tx, job: ToWrite) -> str | None:
    """The same person's other record that says not to fill this field, as connection/object/id."""
    row = tx.row("contact_by_id", id=job.contact_id)
    return None if row is None else people.kin_opted_out(tx, row, job.asked)


def judge_again(tx: Tx, job: ToWrite, note: str, *, now: float) -> None:
    """The record says something else of the person than when the value was accepted: nothing is written for now."""
    tx.run("write_close", job_id=job.job_id, state="not_written", note=note, now=now)
    source = JobState(tx.value("job_state", id=job.job_id))
    if source in (JobState.ACCEPTED, JobState.WRITING):
        tx.move(job.job_id, source, JobState.ANSWERED, now=now, note=note)


def intend(tx: Tx, job: ToWrite, before: str, seen: str, property_: str, *, now: float) -> bool:
    """T6: what will be written over what, before it is; an intent that is open stays the first."""
    if job.state is JobState.ACCEPTED and not tx.move(job.job_id, JobState.ACCEPTED, JobState.WRITING, now=now):
        return False
    if not job.begun:
        tx.run("write_make", job_id=job.job_id, before=before, after=job.value, seen=seen, property=property_, now=now)
    return True


def postpone(tx: Tx, job: ToWrite, *, now: float) -> None:
    """Whether it was written is not known: it is looked at once it must have landed, and its intent stays open."""
    tx.run("job_postpone", id=job.job_id, state=JobState.WRITING, due_at=now + LANDS)


def postpone_all(tx: Tx, *, now: float) -> None:
    """The same for every write that is open: a request of the process before may still be on its way."""
    tx.run("writes_postpone", due_at=now + LANDS)


def finish(tx: Tx, job: ToWrite, reason: Reason, note: str, *, now: float, outcome: str = "") -> bool:
    """T7: the job's last move, and what its write came to. Nothing where it was decided on anew since it was read."""
    source = JobState(tx.value("job_state", id=job.job_id))
    if source not in (JobState.ACCEPTED, JobState.WRITING):
        return False
    tx.run("write_close", job_id=job.job_id, state=outcome or reason, note=note, now=now)
    return tx.move(job.job_id, source, JobState.DONE, now=now, reason=reason, note=note)


def refuse(tx: Tx, job: ToWrite, words: str, *, now: float) -> tuple[int, bool]:
    """The CRM's rules forbid it for now: the same again after minutes, then at growing intervals, for weeks.

    Returns how often that has happened, and whether it is given up.
    """
    tx.run("write_close", job_id=job.job_id, state="refused", note=words, now=now)
    row = tx.row("writes_refused", job_id=job.job_id)
    times, since = (row["times"], row["since"]) if row is not None and row["times"] else (1, now)
    if now - since > REFUSED_FOR:
        return times, finish(tx, job, Reason.WRITE_REFUSED, words, now=now)
    due_at = now + min(REFUSED_FIRST * 2.0 ** (times - 1), REFUSED_LONGEST)
    tx.move(job.job_id, JobState.WRITING, JobState.ACCEPTED, now=now, note=words, due_at=due_at)
    return times, False


def put_back(tx: Tx, job: ToWrite, note: str, *, due_at: float, now: float) -> bool:
    """Definitely not written: the same again later, from a fresh read."""
    tx.run("write_close", job_id=job.job_id, state="not_written", note=note, now=now)
    return tx.move(job.job_id, JobState.WRITING, JobState.ACCEPTED, now=now, note=note, due_at=due_at)
