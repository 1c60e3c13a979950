"""What the daemon would decide now: the same pull and decisions, on a copy of the ledger that is thrown away."""

from __future__ import annotations

from syncd.ledger import reports
from syncd.ledger.reports import Planned

from . import plan, pull, reconfigure, verify
from .parts import Parts


async def preview(parts: Parts) -> list[Planned]:
    """Pull, and decide; nothing is asked and nothing is written. `parts` stand on a copy of the ledger.

    Returns every decision that is new, and everything that waits for its turn to be asked about. Raises as `pull`.
    """
    before = await parts.ledger.read(reports.newest_event)
    await reconfigure.run_once(parts)
    for sync in parts.syncs:
        await pull.run_once(parts, sync)
    while await plan.run_once(parts) + await verify.run_once(parts):
        pass
    return await parts.ledger.read(reports.planned, since_event=before)
