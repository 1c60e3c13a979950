"""The ledger about itself: its clock marks, and whether it still adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import budgets
from .file import raw_reading
from .place import Place
from .sqlite import sqlite3
from .states import MOVES
from .store import Tx

LAST_SEEN = "last_seen"  # UTC seconds: the latest time at which the daemon was seen alive
LOOKED_AT = "looked_at"  # UTC seconds: when the daemon last said how the gate stands, believed or not
GENERATION = "generation"  # how often this ledger was restored from a copy
FROZEN_UNTIL = "frozen_until"  # UTC seconds: nothing is bought before, after a restore
COPIED_AT = "copied_at"  # UTC seconds: when the copy that was restored had last been looked at
BACKWARD = 60.0  # seconds by which the clock may lag behind the last time it was seen
FORWARD = 7 * 86_400.0  # a longer silence is more likely a wrong clock than a long stop
STEPPED = "stepped"  # UTC seconds, there while the clock was set and has not run steadily for long enough since
LEAPT = "leapt"  # seconds by which the clock was set forward while the daemon ran, less those by which it was set back
AT_LEAST = 2 * 86_400.0  # seconds that an open call keeps at the least when the clock was set back
PULL_NOW = "pull_now:"  # before a sync's name: a person wants it to be pulled now
ENRICH_NOW = "enrich_now:"  # before a sync's name and a contact: a person wants it to be asked about now
Progress = Callable[[int, int], None]


def mark(tx: Tx, key: str) -> float | None:
    """A mark of the ledger about itself, or None."""
    value: float | None = tx.value("meta_get", key=key)
    return value


def marks(tx: Tx, prefix: str) -> dict[str, float]:
    """The marks whose keys begin so, by the rest of their keys."""
    return {row["key"].removeprefix(prefix): row["value"] for row in tx.rows("marks_like", prefix=prefix)}


def set_mark(tx: Tx, key: str, value: float) -> None:
    """Set a mark."""
    tx.run("meta_set", key=key, value=value)


def set_marks(tx: Tx, keys: Iterable[str], value: float) -> None:
    """Set several."""
    for key in keys:
        set_mark(tx, key, value)


def clear_mark(tx: Tx, key: str) -> None:
    """Take a mark away."""
    tx.run("meta_clear", key=key)


def in_time(tx: Tx, now: float) -> bool:
    """Whether this can be the time, as far as the last look of the watch says; True before the first."""
    if mark(tx, STEPPED) is not None:
        return False
    last = mark(tx, LAST_SEEN)
    return last is None or last - BACKWARD <= now <= last + FORWARD


def clock(tx: Tx, now: float) -> tuple[bool, float]:
    """Whether this can be the time, and by how much the clock was set forward in all."""
    return in_time(tx, now), mark(tx, LEAPT) or 0.0


def go_on_after_step(tx: Tx, by: float, before: float, *, now: float) -> float:
    """The clock was set `by` so many seconds, last seen right at `before`, and is believed from `now` on.

    An open call has as long as it had before; what the step alone made due is due later, and what it put off is not.
    Returns by how much the clock was set forward in all. Of several processes that saw the step, the first one does it.
    """
    if mark(tx, STEPPED) is None:
        return mark(tx, LEAPT) or 0.0
    leapt = _move_along(tx, by, before, now=now)
    clear_mark(tx, STEPPED)
    return leapt


def seen(tx: Tx, *, now: float) -> float:
    """The clock is believed, at `now`. If that is before it was seen last, it was set back while nobody saw it:
    what was put off when it was set forward is put off no more. Returns by how much it was set forward in all."""
    leapt, last = mark(tx, LEAPT) or 0.0, mark(tx, LAST_SEEN)
    if last is not None and now < last - BACKWARD and leapt:
        return _move_along(tx, max(now - last, -leapt), last, now=now)
    set_mark(tx, LAST_SEEN, now)
    return leapt


def _move_along(tx: Tx, by: float, before: float, *, now: float) -> float:
    """What is due is due `by` so many seconds later; returns by how much the clock was set forward in all."""
    tx.run("step_deadlines", by=by, before=before, at_least=now + AT_LEAST)
    until = before + max(by, 0.0)
    tx.run("step_jobs", by=by, before=before, until=until)
    tx.run("step_again", by=by, before=before, until=until)
    tx.run("step_connections", by=by, before=before)
    leapt = max(0.0, (mark(tx, LEAPT) or 0.0) + by)
    set_mark(tx, LEAPT, leapt)
    set_mark(tx, LAST_SEEN, now)
    return leapt


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Nothing is bought `until` then (UTC seconds), for the ledger was restored from a copy that knew of nothing after
    `copied_at`. `waiting`: so many jobs are to be asked about; the ledger can't tell which of them were."""

    until: float
    copied_at: float | None
    waiting: int


def freeze(tx: Tx, *, now: float) -> Freeze | None:
    """Why nothing is bought since a restore, or None if it is over."""
    until = mark(tx, FROZEN_UNTIL)
    if until is None or now >= until:
        return None
    return Freeze(until=until, copied_at=mark(tx, COPIED_AT), waiting=tx.value("jobs_to_be_asked"))


def thaw(tx: Tx) -> None:
    """Buy at once, although answers to what the copy had forgotten may still be on their way."""
    clear_mark(tx, FROZEN_UNTIL)
    tx.tally("thawed_by_hand")


def problems(place: Place, tx: Tx, progress: Progress = lambda _, __: None) -> Iterator[str]:
    """Everything about a ledger that does not add up, a sentence each. `progress` is told how many of the checks are
    done, and how many there are."""
    progress(0, len(_CHECKS) + 1)
    if isinstance(place, Path):
        yield from integrity(place)
    try:
        for done, (query, sentence) in enumerate(_CHECKS.items(), 1):
            progress(done, len(_CHECKS) + 1)
            yield from filter(None, map(sentence, tx.rows(query)))
    except sqlite3.DatabaseError as error:
        yield f"it can't be read to its end: {error}"


def _spend_is_off(row: sqlite3.Row) -> str:
    when = datetime.fromtimestamp(row["slot"] * budgets.SLOT, UTC).strftime("%Y-%m-%d %H:%M")
    return f"the credits of {row['sync']} at {row['provider']} in the quarter hour from {when} UTC don't add up"


def _must_not_happen(row: sqlite3.Row) -> str:
    allowed = row["target"] in MOVES.get(row["source"], ())
    return "" if allowed else f"a job went from {row['source']} to {row['target']}, which must not happen"


_CHECKS: dict[str, Callable[[sqlite3.Row], str]] = {  # query → what one of its rows means, or ""
    "check_counters": lambda row: (
        f"the counter of {row['sync']} {row['field']} {row['state']} {row['reason']} is off by {row['off']}"
    ),
    "check_spend": _spend_is_off,
    "check_shares": lambda row: f"the credits of call {row['id']} are not the sum of what its fields take of them",
    "check_totals": lambda row: f"the sum of all credits at {row['provider']} is not that of its calls",
    "check_events": lambda row: f"job {row['id']} is {row['state']}, but its history ends with {row['target']}",
    "check_chain": lambda row: (
        f"the history of job {row['id']} has a gap between {row['before'] or 'its beginning'} and {row['source']}"
    ),
    "check_histories": lambda row: f"job {row['id']} is {row['state']}, but has no history",
    "check_steps": lambda row: f"step {row['id']} of the history has {row['found']} jobs instead of {row['jobs']}",
    "check_moves": _must_not_happen,
    "check_flight": lambda row: f"job {row['id']} is {row['state']} without a live attempt",
    "check_written": lambda row: f"job {row['id']} is said to be written without a find or a confirmed write",
    "check_acknowledged": lambda row: f"delivery {row['id']} was applied to a call that is not in this ledger",
}


def integrity(path: Path) -> Iterator[str]:
    """What is wrong with the file itself, a sentence each."""
    with raw_reading(path) as connection:
        try:
            for (line,) in connection.execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield line
            for row in connection.execute("PRAGMA foreign_key_check"):
                yield f"a row of {row[0]} refers to a missing row of {row[2]}"
        except sqlite3.DatabaseError as error:
            yield f"it can't be checked: {error}"
