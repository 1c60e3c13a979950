"""Calls that are over and of which nobody told what they cost: no answer came, or it was silent about its price.

Their worst case stays reserved, for an answer may still come, until the operator's rule or a person settles it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from . import shares
from .shares import milli
from .store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """A call without a price. `at_risk`: credits that it cost at worst; `assumed`: they count as charged by now."""

    id: str
    provider: str
    sync: str
    requests: int
    at_risk: Decimal
    assumed: bool
    since: float
    given_up_at: float
    note: str


def unpriced(tx: Tx, *, assumed: bool = False) -> list[Unpriced]:
    """Every call without a price, oldest first; with `assumed`, also those that count as charged by now."""
    return [
        Unpriced(
            id=row["id"],
            provider=row["provider"],
            sync=row["sync"],
            requests=row["requests"],
            at_risk=Decimal(row["reserved_mc"] + row["assumed_mc"]) / 1000,
            assumed=row["assumed_mc"] > 0,
            since=row["created_at"],
            given_up_at=row["deadline"],
            note=row["note"],
        )
        for row in tx.rows("calls_without_price", assumed=int(assumed))
    ]


def settle_old(tx: Tx, provider: str, *, free: bool, before: float) -> int:
    """Those that were given up before then count as charged with their worst case, or as free; returns how many.

    The credits stay in the budgets of the days in which they were called. An answer that comes after all still
    says what it cost.
    """
    return tx.run("calls_taken_as_free" if free else "calls_taken_as_charged", provider=provider, before=before)


def settle(tx: Tx, submission_id: str, charged: Decimal, note: str) -> bool:
    """A person knows what it cost; False if it has a price by now."""
    split = shares.of_charges(tx, {submission_id: milli(charged)})[submission_id]
    return tx.run("call_priced", id=submission_id, charged_mc=milli(charged), shares=split, note=note) == 1
