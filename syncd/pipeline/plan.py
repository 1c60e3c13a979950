"""Plan: decide on contacts that changed, or whose time has come: whom to ask about, whom not, and why."""

from __future__ import annotations

from syncd.ledger import cases
from syncd.ledger.claims import Kind

from . import deciding
from .parts import Parts
from .work import hold

PAGE = 200
TRIES = 5  # for a page that does not get anywhere


async def run_once(parts: Parts) -> int:
    """Decide on what was pulled since; returns how many jobs are new or moved."""
    made, again, last = 0, 0, list[int]()
    # While the clock is not believed, nothing is decided on anew because it were due.
    while ids := await parts.ledger.read(cases.changed, PAGE, now=await _due_by(parts)):
        again = again + 1 if ids == last else 0
        if again == TRIES:
            break  # they change again and again while they are decided on: the next bell rings soon
        last = ids
        async with hold(parts, Kind.CONTACT, ids) as held:
            found, decided = await deciding.look(parts, held.items)
            new, moved = await held.finish(deciding.carry_out, found, decided, now=parts.clock.now())
            made += new + moved
            if moved:
                parts.bells.ring("writeback")
        parts.bells.ring("verify")  # it leaves alone what is held
    return made


async def _due_by(parts: Parts) -> float:
    now = parts.clock.now()
    return now if await parts.in_time(now) else 0.0
