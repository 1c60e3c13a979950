"""What the daemon would decide now: the same pull and decisions, on a copy of the ledger that is thrown away."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.ledger import reports, retries
from syncd.ledger.reports import Planned

from . import dispatch, plan, pull, reconfigure, verify
from .parts import Parts


async def preview(parts: Parts) -> list[Planned]:
    """Pull, and decide; nothing is asked and nothing is written. `parts` stand on a copy of the ledger.

    Returns every decision that is new, and everything that waits for its turn to be asked about. Raises as `pull`.
    """
    before = await parts.ledger.read(reports.newest_event)
    await reconfigure.run_once(parts)
    for sync in parts.syncs:
        await pull.run_once(parts, sync)
    await _decide(parts)
    return await parts.ledger.read(reports.planned, since_event=before)


async def preview_retry(parts: Parts, jobs: Sequence[int]) -> list[Planned]:
    """The same for these jobs alone, which are to be decided on again."""
    before = await parts.ledger.read(reports.newest_event)
    await parts.ledger.write(retries.retry, jobs, now=parts.clock.now())
    await _decide(parts)
    planned = await parts.ledger.read(reports.planned, since_event=before)
    wanted = set(jobs)
    return [one for one in planned if one.job_id in wanted]


async def _decide(parts: Parts) -> None:
    """Until nothing moves: some are asked, others have the answer of another record, wait for it, or can't be asked."""
    moved = 1
    while moved:
        moved = await plan.run_once(parts) + await verify.run_once(parts)
        for name in parts.lanes:
            moved += await dispatch.pretend(parts, name)
