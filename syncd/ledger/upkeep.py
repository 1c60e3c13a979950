"""The ledger about itself: its clock marks, copies, what may go, and whether it still adds up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .file import LedgerError, raw_reading
from .states import MOVES
from .store import Ledger, Tx

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

LAST_SEEN = "last_seen"  # UTC seconds: the latest time at which the daemon was seen alive
LOOKED_AT = "looked_at"  # UTC seconds: when the daemon last said how the gate stands, believed or not
GENERATION = "generation"  # how often this ledger was restored from a copy
FROZEN_UNTIL = "frozen_until"  # UTC seconds: nothing is bought before, after a restore
BACKWARD = 60.0  # seconds by which the clock may lag behind the last time it was seen
FORWARD = 7 * 86_400.0  # a longer silence is more likely a wrong clock than a long stop


def mark(tx: Tx, key: str) -> float | None:
    """A mark of the ledger about itself, or None."""
    value: float | None = tx.value("meta_get", key=key)
    return value


def set_mark(tx: Tx, key: str, value: float) -> None:
    """Set a mark."""
    tx.run("meta_set", key=key, value=value)


def clear_mark(tx: Tx, key: str) -> None:
    """Take a mark away."""
    tx.run("meta_clear", key=key)


def in_time(tx: Tx, now: float) -> bool:
    """Whether this can be the time, as far as the last look of the watch says; True before the first."""
    last = mark(tx, LAST_SEEN)
    return last is None or last - BACKWARD <= now <= last + FORWARD


def purge(tx: Tx, *, raw_before: float, jobs_before: float) -> None:
    """Let go of what is older than it is to be kept: the bodies of answers that were read, and of
    finished jobs the history, the finds and the values. That they were done, and what each call
    cost, stays."""
    tx.run("purge_bodies", before=raw_before)
    for row in tx.rows("jobs_to_thin", before=jobs_before):
        for statement in ("thin_steps", "thin_history", "thin_reviews", "thin_results", "thin_writes", "thin_job"):
            tx.run(statement, id=row["id"])
    tx.run("steps_forget")


def back_up(source: Path, target: Path) -> None:
    """A sound copy of a ledger that may be in use. Raises LedgerError when `target` exists."""
    if target.exists():
        raise LedgerError(f"{target} is there already: name a new file")
    with raw_reading(source) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    target.chmod(0o600)


def restore(source: Path, target: Path, *, frozen_until: float) -> int:
    """Put a copy in the place of a ledger; returns its new generation.

    What was bought after the copy was made is not known to it: nothing is bought before `frozen_until`
    (UTC seconds), so that those answers can still come in. What was written is not known either: everything
    is pulled anew, and nobody is asked about before. Raises LedgerError when the copy is broken or `target`
    exists.
    """
    if target.exists():
        raise LedgerError(f"{target} is there already: move it away first, nothing is deleted here")
    if broken := list(_integrity(source)):
        raise LedgerError(f"{source} is damaged and was not restored: {broken[0]}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    back_up(source, target)
    generation: int = Ledger.change(target, _restored, frozen_until)
    return generation


def _restored(tx: Tx, frozen_until: float) -> int:
    generation = int(mark(tx, GENERATION) or 0) + 1
    set_mark(tx, GENERATION, generation)
    set_mark(tx, FROZEN_UNTIL, frozen_until)
    tx.run("pull_all_again")
    tx.run("contacts_unseen")
    return generation


def problems(path: Path, tx: Tx) -> Iterator[str]:
    """Everything about a ledger that does not add up, a sentence each."""
    yield from _integrity(path)
    try:
        yield from _sums(tx)
        yield from _histories(tx)
        yield from _evidence(tx)
    except sqlite3.DatabaseError as error:
        yield f"it can't be read to its end: {error}"


def _sums(tx: Tx) -> Iterator[str]:
    for row in tx.rows("check_counters"):
        yield f"the counter of {row['sync']} {row['field']} {row['state']} {row['reason']} is off by {row['off']}"
    for row in tx.rows("check_spend"):
        yield f"the credits of {row['sync']} at {row['provider']} on day {row['day']} don't add up"


def _histories(tx: Tx) -> Iterator[str]:
    for row in tx.rows("check_events"):
        yield f"job {row['id']} is {row['state']}, but its history ends with {row['target']}"
    for row in tx.rows("check_chain"):
        yield f"the history of job {row['id']} has a gap between {row['before'] or 'its beginning'} and {row['source']}"
    for row in tx.rows("check_histories"):
        yield f"job {row['id']} is {row['state']}, but has no history"
    for row in tx.rows("check_steps"):
        yield f"step {row['id']} of the history has {row['found']} jobs instead of {row['jobs']}"
    for row in tx.rows("check_moves"):
        if row["target"] not in MOVES.get(row["source"], ()):
            yield f"a job went from {row['source']} to {row['target']}, which must not happen"


def _evidence(tx: Tx) -> Iterator[str]:
    for row in tx.rows("check_flight"):
        yield f"job {row['id']} is {row['state']} without a live attempt"
    for row in tx.rows("check_written"):
        yield f"job {row['id']} is said to be written without a find or a confirmed write"
    for row in tx.rows("check_acknowledged"):
        yield f"delivery {row['id']} was applied to a call that is not in this ledger"


def drift(tx: Tx, provider: str) -> dict[str, Any] | None:
    """How far a provider's balance moved beyond what this ledger was charged, since both are known.

    `drift` is what is gone and was not charged here: positive where credits went that this ledger knows nothing of
    (others may use the same account; of what is `open` the provider may have charged some, or all). `added` is what
    the balance rose by: credits bought, or given back. None where the balance is not known twice.
    """
    row = tx.row("balance_moves", provider=provider)
    if row is None:
        return None
    moved = {name: row[f"{name}_mc"] / 1000 for name in ("gone", "added", "charged", "open")}
    return {
        "since": row["since"],
        "until": row["until"],
        **moved,
        "drift": (row["gone_mc"] - row["charged_mc"]) / 1000,
    }


def _integrity(path: Path) -> Iterator[str]:
    with raw_reading(path) as connection:
        try:
            for (line,) in connection.execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield line
            for row in connection.execute("PRAGMA foreign_key_check"):
                yield f"a row of {row[0]} refers to a missing row of {row[2]}"
        except sqlite3.DatabaseError as error:
            yield f"it can't be checked: {error}"
