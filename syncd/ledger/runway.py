"""For how many days each provider's balance lasts, if as much is spent as lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .budgets import SLOT, Budget
from .store import Tx

DAY = 86_400.0
LATELY = (7, 30)  # days that are looked back


def report(tx: Tx, providers: Iterable[str], *, now: float) -> dict[str, dict[str, Any]]:
    """By provider: its `balance`, and for each of the last 7 and 30 days `credits_a_day` and the `days` that are left;
    None where that can't be told."""
    balances = {row["name"]: row["balance"] for row in tx.rows("connections")}
    return {name: _one(tx, name, balances.get(name), now=now) for name in providers}


def _one(tx: Tx, provider: str, balance: str | None, *, now: float) -> dict[str, Any]:
    left = None if balance is None else float(Decimal(balance))
    spent = {days: _a_day(tx, provider, days, now=now) for days in LATELY}
    return {
        "balance": left,
        "credits_a_day": {str(days): a_day for days, a_day in spent.items()},
        "days": {
            str(days): None if left is None or not a_day else max(0.0, left) / a_day for days, a_day in spent.items()
        },
    }


def _a_day(tx: Tx, provider: str, days: int, *, now: float) -> float | None:
    """On average; where nothing was spent before, of the time since the first call, a day at least."""
    first = tx.value("spent_first", provider=provider)
    if first is None:
        return None
    began = max(now - days * DAY, first * SLOT)
    scope = Budget(providers=frozenset({provider})).scope()
    spent = tx.one("spent_since", slot=int(began // SLOT), **scope)
    return float(spent["mc"] / 1000 / max(1.0, (now - began) / DAY))


def in_words(one: Mapping[str, Any]) -> str:
    """Such as `4180 credits last 11 days at the last 7 days' spend (9 days at the last 30 days')`, or ""."""
    days = [(span, left) for span, left in one["days"].items() if left is not None]
    if not days:
        return ""
    (span, left), *others = days
    more = "".join(f" ({_days(other)} at the last {days} days')" for days, other in others)
    return f"{one['balance']:g} credits last {_days(left)} at the last {span} days' spend{more}"


def _days(days: float) -> str:
    return f"{days:.0f} day{'' if round(days) == 1 else 's'}" if days >= 1 else "less than a day"
