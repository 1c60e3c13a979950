"""What the daemon would decide now: the same pull and decisions, on a copy of the ledger that is thrown away."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.ledger import reports, retries

from . import dispatch, plan, pull, reconfigure, refresh, verify
from .parts import Parts


async def preview(parts: Parts) -> int:
    """Pull, and decide; nothing is asked and nothing is written. `parts` stand on a copy of the ledger.

    Returns after which event what was decided stands: see `reports.planned`. Raises as `pull`.
    """
    before = await parts.ledger.read(reports.newest_event)
    await reconfigure.run_once(parts)
    for sync in parts.syncs:
        await pull.run_once(parts, sync)
    while await refresh.one_portion(parts, most=float("inf")) is not None:
        pass
    await _decide(parts)
    return before


async def preview_retry(parts: Parts, jobs: Sequence[int]) -> int:
    """The same where these jobs are to be decided on again, without a pull."""
    before = await parts.ledger.read(reports.newest_event)
    await parts.ledger.write(retries.retry, jobs, now=parts.clock.now())
    await _decide(parts)
    return before


async def _decide(parts: Parts) -> None:
    """Until nothing moves: some are asked, others have the answer of another record, wait for it, or can't be asked."""
    moved = 1
    while moved:
        moved = await plan.run_once(parts) + await verify.run_once(parts)
        for name in parts.lanes:
            moved += await dispatch.pretend(parts, name)
