"""Values that we wrote, that still stand, and that are to be verified again: which, and that it has begun.

Whether one is due is derived from what was written and answered. Its job goes through the waterfall once more, as the
last in the queue (`priority` -1), in a round of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef, Field, Identity

from . import upkeep
from .results import load_identity
from .states import JobState
from .store import Move, Tx

if TYPE_CHECKING:
    import sqlite3

LOOKED_TO = "refresh_looked_to"  # id of the job up to which this round has looked
ROUND_ENDED = "refresh_round_ended"  # UTC seconds: when the last round had looked at all
ROUND = 86_400.0  # seconds from the end of a round to the next one
PORTION = 1_000  # jobs that are looked at in a pass
NOTE = "what syncd wrote is verified again"


class Due(NamedTuple):
    """A value of ours that was neither written nor verified for long. `field`: of the property that it stands in."""

    job_id: int
    contact_id: int
    sync: str
    asked: Field
    field: Field
    value: str
    round: int
    ref: ContactRef
    identity: Identity


class Portion(NamedTuple):
    """The next jobs of a round, of which some are due. `last`: the last that was looked at; None: none is left."""

    due: Sequence[Due]
    last: int | None


def portion(tx: Tx, before: Mapping[tuple[str, Field], float], *, now: float) -> Portion | None:
    """Look at some more jobs, once a day at all; None while none has to be looked at. `before`: the moment (UTC
    seconds) since which nothing must have been heard, by sync and field."""
    after = int(upkeep.mark(tx, LOOKED_TO) or 0)
    ended = upkeep.mark(tx, ROUND_ENDED)
    if not after and ended is not None and ended <= now < ended + ROUND:
        return None
    last = tx.value("refresh_portion_end", after=after, limit=PORTION)
    if last is None:
        return Portion((), None)
    ages = dump([[sync, field, moment] for (sync, field), moment in before.items()])
    rows = tx.rows("refresh_due", ages=ages, after=after, until=last)
    return Portion([_due(row) for row in rows], int(last))


def looked(tx: Tx, last: int | None, *, now: float) -> None:
    """The portion up to this job was looked at; None: the round is over."""
    if last is not None:
        upkeep.set_mark(tx, LOOKED_TO, last)
        return
    upkeep.clear_mark(tx, LOOKED_TO)
    upkeep.set_mark(tx, ROUND_ENDED, now)


def waiting(tx: Tx, places: Iterable[tuple[str, str]]) -> int:
    """How many wait to be asked about, of these syncs and providers."""
    return sum(int(tx.value("refresh_waiting", sync=sync, provider=name)) for sync, name in places)


def begin(tx: Tx, wanted: Sequence[tuple[Due, str]], *, now: float) -> int:
    """Ask the provider that is named about each of these; returns for how many that is so."""
    tx.run("refresh_begin", ids=dump([one.job_id for one, _ in wanted]), now=now)
    moves = [
        Move(one.job_id, JobState.DONE, JobState.QUEUED, {"provider": name, "note": NOTE, "round": one.round + 1})
        for one, name in wanted
    ]
    return len(tx.move_many(moves, now=now))


def _due(row: sqlite3.Row) -> Due:
    return Due(
        job_id=row["id"],
        contact_id=row["contact_id"],
        sync=row["sync"],
        asked=Field(row["field"]),
        field=Field(row["destination"] or row["field"]),
        value=row["value"],
        round=row["round"],
        ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
        identity=load_identity(row["identity"]),
    )
