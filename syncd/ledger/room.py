"""Does a call fit into everything that limits what is spent: the operator's budgets, and the floor of a balance?

Asked in the transaction of each intent, and before one is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from syncd.contract.model import Field

from .shares import Shares, milli
from .store import Tx

DAY = 86_400.0


class Limit(Protocol):
    """Something that calls have to fit into."""

    @property
    def name(self) -> str:
        """By which it is told: of a budget, or of a provider."""

    def part(self, shares: Shares) -> Decimal | None:
        """How much of a call it counts; None where it counts none of its fields."""

    def exceeded(self, tx: Tx, more_mc: int, *, now: float) -> str | None:
        """Which of its caps so much more (thousandths) would exceed, or None."""

    def in_words(self, cap: str) -> str:
        """That cap, for the log."""


class OverBudget(Exception):
    """A call would exceed a cap; nothing was written. `needs`: what the call could have taken of it."""

    def __init__(self, limit: Limit, cap: str, needs: Decimal) -> None:
        super().__init__(limit.in_words(cap))
        self.limit, self.cap, self.needs = limit.name, cap, needs


def counting(limits: Iterable[Limit], shares: Shares) -> dict[Limit, Decimal]:
    """Those that count any of a call's fields, each with how much of the call it counts."""
    return {limit: part for limit in limits if (part := limit.part(shares)) is not None}


def require(tx: Tx, counted: Mapping[Limit, Decimal], *, now: float, made: bool = False) -> None:
    """Raises OverBudget when a call of which the limits count so much could exceed a cap. `made`: it is reserved."""
    for limit, part in counted.items():
        cap = limit.exceeded(tx, 0 if made else milli(part), now=now)
        if cap is not None:
            raise OverBudget(limit, cap, part)


def without(tx: Tx, limits: Sequence[Limit], prices: Shares, *, now: float) -> dict[Field, OverBudget]:
    """The fields that can't be asked for at these prices, even by themselves, and the cap that forbids it."""
    full: dict[Field, OverBudget] = {}
    for field, price in prices.items():
        try:
            require(tx, counting(limits, {field: price}), now=now)
        except OverBudget as over:
            full[field] = over
    return full


def fitting(
    tx: Tx, limits: Sequence[Limit], prices: Shares, *, now: float
) -> tuple[frozenset[Field], OverBudget | None]:
    """Of the fields of one request those that fit together, the cheapest first; and the first cap that forbids one."""
    kept: dict[Field, Decimal] = {}
    over: OverBudget | None = None
    for field, price in sorted(prices.items(), key=lambda one: one[1]):
        try:
            require(tx, counting(limits, kept | {field: price}), now=now)
            kept[field] = price
        except OverBudget as cap:
            over = over or cap
    return frozenset(kept), over


def note_reached(tx: Tx, sync: str, provider: str, over: OverBudget, *, now: float) -> bool:
    """A single call did not fit into a cap; true if that is news. It is told for as long as it would not fit."""
    where = {"budget": over.limit, "cap": over.cap, "sync": sync, "provider": provider}
    return bool(tx.value("over_budget_note", **where, needs_mc=milli(over.needs), now=now, stale=now - DAY))
