"""Plan: decide on contacts that changed, or whose time has come: whom to ask about, whom not, and why."""

from __future__ import annotations

from syncd.ledger import cases

from . import deciding
from .parts import Parts

PAGE = 200


async def run_once(parts: Parts) -> int:
    """Decide on what was pulled since; returns how many jobs are new or moved."""
    made = 0
    while ids := await parts.ledger.read(cases.changed, PAGE, now=parts.clock.now()):
        found, decided = await deciding.look(parts, ids)
        new, moved = await parts.ledger.write(deciding.carry_out, found, decided, now=parts.clock.now())
        made += new + moved
        if moved:
            parts.bells.ring("writeback")
    return made
