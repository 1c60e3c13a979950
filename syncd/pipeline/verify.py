"""Verify: decide on what was answered, by a provider or by a person."""

from __future__ import annotations

from syncd.ledger import cases

from . import deciding
from .parts import Parts

PAGE = 200


async def run_once(parts: Parts) -> int:
    """Decide on all that is answered; returns how many jobs moved."""
    moved, last = 0, list[int]()
    while ids := await parts.ledger.read(cases.answered, PAGE):
        if ids == last:
            break  # they change while they are decided on: the next bell rings soon
        last = ids
        found, decided = await deciding.look(parts, ids)
        moved += (await parts.ledger.write(deciding.carry_out, found, decided, now=parts.clock.now()))[1]
    return moved
