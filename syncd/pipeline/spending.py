"""Credits, as the stages see them: a sync's budget, and the price that a charge gives away. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from syncd.config import Sync
from syncd.contract.model import EnrichmentResult, Field, Outcome
from syncd.ledger.budgets import Budget


def budget_of(sync: Sync) -> Budget:
    """A sync's caps, as the ledger takes them."""
    caps = sync.budget
    return Budget(per_day=caps.credits_per_day, per_month=caps.credits_per_month, time_zone=caps.time_zone)


def budgets_of(syncs: Iterable[Sync]) -> dict[str, Budget]:
    """The caps of each sync."""
    return {sync.name: budget_of(sync) for sync in syncs}


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
