"""From an answer to the CRM: verdicts, write intents, and what became of each write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncd.contract.model import ContactRef, EnrichmentResult, Field, Identity

from .contacts import load_identity
from .inbox import results_of
from .states import JobState, Reason
from .store import Tx

LANDS = 120.0  # seconds in which a write reaches the CRM, or never does: several times as long as a call may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A job to be verified, with all that was said about it."""

    job_id: int
    sync: str
    field: Field
    identity: Identity
    said: Mapping[str, tuple[EnrichmentResult, ...]]  # by provider
    newest: int  # the last result that `said` is sure to hold


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWrite:
    """A job with a verified value. `begun`: a write was intended and never resolved."""

    job_id: int
    state: JobState
    ref: ContactRef
    field: Field
    value: str
    accepted_at: float
    begun: bool = False
    before: str = ""
    seen: str = ""  # the CRM's stamp of the newest version at the first read


def answered(tx: Tx, limit: int, syncs: Iterable[str]) -> list[Answered]:
    """The oldest answered jobs of some syncs."""
    return [
        Answered(
            job_id=row["id"],
            sync=row["sync"],
            field=Field(row["field"]),
            identity=load_identity(row["identity"]),
            newest=_newest(tx, row["id"]),
            said=results_of(tx, row["id"], Field(row["field"]), row["round"]),
        )
        for row in tx.rows("jobs_answered", limit=limit, syncs=json.dumps(list(syncs)))
    ]


def is_all(tx: Tx, job: Answered) -> bool:
    """Has nothing been said since the job was read?"""
    return _newest(tx, job.job_id) == job.newest


def _newest(tx: Tx, job_id: int) -> int:
    return int(tx.value("result_newest", job_id=job_id) or 0)


def accept(tx: Tx, job_id: int, value: str, note: str, *, now: float) -> bool:
    """A value that the policy takes: to be written back."""
    return tx.move(job_id, JobState.ANSWERED, JobState.ACCEPTED, now=now, value=value, note=note, due_at=now)


def next_turn(tx: Tx, job_id: int, provider: str, note: str, *, now: float) -> bool:
    """Nothing acceptable so far: the next provider is asked."""
    return tx.move(job_id, JobState.ANSWERED, JobState.QUEUED, now=now, provider=provider, note=note)


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
                state=JobState(row["state"]),
                ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
                field=Field(row["field"]),
                value=row["value"],
                accepted_at=row["updated_at"],
                begun=begun is not None,
                before="" if begun is None else begun["before"],
                seen="" if begun is None else begun["seen"],
            )
        )
    return found


def waiting_since(tx: Tx, sync: str, before: float, limit: int) -> int:
    """How many found values still wait to be written that were found before a moment; counts to `limit`."""
    return int(tx.value("writes_waiting", sync=sync, before=before, limit=limit))


def intend(tx: Tx, job: ToWrite, before: str, seen: str, *, now: float) -> bool:
    """T6: what will be written over what, before it is; an intent that is open stays the first."""
    if job.state is JobState.ACCEPTED and not tx.move(job.job_id, JobState.ACCEPTED, JobState.WRITING, now=now):
        return False
    if not job.begun:
        tx.run("write_make", job_id=job.job_id, before=before, after=job.value, seen=seen, now=now)
    return True


def postpone(tx: Tx, job: ToWrite, *, now: float) -> None:
    """Whether it was written is not known: it is looked at once it must have landed, and its intent stays open."""
    tx.run("job_postpone", id=job.job_id, state=JobState.WRITING, due_at=now + LANDS)


def postpone_all(tx: Tx, *, now: float) -> None:
    """The same for every write that is open: a request of the process before may still be on its way."""
    tx.run("writes_postpone", due_at=now + LANDS)


def finish(tx: Tx, job: ToWrite, reason: Reason, note: str, *, now: float, outcome: str = "") -> bool:
    """T7: the job's last move, and what its write came to."""
    tx.run("write_close", job_id=job.job_id, state=outcome or reason, note=note, now=now)
    source = JobState(tx.value("job_state", id=job.job_id))
    return tx.move(job.job_id, source, JobState.DONE, now=now, reason=reason, note=note)


def put_back(tx: Tx, job: ToWrite, note: str, *, due_at: float, now: float) -> bool:
    """Definitely not written: the same again later, from a fresh read."""
    tx.run("write_close", job_id=job.job_id, state="not_written", note=note, now=now)
    return tx.move(job.job_id, JobState.WRITING, JobState.ACCEPTED, now=now, note=note, due_at=due_at)
