"""Work that a person wants to be decided on again now: what was in vain counts no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from syncd.contract.model import ContactRef

from .store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which work: each part narrows it; None is any. `reason`: why it ended, or `waiting`."""

    ref: ContactRef | None = None
    reason: str | None = None
    sync: str | None = None
    provider: str | None = None
    field: str | None = None


def find(tx: Tx, wanted: Wanted) -> list[int]:
    """The jobs that are meant, but for those that are under way outside."""
    ref = wanted.ref
    rows = tx.rows(
        "jobs_to_retry",
        connection=ref.connection if ref else None,
        object=ref.object if ref else None,
        ext_id=ref.id if ref else None,
        reason=wanted.reason,
        sync=wanted.sync,
        provider=wanted.provider,
        field=wanted.field,
    )
    return [row["id"] for row in rows]


def retry(tx: Tx, jobs: Sequence[int], *, now: float) -> None:
    """Decide on these again at once. Misses and failures so far count no more, and what was refused is tried again."""
    ids = json.dumps(list(jobs))
    tx.run("retry_jobs", ids=ids, now=now)
    tx.run("retry_questions", ids=ids)
    tx.run("retry_soon", ids=ids, now=now)
