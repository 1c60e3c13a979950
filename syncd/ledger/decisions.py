"""What was decided, as the ledger keeps it: new jobs, and when to decide again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.contract.jsontext import dump
from syncd.contract.model import Field

from . import results
from .cases import Job
from .states import JobState, Reason
from .store import NewJob, Tx


def make(tx: Tx, new: Sequence[NewJob], *, now: float) -> int:
    """Make jobs; one that is there already is left alone. Returns how many are new."""
    return len(tx.make_many(new, now=now))


def settle(tx: Tx, contact_ids: Iterable[int], *, now: float) -> None:
    """These contacts were decided on as they are now."""
    ids = dump(sorted(contact_ids))
    tx.run("contacts_decided", ids=ids)
    tx.run("again_over", ids=ids, now=now)


def again(tx: Tx, times: Iterable[tuple[int, float]]) -> None:
    """Decide on jobs again, each at a moment (UTC seconds), whatever happens before."""
    if rows := list(times):
        tx.run("again_set", rows=dump(rows))


def adopt(tx: Tx, job: Job, sync: str) -> None:
    """Another sync looks after the contact now: the work is counted there."""
    row = tx.row("job_by_id", id=job.id)
    if row is None:
        return
    where = {"field": row["field"], "state": row["state"], "reason": row["reason"]}
    tx.run("job_adopt", id=job.id, sync=sync)
    tx.run("counter_add", sync=job.sync, n=-1, **where)
    tx.run("counter_add", sync=sync, n=1, **where)


def bring_along(tx: Tx, contact_id: int, sync: str, target: Field, *, result_id: int, note: str, now: float) -> None:
    """What came with an answer for nothing has a property of its own: once for each contact, and once more where the
    former one was not for it (any more), as when the record became another person's."""
    new = NewJob(contact_id, sync, target, person=None, state=JobState.ANSWERED, note=note)
    made = list(tx.make_many([new], now=now).values())
    row = None if made else tx.row("job_of_contact", contact_id=contact_id, field=target)
    if row is not None and (row["state"], row["reason"]) == (JobState.DONE, Reason.CANCELLED):
        made = [row["id"]] if tx.move(row["id"], JobState.DONE, JobState.ANSWERED, now=now, note=note) else []
    for job_id in made:
        results.copy(tx, result_id, job_id, 0, way="", doubt="", note=note, now=now)
