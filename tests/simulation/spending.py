"""The operator's budgets of any scope: how they are drawn, and what the judge reckons of each by itself.

The ledger's own sums (`spend`, the shares of a call) are not asked: what is settled counts with what the vendors billed
for the fields of the scope, what is open with the price list.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syncd.config.sections import NamedBudget
from syncd.config.settings import Sync
from syncd.contract.model import Field
from syncd.ledger.store import Tx

from .vendor import PRICE, Purchase

if TYPE_CHECKING:
    from .world import World

_CALLS = """
SELECT id, provider, sync, state, run_id, refresh, charged_mc, reserved_mc + assumed_mc AS open_mc FROM submission
WHERE created_at >= ? AND created_at < ? AND state <> 'refused'"""
_RUN = """
SELECT id, provider, sync, state, run_id, refresh, charged_mc, reserved_mc + assumed_mc AS open_mc FROM submission
WHERE run_id = ? AND state <> 'refused'"""
_ASKED = """
SELECT attempt.submission_id, job.field, count(*) FROM json_each(?) AS wanted
JOIN attempt ON attempt.submission_id = wanted.value JOIN job ON job.id = attempt.job_id GROUP BY 1, 2"""
_SCOPES: tuple[dict[str, Any], ...] = (
    {"per_day": 22, "per_month": 90},
    {"per_run": 12},
    {"fields": (Field.PHONE,), "per_day": 20},
    {"fields": (Field.PHONE,), "providers": ("fullenrich",), "per_month": 40},
    {"fields": (Field.EMAIL,), "per_day": 3},
    {"fields": (Field.EMAIL,), "per_run": 2, "per_month": 15},
    {"fields": (Field.PHONE,), "per_run": 11},
    {"providers": ("zeliq",), "per_day": 11},
    {"providers": ("zeliq",), "per_run": 11, "per_month": 70},
    {"providers": ("fullenrich",), "per_day": 21, "per_month": 70},
    {"providers": ("fullenrich",), "per_run": 12},
    {"syncs": True, "fields": (Field.PHONE,), "per_month": 30},
    {"syncs": True, "per_day": 13, "per_month": 80},
    {"syncs": True, "per_run": 11},
)
_AGAIN: tuple[dict[str, Any], ...] = (  # of calls alone by which values of ours are verified again: in time for all
    {"per_day": 11, "per_month": 150},
    {"per_run": 11},
    {"fields": (Field.EMAIL,), "per_day": 1},
    {"fields": (Field.PHONE,), "per_day": 11},
)
_ZONES = ("UTC", "Europe/Paris", "Asia/Kathmandu", "America/Los_Angeles")


def draw(rng: random.Random, syncs: Iterable[Sync]) -> tuple[NamedBudget, ...]:
    """None in most configurations; else one or two, each with a name that no other one ever had. Where values are
    verified again, mostly one of these calls alone."""
    known = list(syncs)
    drawn = [dict(rng.choice(_SCOPES)) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
    if any(policy.refresh for sync in known for policy in sync.fields.values()) and rng.random() < 0.7:
        drawn.append({**rng.choice(_AGAIN), "refresh": True})
    made = []
    for scope in drawn:
        if "syncs" in scope:
            scope["syncs"] = (rng.choice(known).name,)
        made.append(NamedBudget(name=f"budget-{rng.randrange(10**9)}", time_zone=rng.choice(_ZONES), **scope))
    return tuple(made)


def _days(now: float, budget: NamedBudget, n: int) -> tuple[float, float]:
    """From when until when the last `n` days are, today included, where the budget's days begin."""
    zone = ZoneInfo(budget.time_zone)
    today = datetime.fromtimestamp(now, zone).date()
    first, after = (datetime.combine(today + timedelta(days=d), time(), zone) for d in (1 - n, 1))
    return first.timestamp(), after.timestamp()


class Spending:
    """Looks at every budget that is in force whenever something was committed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._older: dict[str, set[str]] = {}  # calls that were made before a budget came to be, by its name
        self._bought: dict[str, list[Purchase]] = {}  # by submission
        self._seen: Counter[str] = Counter()

    def on_commit(self, tx: Tx) -> None:
        """I8: of no budget more is spent and reserved than its cap says."""
        for budget in self._world.configuration.now.budgets:
            if budget.name not in self._older:
                self._older[budget.name] = {
                    row[0] for row in tx._connection.execute("SELECT id FROM submission").fetchall()
                }
        now = self._world.wall_clock.now()
        for budget in self._world.configuration.now.budgets:
            for cap, days in ((budget.per_day, 1), (budget.per_month, 30)):
                if cap is not None:
                    calls = tx._connection.execute(_CALLS, _days(now, budget, days)).fetchall()
                    self._judge(tx, budget, calls, cap, f"in {days} days")
            if budget.per_run is not None:
                self._judge(tx, budget, self._of_runs(tx), budget.per_run, "in a run")

    def _of_runs(self, tx: Tx) -> list[Any]:
        newest = tx._connection.execute("SELECT max(id) FROM run GROUP BY sync").fetchall()
        return [row for (run,) in newest for row in tx._connection.execute(_RUN, (run,)).fetchall()]

    def _judge(self, tx: Tx, budget: NamedBudget, calls: list[Any], cap: Decimal, when: str) -> None:
        firsts, older = self._world.configuration.first_names, self._older[budget.name]
        unknown = older.union(*(vendor.billed_in_silence() for vendor in self._world.vendors.values()))
        counted = [row for row in calls if row["id"] not in unknown and self._counts(budget, firsts, row)]
        wanted = [row["id"] for row in counted if row["charged_mc"] is None and row["open_mc"]]
        asked: dict[str, Counter[Field]] = {}
        for id_, field, n in tx._connection.execute(_ASKED, (json.dumps(wanted),)).fetchall():
            asked.setdefault(id_, Counter())[Field(field)] = n
        fields = budget.fields or tuple(Field)
        spent = Decimal(0)
        for row in counted:
            if row["id"] in asked:
                spent += sum(PRICE[one] * n for one, n in asked[row["id"]].items() if one in fields)
            else:
                spent += sum(one.billed for one in self._purchases(row["id"]) if one.field in fields)
        if spent > cap:
            self._world.violated("I8", f"{spent} of {cap} were spent {when}, by {budget.model_dump(exclude_none=True)}")

    def _counts(self, budget: NamedBudget, firsts: dict[str, str], row: Any) -> bool:
        of_provider = budget.providers is None or firsts[row["provider"]] in budget.providers
        of_sync = budget.syncs is None or row["sync"] in budget.syncs
        return of_provider and of_sync and (not budget.refresh or self._is_again(row))

    def _is_again(self, row: Any) -> bool:
        """Does a call verify values of ours again? The ledger is asked only where the vendor has not taken it on."""
        bought = self._purchases(row["id"])
        return all(one.again for one in bought) if bought else bool(row["refresh"])

    def _purchases(self, submission: str) -> list[Purchase]:
        """What the vendors sold by one call."""
        for name, vendor in self._world.vendors.items():
            for purchase in vendor.purchases[self._seen[name] :]:
                self._bought.setdefault(purchase.submission, []).append(purchase)
            self._seen[name] = len(vendor.purchases)
        return self._bought.get(submission, [])
