"""What can't be bought for now: no room in a budget, or above a floor, or only a handful until a write is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.config import Sync
from syncd.contract.model import Field
from syncd.ledger import budgets, confirmations, room
from syncd.ledger.pauses import Pause, buying_is_paused

from .parts import Parts


async def over_budget(parts: Parts, paused: Sequence[Pause] = ()) -> set[tuple[str, str, Field]]:
    """(sync, provider, field) of which not even one can be asked for now, because a budget has no room, or a pause
    stands."""
    full: set[tuple[str, str, Field]] = set()
    now = parts.clock.now()
    for sync in parts.syncs:
        for name, lane in parts.lanes.items():
            limits = parts.limits(sync.name, name)
            fields = [field for field, policy in sync.fields.items() if name in policy.providers]
            listed = {field: price for field, price in lane.provider.capabilities.price.items() if field in fields}
            if buying_is_paused(paused, sync.name, name):
                full |= {(sync.name, name, field) for field in fields}
            elif limits and listed:
                prices = await parts.ledger.read(budgets.worst_prices, name, listed, now=now)
                found = await parts.ledger.read(room.without, limits, prices, now=now)
                full |= {(sync.name, name, field) for field in found}
    return full


async def at_first(parts: Parts, sync: Sync) -> int | None:
    """For how many more contacts may be bought until the CRM has confirmed a write; None for any number."""
    return await parts.ledger.read(
        confirmations.allowance,
        sync.name,
        sync.writing,
        limit=sync.buy_before_write,
        canary=sync.canary,
        now=parts.clock.now(),
    )
