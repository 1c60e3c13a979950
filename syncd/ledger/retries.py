"""Work that a person wants to be decided on again now: what was in vain counts no more."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.contract.jsontext import dump

from . import search
from .search import Wanted
from .store import Tx


def find(tx: Tx, wanted: Wanted, *, waiting: bool = False) -> list[int]:
    """The jobs that are meant, but for those that are under way outside. `waiting`: only those that are not done."""
    ids = dump(search.job_ids(tx, wanted))
    return [row["id"] for row in tx.rows("jobs_to_retry", ids=ids, waiting=int(waiting))]


def retry(tx: Tx, jobs: Sequence[int], *, now: float) -> None:
    """Decide on these again at once. Misses and failures so far count no more, and what was refused is tried again."""
    ids = dump(list(jobs))
    tx.run("retry_jobs", ids=ids, now=now)
    tx.run("retry_questions", ids=ids)
    tx.run("retry_soon", ids=ids, now=now)
