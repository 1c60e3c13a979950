"""The command that previews: plan."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.contract.errors import ConnectorError
from syncd.contract.pacing import Clock
from syncd.ledger import budgets, copies
from syncd.ledger.reports import Planned
from syncd.ledger.store import Ledger
from syncd.log import set_up
from syncd.pipeline.preview import preview, preview_retry
from syncd.pipeline.spending import budgets_of
from syncd.registry import Registry

from .output import ConfigOption, JsonOption, complain, err, print_json, settings_from, table, with_cure
from .tables import show_budgets


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("plan", short_help="Who would be enriched, at which cost; spends nothing.")(plan)


def plan(
    config: ConfigOption = None,
    *,
    each: Annotated[bool, typer.Option("--list", help="Every single contact, not only the totals.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="List so many contacts at most.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """What `syncd run` would decide now: whom it would ask about, at which worst-case cost, and whom not, and why.

    Pulls from the CRM and decides on a copy of the ledger, by the very same rules. Spends nothing, writes nothing.

    \b
    Examples:
      syncd plan
      syncd plan --list --limit 50
      syncd plan --json
    """
    settings, registry = settings_from(config)
    try:
        planned = asyncio.run(on_copy(settings, registry))
    except ConnectorError as error:
        complain([with_cure(str(error), getattr(error, "cure", "Try again in a minute."))])
        raise typer.Exit(1) from None
    rows, cost = planned.rows, summed(planned.rows)
    if as_json:
        totals = _totals(rows)
        print_json({"jobs": rows, "totals": totals, "worst_case_credits": cost, "budgets": planned.budgets})
        return
    asked = sum(row["provider"] is not None for row in rows)
    totals_table(f"{asked} would be asked for, at most {cost} credits with the next provider of each", planned)
    show_budgets(planned.budgets)
    if each:
        shown = [[r["contact"], r["field"], r["provider"], r["worst_case_credits"], r["skipped"]] for r in rows[:limit]]
        table(f"The first {len(shown)}", ["contact", "field", "next provider", "credits", "not, because"], shown)
    elif rows:
        err.print("`--list` shows every contact.")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided: a row for each decision, and how the budgets stand."""

    rows: list[dict[str, Any]]
    budgets: list[dict[str, Any]]


def summed(rows: Sequence[dict[str, Any]]) -> Decimal:
    """The worst case of all, in credits."""
    return sum((row["worst_case_credits"] for row in rows), Decimal(0))


def totals_table(title: str, planned: Preview) -> None:
    """By sync, field, provider and reason."""
    heads = ["sync", "field", "next provider", "contacts", "credits", "not, because"]
    table(title, heads, [[*total.values()] for total in _totals(planned.rows)])


def _price(one: Planned, prices: dict[str, Any]) -> Decimal:
    return Decimal(prices[one.provider][one.field]) if one.provider in prices else Decimal(0)


def _totals(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    totals: dict[Any, dict[str, Any]] = {}
    for row in rows:
        reason = None if row["provider"] else row["reason"]
        key = (row["sync"], row["field"], row["provider"], reason)
        empty = {"sync": key[0], "field": key[1], "provider": key[2], "contacts": 0, "worst_case_credits": Decimal(0)}
        total = totals.setdefault(key, {**empty, "reason": reason})
        total["contacts"] += 1
        total["worst_case_credits"] += row["worst_case_credits"]
    return [total for _, total in sorted(totals.items(), key=lambda one: str(one[0]))]


def clock_of(settings: Settings) -> Clock:
    """The host's clock, or a rehearsal's."""
    return compose.clock_of(settings)


async def on_copy(settings: Settings, registry: Registry, *, retry: Sequence[int] | None = None) -> Preview:
    """Decide on a copy of the ledger: after a pull, or on these jobs alone, as `syncd retry` would have it."""
    # Standard output is the answer's, and what the stages tell as news has not happened.
    set_up(settings.log.model_copy(update={"level": "warning"}), hidden=settings.secrets)
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        copy = Path(folder) / "ledger.db"
        if settings.ledger.path.exists():
            await asyncio.to_thread(copies.back_up, settings.ledger.path, copy)
        ledger = await asyncio.to_thread(Ledger.open, copy)
        parts = await compose.assemble(settings, registry, ledger, compose.clock_of(settings))
        try:
            planned = await (preview(parts) if retry is None else preview_retry(parts, retry))
            now, lanes = parts.clock.now(), parts.lanes.items()
            listed = {name: lane.provider.capabilities.price for name, lane in lanes}
            prices = {n: await ledger.read(budgets.worst_prices, n, price, now=now) for n, price in listed.items()}
            used = await ledger.read(budgets.report, budgets_of(settings.syncs), now=now)
        finally:
            await compose.close(parts)
    return Preview([{**asdict(one), "worst_case_credits": _price(one, prices)} for one in planned], used)
