"""What became of questions and values, by day: the figures of `syncd report`.

Answers and writes are counted into `daily` once, a while after they came: by then it is known whose an answer is, and
nothing is added to the work of the moment. What has come since is counted whenever somebody looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from syncd.contract.jsontext import dump

from . import upkeep
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0
SETTLED = 600.0  # seconds after which an answer has been judged, and a write has ended
PORTION = 5_000  # rows that are counted in a pass
AT_A_LOOK = 20_000  # rows that are counted for whoever looks, beyond what is counted already
ANSWERS, WRITES = "daily_answers", "daily_writes"  # the last row of `result` and of `write` that is counted
_SEEN = {ANSWERS: "daily_answers_seen", WRITES: "daily_writes_seen"}  # up to which may be counted at the next look
_LOOKED = "daily_looked"  # UTC seconds: when these were the newest ones
_COUNTS = (
    "found", "missed", "unanswered", "verified", "contradicted", "asked_first", "found_first", "written", "refused",
)  # fmt: skip


class Place(NamedTuple):
    """What a figure is of. `day`: since 1970, in UTC."""

    day: int
    sync: str
    field: str
    provider: str


@dataclass(slots=True)
class Figures:
    """What became of some questions, and of the values that they brought.

    `unanswered`: no answer came in time, or the provider failed. `verified`: found, and valid by the provider's word.
    `contradicted`: found, and of somebody else by all that is known. `asked_first`, `found_first`: of those that no
    other provider had been asked before. `written` and `refused` (by the CRM or a person): values. `spent_mc`:
    thousandths of a credit, charged or counted as charged. `latency`: answers by how long they took, in quarters of
    a power of two of seconds.
    """

    found: int = 0
    missed: int = 0
    unanswered: int = 0
    verified: int = 0
    contradicted: int = 0
    asked_first: int = 0
    found_first: int = 0
    written: int = 0
    refused: int = 0
    spent_mc: int = 0
    latency: Counter[int] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        """Questions that were answered."""
        return self.found + self.missed

    def add(self, other: Figures) -> None:
        """Count these in."""
        for name in (*_COUNTS, "spent_mc"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latency.update(other.latency)


def count(tx: Tx, *, now: float) -> None:
    """Count the next portion of what was there at the last look: that is settled by now."""
    looked = upkeep.mark(tx, _LOOKED)
    due = looked is None or not looked <= now < looked + SETTLED
    if not due:
        return
    seen = {key: int(upkeep.mark(tx, mark) or 0) for key, mark in _SEEN.items()}
    for key, until in seen.items():
        _count_up_to(tx, key, until)
    newest = _newest(tx)
    all_counted = all(int(upkeep.mark(tx, key) or 0) >= until for key, until in seen.items())
    if all_counted and seen != newest:
        for key, mark in _SEEN.items():
            upkeep.set_mark(tx, mark, newest[key])
        upkeep.set_mark(tx, _LOOKED, now)


def count_all(tx: Tx) -> None:
    """Count all that has ended, before some of it is deleted."""
    for key, newest in _newest(tx).items():
        while (upkeep.mark(tx, key) or 0.0) < newest:
            _count_up_to(tx, key, newest)


def after_deleting(tx: Tx) -> None:
    """The numbers of deleted rows may be given anew: whatever has them then is not counted yet."""
    for key, newest in _newest(tx).items():
        for mark in (key, _SEEN[key]):
            if (upkeep.mark(tx, mark) or 0.0) > newest:
                upkeep.set_mark(tx, mark, newest)


def refused(tx: Tx, result_ids: Sequence[int], *, now: float) -> None:
    """A person has refused the values of these answers."""
    rows = tx.rows("daily_refusals", ids=dump(list(result_ids)), now=now) if result_ids else []
    _add(tx, {Place(*place): Figures(refused=n) for *place, n in rows})


def read(tx: Tx, first: int, last: int, *, settled: bool = False, most: int = AT_A_LOOK) -> dict[Place, Figures]:
    """The figures of these days, both included: what is counted already, and of what has come since as much as can be
    counted while somebody waits (`most` rows of each kind; `uncounted` says what is left); `settled`: without that."""
    span = {"first": first, "last": last}
    found = _figures(tx.rows("daily_counted", **span))
    for row in tx.rows("daily_latencies", **span):
        _at(found, row).latency[row["quarter"]] += row["n"]
    for row in tx.rows("daily_spent", **span):
        if row["spent_mc"]:
            _at(found, row).spent_mc += row["spent_mc"]
    for key in () if settled else (ANSWERS, WRITES):
        after = int(upkeep.mark(tx, key) or 0)
        for place, one in _between(tx, key, after, after + most).items():
            if first <= place.day <= last:
                found.setdefault(place, Figures()).add(one)
    return found


def uncounted(tx: Tx, *, most: int = AT_A_LOOK) -> int:
    """About so many answers and writes have come of late that `read` leaves out: they are counted in some minutes."""
    behind = (newest - int(upkeep.mark(tx, key) or 0) - most for key, newest in _newest(tx).items())
    return sum(max(0, rows) for rows in behind)


def together(figures: Iterable[Figures]) -> Figures:
    """The sum of some."""
    total = Figures()
    for one in figures:
        total.add(one)
    return total


def _figures(rows: Iterable[sqlite3.Row]) -> dict[Place, Figures]:
    found: dict[Place, Figures] = {}
    for row in rows:
        latency = Counter({row["quarter"]: row["n"]}) if row["n"] else Counter()
        _at(found, row).add(Figures(**{name: row[name] for name in _COUNTS}, latency=latency))
    return found


def _at(found: dict[Place, Figures], row: sqlite3.Row) -> Figures:
    place = Place(row["day"], row["sync"], row["field"], row["provider"])
    return found.setdefault(place, Figures())


def _between(tx: Tx, key: str, after: int, until: int) -> dict[Place, Figures]:
    """What these rows of `result`, or of `write`, tell."""
    statement = "daily_answers" if key == ANSWERS else "daily_writes"
    return _figures(tx.rows(statement, after=after, until=until))


def _newest(tx: Tx) -> dict[str, int]:
    """The last rows that there are; of writes, before the first that has not ended."""
    row = tx.one("daily_newest")
    return {ANSWERS: row["answers"], WRITES: row["writes"] if row["open"] is None else row["open"] - 1}


def _count_up_to(tx: Tx, key: str, until: int) -> None:
    after = int(upkeep.mark(tx, key) or 0)
    end = min(until, after + PORTION)
    if end > after:
        _add(tx, _between(tx, key, after, end))
        upkeep.set_mark(tx, key, end)


def _add(tx: Tx, found: Mapping[Place, Figures]) -> None:
    for place, one in found.items():
        tx.run("daily_add", **place._asdict(), **{name: getattr(one, name) for name in _COUNTS})
        for quarter, n in one.latency.items():
            tx.run("daily_add_latency", **place._asdict(), quarter=quarter, n=n)
