"""The floor of a provider's balance: no call is made after which less could be left.

What is left at worst is the balance as it was read last, less all that was charged since, and less what open calls
reserve: of those nobody knows whether the provider has taken their credits already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .shares import Shares, milli
from .store import Tx

CAP = "floor"
LATELY = 3_600.0  # seconds for which a call that did not fit is told, after it was last to be made


@dataclass(frozen=True, slots=True)
class Floor:
    """So many credits are to be left at a provider."""

    name: str  # of the connection
    credits: Decimal

    def part(self, shares: Shares) -> Decimal | None:
        """All of a call."""
        return sum(shares.values(), Decimal(0))

    def exceeded(self, tx: Tx, more_mc: int, *, now: float) -> str | None:
        """As long as no balance is known, nothing is forbidden."""
        left = _left(tx, self.name)
        return CAP if left is not None and left - more_mc < milli(self.credits) else None

    def in_words(self, cap: str) -> str:
        """For the log."""
        return f"{self.name}: {self.credits} credits are to be left there"


def report(tx: Tx, floors: Iterable[Floor], *, now: float) -> list[dict[str, Any]]:
    """For each floor: what is left at worst, and whether calls wait for more."""
    return [_told(tx, floor, now=now) for floor in floors]


def _told(tx: Tx, floor: Floor, *, now: float) -> dict[str, Any]:
    left = _left(tx, floor.name)
    above = None if left is None else left - milli(floor.credits)
    given = {"budget": floor.name, "cap": CAP, "since": now - LATELY, "left": above, "whole": above}
    row = None if above is None else tx.row("over_budget", **given)
    needs, reached = (0 if row is None else row["needs_mc"]), row is not None
    return {
        "connection": floor.name,
        "floor": float(floor.credits),
        "left_at_worst": None if left is None else left / 1000,
        "reached": reached,
        "reached_at": row["since"] if row is not None and reached else None,
        "needs": needs / 1000 if reached else None,
    }


def _left(tx: Tx, provider: str) -> int | None:
    left = tx.value("balance_left_at_worst", provider=provider)
    return None if left is None else int(left)
