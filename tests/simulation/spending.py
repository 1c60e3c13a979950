"""The operator's budgets of any scope: how they are drawn, and what the judge reckons of each by itself.

The ledger's own sums (`spend`, the shares of a call) are not asked: what is settled counts with what the vendors billed
for the fields of the scope, what is open with the price list.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from syncd.config.sections import NamedBudget
from syncd.contract.model import Field
from syncd.ledger.store import Tx

from .timeline import DAY
from .vendor import PRICE, Purchase

if TYPE_CHECKING:
    from .world import World

_CALLS = """
SELECT id, provider, sync, state, run_id, charged_mc, reserved_mc + assumed_mc AS open_mc FROM submission
WHERE created_at >= ? AND created_at < ? AND state <> 'refused'"""
_RUN = """
SELECT id, provider, sync, state, run_id, charged_mc, reserved_mc + assumed_mc AS open_mc FROM submission
WHERE run_id = ? AND state <> 'refused'"""
_ASKED = """
SELECT attempt.submission_id, job.field, count(*) FROM json_each(?) AS wanted
JOIN attempt ON attempt.submission_id = wanted.value JOIN job ON job.id = attempt.job_id GROUP BY 1, 2"""
_SCOPES: tuple[dict[str, Any], ...] = (
    {"per_day": 22, "per_month": 90},
    {"fields": (Field.PHONE,), "per_day": 20},
    {"fields": (Field.PHONE,), "providers": ("fullenrich",), "per_month": 40},
    {"fields": (Field.EMAIL,), "per_day": 3},
    {"providers": ("zeliq",), "per_day": 11},
    {"providers": ("fullenrich",), "per_day": 21, "per_month": 70},
    {"syncs": True, "fields": (Field.PHONE,), "per_month": 30},
    {"per_run": 12},
    {"syncs": True, "per_run": 11},
)


def draw(rng: random.Random, syncs: tuple[str, ...]) -> tuple[NamedBudget, ...]:
    """None in most configurations; else one or two, each with a name that no other one ever had."""
    made = []
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        scope = dict(rng.choice(_SCOPES))
        if "syncs" in scope:
            scope["syncs"] = (rng.choice(syncs),)
        made.append(NamedBudget(name=f"budget-{rng.randrange(10**9)}", **scope))
    return tuple(made)


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
                self._older[budget.name] = {row[0] for row in tx._connection.execute("SELECT id FROM submission")}
        today = self._world.wall_clock.now() // DAY * DAY
        for budget in self._world.configuration.now.budgets:
            for cap, days in ((budget.per_day, 1), (budget.per_month, 30)):
                if cap is not None:
                    calls = tx._connection.execute(_CALLS, (today - (days - 1) * DAY, today + DAY)).fetchall()
                    self._judge(tx, budget, calls, cap, f"in {days} days")
            if budget.per_run is not None:
                self._judge(tx, budget, self._of_runs(tx), budget.per_run, "in a run")

    def _of_runs(self, tx: Tx) -> list[Any]:
        newest = tx._connection.execute("SELECT max(id) FROM run GROUP BY sync").fetchall()
        return [row for (run,) in newest for row in tx._connection.execute(_RUN, (run,))]

    def _judge(self, tx: Tx, budget: NamedBudget, calls: list[Any], cap: Decimal, when: str) -> None:
        firsts, older = self._world.configuration.first_names, self._older[budget.name]
        counted = [row for row in calls if row["id"] not in older and self._counts(budget, firsts, row)]
        wanted = [row["id"] for row in counted if row["charged_mc"] is None and row["open_mc"]]
        asked: dict[str, Counter[Field]] = {}
        for id_, field, n in tx._connection.execute(_ASKED, (json.dumps(wanted),)):
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

    @staticmethod
    def _counts(budget: NamedBudget, firsts: dict[str, str], row: Any) -> bool:
        of_provider = budget.providers is None or firsts[row["provider"]] in budget.providers
        return of_provider and (budget.syncs is None or row["sync"] in budget.syncs)

    def _purchases(self, submission: str) -> list[Purchase]:
        """What the vendors sold by one call."""
        for name, vendor in self._world.vendors.items():
            for purchase in vendor.purchases[self._seen[name] :]:
                self._bought.setdefault(purchase.submission, []).append(purchase)
            self._seen[name] = len(vendor.purchases)
        return self._bought.get(submission, [])
