"""What a plan costs: as expected, by how often each provider has found something so far, and at worst; and whether that
fits into the budgets. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from syncd.config import Sync
from syncd.contract.model import Field
from syncd.ledger.reports import PlannedTotal

ENOUGH = 30  # answers of a provider, before its share of finds says anything

Prices = Mapping[str, Mapping[Field, Decimal]]
Rates = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Credits. `first`: the next provider's, for each at its dearest. `worst`: every provider that may still be asked
    finds something and charges for it. `expected`: by how often each has found something so far; None: too few answers
    to tell."""

    first: Decimal = Decimal(0)
    worst: Decimal = Decimal(0)
    expected: Decimal | None = Decimal(0)

    def __add__(self, other: Price) -> Price:
        unknown = self.expected is None or other.expected is None
        expected = None if unknown else (self.expected or Decimal(0)) + (other.expected or Decimal(0))
        return Price(first=self.first + other.first, worst=self.worst + other.worst, expected=expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the contacts of a total cost at one provider in its turn."""

    sync: str
    field: str
    provider: str
    contacts: int
    is_next: bool  # it is asked now; otherwise where those before it find nothing
    worst: Decimal
    expected: Decimal | None

    @property
    def price(self) -> Price:
        """This turn alone."""
        return Price(first=self.worst if self.is_next else Decimal(0), worst=self.worst, expected=self.expected)


def turns_of(total: PlannedTotal, syncs: Iterable[Sync], prices: Prices, rates: Rates) -> list[Turn]:
    """Each provider that may be asked about these contacts, in its turn, until one finds something."""
    if total.provider is None:
        return []
    return list(_turns(total, _still_to_ask(total, syncs), prices, rates))


def _turns(total: PlannedTotal, names: Sequence[str], prices: Prices, rates: Rates) -> Iterator[Turn]:
    reached: Decimal | None = Decimal(1)  # the part of the contacts for which it comes to this turn
    for place, name in enumerate(names):
        cost = total.contacts * Decimal(prices.get(name, {}).get(Field(total.field), Decimal(0)))
        rate = rates.get((name, total.field))
        share = None if rate is None or reached is None else Decimal(str(round(rate, 6)))
        yield Turn(
            sync=total.sync,
            field=total.field,
            provider=name,
            contacts=total.contacts,
            is_next=place == 0,
            worst=cost,
            expected=None if share is None or reached is None else reached * share * cost,
        )
        reached = None if share is None or reached is None else reached * (1 - share)


def price_of(total: PlannedTotal, syncs: Iterable[Sync], prices: Prices, rates: Rates) -> Price:
    """What these contacts cost, at all providers together."""
    return price_of_turns(turns_of(total, syncs, prices, rates))


def price_of_turns(turns: Iterable[Turn]) -> Price:
    """All of them together."""
    return sum((turn.price for turn in turns), Price())


def _still_to_ask(total: PlannedTotal, syncs: Iterable[Sync]) -> list[str]:
    """The next provider, and those behind it."""
    policies = [sync.fields.get(Field(total.field)) for sync in syncs if sync.name == total.sync]
    order = [name for policy in policies if policy is not None for name in policy.providers]
    behind = order[order.index(total.provider) + 1 :] if total.provider in order else []
    return [str(total.provider), *behind]


def fit(budget: Mapping[str, Any], turns: Iterable[Turn]) -> dict[str, Any]:
    """Does a plan fit into what one cap of a budget leaves (an entry of `budgets.report`)? How many of its questions
    would have to wait: `waits_as_expected` (None: not known), `waits_at_worst`."""
    counted = [turn for turn in turns if _counts(budget, turn)]
    price, left = price_of_turns(counted), Decimal(str(budget["left"]))
    asked = sum(turn.contacts for turn in counted if turn.is_next)
    expected = None if price.expected is None else _waiting(asked, price.expected, left)
    return {
        "questions": asked,
        "expected_credits": price.expected,
        "worst_case_credits": price.worst,
        "waits_as_expected": expected,
        "waits_at_worst": _waiting(asked, price.worst, left),
    }


def _counts(budget: Mapping[str, Any], turn: Turn) -> bool:
    scopes = {"syncs": turn.sync, "fields": turn.field, "providers": turn.provider}
    return all(budget[scope] is None or name in budget[scope] for scope, name in scopes.items())


def _waiting(asked: int, price: Decimal, left: Decimal) -> int:
    """The part of the questions for which what is left is too little."""
    return 0 if price <= left else math.ceil(asked * (1 - left / price))
