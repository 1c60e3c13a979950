"""What is older than it is to be kept goes: a little at each pass, so that nobody waits for it.

Three classes, each with a time of its own (`ledger.keep`): raw answers; of ended jobs the history, finds and values;
people, which is who somebody is and what was asked about them. Of each, the bare fact stays: that a field came to an
end and why, what a call cost, and the digest of what was asked, by which the same question is not paid twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from syncd.contract.jsontext import dump

from . import daily, search, upkeep
from .store import Tx

LOOKED_TO = "people_looked_to"  # id of the contact up to which this round of purging has looked
ROUND_ENDED = "people_round_ended"  # UTC seconds: when the last round had looked at all
BODIES_LOOKED_TO = "raw_answers_looked_to"  # id of the delivery up to which this round has looked
MERGING = "merging_words"  # there while deleted words are still in the file
ROUND = 86_400.0  # seconds from the end of a round to the next one
PORTION = 2_000  # contacts, and deliveries, that are looked at in a pass
ANSWERS_DUE = 90 * 86_400.0  # seconds after which no answer to a call is taken: its address ended a month before
_LAST = 1 << 62  # after all ids
_THIN = ("thin_steps", "thin_reviews", "thin_results", "thin_undos", "thin_writes", "thin_job")


class Purged(NamedTuple):
    """How much went in a pass."""

    raw_answers: int
    histories: int
    people: int


def purge(tx: Tx, *, raw_before: float, jobs_before: float, people_before: float, now: float) -> Purged:
    """Let go of some of what was last touched before these moments (UTC seconds)."""
    bodies = _purge_bodies(tx, before=raw_before)
    old = [row["id"] for row in tx.rows("jobs_to_thin", before=jobs_before)]
    _thin(tx, old)
    people = _purge_people(tx, before=people_before, now=now)
    tx.run("steps_forget")
    if old or people:
        daily.after_deleting(tx)
    tx.run("forgotten_requests_over", before=now - ANSWERS_DUE)
    for name, n in (("purged_raw_answers", bodies), ("purged_histories", len(old)), ("purged_people", people)):
        tx.tally(name, n)
    return Purged(bodies, len(old), people)


def _purge_bodies(tx: Tx, *, before: float) -> int:
    """Of the next deliveries; round after round, so that no index has to be kept for it."""
    after = int(upkeep.mark(tx, BODIES_LOOKED_TO) or 0)
    last = tx.value("bodies_portion_end", after=after, limit=PORTION)
    if last is not None:
        upkeep.set_mark(tx, BODIES_LOOKED_TO, float(last))
    elif after:
        upkeep.clear_mark(tx, BODIES_LOOKED_TO)
    return tx.run("purge_bodies", after=after, until=_LAST if last is None else last, before=before)


def _thin(tx: Tx, jobs: Sequence[int]) -> None:
    for id_ in jobs:
        for statement in _THIN:
            tx.run(statement, id=id_)


def _purge_people(tx: Tx, *, before: float, now: float) -> int:
    """The next portion of a round that looks at every contact once a day."""
    _merge_words(tx)
    after = int(upkeep.mark(tx, LOOKED_TO) or 0)
    if not after and now - (upkeep.mark(tx, ROUND_ENDED) or 0.0) < ROUND:
        return 0
    last = tx.value("people_portion_end", after=after, limit=PORTION)
    if last is None:
        upkeep.clear_mark(tx, LOOKED_TO)
        upkeep.set_mark(tx, ROUND_ENDED, now)
        return 0
    upkeep.set_mark(tx, LOOKED_TO, float(last))
    found = [row["id"] for row in tx.rows("people_to_thin", after=after, until=last, before=before)]
    if found:
        _thin_people(tx, found)
    return len(found)


def _thin_people(tx: Tx, contacts: Sequence[int]) -> None:
    """A record stays as an id of the CRM. Should it be pulled again, it is known by that, and by what it was asked."""
    ids = dump(contacts)
    _thin(tx, [row["id"] for row in tx.rows("forget_jobs", ids=ids)])
    for name in ("thin_questions", "forget_keys", "forget_words", "thin_contacts"):
        tx.run(name, ids=ids)
    upkeep.set_mark(tx, MERGING, 1.0)


def _merge_words(tx: Tx) -> None:
    if upkeep.mark(tx, MERGING) is not None and not search.merge(tx):
        upkeep.clear_mark(tx, MERGING)
