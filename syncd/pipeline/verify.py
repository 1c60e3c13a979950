"""Verify: decide on what was answered, by a provider or by a person."""

from __future__ import annotations

from functools import partial

from syncd.ledger import cases
from syncd.ledger.claims import Kind

from . import deciding
from .parts import Parts
from .work import hold

PAGE = 200
MANY = 100  # jobs of which many may be values to write: that does not wait until all others are decided on
TRIES = 5  # for a page that does not get anywhere


async def run_once(parts: Parts) -> int:
    """Decide on all that is answered; returns how many jobs moved."""
    moved, again, last = 0, 0, list[int]()
    while ids := await parts.ledger.read(cases.answered, PAGE):
        again = again + 1 if ids == last else 0
        if again == TRIES:
            break  # they change again and again while they are decided on: the next bell rings soon
        last = ids
        async with hold(parts, Kind.CONTACT, ids, partial(cases.answered, limit=PAGE)) as held:
            found, decided = await deciding.look(parts, held.items)
            some = (await held.finish(deciding.carry_out, found, decided, now=parts.clock.now()))[1]
            moved += some
            if some >= MANY:
                parts.bells.go_on("writeback")
    return moved
