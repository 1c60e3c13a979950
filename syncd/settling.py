"""When there is nothing left to do for now, for who runs the daemon only until then."""

from __future__ import annotations

import asyncio

from syncd.config import InDoubtPolicy
from syncd.ledger import pauses, reports, submissions
from syncd.pipeline.parts import Parts
from syncd.pipeline.room import over_budget
from syncd.working import Working


async def settled(working: Working) -> None:
    """Return once every sync was pulled and nothing will move by itself any more.

    What waits for a person (a halted connection, callbacks that can't reach us, a doubt that the
    policy leaves to them) or for another day (a budget) does not count.
    """
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(0.2)
        ready = working.stages.pulled and working.stages.looked
        quiet = quiet + 1 if ready and not await _moving(working.parts) else 0


async def _moving(parts: Parts) -> int:
    paused = await parts.ledger.read(pauses.in_force, now=parts.clock.now())
    spent = list(await over_budget(parts, paused))
    shut = [sync.name for sync in parts.settings.syncs if parts.gate.waits_for_somebody(sync.name)]
    unwritten = [one.name for one in parts.settings.syncs if any(stop.stops_writing(one.name) for stop in paused)]
    dear = [(name, field) for name, lane in parts.lanes.items() for field in lane.too_dear]
    if moving := await parts.ledger.read(reports.moving, spent, shut, dear, list(parts.lanes), unwritten=unwritten):
        return moving
    ask = [name for name, one in parts.settings.connections.items() if one.in_doubt_policy is InDoubtPolicy.ASK]
    ending = await parts.ledger.read(submissions.overdue, ask, now=float("inf"))
    return sum(provider in parts.lanes for _, provider, _ in ending)
