"""Credits against the operator's budgets: what was spent in a window, and what a call costs at worst.

Credits cross this border as Decimal and are kept as thousandths. A day is a calendar day in the budget's own time
zone; a month is that day and the 29 before it; a run is the newest pull of each sync and all that it led to since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Field

from .shares import Shares, milli, reservation
from .store import Tx

SLOT = 900.0  # seconds: the quarter hours by which `spend` is kept
RUN = "run"
DAYS = {"day": 1, "month": 30}
WINDOWS = (RUN, *DAYS)
REMEMBER_PRICES = 90 * 86_400.0  # seconds since a price was last seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The operator's caps on what is spent for some syncs and fields at some providers; None: for all of them, or no
    cap. `time_zone`: where its days begin and end. `refresh`: it counts only calls that verify values of ours again."""

    name: str = ""
    syncs: frozenset[str] | None = None
    fields: frozenset[Field] | None = None
    providers: frozenset[str] | None = None
    per_run: Decimal | None = None
    per_day: Decimal | None = None
    per_month: Decimal | None = None
    time_zone: str = "UTC"
    refresh: bool = False

    def cap(self, window: str) -> Decimal | None:
        """The cap of one of `WINDOWS`."""
        return {RUN: self.per_run, "day": self.per_day, "month": self.per_month}[window]

    def caps(self) -> list[tuple[str, Decimal]]:
        """The windows that have a cap, with it."""
        return [(window, cap) for window in WINDOWS if (cap := self.cap(window)) is not None]

    def covers(self, sync: str, provider: str) -> bool:
        """Are calls for this sync at this provider within its scope?"""
        return (self.syncs is None or sync in self.syncs) and (self.providers is None or provider in self.providers)

    def part(self, shares: Shares) -> Decimal | None:
        """How much of a call it counts; None where it counts none of its fields."""
        counted = [amount for field, amount in shares.items() if self.fields is None or field in self.fields]
        return sum(counted, Decimal(0)) if counted else None

    def exceeded(self, tx: Tx, more_mc: int, *, now: float) -> str | None:
        """The window whose cap so much more (thousandths) would exceed, or None."""
        for window, cap in self.caps():
            if _spent(tx, self, window, now=now)["mc"] + more_mc > milli(cap):
                return window
        return None

    def in_words(self, cap: str) -> str:
        """One of its caps, for the log."""
        span = "a run" if cap == RUN else f"{DAYS[cap]} day{'s' if DAYS[cap] > 1 else ''}"
        return f"{self.name}: {self.cap(cap)} credits in {span} ({self.time_zone})"

    def scope(self) -> dict[str, Any]:
        """As the ledger's statements take it."""
        names = {"syncs": self.syncs, "fields": self.fields, "providers": self.providers}
        scope = {key: None if value is None else dump(sorted(value)) for key, value in names.items()}
        return {**scope, "refresh": int(self.refresh)}


def first_moment(now: float, time_zone: str, days: int = 1) -> float:
    """UTC seconds at which a window of so many calendar days begins, today included."""
    zone = ZoneInfo(time_zone)
    first = datetime.fromtimestamp(now, zone).date() - timedelta(days=days - 1)
    return datetime(first.year, first.month, first.day, tzinfo=zone).timestamp()


def _spent(tx: Tx, budget: Budget, window: str, *, now: float) -> Any:
    """What was charged, reserved and assumed in a window; `mc`: all of it."""
    if window == RUN:
        return tx.one("spent_in_runs", **budget.scope())
    return tx.one("spent_since", slot=_slot(now, budget, DAYS[window]), **budget.scope())


def report(tx: Tx, budgets: Iterable[Budget], *, now: float) -> list[dict[str, Any]]:
    """For each cap of each budget: how much of it is used, and how."""
    return [_window(tx, budget, window, cap, now=now) for budget in budgets for window, cap in budget.caps()]


def _window(tx: Tx, budget: Budget, window: str, cap: Decimal, *, now: float) -> dict[str, Any]:
    row = _spent(tx, budget, window, now=now)
    kinds = {kind: row[f"{kind}_mc"] / 1000 for kind in ("charged", "reserved", "assumed")}
    used, scope = sum(kinds.values()), budget.scope()
    return {
        "budget": budget.name,
        **{key: None if (names := scope[key]) is None else parse(names) for key in ("syncs", "fields", "providers")},
        "refresh": budget.refresh,
        "window": window,
        "cap": float(cap),
        "used": used,
        "left": max(0.0, float(cap) - used),
        **kinds,
        "time_zone": budget.time_zone,
        "since": _began(tx, budget, window, now=now),
        **_reached(tx, budget, window, milli(cap) - row["mc"], now=now),
    }


def _began(tx: Tx, budget: Budget, window: str, *, now: float) -> float | None:
    if window == RUN:
        began = tx.value("runs_began", syncs=budget.scope()["syncs"])
        return None if began is None else float(began)
    return first_moment(now, budget.time_zone, DAYS[window])


def _reached(tx: Tx, budget: Budget, window: str, left_mc: int, *, now: float) -> dict[str, Any]:
    """Is it used up, or is what is left too little for a call that was to be made in this day, or this run?"""
    today = first_moment(now, budget.time_zone)
    since = _began(tx, budget, window, now=now) if window == RUN else today
    whole = milli(budget.cap(window) or Decimal(0))
    lately = today if since is None else since
    row = tx.row("over_budget", budget=budget.name, cap=window, since=lately, left=left_mc, whole=whole)
    needs = 1 if row is None else row["needs_mc"]
    if left_mc >= needs:
        return {"reached": False, "reached_at": None, "needs": None, "fits": True, "goes_on_at": None}
    return {
        "reached": True,
        "reached_at": None if row is None else row["since"],
        "needs": None if row is None else needs / 1000,
        "fits": needs <= whole,  # when nothing is spent
        "goes_on_at": _goes_on(tx, budget, window, needs, now=now),
    }


def _goes_on(tx: Tx, budget: Budget, window: str, needs_mc: int, *, now: float) -> float | None:
    """The first midnight by which so much has left the window that the call fits: at the latest then it goes on, for
    what is reserved may become less before. None: it never fits, or with the next run."""
    cap = milli(budget.cap(window) or Decimal(0))
    if needs_mc > cap or window == RUN:
        return None
    days = DAYS[window]
    rows = tx.rows("spent_by_slot", slot=_slot(now, budget, days), **budget.scope())
    moment = now
    for _ in range(days):
        moment = _next_midnight(moment, budget.time_zone)
        first = _slot(moment, budget, days)
        if sum(row["mc"] for row in rows if row["slot"] >= first) + needs_mc <= cap:
            return moment
    return moment


def _next_midnight(now: float, time_zone: str) -> float:
    zone = ZoneInfo(time_zone)
    day = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def in_words(one: Mapping[str, Any]) -> str:
    """One entry of `report`, such as `12 of 50 credits today (UTC)`; with what follows from it where it is reached."""
    when = {RUN: "in this run", "day": f"today ({one['time_zone']})"}
    words = f"{one['used']:g} of {one['cap']:g} credits "
    words += when.get(one["window"], f"in {DAYS['month']} days ({one['time_zone']})")
    if one["needs"] and one["left"]:
        words += f", and the next call may cost {one['needs']:g}"
    if not one["reached"]:
        return words
    return f"{words}: {_until_when(one)}"


def _until_when(one: Mapping[str, Any]) -> str:
    if not one["fits"]:
        return "such a call never fits into it, whatever was spent" if one["needs"] else "no call fits into it"
    if one["window"] == RUN:
        return "goes on with the next run"
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


def at_least(seen: Mapping[Field, Decimal], fields: Iterable[Field], reserve: Shares) -> Shares:
    """Reservations that are not below the dearest prices charged for these fields: one may have been learnt since
    they were calculated."""
    if not seen:
        return reserve
    return {field: max(reserve[field], n * seen.get(field, Decimal(0))) for field, n in Counter(fields).items()}


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
        reserve = {field: prices.get(field, Decimal(0)) * n for field, n in fields.items()}
        reserved_mc, shares = reservation(reserve)
        tx.run("submission_reserve", id=submission_id, reserved_mc=reserved_mc, shares=shares)
    return True


def _slot(now: float, budget: Budget, days: int) -> int:
    return int(first_moment(now, budget.time_zone, days) // SLOT)
