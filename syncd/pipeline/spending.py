"""Credits, as the stages see them: the budgets that are configured, and the price that a charge gives away. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from syncd.config import Settings, Sync
from syncd.contract.model import EnrichmentResult, Field, Outcome
from syncd.ledger.budgets import Budget
from syncd.ledger.floors import Floor
from syncd.ledger.write_limits import WriteLimits


def budgets_of(settings: Settings) -> tuple[Budget, ...]:
    """All budgets, as the ledger takes them: those of the list, and those that are written into a sync."""
    named = [
        Budget(
            name=one.name,
            syncs=None if one.syncs is None else frozenset(one.syncs),
            fields=None if one.fields is None else frozenset(one.fields),
            providers=None if one.providers is None else frozenset(one.providers),
            per_run=one.per_run,
            per_day=one.per_day,
            per_month=one.per_month,
            time_zone=one.time_zone,
            refresh=one.refresh,
        )
        for one in settings.budgets
    ]
    return (*named, *(own for sync in settings.syncs if (own := _own(sync)).caps()))


def floors_of(settings: Settings) -> tuple[Floor, ...]:
    """What is to be left of the balances."""
    return tuple(Floor(name, one.floor) for name, one in settings.connections.items() if one.floor is not None)


def _own(sync: Sync) -> Budget:
    caps = sync.budget
    return Budget(
        name=sync.name,
        syncs=frozenset({sync.name}),
        per_day=caps.credits_per_day,
        per_month=caps.credits_per_month,
        time_zone=caps.time_zone,
    )


def limits_of(sync: Sync) -> WriteLimits:
    """What limits the writes of a sync."""
    return WriteLimits(
        per_hour=sync.writes_per_hour, per_run=sync.writes_per_run, canary=sync.canary, policy=sync.writing
    )


def dearer_prices(
    results: Iterable[EnrichmentResult], charged: Decimal, listed: Mapping[Field, Decimal]
) -> dict[Field, Decimal]:
    """What one find of each field cost at least, where the finds of an answer cost more than they are listed with.

    Nobody says which find of a bulk was the dear one: all are taken to be dearer in the same proportion.
    """
    told = list(results)
    billed = [one for one in told if one.outcome is Outcome.FOUND] or told
    finds = Counter(one.field for one in billed if one.field in listed)
    expected = sum((listed[field] * n for field, n in finds.items()), Decimal(0))
    if not finds or charged <= expected:
        return {}
    if expected == 0:
        return dict.fromkeys(finds, charged / finds.total())
    return {field: listed[field] * charged / expected for field in finds}
