"""The command that previews: plan."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.contract.errors import ConnectorError
from syncd.ledger import upkeep
from syncd.ledger.reports import Planned
from syncd.ledger.store import Ledger
from syncd.pipeline.preview import preview
from syncd.registry import Registry

from .output import ConfigOption, JsonOption, complain, err, print_json, settings_from, table, with_cure


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
        planned, prices = asyncio.run(_plan(settings, registry))
    except ConnectorError as error:
        complain([with_cure(str(error), getattr(error, "cure", "Try again in a minute."))])
        raise typer.Exit(1) from None
    rows = [{**asdict(one), "worst_case_credits": _price(one, prices)} for one in planned]
    cost = sum((row["worst_case_credits"] for row in rows), Decimal(0))
    totals = _totals(planned, prices)
    if as_json:
        print_json({"jobs": rows, "totals": totals, "worst_case_credits": cost})
        return
    asked = sum(one.provider is not None for one in planned)
    title = f"{asked} would be asked for, at most {cost} credits with the next provider of each"
    table(
        title,
        ["sync", "field", "next provider", "contacts", "credits", "not, because"],
        [[*t.values()] for t in totals],
    )
    if each:
        shown = [[r["contact"], r["field"], r["provider"], r["worst_case_credits"], r["skipped"]] for r in rows[:limit]]
        table(f"The first {len(shown)}", ["contact", "field", "next provider", "credits", "not, because"], shown)
    elif rows:
        err.print("`--list` shows every contact.")


def _price(one: Planned, prices: dict[str, Any]) -> Decimal:
    return Decimal(prices[one.provider][one.field]) if one.provider in prices else Decimal(0)


def _totals(planned: Sequence[Planned], prices: dict[str, Any]) -> list[dict[str, Any]]:
    count = Counter((one.sync, one.field, one.provider, None if one.provider else one.reason) for one in planned)
    cost = {(one.sync, one.field, one.provider): _price(one, prices) for one in planned}
    return [
        {
            "sync": sync,
            "field": field,
            "provider": provider,
            "contacts": n,
            "worst_case_credits": n * cost[sync, field, provider],
            "reason": reason,
        }
        for (sync, field, provider, reason), n in sorted(count.items(), key=str)
    ]


async def _plan(settings: Settings, registry: Registry) -> tuple[list[Planned], dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        copy = Path(folder) / "ledger.db"
        if settings.ledger.path.exists():
            await asyncio.to_thread(upkeep.back_up, settings.ledger.path, copy)
        ledger = await asyncio.to_thread(Ledger.open, copy)
        parts = await compose.assemble(settings, registry, ledger, compose.clock_of(settings))
        try:
            planned = await preview(parts)
        finally:
            await compose.close(parts)
        return planned, {name: lane.provider.capabilities.price for name, lane in parts.lanes.items()}
