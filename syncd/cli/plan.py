"""The command that previews: plan."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.contract.pacing import Clock
from syncd.ledger import budgets, copies, reports, runway
from syncd.ledger.reports import Planned, PlannedTotal
from syncd.ledger.store import Ledger
from syncd.log import set_up
from syncd.pipeline.forecast import ENOUGH, Price, Turn, fit, price_of_turns, turns_of
from syncd.pipeline.parts import Parts
from syncd.pipeline.preview import preview, preview_retry
from syncd.pipeline.spending import budgets_of
from syncd.registry import Registry

from .output import ConfigOption, JsonOption, note, print_json, settings_from, table, tell
from .progress import EVERY, looking, progress


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
    """What `syncd run` would decide now: whom it would ask about, at which cost, and whom not, and why.

    Pulls from the CRM and decides on a copy of the ledger, by the very same rules. Spends nothing, writes nothing.
    The worst case is that every provider that may be asked finds something and charges for it; what is to be expected
    is known once a provider has answered 30 times.

    \b
    Examples:
      syncd plan
      syncd plan --list --limit 50
      syncd plan --json
    """
    settings, registry = settings_from(config)
    planned = asyncio.run(on_copy(settings, registry, list_at_most=limit if each else 0))
    if as_json:
        print_json(planned.as_json(listed=each))
        return
    show(planned, "would be asked for")
    if each:
        rows = [[one.contact, one.field, one.provider, one.skipped] for one in planned.rows]
        table(f"The first {len(rows)}", ["contact", "field", "next provider", "not, because"], rows)
    elif planned.totals:
        note("`--list` shows single contacts.")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided: totals with each provider's turn, some single decisions, and how budgets and balances
    stand."""

    totals: list[tuple[PlannedTotal, list[Turn]]]
    rows: list[Planned]
    budgets: list[dict[str, Any]]  # entries of `budgets.report`, with what of the plan fits
    balances: dict[str, dict[str, Any]]  # `runway.report`

    @property
    def asked(self) -> int:
        """How many fields would be asked for."""
        return sum(total.contacts for total, _ in self.totals if total.provider is not None)

    @property
    def turns(self) -> list[Turn]:
        """Those of all."""
        return [turn for _, turns in self.totals for turn in turns]

    @property
    def price(self) -> Price:
        """That of all."""
        return price_of_turns(self.turns)

    def as_json(self, *, listed: bool) -> dict[str, Any]:
        """Plain data for scripts."""
        totals = [{**asdict(total), **_credits(price_of_turns(turns))} for total, turns in self.totals]
        jobs = {"jobs": [asdict(one) for one in self.rows]} if listed else {}
        return {"asked": self.asked, **_credits(self.price), "totals": totals, **self._money(), **jobs}

    def _money(self) -> dict[str, Any]:
        by_provider = {name: _at(name, self.turns) for name in self.balances}
        balances = {name: {**one, **_credits(by_provider[name])} for name, one in self.balances.items()}
        return {"budgets": self.budgets, "balances": balances}


def _at(provider: str, turns: Sequence[Turn]) -> Price:
    return price_of_turns(turn for turn in turns if turn.provider == provider)


def _credits(price: Price) -> dict[str, Any]:
    return {
        "expected_credits": price.expected,
        "worst_case_credits": price.worst,
        "next_provider_credits": price.first,
    }


def show(planned: Preview, what: str) -> None:
    """The totals by sync, field, provider and reason; then the price beside what budgets and balances leave."""
    heads = ["sync", "field", "next provider", "contacts", "expected", "at worst", "not, because"]
    table("", heads, (_row(total, price_of_turns(turns)) for total, turns in planned.totals))
    price = planned.price
    likely = "" if price.expected is None else f"{price.expected:,.0f} credits are to be expected, and "
    unknown = " What is to be expected is known once each provider has answered 30 times." * (price.expected is None)
    tell(f"{planned.asked:,} {what}: {likely}{price.worst:,} credits at worst.{unknown}")
    for one in planned.budgets:
        tell(f"{one['budget']}: {budgets.in_words(one)}; {_fits(one)}.")
    for name, one in planned.balances.items():
        _show_balance(name, one, _at(name, planned.turns))


def _fits(one: dict[str, Any]) -> str:
    """Whether the plan fits into what is left, and if not, how much of it would wait, and for what."""
    left = f"{one['left']:g} are left"
    if not one["waits_at_worst"]:
        return f"{left}: enough for all {one['questions']:,} questions that it counts, at worst"
    until = {"run": "the next run", "day": "the next day", "month": "older credits to leave the 30 days"}[one["window"]]
    worst = f"{one['waits_at_worst']:,} of {one['questions']:,} questions wait for {until}"
    if one["waits_as_expected"] is None:
        return f"{left}: at worst {worst}"
    if not one["waits_as_expected"]:
        return f"{left}: enough for what is to be expected; at worst {worst}"
    return f"{left}: as expected {one['waits_as_expected']:,}, at worst {worst}"


def _show_balance(name: str, one: dict[str, Any], price: Price) -> None:
    """What is left of a balance after the plan, and how long it lasts."""
    if one["balance"] is None:
        return
    lasts = runway.in_words(one) or f"{one['balance']:g} credits are left"
    short = "" if price.worst <= one["balance"] else f"; this plan may cost {price.worst:,} there at worst"
    tell(f"{name}: {lasts}{short}.")


def _row(total: PlannedTotal, price: Price) -> list[Any]:
    reason = (total.reason or "").replace("_", " ")
    if total.provider is None:
        return [total.sync, total.field, "", total.contacts, "", "", reason]
    likely = "?" if price.expected is None else f"{price.expected:.1f}"
    return [total.sync, total.field, total.provider, total.contacts, likely, price.worst, ""]


def clock_of(settings: Settings) -> Clock:
    """The host's clock, or a rehearsal's."""
    return compose.clock_of(settings)


async def on_copy(
    settings: Settings, registry: Registry, *, retry: Sequence[int] | None = None, list_at_most: int = 0
) -> Preview:
    """Decide on a copy of the ledger: after a pull, or on these jobs alone, as `syncd retry` would have it."""
    # Standard output is the answer's, and what the stages tell as news has not happened.
    set_up(settings.log.model_copy(update={"level": "error"}), hidden=settings.secrets)
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        copy = Path(folder) / "ledger.db"
        with progress("copying the ledger", "MB", per=1e6) as line:
            await asyncio.to_thread(copies.copy_for_trial, settings.ledger.place, copy, line)
        ledger = await asyncio.to_thread(Ledger.open, copy)
        parts = await compose.assemble(settings, registry, ledger, compose.clock_of(settings))
        gc.freeze()  # all this lives as long as the process; and what a page makes leaves no cycles
        gc.set_threshold(50_000, 20, 50)
        try:
            async with _seen(ledger):
                since = await (preview(parts) if retry is None else preview_retry(parts, retry))
            return await _read(parts, since, retry, list_at_most)
        finally:
            await compose.close(parts)


async def _read(parts: Parts, since: int, jobs: Sequence[int] | None, list_at_most: int) -> Preview:
    read, now = parts.ledger.read, parts.clock.now()
    totals = await read(reports.planned_totals, since_event=since, jobs=jobs)
    rows = await read(reports.planned, since_event=since, jobs=jobs, limit=list_at_most) if list_at_most else []
    rates = await read(reports.hit_rates, at_least=ENOUGH)
    listed = {name: lane.provider.capabilities.price for name, lane in parts.lanes.items()}
    prices = {name: await read(budgets.worst_prices, name, price, now=now) for name, price in listed.items()}
    used = await read(budgets.report, budgets_of(parts.settings), now=now)
    priced = [(one, turns_of(one, parts.syncs, prices, rates)) for one in totals]
    turns = [turn for _, of_one in priced for turn in of_one]
    balances = await read(runway.report, list(prices), now=now)
    return Preview(priced, rows, [{**one, **fit(one, turns)} for one in used], balances)


@asynccontextmanager
async def _seen(ledger: Ledger) -> AsyncIterator[None]:
    """How many contacts were pulled so far is shown meanwhile."""
    run = await ledger.read(reports.newest_run)

    async def look() -> None:
        with progress("pulled and decided on", "contacts", rate=True) as line:
            while True:
                await asyncio.sleep(EVERY)
                line(await ledger.read(reports.pulled_since, run=run))

    async with looking(look):
        yield
