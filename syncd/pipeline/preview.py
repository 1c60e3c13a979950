"""What the daemon would decide now: the same pull and decisions, on a copy of the ledger that is thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from syncd.config import Sync
from syncd.contract.model import Field
from syncd.ledger import reports, retries
from syncd.ledger.reports import PlannedTotal

from . import dispatch, plan, pull, reconfigure, verify
from .parts import Parts

ENOUGH = 30  # answers of a provider, before its share of finds says anything


async def preview(parts: Parts) -> int:
    """Pull, and decide; nothing is asked and nothing is written. `parts` stand on a copy of the ledger.

    Returns after which event what was decided stands: see `reports.planned`. Raises as `pull`.
    """
    before = await parts.ledger.read(reports.newest_event)
    await reconfigure.run_once(parts)
    for sync in parts.syncs:
        await pull.run_once(parts, sync)
    await _decide(parts)
    return before


async def preview_retry(parts: Parts, jobs: Sequence[int]) -> int:
    """The same where these jobs are to be decided on again, without a pull."""
    before = await parts.ledger.read(reports.newest_event)
    await parts.ledger.write(retries.retry, jobs, now=parts.clock.now())
    await _decide(parts)
    return before


async def _decide(parts: Parts) -> None:
    """Until nothing moves: some are asked, others have the answer of another record, wait for it, or can't be asked."""
    moved = 1
    while moved:
        moved = await plan.run_once(parts) + await verify.run_once(parts)
        for name in parts.lanes:
            moved += await dispatch.pretend(parts, name)


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

    def __mul__(self, n: int) -> Price:
        return Price(
            first=n * self.first, worst=n * self.worst, expected=None if self.expected is None else n * self.expected
        )


Prices = Mapping[str, Mapping[Field, Decimal]]
Rates = Mapping[tuple[str, str], float]


def price_of(total: PlannedTotal, syncs: Iterable[Sync], prices: Prices, rates: Rates) -> Price:
    """What these contacts cost: each provider in its turn, until one finds something."""
    if total.provider is None:
        return Price()
    names = _still_to_ask(total, syncs)
    costs = [Decimal(prices.get(name, {}).get(Field(total.field), Decimal(0))) for name in names]
    expected = _expected(costs, [rates.get((name, total.field)) for name in names])
    return Price(first=costs[0], worst=sum(costs, Decimal(0)), expected=expected) * total.contacts


def _expected(costs: Iterable[Decimal], rates: Iterable[float | None]) -> Decimal | None:
    reached, expected = Decimal(1), Decimal(0)
    for cost, rate in zip(costs, rates, strict=True):
        if rate is None:
            return None
        share = Decimal(str(round(rate, 6)))
        expected += reached * share * cost
        reached *= 1 - share
    return expected


def _still_to_ask(total: PlannedTotal, syncs: Iterable[Sync]) -> list[str]:
    """The next provider, and those behind it."""
    policies = [sync.fields.get(Field(total.field)) for sync in syncs if sync.name == total.sync]
    order = [name for policy in policies if policy is not None for name in policy.providers]
    behind = order[order.index(total.provider) + 1 :] if total.provider in order else []
    return [str(total.provider), *behind]
