"""What is known of the way to each provider: whether calls may go out, and whose turn it is. Rows in, rows out: what
they mean is decided in `pipeline/breaker.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .states import JobState
from .store import Tx
from .submissions import give_up, refuse

DAY = 86_400.0
TRIES = 4  # calls about one contact alone, over three days, after which a refusal is an answer
BY_ITSELF = "refused by itself: "  # how the note of such a call begins

Row = Mapping[str, Any]


def load(tx: Tx, connection: str) -> dict[str, Any] | None:
    """The row of a connection, or None while nothing has happened to it."""
    row = tx.row("breaker_get", connection=connection)
    return None if row is None else dict(row)


def change(tx: Tx, connection: str, step: Callable[[Row | None], Row]) -> dict[str, Any]:
    """Take one step from the row as it is on disk; returns the new row."""
    row = {**step(load(tx, connection)), "connection": connection}
    tx.run("breaker_set", **row)
    return row


class Aside(NamedTuple):
    """What becomes of a contact that was refused by itself. `until`: UTC seconds, where it waits."""

    again: bool  # something of it is asked once more at once
    until: float | None
    given_up: bool  # the refusal is the provider's answer


def set_aside(tx: Tx, submission_id: str, why: str, *, now: float) -> Aside:
    """A call about one contact was refused for a reason that may be the contact's.

    The first time its jobs stay queued; the second time they wait for a day, the third for two. The fourth time it is
    an answer: this provider does not help this contact, and the next one's turn has come.
    """
    refuse(tx, submission_id, BY_ITSELF + why, now=now)
    again, until = False, None
    given_up: set[int] = set()
    for job in tx.rows("jobs_refused_alone", submission_id=submission_id, prefix=BY_ITSELF + "%"):
        if job["times"] >= TRIES:
            given_up.add(job["id"])
        elif job["times"] >= 2:
            until = now + DAY * 2.0 ** (job["times"] - 2)
            tx.move(job["id"], JobState.QUEUED, JobState.WAITING, now=now, due_at=until, note=why)
        else:
            again = True
    give_up(tx, submission_id, given_up, why, now=now)
    return Aside(again, until, bool(given_up))


def turns(tx: Tx, connection: str) -> dict[str, float]:
    """How many turns each sync has had at a connection, weighed by its priority."""
    return {row["sync"]: row["used"] for row in tx.rows("turns", connection=connection)}


def add_turns(tx: Tx, connection: str, least: float, more: Mapping[str, float]) -> None:
    """Each of these syncs has had so many more; who had fewer than `least` before, had as many."""
    for sync, number in more.items():
        tx.run("turn_add", connection=connection, sync=sync, least=least, more=number)


def has_new(tx: Tx, sync: str, provider: str) -> bool:
    """Does somebody who is new, and not part of the first run through all, wait for a provider?"""
    return tx.row("new_waits", sync=sync, provider=provider) is not None
