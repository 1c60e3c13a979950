"""Credits against the operator's caps: what was spent in a window of days, and what a call costs at worst.

Credits cross this border as Decimal and are kept as thousandths. A day is a calendar day in the budget's own time
zone; a month is that day and the 29 before it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from syncd.contract.model import Field

from .store import Tx

SLOT = 900.0  # seconds: the quarter hours by which `spend` is kept
DAYS = {"day": 1, "month": 30}
DAY = 86_400.0
REMEMBER_PRICES = 90 * 86_400.0  # seconds since a price was last seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The operator's caps on a sync's credits, None where there is none. `time_zone`: where its days begin and end."""

    per_day: Decimal | None = None
    per_month: Decimal | None = None
    time_zone: str = "UTC"

    def cap(self, window: str) -> Decimal | None:
        """The cap of one of the windows in `DAYS`."""
        return self.per_day if window == "day" else self.per_month


class OverBudget(Exception):
    """The intent would let spent and reserved credits exceed a cap; nothing was written. `window`: whose cap; `needs`:
    what the call could have cost."""

    def __init__(self, what: str, window: str, needs: Decimal) -> None:
        super().__init__(what)
        self.window, self.needs = window, needs


def milli(amount: Decimal) -> int:
    """Credits as whole thousandths, rounded up: a reservation is never too small."""
    return math.ceil(amount * 1000)


def first_moment(now: float, time_zone: str, days: int = 1) -> float:
    """UTC seconds at which a window of so many calendar days begins, today included."""
    zone = ZoneInfo(time_zone)
    first = datetime.fromtimestamp(now, zone).date() - timedelta(days=days - 1)
    return datetime(first.year, first.month, first.day, tzinfo=zone).timestamp()


def check_budget(tx: Tx, sync: str, reserve: Decimal, budget: Budget, *, now: float) -> None:
    """Raises OverBudget when so much more could exceed a cap."""
    for window, days in DAYS.items():
        cap = budget.cap(window)
        if cap is None:
            continue
        spent = tx.value("spent_since", sync=sync, slot=_slot(now, budget, days))
        if spent + milli(reserve) > milli(cap):
            what = f"{cap} credits in {days} day{'s' if days > 1 else ''} ({budget.time_zone})"
            raise OverBudget(what, window, reserve)


def note_reached(tx: Tx, sync: str, provider: str, over: OverBudget, *, now: float) -> None:
    """A single call did not fit into a cap. It is told to whoever looks for as long as it would not fit."""
    needs = milli(over.needs)
    tx.run("over_budget_note", sync=sync, provider=provider, cap=over.window, needs_mc=needs, now=now, stale=now - DAY)


def report(tx: Tx, budgets: Mapping[str, Budget], *, now: float) -> list[dict[str, Any]]:
    """For each cap of each sync: how much of it is used, and how."""
    return [
        _window(tx, sync, budget, window, now=now)
        for sync, budget in budgets.items()
        for window in DAYS
        if budget.cap(window) is not None
    ]


def _window(tx: Tx, sync: str, budget: Budget, window: str, *, now: float) -> dict[str, Any]:
    row = tx.row("spent_by_kind", sync=sync, slot=_slot(now, budget, DAYS[window]))
    kinds = {kind: 0.0 if row is None else row[f"{kind}_mc"] / 1000 for kind in ("charged", "reserved", "assumed")}
    cap, used = budget.cap(window) or Decimal(0), sum(kinds.values())
    return {
        "sync": sync,
        "window": window,
        "cap": float(cap),
        "used": used,
        "left": max(0.0, float(cap) - used),
        **kinds,
        "time_zone": budget.time_zone,
        "since": first_moment(now, budget.time_zone, DAYS[window]),
        **_reached(tx, sync, budget, window, milli(cap) - round(used * 1000), now=now),
    }


def _reached(tx: Tx, sync: str, budget: Budget, window: str, left_mc: int, *, now: float) -> dict[str, Any]:
    """Is it used up, or is what is left too little for a call that was to be made today?"""
    row = tx.row("over_budget", sync=sync, cap=window, since=first_moment(now, budget.time_zone))
    needs = 1 if row is None else row["needs_mc"]
    if left_mc >= needs:
        return {"reached": False, "reached_at": None, "needs": None, "goes_on_at": None}
    return {
        "reached": True,
        "reached_at": None if row is None else row["since"],
        "needs": None if row is None else needs / 1000,
        "goes_on_at": _goes_on(tx, sync, budget, window, needs, now=now),
    }


def _goes_on(tx: Tx, sync: str, budget: Budget, window: str, needs_mc: int, *, now: float) -> float | None:
    """The first midnight by which so much has left the window that the call fits: at the latest then it goes on, for
    what is reserved may become less before. None: it never fits."""
    days, cap = DAYS[window], milli(budget.cap(window) or Decimal(0))
    if needs_mc > cap:
        return None
    spent = [(row["slot"], row["mc"]) for row in tx.rows("spent_by_slot", sync=sync, slot=_slot(now, budget, days))]
    moment = now
    for _ in range(days):
        moment = _next_midnight(moment, budget.time_zone)
        first = _slot(moment, budget, days)
        if sum(mc for slot, mc in spent if slot >= first) + needs_mc <= cap:
            return moment
    return moment


def _next_midnight(now: float, time_zone: str) -> float:
    zone = ZoneInfo(time_zone)
    day = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def in_words(one: Mapping[str, Any]) -> str:
    """One entry of `report`, such as `12 of 50 credits today (UTC)`; with what follows from it where it is reached."""
    when = "today" if one["window"] == "day" else f"in {DAYS['month']} days"
    words = f"{one['used']:g} of {one['cap']:g} credits {when} ({one['time_zone']})"
    if one["needs"] and one["left"]:
        words += f", and the next call may cost {one['needs']:g}"
    if not one["reached"]:
        return words
    return f"{words}: {_until_when(one)}"


def _until_when(one: Mapping[str, Any]) -> str:
    if one["goes_on_at"] is None:
        return "no call fits into it, whatever was spent"
    moment = datetime.fromtimestamp(one["goes_on_at"], ZoneInfo(one["time_zone"]))
    return f"goes on at {moment:%Y-%m-%d %H:%M} ({one['time_zone']}) at the latest"


def dearest(tx: Tx, provider: str, *, now: float) -> dict[Field, Decimal]:
    """What a find was lately charged where that was more than the connector knows."""
    rows = tx.rows("dearest_prices", provider=provider, since=now - REMEMBER_PRICES)
    return {Field(row["field"]): Decimal(row["price_mc"]) / 1000 for row in rows}


def worst_prices(tx: Tx, provider: str, listed: Mapping[Field, Decimal], *, now: float) -> dict[Field, Decimal]:
    """What each field costs at worst: the connector's price, or the dearest that was charged."""
    seen = dearest(tx, provider, now=now)
    return {field: max(price, seen.get(field, price)) for field, price in listed.items()}


def at_least(seen: Mapping[Field, Decimal], fields: Iterable[Field], reserve: Decimal) -> Decimal:
    """A reservation that is not below the dearest prices charged for these fields: one may have been learnt since
    the reservation was reckoned."""
    return max(reserve, sum((seen.get(field, Decimal(0)) for field in fields), Decimal(0))) if seen else reserve


def learn_prices(
    tx: Tx, provider: str, charged: Mapping[Field, Decimal], listed: Mapping[Field, Decimal], *, now: float
) -> bool:
    """Finds were dearer than listed: reserve as much from now on, also for calls under way. True if that is news."""
    before = worst_prices(tx, provider, listed, now=now)
    for field, price in charged.items():
        since = now - REMEMBER_PRICES
        tx.run("dearest_keep", provider=provider, field=field, price_mc=milli(price), now=now, since=since)
    prices = worst_prices(tx, provider, listed, now=now)
    if prices == before:
        return False
    open_calls: dict[str, Counter[Field]] = {}
    for row in tx.rows("fields_of_open_calls", provider=provider):
        open_calls.setdefault(row["id"], Counter())[Field(row["field"])] = row["n"]
    for submission_id, fields in open_calls.items():
        reserve = sum((prices.get(field, Decimal(0)) * n for field, n in fields.items()), Decimal(0))
        tx.run("submission_reserve", id=submission_id, reserved_mc=milli(reserve))
    return True


def _slot(now: float, budget: Budget, days: int) -> int:
    return int(first_moment(now, budget.time_zone, days) // SLOT)
