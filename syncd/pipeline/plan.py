"""Plan: decide on contacts that changed, or whose time has come: whom to ask about, whom not, and why."""

from __future__ import annotations

from functools import partial

from syncd.ledger import cases, upkeep
from syncd.ledger.claims import Kind
from syncd.ledger.store import Tx

from . import deciding
from .parts import Parts
from .work import hold

PAGE = 200
TRIES = 5  # for a page that does not get anywhere


async def run_once(parts: Parts) -> int:
    """Decide on what was pulled since; returns how many jobs are new or moved."""
    made, again, last = 0, 0, list[int]()
    while ids := await parts.ledger.read(_changed, now=parts.clock.now(), believed=not parts.clock_was_set):
        again = again + 1 if ids == last else 0
        if again == TRIES:
            break  # they change again and again while they are decided on: the next bell rings soon
        last = ids
        others = partial(_changed, now=parts.clock.now(), believed=not parts.clock_was_set)
        async with hold(parts, Kind.CONTACT, ids, others) as held:
            found, decided = await deciding.look(parts, held.items)
            new, moved = await held.finish(deciding.carry_out, found, decided, now=parts.clock.now())
            made += new + moved
            if moved:
                parts.bells.ring("writeback")
    return made


def _changed(tx: Tx, *, now: float, believed: bool) -> list[int]:
    """While the clock is not believed, nothing is decided on anew because it were due."""
    return cases.changed(tx, PAGE, now=now if believed and upkeep.in_time(tx, now) else 0.0)
